package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// withdrawals is what is known of open pull requests that may end a grant before they are merged.
type withdrawals struct {
	looks      map[int]look          // by number
	identities policies.IdentityMap  // of the branch
	open       []policies.Withdrawal // in this pass
	commits    map[string]string     // by path of the request, the agent's commits that did what they ask for
}

// look is what was found in an open pull request.
type look struct {
	pull  github.OpenPull      // as it was when it was looked at
	found *policies.Withdrawal // nil: it withdraws nothing
	known bool                 // false: it could not be read
	next  time.Time            // when it is looked at again, should that be needed
	pause time.Duration
}

// findWithdrawals lists the open pull requests, which costs nothing while the list does not change, and looks at those
// that are new, or moved, by people who could end a grant: what anybody else opens costs no calls. One that cannot be
// read holds up no other.
func (a *Agent) findWithdrawals(ctx context.Context, w plan.World) error {
	pulls, err := a.github.OpenPulls(ctx)
	if err != nil {
		return fmt.Errorf("whether access is withdrawn is not known: %w", err)
	}
	known, err := a.people(w)
	if err != nil {
		return err
	}
	looks, commits, now := map[int]look{}, map[string]string{}, a.clocks.own()
	var errs []error
	for _, p := range pulls {
		l := a.withdrawals.looks[p.Number]
		if stale := l.pull != p || !l.known; stale && known[p.Author.ID] && !now.Before(l.next) {
			l.pull, l.pause = p, min(max(2*l.pause, firstPause), longPause)
			l.next = now.Add(l.pause)
			l.found, err = a.github.Withdrawal(ctx, p.Number)
			l.known = err == nil
			errs = append(errs, err)
		}
		looks[p.Number] = l
		if l.pull == p && l.found != nil {
			a.withdrawals.open = append(a.withdrawals.open, *l.found)
			if commit, ok := a.withdrawals.commits[l.found.Path]; ok {
				commits[l.found.Path] = commit
			}
		}
	}
	a.withdrawals.looks, a.withdrawals.commits = looks, commits
	return errors.Join(errs...)
}

// people are the accounts, by number, of everybody in identities.yaml and of those who approved what is recorded. The
// former are remembered for withdrawn.
func (a *Agent) people(w plan.World) (map[int64]bool, error) {
	a.withdrawals.identities = policies.IdentityMap{}
	content, err := a.file(w.Main.Tip, policies.IdentitiesPath)
	if err != nil {
		return nil, err
	}
	if identities, findings := policies.ParseIdentities(policies.IdentitiesPath, content); len(findings) == 0 {
		a.withdrawals.identities = identities
	}
	known := map[int64]bool{}
	for _, u := range a.withdrawals.identities.Spec.Users {
		known[u.GitHubID] = true
	}
	for _, r := range w.Records {
		for _, approver := range r.Grant.Evidence.Approvers {
			known[approver.ID] = true
		}
	}
	return known, nil
}

// file reads a plain file of a commit; nil when there is none.
func (a *Agent) file(commit, path string) ([]byte, error) {
	entries, err := a.repository.Entries(commit, path)
	at := slices.IndexFunc(entries, func(e git.Entry) bool { return e.Path == path && e.Fault == "" })
	if err != nil || at < 0 {
		return nil, err
	}
	return a.repository.Blob(entries[at].Hash)
}

// withdrawn tells, by path, why open withdrawals end the grants of a world, those that are still to begin among them.
func (a *Agent) withdrawn(w plan.World) map[string]string {
	causes := map[string]string{}
	if len(a.withdrawals.open) == 0 {
		return causes
	}
	end := func(g requests.Grant) {
		for _, open := range a.withdrawals.open {
			if cause := open.Ends(g, a.withdrawals.identities); cause != "" && causes[g.Path] == "" {
				causes[g.Path] = cause
			}
		}
	}
	for _, r := range w.Records {
		end(r.Grant)
	}
	for _, proof := range w.Proofs {
		if proof.Decision.Grant != nil {
			end(*proof.Decision.Grant)
		}
	}
	return causes
}

// closeWithdrawals closes the withdrawals that were done: those whose file is gone and whose grant the ledger says was
// ended by somebody. It goes by the branch, so it is also done for what an earlier run left.
func (a *Agent) closeWithdrawals(main *plan.Main) {
	for _, open := range a.withdrawals.open {
		place, ok := requests.SplitPath(open.Path)
		ledger := requests.RevocationPath(a.cluster.Name, place.Name)
		if !ok || place.Cluster != a.cluster.Name || slices.Contains(main.Names[place.Name], open.Path) || !slices.Contains(main.Names[place.Name], ledger) {
			continue
		}
		content, err := a.file(main.Tip, ledger)
		if err != nil {
			a.log.Error("a withdrawal is done, but stays open", "event", "withdraw", "cluster", a.cluster.Name, "request", place.Name, "error", err.Error())
			continue
		}
		entry, findings := requests.ParseRevocation(ledger, content)
		g := requests.Grant{Path: entry.Status.Path, Evidence: requests.Evidence{Approvers: entry.Status.Approvers}}
		if entry.Spec != nil && entry.Status.Subject != nil {
			g.Requester, g.Subject = entry.Spec.Requester, *entry.Status.Subject
		}
		byHand := entry.Status.Cause == requests.CauseRelinquished || entry.Status.Cause == requests.CauseRevoked
		if len(findings) > 0 || !byHand || open.Ends(g, a.withdrawals.identities) == "" {
			continue
		}
		text := withdrawnText(entry, ledger, a.withdrawals.commits[open.Path])
		a.notes.put(note{number: open.PullRequest, what: "withdrawn", close: true,
			compose: func(context.Context) (string, error) { return text, nil }})
	}
}
