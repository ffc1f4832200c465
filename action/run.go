package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

// Result is what a run came to.
type Result struct {
	// Outcome is that of the pull request judged, the worst one when there were several, Allowed
	// when none is open.
	Outcome policies.Outcome
	// Reported is set by `exit-code: reported`: the check run carries the verdict, the step only
	// tells that it was posted.
	Reported bool
}

// Run judges the pull requests that the current event is about and reports each verdict. getenv
// gives GITHUB_* and INPUT_* variables, out takes log lines and workflow commands, clock tells the moment
// of each judgement and of each question to others. An error means that no verdict, or not every one,
// could be reported; it has been logged, escaped, and the output decision is error.
func Run(ctx context.Context, getenv func(string) string, out io.Writer, clock func() time.Time) (Result,
	error) {
	a := githubactions.New(githubactions.WithGetenv(getenv), githubactions.WithWriter(out))
	result, err := run(ctx, a, clock)
	if err != nil {
		result.Outcome = policies.Failed
		setOutputs(a, policies.Decision{Outcome: policies.Failed, Code: policies.EvaluationError})
		// The runner obeys commands in any line of a step, on stderr too, and an error can quote a
		// file's name.
		a.Errorf("%v", err)
	}
	return result, err
}

func run(ctx context.Context, a *githubactions.Action, clock func() time.Time) (Result, error) {
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
	given, err := checksOf(a, clock)
	if err != nil {
		return result, err
	}
	asked, err := answerers(a, given)
	if err != nil {
		return result, err
	}
	from := sources{client, asked, channelsOf(a, given)}
	t, err := readEvent(a.Getenv)
	if err != nil {
		return result, err
	}
	tell := t.tell
	if t.all {
		tell = t.sweep
	}
	told, err := tell(ctx, a, from, clock)
	result.Outcome = policies.Allowed
	if len(told) > 0 {
		d := worst(told).decision
		result.Outcome = d.Outcome
		setOutputs(a, d)
	}
	return result, err
}

// tell judges the pull requests that an event names, and tells the verdicts on each head commit.
func (t target) tell(ctx context.Context, a *githubactions.Action, client sources,
	clock func() time.Time) (told []verdict, err error) {
	var failures []error
	for _, same := range byHead(t.judge(ctx, client, clock())) {
		if same = notMerged(ctx, a, client, same); len(same) == 0 {
			continue
		}
		told = append(told, same...)
		if err := report(ctx, a, client, same); err != nil {
			failures = append(failures, err)
		}
	}
	return told, errors.Join(failures...)
}

func newClient(a *githubactions.Action) (*github.Client, error) {
	owner, name, ok := strings.Cut(a.Getenv("GITHUB_REPOSITORY"), "/")
	if !ok {
		return nil, errors.New("GITHUB_REPOSITORY is not set to owner/name; run this as a " +
			"GitHub Action")
	}
	id, err := repositoryID(a.Getenv("GITHUB_REPOSITORY_ID"))
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(cmp.Or(a.GetInput("token"), a.Getenv("GITHUB_TOKEN")))
	if token == "" {
		return nil, errors.New("no token: set the input token to one of a GitHub App that may " +
			"read members and write checks")
	}
	if a.Getenv("GITHUB_ACTIONS") == "true" { // elsewhere nobody swallows the line
		a.AddMask(token)
	}
	return github.New(github.Config{APIURL: a.Getenv("GITHUB_API_URL"),
		GraphQLURL: a.Getenv("GITHUB_GRAPHQL_URL"), Owner: owner, Repo: name, RepositoryID: id,
		Token: func(context.Context) (string, error) { return token, nil }})
}

// repositoryID is the number of the repository as the runner gives it; 0 where nothing gives one,
// which is no runner of GitHub's.
// https://docs.github.com/actions/reference/workflows-and-actions/variables#default-environment-variables
func repositoryID(text string) (id int64, err error) {
	if text == "" {
		return 0, nil
	}
	if id, err = github.ParseRepositoryID(text); err != nil {
		return 0, fmt.Errorf("GITHUB_REPOSITORY_ID is %q, which is no number of a repository; "+
			"leave it as the runner sets it", text)
	}
	return id, nil
}
