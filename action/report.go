package action

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

var outputPattern = regexp.MustCompile(`^[A-Za-z0-9-]*$`)

// setOutputs writes words that can neither end an output early nor begin another. The library's
// delimiter is fixed and its values unchecked, so anything else is left out.
func setOutputs(a *githubactions.Action, d policies.Decision) {
	for name, value := range map[string]string{
		"decision": d.Outcome.String(),
		"code":     string(d.Code),
		"policy":   d.Policy,
		"head-sha": d.HeadSHA,
	} {
		if outputPattern.MatchString(value) && a.Getenv("GITHUB_OUTPUT") != "" {
			a.SetOutput(name, value)
		}
	}
}

// notMerged leaves out the verdicts on pull requests that are merged by now: what is judged then is
// the agent's to say, and a fresh check or comment would contradict it. It is asked right before
// they are told, for judging takes a while.
func notMerged(ctx context.Context, a *githubactions.Action, client sources,
	verdicts []verdict) (open []verdict) {
	for _, v := range verdicts {
		// What cannot be read now leaves the verdict as it is.
		var now github.Standing
		var err error
		if v.number > 0 {
			now, err = client.Standing(ctx, v.number)
		}
		if err == nil && now.Merged {
			noticeMerged(a, v.number)
			continue
		}
		open = append(open, v)
	}
	return open
}

func noticeMerged(a *githubactions.Action, number int) {
	a.Noticef("#%d is merged, so that it gets no verdict any more; the agent tells on the pull "+
		"request what became of it", number)
}

// report tells the verdicts on one head commit: each in the log and the step summary, and one
// check run for them all.
func report(
	ctx context.Context, a *githubactions.Action, client sources, verdicts []verdict,
) error {
	var summaries []string
	var remarks []github.Annotation
	var pushed []github.Pushed
	for _, v := range verdicts {
		logVerdict(a, v)
		summaries = append(summaries, v.summary())
		remarks = append(remarks, annotations(v.decision)...)
		pushed = append(pushed, v.pushed...)
	}
	summary := strings.Join(summaries, "\n")
	if a.Getenv("GITHUB_STEP_SUMMARY") != "" {
		a.AddStepSummary(summary)
	}
	last := worst(verdicts)
	if last.headSHA == "" {
		return fmt.Errorf("post the check run on %s: the event does not name its head commit",
			last.name())
	}
	app, err := client.PostCheck(ctx, github.Check{
		HeadSHA:     last.headSHA,
		Name:        policies.CheckName,
		Conclusion:  conclusion(last.decision.Outcome),
		Title:       title(last.decision),
		Summary:     summary,
		Annotations: remarks,
		Pushed:      pushed,
		Next:        next(verdicts),
		Failures:    failures(verdicts),
	})
	if err != nil {
		return fmt.Errorf("post the check run on %s: %w", last.name(), err)
	}
	for i, v := range verdicts {
		if v.number == 0 {
			continue
		}
		// The check run is the verdict; a comment that cannot be written takes nothing from it.
		if _, err := client.Comment(ctx, v.number, app+"[bot]", marker, summaries[i]); err != nil {
			a.Warningf("the verdict stands, but not in a comment: %v", err)
		}
		v.tellChannels(ctx, a, client)
		if !v.decision.Dead(v.at) {
			continue
		}
		// told already why, and nothing is left to wait for
		if err := client.Close(ctx, v.number); err != nil {
			a.Warningf("%s stays open: %v", v.name(), err)
		}
	}
	return nil
}

// next is when time alone changes the first of some verdicts on one commit.
func next(verdicts []verdict) (first requests.Time) {
	for _, v := range verdicts {
		at := v.due()
		if at.IsZero() || !first.IsZero() && first.Before(at.Time) {
			continue
		}
		first = at
	}
	return first
}

// failures is how often in a row the commit of some verdicts could not be judged.
func failures(verdicts []verdict) (most int) {
	for _, v := range verdicts {
		if v.decision.Outcome == policies.Failed {
			most = max(most, v.failures+1)
		}
	}
	return most
}

// mostDoubled bounds the pause before what could not be judged is judged again, at some four hours.
const mostDoubled = 8

// due is when time alone changes a verdict; what could not be judged is judged again soon, and after twice
// the time whenever that is of no use. Not a fork's: whoever may read can open one that nobody can judge.
func (v verdict) due() requests.Time {
	switch {
	case v.decision.Outcome != policies.Failed:
		return v.decision.Next()
	case v.fork:
		return requests.Time{}
	}
	return requests.At(v.at.Add(time.Minute << min(v.failures, mostDoubled)))
}

// marker begins the one comment on a pull request that is kept up to date. GitHub shows nothing
// of it.
const marker = "<!-- pullgrant: verdict -->"

func logVerdict(a *githubactions.Action, v verdict) {
	for i, line := range v.decision.Explain() {
		switch {
		case i > 0 || v.decision.Outcome == policies.Allowed:
			a.Noticef("%s %s", v.name(), line)
		case v.decision.Outcome == policies.Pending:
			a.Warningf("%s %s", v.name(), line)
		default:
			a.Errorf("%s %s", v.name(), line)
		}
	}
	for _, f := range v.decision.Findings {
		a.Errorf("%s %s", v.name(), f)
	}
}

// conclusion is the check run's. Only success is green: a required check passes on neutral and
// skipped too, so a pending verdict is action_required.
func conclusion(o policies.Outcome) string {
	switch o {
	case policies.Allowed:
		return "success"
	case policies.Pending:
		return "action_required"
	}
	return "failure"
}

func annotations(d policies.Decision) []github.Annotation {
	var all []github.Annotation
	for _, f := range d.Findings {
		all = append(all, github.Annotation{Path: f.File, Line: f.Line, Column: f.Column,
			Level: "failure", Title: f.Rule, Message: f.Message})
	}
	return all
}

func title(d policies.Decision) string {
	word := d.Outcome.String()
	word = strings.ToUpper(word[:1]) + word[1:]
	return strings.TrimSuffix(word+": "+string(d.Code), ": ")
}
