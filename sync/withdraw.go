package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// withdrawals is what is known of open pull requests that may end a grant before they are merged.
type withdrawals struct {
	cluster  string
	github   *github.Client // nil: there are no pull requests
	list     *github.OpenList
	branch   *branch
	wall     func() time.Time
	comments *comments
	log      *slog.Logger

	looks      map[int]look          // by number
	identities policies.IdentityMap  // of the branch
	parsed     string                // what they were read from
	open       []policies.Withdrawal // in this pass
	unread     error                 // why they are not known in this pass
	commits    map[string]string     // by path of the request, the agent's commits that did what they ask for
}

// look is what was found in an open pull request.
type look struct {
	pull  github.OpenPull      // as it was when it was looked at
	found *policies.Withdrawal // nil: it withdraws nothing
	known bool                 // false: it could not be read
	again retry                // should that be needed
	since time.Time            // when it began to wait for a look; zero: it does not
}

// maxLooks bounds the calls that one pass spends on looking at open pull requests: most looks take
// one, and those at a withdrawal four.
const maxLooks = 100

// find lists the open pull requests, which costs nothing while none changes, and looks at those
// that are new, or moved, by people who could end a grant: what anybody else opens costs no calls.
// One that cannot be read holds up no other.
func (x *withdrawals) find(ctx context.Context, w plan.World) error {
	now := x.wall()
	pulls, known, err := x.read(ctx, w, now)
	if x.unread = err; err != nil {
		return err
	}
	looks := map[int]look{}
	var wait []github.OpenPull
	for _, p := range pulls {
		l := x.looks[p.Number]
		switch stale := l.pull != p || !l.known; {
		case !stale || p.Draft || !known[p.Author.ID]:
			l.since = time.Time{}
		case l.again.due(now):
			if l.since.IsZero() {
				l.since = now
			}
			wait = append(wait, p)
		}
		looks[p.Number] = l
	}
	x.looks = looks
	var errs []error
	for _, p := range x.turns(wait) {
		if ctx.Err() != nil { // the rest keeps its turn
			errs = append(errs, ctx.Err())
			break
		}
		l := look{pull: p, again: looks[p.Number].again}
		l.again.later(now)
		l.found, err = x.github.Withdrawal(ctx, p)
		l.known = err == nil
		errs = append(errs, err)
		looks[p.Number] = l
	}
	x.opened(pulls)
	return errors.Join(errs...)
}

// read lists what is open, and the accounts of those who could end a grant.
func (x *withdrawals) read(ctx context.Context, w plan.World, now time.Time) ([]github.OpenPull,
	map[int64]bool, error) {
	pulls, err := x.list.Read(ctx, now)
	if err != nil {
		return nil, nil, fmt.Errorf("whether access is withdrawn is not known: %w", err)
	}
	known, err := x.people(ctx, w)
	if err != nil {
		return nil, nil, fmt.Errorf("who withdraws access is not known: %w", err)
	}
	return pulls, known, nil
}

// turns are those of what waits, last updated first, that one pass looks at. Half of it are those
// updated last, since somebody may just be giving access back; the other half have waited longest,
// so that each has its turn however many come.
func (x *withdrawals) turns(wait []github.OpenPull) []github.OpenPull {
	if len(wait) <= maxLooks {
		return wait
	}
	x.log.Warn("more open pull requests changed than one pass looks at; the others have their turn "+
		"in the next ones", "event", "withdraw", "cluster", x.cluster, "waiting",
		len(wait)-maxLooks)
	late := wait[maxLooks/2:]
	slices.SortStableFunc(late, func(a, b github.OpenPull) int {
		return x.looks[a.Number].since.Compare(x.looks[b.Number].since)
	})
	return wait[:maxLooks]
}

// opened takes note of what the looks found, oldest first, and forgets what is no longer open.
func (x *withdrawals) opened(pulls []github.OpenPull) {
	commits := map[string]string{}
	for _, p := range slices.SortedFunc(slices.Values(pulls), byNumber) {
		l := x.looks[p.Number]
		if l.pull != p || l.found == nil {
			continue
		}
		x.open = append(x.open, *l.found)
		if commit, ok := x.commits[l.found.Path]; ok {
			commits[l.found.Path] = commit
		}
	}
	x.commits = commits
}

