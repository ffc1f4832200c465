package sync

import (
	"context"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// takeRecords has what the agent knows of others supplement what GitHub let suppose: of those under the
// policy of a request, which give access, until when, and which are not decided yet (R80); and of
// break-glass, what is owed before the ledger has it (R76).
func (v *prover) takeRecords(ctx context.Context, path string, f *policies.Facts) error {
	at := f.Base.Commit
	if f.Merge != nil {
		at = f.Merge.FirstParent.Commit
	}
	before := func(ctx context.Context, g requests.Grant) (bool, error) {
		if f.Merge == nil || g.Window.Start.Before(f.PullRequest.MergedAt.Time) {
			return true, nil
		}
		place, _ := requests.SplitPath(g.Path)
		return v.github.HadName(ctx, at, place)
	}
	if f.Owed != nil {
		if err := v.oweRecords(ctx, path, at, f.Owed, before); err != nil {
			return err
		}
	}
	if f.Counts == nil {
		return nil
	}
	return v.countRecords(ctx, path, f.Counts, before)
}

// oweRecords adds to what a commit says is owed what is so by records that its ledger has no entry of.
// Beside an entry stands what is owed for it, until that is paid: a record outlives both.
func (v *prover) oweRecords(ctx context.Context, path, commit string, owed *policies.Owed,
	before func(context.Context, requests.Grant) (bool, error)) error {
	for _, r := range v.records {
		debt, owes := ledger.DebtOf(r)
		if !owes || r.Grant.Path == path || owed.Has(r.Grant.Name) {
			continue
		}
		if entered, err := v.github.HadEntry(ctx, commit, r.Grant.Cluster, r.Grant.Name); err != nil {
			return err
		} else if entered {
			continue
		}
		if first, err := before(ctx, r.Grant); err != nil {
			return err
		} else if first {
			owed.Debts = append(owed.Debts, debt.Owing())
		}
	}
	return nil
}

// countRecords counts them. One that is neither on the branch nor in the ledger any more, as far as
// that was counted, counts where it came before.
func (v *prover) countRecords(ctx context.Context, path string, counts *policies.Counts,
	before func(context.Context, requests.Grant) (bool, error)) error {
	own, _ := requests.SplitPath(path)
	for _, r := range v.records {
		if r.Grant.Policy != own.Policy || r.Grant.Path == path {
			continue
		}
		if !counts.Has(r.Grant.Path) {
			if first, err := before(ctx, r.Grant); err != nil {
				return err
			} else if !first {
				continue
			}
		}
		counts.Take(countedOf(r))
	}
	return nil
}

// countedOf is what a record tells of its grant. What was never made, or refused as it was made (R78), has
// an empty window.
func countedOf(r plan.Record) policies.Counted {
	one := policies.Counted{Path: r.Grant.Path, Requester: r.Grant.Requester,
		Subject: r.Grant.Subject.Name, Window: r.Grant.Window, Undecided: r.Phase == plan.Granting}
	switch {
	case r.Phase != plan.Ended:
	case r.Cause == requests.CauseDenied || !r.EverGranted():
		one.Window.End = one.Window.Start
	case r.EndedAt.Before(one.Window.End.Time):
		one.Window.End = r.EndedAt
	}
	return one
}

// countBranch counts from git alone, where the branch is the evidence: when others were merged their
// records tell, and of those without one nobody yet.
func (v *prover) countBranch(ctx context.Context, tip, path string, content []byte, added git.Commit,
	tree policies.Tree) (*policies.Counts, error) {
	repository := v.branch.repository
	counting := policies.CountingOf(path, content, added.Committer.When, tree)
	if counting == nil {
		return nil, nil
	}
	had := func(ctx context.Context, path string) (bool, error) {
		if len(added.Parents) == 0 {
			return false, nil
		}
		found, err := repository.Find(ctx, added.Parents[0], counting.Places(path)...)
		return len(found) > 0, err
	}
	folders := append([]string{counting.Requests()}, counting.Days()...)
	entries, err := repository.Entries(ctx, tip, folders...)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e git.Entry) bool {
		return e.Fault != "" || !counting.Opens(e.Path)
	})
	for _, e := range entries {
		before, err := had(ctx, e.Path)
		if err != nil {
			return nil, err
		}
		_, live := requests.SplitPath(e.Path)
		if live && !before {
			continue
		}
		data, err := repository.Blob(ctx, e.Hash)
		if err == nil && live {
			err = counting.Add(e.Path, data, time.Time{})
		} else if err == nil {
			err = counting.Enter(policies.ReadEntered(e.Path, data), before)
		}
		if err != nil {
			return nil, err
		}
	}
	counts := counting.Counts()
	return counts, v.countRecords(ctx, path, counts, func(ctx context.Context, g requests.Grant) (bool, error) {
		if g.Window.Start.Before(added.Committer.When) {
			return true, nil
		}
		return had(ctx, g.Path)
	})
}
