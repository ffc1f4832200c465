package github

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// snapshot is a pull request at one moment, with what tells whether it is still the same.
type snapshot struct {
	policies.PullRequest
	updatedAt      time.Time
	commits, files int // as GitHub counts them
	additions      int // lines; 0 also when GitHub does not count them
}

// same tells whether nothing happened to the pull request between two readings. The time of the
// last update covers a head that was moved away and back again.
func (s snapshot) same(other snapshot) bool {
	return s.HeadSHA == other.HeadSHA && s.BaseRef == other.BaseRef &&
		s.BaseRepoID == other.BaseRepoID &&
		s.HeadRef == other.HeadRef && s.HeadRepoID == other.HeadRepoID &&
		s.MergeCommitSHA == other.MergeCommitSHA &&
		s.Draft == other.Draft && s.Merged == other.Merged && s.State == other.State &&
		s.updatedAt.Equal(other.updatedAt)
}

func (c *Client) pull(ctx context.Context, number int) (snapshot, error) {
	found, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, number)
	if err != nil {
		return snapshot{}, c.explain(err, "Pull requests: read", "read the pull request")
	}
	p := snapshot{PullRequest: policies.PullRequest{
		Number: found.GetNumber(), State: found.GetState(), Draft: found.GetDraft(),
		Merged:    found.GetMerged(),
		CreatedAt: requests.At(found.GetCreatedAt().Time),
		BaseRef:   found.GetBase().GetRef(), BaseRepoID: found.GetBase().GetRepo().GetID(),
		HeadRef: found.GetHead().GetRef(), HeadRepoID: found.GetHead().GetRepo().GetID(),
		HeadSHA: found.GetHead().GetSHA(),
	}, updatedAt: found.GetUpdatedAt().Time, commits: found.GetCommits(),
		files: found.GetChangedFiles(), additions: found.GetAdditions()}
	if p.Author, err = c.user(found.User, "the author of the pull request"); err != nil {
		return p, err
	}
	if p.Number != number || p.State != "open" && p.State != "closed" || found.Draft == nil ||
		found.Merged == nil ||
		found.GetCreatedAt().IsZero() || p.updatedAt.IsZero() || p.BaseRef == "" ||
		p.BaseRepoID == 0 || p.HeadRef == "" ||
		!isName(p.HeadSHA) || found.Commits == nil || found.ChangedFiles == nil {
		return p, c.incomplete("the pull request")
	}
	if p.Merged {
		merged := requests.At(found.GetMergedAt().Time)
		if found.GetMergedAt().IsZero() {
			return p, c.incomplete("the merge of the pull request")
		}
		p.MergedAt = &merged
		if p.MergeCommitSHA, err = c.mergeCommit(ctx, found); err != nil {
			return p, err
		}
	}
	if p.files >= policies.MaxFiles {
		return p, fmt.Errorf("it changes %d files and GitHub lists no more than %d; split it",
			p.files, policies.MaxFiles)
	}
	if p.commits >= policies.MaxCommits {
		return p, fmt.Errorf("it has %d commits and GitHub lists no more than %d; squash them",
			p.commits, policies.MaxCommits)
	}
	return p, nil
}

// Standing is what can change about a pull request while it is judged.
type Standing struct {
	Merged           bool
	HeadSHA, BaseRef string
	AutoMerge        bool // GitHub merges it once its rules are met
}

// Standing reads how a pull request stands by now.
func (c *Client) Standing(ctx context.Context, number int) (Standing, error) {
	found, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, number)
	s := Standing{Merged: found.GetMerged(), HeadSHA: found.GetHead().GetSHA(),
		BaseRef: found.GetBase().GetRef(), AutoMerge: found.GetAutoMerge() != nil}
	if err == nil && (found.Merged == nil || !isName(s.HeadSHA) || s.BaseRef == "") {
		err = c.incomplete("the pull request")
	}
	if err != nil {
		return Standing{}, c.explain(err, "Pull requests: read", "read the pull request #%d",
			number)
	}
	return s, nil
}

// ghostID is the account GitHub shows in the place of deleted ones.
const ghostID = 10137