func byNumber(a, b github.OpenPull) int { return a.Number - b.Number }

// people are the accounts, by number, of everybody in identities.yaml and of those who approved
// what is recorded. The former are remembered for causes.
func (x *withdrawals) people(ctx context.Context, w plan.World) (map[int64]bool, error) {
	content, err := x.branch.file(ctx, w.Main.Tip, policies.IdentitiesPath)
	if err != nil {
		x.identify(nil)
		return nil, err
	}
	x.identify(content)
	known := map[int64]bool{}
	for _, u := range x.identities.Spec.Users {
		known[u.GitHubID] = true
	}
	for _, r := range w.Records {
		for _, approver := range r.Grant.Evidence.Approvers {
			known[approver.ID] = true
		}
	}
	return known, nil
}

// identify reads identities.yaml, unless it is as it was in the pass before: it may have thousands of
// people. Of one with findings nobody is known.
func (x *withdrawals) identify(content []byte) {
	if string(content) == x.parsed {
		return
	}
	x.identities, x.parsed = policies.IdentityMap{}, string(content)
	if identities, findings := policies.ParseIdentities(policies.IdentitiesPath,
		content); len(findings) == 0 {
		x.identities = identities
	}
}

// causes tells, by path, why open withdrawals end the grants of a world, those that are still to
// begin among them, and whose these are.
func (x *withdrawals) causes(w plan.World) map[string]plan.Why {
	causes := map[string]plan.Why{}
	if len(x.open) == 0 {
		return causes
	}
	end := func(g requests.Grant) {
		for _, open := range x.open {
			cause := open.Ends(g, x.identities)
			if _, ends := causes[g.Path]; cause != "" && !ends {
				causes[g.Path] = plan.Why{Cause: cause, By: requests.PersonOf(
					open.Author.Login, open.Author.ID, open.PullRequest)}
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

// closeDone closes the withdrawals that were done: those whose file is gone and whose grant the
// ledger says was ended by somebody. It goes by the branch, so it is also done for what an earlier
// run left.
func (x *withdrawals) closeDone(ctx context.Context, main *plan.Main) {
	var names []string
	for _, open := range x.open {
		if place, ok := requests.SplitPath(open.Path); ok {
			names = append(names, place.Name)
		}
	}
	if err := x.branch.lookUp(ctx, main, names...); err != nil {
		x.log.Error("withdrawals may be done, but stay open", "event", "withdraw", "cluster",
			x.cluster, "error", err.Error())
		return
	}
	for _, open := range x.open {
		place, ok := requests.SplitPath(open.Path)
		entered := requests.RevocationPath(x.cluster, place.Name)
		if !ok || place.Cluster != x.cluster || slices.Contains(main.Names[place.Name],
			open.Path) ||
			!slices.Contains(main.Names[place.Name], entered) {
			continue
		}
		content, err := x.branch.file(ctx, main.Tip, entered)
		if err != nil {
			x.log.Error("a withdrawal is done, but stays open", "event", "withdraw", "cluster",
				x.cluster, "request", place.Name, "error", err.Error())
			continue
		}
		entry, findings := requests.ParseRevocation(entered, content)
		g := requests.Grant{Path: entry.Status.Path,
			Evidence: requests.Evidence{Approvers: entry.Status.Approvers}}
		if entry.Spec != nil && entry.Status.Subject != nil {
			g.Requester, g.Subject = entry.Spec.Requester, *entry.Status.Subject
		}
		byHand := entry.Status.Cause == requests.CauseRelinquished ||
			entry.Status.Cause == requests.CauseRevoked
		if len(findings) > 0 || !byHand || open.Ends(g, x.identities) == "" {
			continue
		}
		text := withdrawnText(entry, entered, x.commits[open.Path])
		x.comments.put(comment{number: open.PullRequest, what: "withdrawn", close: true,
			compose: func(context.Context) (string, error) { return text, nil }})
	}
}

// done remembers the agent's commit that did what a withdrawal of a request asks for.
func (x *withdrawals) done(path, commit string) {
	for _, open := range x.open {
		if open.Path == path {
			x.commits[path] = commit
		}
	}
}
