package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/requests"
)

// errMoved says that the pull request changed while it was read.
var errMoved = errors.New("the pull request changed while it was read")

// errLate says that what GitHub lists is behind what it says elsewhere, as it can be for seconds.
var errLate = fmt.Errorf("%w", errMoved)

// maxReadings bounds how often a pull request that keeps changing is read from the start (R12),
// after pauses like those between two tries of a call: GitHub's lists follow a push by a moment.
const maxReadings = 3

// Facts gathers everything pull request number is judged by, as it is now: one consistent reading
// of the pull request, the policies at the tip of the default branch, and what its people may do
// at this moment. now becomes ObservedAt. Facts are never partial; whatever could not be read in
// full is an error, which a judgement reports as EvaluationError.
func (c *Client) Facts(ctx context.Context, number int, now time.Time) (policies.Facts, error) {
	for reading := 1; ; reading++ {
		facts, err := c.reading(ctx, number, now, c.byREST || reading > 1)
		switch {
		case err == nil:
			return facts, nil
		case !errors.Is(err, errMoved):
			return policies.Facts{}, fmt.Errorf("gather the facts of %s/%s#%d: %w", c.owner, c.repo,
				number, err)
		case reading == maxReadings:
			return policies.Facts{},
				fmt.Errorf("gather the facts of %s/%s#%d: %w, %d times; try again",
					c.owner, c.repo, number, err, reading)
		}
		pause := c.wire.pauseAfter(reading)
		if errors.Is(err, errLate) {
			pause *= 4
		}
		if err := sleep(ctx, pause); err != nil {
			return policies.Facts{}, fmt.Errorf("gather the facts of %s/%s#%d: %w",
				c.owner, c.repo, number, err)
		}
	}
}

// reading is one of them. What GraphQL and REST say otherwise of is read by REST alone.
func (c *Client) reading(ctx context.Context, number int, now time.Time, byREST bool) (policies.Facts,
	error) {
	ctx = reads(ctx, byREST)
	f, err := c.facts(ctx, number, now)
	if err == nil {
		err = c.readLive(ctx, &f, now)
	}
	if err == nil {
		err = c.readExtended(ctx, &f, now, 0)
	}
	return f, err
}

// facts is one reading, but for Live and Extended. The pull request is read first and last, and
// everything that is of it in between; a difference means that it may belong to two different heads.
func (c *Client) facts(ctx context.Context, number int, now time.Time) (policies.Facts, error) {
	f := policies.Facts{ObservedAt: requests.At(now)}
	var before snapshot
	if err := c.readPull(ctx, number); err != nil {
		return f, err
	}
	err := together(ctx, func(ctx context.Context) (err error) {
		f.Repository, err = c.repository(ctx)
		return err
	}, func(ctx context.Context) (err error) {
		before, err = once(ctx, pullOf(number), func() (snapshot, error) {
			return c.pull(ctx, number)
		})
		return err
	})
	if err != nil {
		return f, err
	}
	f.PullRequest = before.PullRequest
	of := func(read func(context.Context, *policies.Facts, snapshot) error) func(
		context.Context) error {
		return func(ctx context.Context) error { return read(ctx, &f, before) }
	}
	err = together(ctx, of(c.readBaseChanges), of(c.readPushes),
		inOrder(of(c.readCommits), of(c.readCoAuthors)),
		inOrder(of(c.readReviews), of(c.readUsers)),
		inOrder(func(ctx context.Context) error {
			return together(ctx, of(c.readFiles), of(c.readTip))
		}, of(c.readPaths), func(ctx context.Context) error {
			return together(ctx, of(c.readBase), of(c.readHead), of(c.readMerge))
		}))
	if err != nil {
		return f, err
	}
	asked, wanted := questions(f), policies.WordsWanted(f)
	var words map[int64]policies.Words
	err = together(ctx, inOrder(of(c.readPulls), func(ctx context.Context) error {
		return together(ctx, of(c.readChanges), of(c.readStood))
	}), of(c.readNames), of(c.readCounts),
		func(ctx context.Context) (err error) {
			words, err = c.readWords(ctx, number, wanted)
			return err
		},
		func(ctx context.Context) error { return c.readOwed(ctx, &f) },
		of(c.readCodeownersErrors),
		func(ctx context.Context) error { return c.answer(ctx, &f, asked) })
	if err != nil {
		return f, err
	}
	f.Reviews = worded(f.Reviews, words)
	after, err := c.pull(ctx, number)
	if err != nil {
		return f, err
	}
	if !after.same(before) {
		return f, errMoved
	}
	return f, nil
}

