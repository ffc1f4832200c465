package ledger

import (
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// checkTold checks what commits tell of the beginning of a grant: that the agent did, while the
// request was on the branch and before its end, and that the entry says the same.
func (v *verifier) checkTold(signers *git.AllowedSigners) error {
	for _, t := range v.told {
		commit := t.commit
		if problem := t.problem(signers); problem != "" {
			v.add("granted-unsigned", "commit %s tells that access began: %s", commit.Hash, problem)
			continue
		}
		differs := func(format string, args ...any) {
			v.add("granted-differs", "commit %s tells that access began at %s: "+format,
				append([]any{commit.Hash, t.GrantedAt}, args...)...)
		}
		if !commit.Committer.When.Before(t.ExpiresAt.Time) {
			differs("it was written at %s, when that was over", requests.At(commit.Committer.When))
		}
		there, err := v.Find(commit, t.path)
		if err != nil {
			return err
		}
		switch merged, err := v.mergedAs(t); {
		case err != nil:
			return err
		case there.Path == "" || there.Fault != "":
			differs("the request was not on the branch then")
		case merged.Hash != there.Hash:
			differs("commit %s, which is said to have brought the request, did not bring it so",
				requests.Quote(t.MergeCommit))
		}
		v.checkWindow(t, differs)
		v.checkEntry(t, differs)
	}
	return nil
}

// mergedAs is the request as the commit that is said to have brought it has it; the zero Entry where
// that is not on the branch.
func (v *verifier) mergedAs(t telling) (git.Entry, error) {
	if !v.onBranch[t.MergeCommit] {
		return git.Entry{}, nil
	}
	merge, err := v.Commit(t.MergeCommit)
	if err != nil {
		return git.Entry{}, err
	}
	return v.Find(merge, t.path)
}

// checkWindow compares what is told with what was asked for.
func (v *verifier) checkWindow(t telling, differs func(string, ...any)) {
	spec := v.account.Spec
	switch {
	case spec == nil:
	case spec.Duration > 0 && t.ExpiresAt.Sub(t.GrantedAt.Time) > time.Duration(spec.Duration):
		differs("that is for longer than the %s that were asked for", spec.Duration)
	case t.GrantedAt.Before(spec.NotBefore.Time), !spec.Until.IsZero() && t.ExpiresAt.After(spec.Until.Time):
		differs("that is before what was asked for, or goes on after it")
	}
}

// checkEntry compares what is told with the entry of what has ended, and with the commit that told
// first.
func (v *verifier) checkEntry(t telling, differs func(string, ...any)) {
	if first := v.account.Granted; !t.GrantedAt.Equal(first.GrantedAt.Time) ||
		!t.ExpiresAt.Equal(first.ExpiresAt.Time) {
		differs("commit %s told before that it was from %s to %s", first.Commit, first.GrantedAt,
			first.ExpiresAt)
	}
	status := v.account.Status
	switch {
	case status == nil:
	case status.GrantedAt == nil:
		differs("the entry says that it never did")
	case !status.GrantedAt.Equal(t.GrantedAt.Time):
		differs("the entry says at %s", status.GrantedAt)
	case status.ExpiresAt != nil && status.ExpiresAt.After(t.ExpiresAt.Time):
		differs("until %s, and the entry says until %s", t.ExpiresAt, status.ExpiresAt)
	case status.PullRequest != t.PullRequest || status.MergeCommit != t.MergeCommit:
		differs("by #%d as %s, and the entry names #%d as %s", t.PullRequest,
			requests.Quote(t.MergeCommit), status.PullRequest, requests.Quote(status.MergeCommit))
	}
}
