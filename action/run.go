package action

import (
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

// CheckName is the check run that the ruleset of an access repository requires.
const CheckName = "pullgrant"

// Result is what a run came to.
type Result struct {
	// Outcome is that of the pull request judged, the worst one when there were several, Allowed when there was none.
	Outcome policies.Outcome
	// Reported is set by `exit-code: reported`: the check run carries the verdict, the step only tells that it was posted.
	Reported bool
}

// Run judges the pull requests that the current event is about and reports each verdict. getenv gives GITHUB_* and
// INPUT_* variables, out takes log lines and workflow commands, now is the moment of judging. An error means that no
// verdict, or not every one, could be reported.
func Run(ctx context.Context, getenv func(string) string, out io.Writer, now time.Time) (Result, error) {
	a := githubactions.New(githubactions.WithGetenv(getenv), githubactions.WithWriter(out))
	result := Result{Outcome: policies.Failed}
	switch mode := a.GetInput("exit-code"); mode {
	case "", "verdict":
	case "reported":
		result.Reported = true
	default:
		return result, fmt.Errorf("input exit-code is %q; allowed: verdict, reported", mode)
	}
	client, err := newClient(a, getenv)
	if err != nil {
		return result, err
	}
	t, err := readEvent(getenv)
	if err != nil {
		return result, err
	}
	numbers, err := t.numbers(ctx, client)
	if err != nil {
		return result, err
	}
	result.Outcome = policies.Allowed
	var failures []error
	for i, number := range numbers {
		d := judge(ctx, client, number, t.headSHA, now)
		if err := report(ctx, a, client, number, d); err != nil {
			failures = append(failures, err)
		}
		if i == 0 || worse(d.Outcome, result.Outcome) {
			result.Outcome = d.Outcome
			setOutputs(a, d)
		}
	}
	if len(numbers) == 0 {
		a.Noticef("no open pull request to judge")
	}
	return result, errors.Join(failures...)
}

func newClient(a *githubactions.Action, getenv func(string) string) (*github.Client, error) {
	owner, name, ok := strings.Cut(getenv("GITHUB_REPOSITORY"), "/")
	if !ok {
		return nil, errors.New("GITHUB_REPOSITORY is not set to owner/name; run this as a GitHub Action")
	}
	token := a.GetInput("token")
	if token == "" {
		token = getenv("GITHUB_TOKEN")
	}
	if token == "" {
		return nil, errors.New("no token: set the input token to one of a GitHub App that may read members and write checks")
	}
	a.AddMask(token)
	return github.New(github.Config{APIURL: getenv("GITHUB_API_URL"), Owner: owner, Repo: name,
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

func (t target) numbers(ctx context.Context, client *github.Client) ([]int, error) {
	switch {
	case t.all:
		return client.OpenPulls(ctx)
	case t.number > 0:
		return []int{t.number}, nil
	}
	return client.PullsByHead(ctx, t.headSHA)
}

// judge gathers and evaluates. Facts that cannot be had are a verdict too: EvaluationError on the head the event named.
func judge(ctx context.Context, client *github.Client, number int, headSHA string, now time.Time) policies.Decision {
	facts, err := client.Facts(ctx, number, now)
	if err != nil {
		d := policies.Refuse(policies.EvaluationError, "gather the facts of pull request #%d: %v", number, err)
		d.HeadSHA = headSHA
		return d
	}
	return policies.Evaluate(facts.Base, facts, now)
}

// worse orders outcomes by how loudly they must be told: error, denied, pending, allowed.
func worse(a, b policies.Outcome) bool {
	rank := [...]int{policies.Allowed: 0, policies.Pending: 1, policies.Denied: 2, policies.Failed: 3}
	return rank[a] > rank[b]
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

// report posts the check run and repeats the verdict in the log and the step summary.
func report(ctx context.Context, a *githubactions.Action, client *github.Client, number int, d policies.Decision) error {
	for i, line := range d.Explain() {
		switch {
		case i > 0 || d.Outcome == policies.Allowed:
			a.Noticef("%s", line)
		case d.Outcome == policies.Pending:
			a.Warningf("#%d %s", number, line)
		default:
			a.Errorf("#%d %s", number, line)
		}
	}
	for _, f := range d.Findings {
		a.Errorf("%s", f)
	}
	summary := Summary(d)
	if a.Getenv("GITHUB_STEP_SUMMARY") != "" {
		a.AddStepSummary(summary)
	}
	if d.HeadSHA == "" {
		return fmt.Errorf("pull request #%d: %s", number, d.Message)
	}
	_, err := client.PostCheck(ctx, github.Check{HeadSHA: d.HeadSHA, Name: CheckName, Conclusion: conclusion(d.Outcome),
		Title: title(d), Summary: summary, Annotations: annotations(d)})
	if err != nil {
		return fmt.Errorf("post the check run on pull request #%d: %w", number, err)
	}
	return nil
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
	if d.Code == "" {
		return word
	}
	return word + ": " + string(d.Code)
}