// user converts an account. None at all and a deleted one are the zero User (R18); half of one is
// an error.
func (c *Client) user(u *github.User, who string) (policies.User, error) {
	user := policies.User{Login: u.GetLogin(), ID: u.GetID(), Type: u.GetType()}
	switch {
	case user == policies.User{}, user.ID == ghostID:
		return policies.User{}, nil
	case user.Login == "" || user.ID == 0 || user.Type == "":
		return user, c.incomplete("%s", who)
	}
	return user, nil
}

func (c *Client) readFiles(ctx context.Context, f *policies.Facts, p snapshot) (err error) {
	if f.Files, err = c.filesOf(ctx, p.Number); err != nil {
		return err
	}
	if len(f.Files) >= policies.MaxFiles {
		return fmt.Errorf("it changes %d files and GitHub lists no more than %d; split it",
			len(f.Files), policies.MaxFiles)
	}
	if len(f.Files) < p.files {
		return fmt.Errorf("%w: GitHub counts %d changed files and lists %d", errMoved, p.files,
			len(f.Files))
	}
	return nil
}

// filesOf lists the files of a pull request.
func (c *Client) filesOf(ctx context.Context, number int) ([]policies.File, error) {
	found, err := pages(func(o github.ListOptions) ([]*github.CommitFile, *github.Response, error) {
		return c.api.PullRequests.ListFiles(ctx, c.owner, c.repo, number, &o)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the files of the pull request")
	}
	files := []policies.File{}
	for _, file := range found {
		if file.GetFilename() == "" || file.GetStatus() == "" || file.GetStatus() == "renamed" &&
			file.GetPreviousFilename() == "" {
			return nil, c.incomplete("the files of the pull request")
		}
		files = append(files, policies.File{Path: file.GetFilename(),
			PreviousPath: file.GetPreviousFilename(), Status: file.GetStatus()})
	}
	return files, nil
}

// coAuthor finds Co-authored-by lines anywhere in a message: GitHub honours them in the last
// paragraph only, but naming one more person can only take approvals away (R15).
var coAuthor = regexp.MustCompile(`(?im)^[ \t]*co-authored-by[ \t]*:[ \t]*(\S.*?)[ \t\r]*$`)

var address = regexp.MustCompile(`<([^<>]*)>`)

// coAuthors are the addresses of a commit message's Co-authored-by lines; a line without one is
// returned whole.
func coAuthors(message string) []string {
	var all []string
	for _, line := range coAuthor.FindAllStringSubmatch(message, -1) {
		found := address.FindAllStringSubmatch(line[1], -1)
		if found == nil {
			all = append(all, line[1])
		}
		for _, m := range found {
			all = append(all, strings.TrimSpace(m[1]))
		}
	}
	return all
}

func (c *Client) readCommits(ctx context.Context, f *policies.Facts, p snapshot) (err error) {
	f.Commits, err = once(ctx, commitsOf(p.Number), func() ([]policies.Commit, error) {
		return c.commitsOf(ctx, p.Number)
	})
	if err != nil {
		return err
	}
	f.Commits = slices.Clone(f.Commits) // to which co-authors are added
	if len(f.Commits) >= policies.MaxCommits {
		return fmt.Errorf("it has %d commits and GitHub lists no more than %d; squash them",
			len(f.Commits), policies.MaxCommits)
	}
	if len(f.Commits) < p.commits {
		return fmt.Errorf("%w: GitHub counts %d commits and lists %d", errMoved, p.commits,
			len(f.Commits))
	}
	isHead := func(commit policies.Commit) bool { return commit.SHA == p.HeadSHA }
	if !slices.ContainsFunc(f.Commits, isHead) {
		return fmt.Errorf("%w: its head %s is not among the %d commits listed, probably after a force-push",
			errMoved, p.HeadSHA, len(f.Commits))
	}
	return nil
}

// commitsOf lists the commits of a pull request.
func (c *Client) commitsOf(ctx context.Context, number int) ([]policies.Commit, error) {
	found, err := pages(func(o github.ListOptions) ([]*github.RepositoryCommit,
		*github.Response, error) {
		return c.api.PullRequests.ListCommits(ctx, c.owner, c.repo, number, &o)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the commits of the pull request")
	}
	commits := []policies.Commit{}
	for _, commit := range found {
		converted := policies.Commit{SHA: commit.GetSHA(), Merges: len(commit.Parents) > 1,
			CoAuthors: coAuthors(commit.GetCommit().GetMessage())}
		if !isName(converted.SHA) || commit.GetCommit() == nil ||
			commit.GetCommit().Message == nil {
			return nil, c.incomplete("the commits of the pull request")
		}
		if converted.Author, err = c.user(commit.Author, "the author of commit "+
			converted.SHA); err != nil {
			return nil, err
		}
		if converted.Committer, err = c.user(commit.Committer, "the committer of commit "+
			converted.SHA); err != nil {
			return nil, err
		}
		commits = append(commits, converted)
	}
	return commits, nil
}

func (c *Client) readReviews(ctx context.Context, f *policies.Facts, p snapshot) (err error) {
	f.Reviews, err = once(ctx, reviewsOf(p.Number), func() ([]policies.Review, error) {
		return c.reviewsOf(ctx, p.Number)
	})
	return err
}

// reviewsOf lists the reviews of a pull request that were submitted.
func (c *Client) reviewsOf(ctx context.Context, number int) ([]policies.Review, error) {
	found, err := pages(func(o github.ListOptions) ([]*github.PullRequestReview,
		*github.Response, error) {
		return c.api.PullRequests.ListReviews(ctx, c.owner, c.repo, number, &o)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the reviews of the pull request")
	}
	reviews := []policies.Review{}
	for _, r := range found {
		if strings.EqualFold(r.GetState(), "PENDING") {
			continue // not submitted: only its own writer sees it
		}
		review := policies.Review{ID: r.GetID(), State: r.GetState(), CommitID: r.GetCommitID(),
			SubmittedAt: requests.At(r.GetSubmittedAt().Time)}
		if review.ID == 0 || review.State == "" || r.GetSubmittedAt().IsZero() {
			return nil, c.incomplete("the reviews of the pull request")
		}
		if review.User, err = c.user(r.User, fmt.Sprintf("the writer of review %d",
			review.ID)); err != nil {
			return nil, err
		}
		reviews = append(reviews, review)
	}
	return reviews, nil
}

// readBaseChanges finds when the pull request was pointed at another branch, by hand or by GitHub
// when a branch it was stacked on went away (R40), when it was closed (R73), and when it was opened
// again, or was a draft no longer (R60).
func (c *Client) readBaseChanges(ctx context.Context, f *policies.Facts, p snapshot) (err error) {
	found, err := once(ctx, baseChangesOf(p.Number), func() (all happened, err error) {
		found, err := c.events(ctx, p.Number)
		for _, e := range found {
			all.add(e.GetEvent(), requests.At(e.GetCreatedAt().Time))
		}
		return all, err
	})
	f.BaseChanges = found.base
	for _, at := range found.opened {
		if at.After(f.Opened.Time) && (p.MergedAt == nil || !at.After(p.MergedAt.Time)) {
			f.Opened = at
		}
	}
	for _, at := range found.closed {
		if p.MergedAt == nil || at.Before(p.MergedAt.Time) { // else it is what the merge did
			f.Closed = append(f.Closed, at)
		}
	}
	return err
}

// happened is when something happened to a pull request that judging asks about.
type happened struct{ base, closed, opened []requests.Time }

// add takes note of an event by its name of REST.
func (h *happened) add(event string, at requests.Time) {
	switch event {
	case "base_ref_changed", "automatic_base_change_succeeded":
		h.base = append(h.base, at)
	case "closed":
		h.closed = append(h.closed, at)
	case "reopened", "ready_for_review":
		h.opened = append(h.opened, at)
	}
}

// events lists what happened to a pull request.
func (c *Client) events(ctx context.Context, number int) ([]*github.IssueEvent, error) {
	found, err := pages(func(o github.ListOptions) ([]*github.IssueEvent, *github.Response, error) {
		return c.api.Issues.ListIssueEvents(ctx, c.owner, c.repo, number, &o)
	})
	if err != nil {
		return nil, c.explain(err, "Pull requests: read", "list the events of the pull request")
	}
	for _, e := range found {
		if e.GetEvent() == "" || e.GetCreatedAt().IsZero() {
			return nil, c.incomplete("the events of the pull request")
		}
	}
	return found, nil
}