// readTip finds the tip of the default branch.
func (c *Client) readTip(ctx context.Context, f *policies.Facts, _ snapshot) (err error) {
	f.Base.Commit, err = c.tip(ctx, f.Repository.DefaultBranch)
	return err
}

// readBase reads the policies at the tip of the default branch.
func (c *Client) readBase(ctx context.Context, f *policies.Facts, _ snapshot) (err error) {
	kind, path, _ := policies.KindOf(f.Files)
	f.Base, err = c.tree(ctx, f.Base.Commit, path, policies.Wanted(kind, path))
	return err
}

// readHead reads the pull request's own version of what it changes. An open change from a fork is
// refused whatever it says, and whoever may read can open one of any size: nothing of it is read.
func (c *Client) readHead(ctx context.Context, f *policies.Facts, _ snapshot) (err error) {
	kind, path, _ := policies.KindOf(f.Files)
	wanted := policies.Wanted(kind, path)
	if pr := f.PullRequest; kind == policies.KindChange && pr.HeadRepoID != f.Repository.ID && !pr.Merged {
		wanted = func(string) bool { return false }
	}
	var changed []string
	for _, file := range f.Files {
		if file.Status != "removed" && (kind == policies.KindRequest || kind == policies.KindReview ||
			kind == policies.KindChange &&
				wanted(file.Path)) {
			changed = append(changed, file.Path)
		}
	}
	f.Head, err = c.files(ctx, f.PullRequest.HeadSHA, changed)
	return err
}

// readMerge reads where a merged pull request entered the default branch: the policies just
// before, and the request file just after.
func (c *Client) readMerge(ctx context.Context, f *policies.Facts, _ snapshot) error {
	if !f.PullRequest.Merged {
		return nil
	}
	name := f.PullRequest.MergeCommitSHA
	merged, err := c.commit(ctx, name)
	if err != nil {
		return err
	}
	if len(merged.parents) == 0 {
		return fmt.Errorf("the merge commit %s has no parent, so no policy was in force before it",
			name)
	}
	made := policies.Merge{Commit: name}
	kind, path, _ := policies.KindOf(f.Files)
	if made.FirstParent, err = c.tree(ctx, merged.parents[0], path, policies.Wanted(kind,
		path)); err != nil {
		return err
	}
	if kind == policies.KindRequest || kind == policies.KindReview {
		file, _, err := c.entry(ctx, name, path)
		if err != nil {
			return err
		}
		if file.kind == "blob" {
			made.Blob = file.name
		}
	}
	pulls, err := c.mergesOf(ctx, f.Repository, name)
	if err == nil && len(pulls) == 0 {
		pulls, err = c.mergedLately(ctx, f.Repository,
			func(m merge) bool { return m.commit == name })
	}
	if err != nil {
		return err
	}
	made.Introduced = []int{}
	for _, p := range pulls {
		made.Introduced = append(made.Introduced, p.number)
	}
	f.Merge = &made
	return nil
}

// readCodeownersErrors asks GitHub what it makes of CODEOWNERS (R30). It knows none where there
// is none.
func (c *Client) readCodeownersErrors(ctx context.Context, f *policies.Facts, _ snapshot) error {
	found, _, err := c.api.Repositories.GetCodeownersErrors(ctx, c.owner, c.repo,
		&github.GetCodeownersErrorsOptions{Ref: f.Base.Commit})
	exists := false
	for _, path := range codeowners.Paths {
		_, ok := f.Base.Files[path]
		exists = exists || ok
	}
	if is(err, http.StatusNotFound) && !exists {
		return nil
	}
	if err != nil {
		return c.explain(err, "Contents: read", "read what GitHub says of CODEOWNERS")
	}
	if found.Errors == nil {
		return c.incomplete("the errors in CODEOWNERS")
	}
	for _, e := range found.Errors {
		f.CodeownersErrors = append(f.CodeownersErrors, fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line,
			e.Column, strings.TrimSpace(e.Kind)))
	}
	return nil
}
