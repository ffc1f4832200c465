package github

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/requests"
)

// Check is the verdict on a commit, as a check run of the App behind the token.
type Check struct {
	HeadSHA     string
	Name        string
	Conclusion  string // success, failure, action_required or neutral
	Title       string
	Summary     string        // Markdown; cut at what GitHub takes
	Annotations []Annotation  // the first maxAnnotations are posted
	Pushed      []Pushed      // recorded for when GitHub no longer tells it
	Next        requests.Time // when time alone changes the verdict; zero: never
	Failures    int           // how often in a row the commit could not be judged
}

// Annotation is one remark on a line of a file of the pull request.
type Annotation struct {
	Path    string
	Line    int    // counted from 1
	Column  int    // in characters, counted from 1; 0 when the whole line is meant
	Level   string // failure, warning or notice
	Title   string
	Message string
}

// Limits of https://docs.github.com/rest/checks/runs#create-a-check-run, in bytes and pieces.
const (
	maxSummary    = 65535
	maxMessage    = 64 << 10
	maxTitle      = 255
	maxAnnotation = 50 // in one call
)

// maxAnnotations bounds those of a check run, so that one costs no more than four calls.
const maxAnnotations = 4 * maxAnnotation

// PostCheck posts the verdict as a completed check run and returns the slug of the App whose check
// it is. Annotations beyond what one call takes follow in further calls; the conclusion stands from
// the first on.
func (c *Client) PostCheck(ctx context.Context, check Check) (app string, err error) {
	const permission = "Checks: write, which only an App or a workflow's token can have"
	batches := [][]*github.CheckRunAnnotation{nil}
	for i, a := range check.Annotations[:min(len(check.Annotations), maxAnnotations)] {
		if i > 0 && i%maxAnnotation == 0 {
			batches = append(batches, nil)
		}
		last := &batches[len(batches)-1]
		*last = append(*last, a.convert())
	}
	text, err := recordText(check.Pushed)
	if err != nil {
		return "", err
	}
	output := func(batch int) *github.CheckRunOutput {
		o := &github.CheckRunOutput{Title: github.String(cut(check.Title, maxTitle)),
			Summary:     github.String(cut(check.Summary, maxSummary)),
			Annotations: batches[batch]}
		if text != "" && len(text) <= maxSummary { // one that is cut tells nothing
			o.Text = github.String(text)
		}
		return o
	}
	run, _, err := c.api.Checks.CreateCheckRun(ctx, c.owner, c.repo, github.CreateCheckRunOptions{
		Name: check.Name, HeadSHA: check.HeadSHA, Status: github.String("completed"),
		Conclusion: github.String(check.Conclusion), ExternalID: nextID(check.Next, check.Failures), Output: output(0)})
	if err != nil {
		return "", c.explain(err, permission, "post the check run on commit %s", check.HeadSHA)
	}
	if run.GetID() == 0 {
		return "", c.incomplete("the check run")
	}
	for i := range batches[1:] {
		if _, _, err := c.api.Checks.UpdateCheckRun(ctx, c.owner, c.repo, run.GetID(),
			github.UpdateCheckRunOptions{Name: check.Name, Output: output(i + 1)}); err != nil {
			return run.GetApp().GetSlug(), c.explain(err, permission, "add annotations to the "+
				"check run on commit %s", check.HeadSHA)
		}
	}
	return run.GetApp().GetSlug(), nil
}

// Posted is a check run that was posted; the zero one is none.
type Posted struct {
	ID       int64
	Next     requests.Time // as in Check
	Failures int           // the same
}

// nextMark begins the external id of a check run, which the App that posts it may choose.
// https://docs.github.com/rest/checks/runs#create-a-check-run
const (
	nextMark     = "judge again at "
	failuresMark = ", failures: "
)

func nextID(at requests.Time, failures int) *string {
	if at.IsZero() {
		return nil
	}
	id := nextMark + at.String()
	if failures > 0 {
		id += failuresMark + strconv.Itoa(failures)
	}
	return &id
}

// readNext reads what nextID wrote; of anything else nothing is known, as of none.
func readNext(id string) (at requests.Time, failures int) {
	text, ok := strings.CutPrefix(id, nextMark)
	text, count, _ := strings.Cut(text, failuresMark)
	if parsed, err := time.Parse(time.RFC3339, text); ok && err == nil {
		failures, _ = strconv.Atoi(count)
		return requests.At(parsed), max(failures, 0)
	}
	return requests.Time{}, 0
}

// LastCheck is the check run of that name that an App, by its slug, made last on a commit.
func (c *Client) LastCheck(ctx context.Context, commit, name, app string) (last Posted, err error) {
	found, err := c.checkRuns(ctx, commit, github.ListCheckRunsOptions{CheckName: &name})
	if err != nil {
		return Posted{}, err
	}
	for _, run := range found {
		if run.GetID() == 0 || run.GetApp().GetSlug() == "" {
			return Posted{}, c.incomplete("the check runs on %s", commit)
		}
		if run.GetName() == name && run.GetApp().GetSlug() == app && run.GetID() > last.ID {
			next, failures := readNext(run.GetExternalID())
			last = Posted{run.GetID(), next, failures}
		}
	}
	return last, nil
}

func (a Annotation) convert() *github.CheckRunAnnotation {
	result := &github.CheckRunAnnotation{Path: github.String(a.Path),
		StartLine: github.Int(max(a.Line, 1)), EndLine: github.Int(max(a.Line, 1)),
		AnnotationLevel: github.String(a.Level), Message: github.String(cut(a.Message, maxMessage))}
	if a.Title != "" {
		result.Title = github.String(cut(a.Title, maxTitle))
	}
	if a.Column > 0 {
		result.StartColumn, result.EndColumn = github.Int(a.Column), github.Int(a.Column)
	}
	return result
}

// cut shortens a text to most bytes, between characters, and says that it did.
func cut(s string, most int) string {
	const mark = " …"
	if len(s) <= most {
		return s
	}
	end := most - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// checkRuns lists the check runs on a commit, all that GitHub counts.
func (c *Client) checkRuns(ctx context.Context, commit string,
	options github.ListCheckRunsOptions) ([]*github.CheckRun, error) {
	total := 0
	runs, err := pages(func(o github.ListOptions) ([]*github.CheckRun, *github.Response, error) {
		options.ListOptions = o
		page, response, err := c.api.Checks.ListCheckRunsForRef(ctx, c.owner, c.repo, commit,
			&options)
		if err != nil {
			return nil, nil, err
		}
		if page.Total == nil {
			return nil, nil, c.incomplete("the check runs on %s", commit)
		}
		total = page.GetTotal()
		return page.CheckRuns, response, nil
	})
	if err != nil {
		return nil, c.explain(err, "Checks: read", "list the check runs on %s", commit)
	}
	if len(runs) < total {
		return nil, c.incomplete("the check runs on %s", commit)
	}
	return runs, nil
}
