package sync

import (
	"context"
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

// tellSecond has the pull request that came second under a name told so: one whose file is off the
// branch because the name is used, or one that was merged over the file of the first. Which one
// that is nobody knows yet, for it has no record: GitHub is asked as of the commit on, where its
// file stood last. Where that is the pull request which has the name, its own file was put back by
// none, and what became of it stays told there.
func (a *Agent) tellSecond(e ledger.Entry, on string) {
	g, holder := e.Record.Grant, e.Holder
	first := g.Evidence.PullRequest
	c := comment{path: g.Path, what: "second", last: true}
	switch {
	case e.Discard:
		c.find = func(ctx context.Context) (int, error) {
			number, _, err := a.github.Introduced(ctx, g.Path, on)
			if err != nil || number == 0 {
				return 0, err
			}
			if first, err = a.pullOf(ctx, holder, on); err != nil || number == first {
				return 0, err
			}
			return number, nil
		}
	case e.Record.Code == string(policies.BlobMismatch),
		e.Record.Cause == requests.CauseRevoked && g.Evidence.MergeCommit != "":
		holder = g.Path
		c.find = func(ctx context.Context) (int, error) { return a.overwriter(ctx, g) }
	default:
		return
	}
	c.compose = func(context.Context) (string, error) {
		return secondText(g.Name, holder, first), nil
	}
	a.tell.comments.put(c)
}

// overwriter is the pull request that was merged over the file of a request; 0 when none was.
func (a *Agent) overwriter(ctx context.Context, g requests.Grant) (int, error) {
	repository := a.branch.repository
	_, line, err := repository.History(ctx, repository.Tip(), g.Evidence.MergeCommit, g.Path)
	if err != nil {
		return 0, err
	}
	for _, commit := range line {
		if slices.ContainsFunc(commit.Changes,
			func(c git.PathChange) bool { return c.Path == g.Path && c.After.Path != "" }) {
			return a.github.MergedAs(ctx, commit.Hash)
		}
	}
	return 0, nil
}

// pullOf is the pull request behind what has a name: a request, or an entry of the ledger. 0 when
// there is none, or the entry does not tell.
func (a *Agent) pullOf(ctx context.Context, path, on string) (int, error) {
	if _, asked := requests.SplitPath(path); asked {
		number, _, err := a.github.Introduced(ctx, path, on)
		return number, err
	}
	content, err := a.branch.file(ctx, a.branch.repository.Tip(), path)
	if err != nil {
		return 0, err
	}
	entry, _ := requests.ParseRevocation(path, content)
	return entry.Status.PullRequest, nil
}

// secondText tells why a request that came second under a name is refused. first is the pull
// request of the one that has it, 0 when that is not known.
func secondText(name, holder string, first int) string {
	by := ""
	if first != 0 {
		by = fmt.Sprintf(" of #%d", first)
	}
	return fmt.Sprintf("### Refused: %s\n\nThe name %s is taken by %s%s, which was on the branch "+
		"first.\n\nA name is used once; ask again under a new name.\n", policies.RequestIDReused,
		github.Code(name), github.Code(holder), by)
}
