package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

// Result is what a run came to.
type Result struct {
	// Outcome is that of the pull request judged, the worst one when there were several, Allowed when none is open.
	Outcome policies.Outcome
	// Reported is set by `exit-code: reported`: the check run carries the verdict, the step only tells that it was posted.
	Reported bool
}

// Run judges the pull requests that the current event is about and reports each verdict. getenv gives GITHUB_* and
// INPUT_* variables, out takes log lines and workflow commands, now is the moment of judging. An error means that no
// verdict, or not every one, could be reported; it has been logged, escaped, and the output decision is error.
func Run(ctx context.Context, getenv func(string) string, out io.Writer, now time.Time) (Result, error) {
	a := githubactions.New(githubactions.WithGetenv(getenv), githubactions.WithWriter(out))
	result, err := run(ctx, a, now)
	if err != nil {
		result.Outcome = policies.Failed
		setOutputs(a, policies.Decision{Outcome: policies.Failed, Code: policies.EvaluationError})
		// The runner obeys commands in any line of a step, on stderr too, and an error can quote a file's name.
		a.Errorf("%v", err)
	}
	return result, err
}

func run(ctx context.Context, a *githubactions.Action, now time.Time) (Result, error) {
	var result Result
	switch mode := a.GetInput("exit-code"); mode {
	case "", "verdict":
	case "reported":
		result.Reported = true
	default:
		return result, fmt.Errorf("input exit-code is %q; allowed: verdict, reported", mode)
	}
	client, err := newClient(a)
	if err != nil {
		return result, err
	}
	t, err := readEvent(a.Getenv)
	if err != nil {
		return result, err
	}
	var failures []error
	verdicts, err := t.judge(ctx, client, now)
	if err != nil {
		return result, err
	}
	for _, same := range byHead(verdicts) {
		if err := report(ctx, a, client, same); err != nil {
			failures = append(failures, err)
		}
	}
	result.Outcome = policies.Allowed
	if len(verdicts) == 0 {
		a.Noticef("no open pull request to judge")
	} else {
		d := worst(verdicts).decision
		result.Outcome = d.Outcome
		setOutputs(a, d)
	}
	return result, errors.Join(failures...)
}

func newClient(a *githubactions.Action) (*github.Client, error) {
	owner, name, ok := strings.Cut(a.Getenv("GITHUB_REPOSITORY"), "/")
	if !ok {
		return nil, errors.New("GITHUB_REPOSITORY is not set to owner/name; run this as a GitHub Action")
	}
	token := strings.TrimSpace(cmp.Or(a.GetInput("token"), a.Getenv("GITHUB_TOKEN")))
	if token == "" {
		return nil, errors.New("no token: set the input token to one of a GitHub App that may read members and write checks")
	}
	if a.Getenv("GITHUB_ACTIONS") == "true" { // elsewhere nobody swallows the line
		a.AddMask(token)
	}
	return github.New(github.Config{APIURL: a.Getenv("GITHUB_API_URL"), Owner: owner, Repo: name,
		Token: func(context.Context) (string, error) { return token, nil }})
}

// maxPayload bounds an event's payload, in bytes; GitHub's own limit for webhooks is 25 MB.
const maxPayload = 32 << 20

func readEvent(getenv func(string) string) (target, error) {
	file, err := os.Open(getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return target{}, fmt.Errorf("open the event's payload (GITHUB_EVENT_PATH): %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPayload))
	if err != nil {
		return target{}, fmt.Errorf("read the event's payload: %w", err)
	}
	return parseEvent(getenv("GITHUB_EVENT_NAME"), data)
}

var outputPattern = regexp.MustCompile(`^[A-Za-z0-9-]*$`)

// setOutputs writes words that can neither end an output early nor begin another. The library's delimiter is fixed and
// its values unchecked, so anything else is left out.
func setOutputs(a *githubactions.Action, d policies.Decision) {
	for name, value := range map[string]string{"decision": d.Outcome.String(), "code": string(d.Code), "policy": d.Policy, "head-sha": d.HeadSHA} {
		if outputPattern.MatchString(value) && a.Getenv("GITHUB_OUTPUT") != "" {
			a.SetOutput(name, value)
		}
	}
}

// report tells the verdicts on one head commit: each in the log and the step summary, and one check run for them all.
func report(ctx context.Context, a *githubactions.Action, client *github.Client, verdicts []verdict) error {
	var summaries []string
	var remarks []github.Annotation
	for _, v := range verdicts {
		logVerdict(a, v)
		summaries = append(summaries, v.summary())
		remarks = append(remarks, annotations(v.decision)...)
	}
	summary := strings.Join(summaries, "\n")
	if a.Getenv("GITHUB_STEP_SUMMARY") != "" {
		a.AddStepSummary(summary)
	}
	last := worst(verdicts)
	if last.headSHA == "" {
		return fmt.Errorf("post the check run on %s: the event does not name its head commit", last.name())
	}
	app, err := client.PostCheck(ctx, github.Check{HeadSHA: last.headSHA, Name: policies.CheckName, Conclusion: conclusion(last.decision.Outcome),
		Title: title(last.decision), Summary: summary, Annotations: remarks})
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
	}
	return nil
}

// marker begins the one comment on a pull request that is kept up to date. GitHub shows nothing of it.
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

// conclusion is the check run's. Only success is green: a required check passes on neutral and skipped too, so a pending
// verdict is action_required.
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
		all = append(all, github.Annotation{Path: f.File, Line: f.Line, Column: f.Column, Level: "failure", Title: f.Rule, Message: f.Message})
	}
	return all
}

func title(d policies.Decision) string {
	word := d.Outcome.String()
	word = strings.ToUpper(word[:1]) + word[1:]
	return strings.TrimSuffix(word+": "+string(d.Code), ": ")
}
