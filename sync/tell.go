package sync

import (
	"context"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// telling is what the agent remembers in order to tell people what became of their requests.
type telling struct {
	granted map[string]bool   // paths of grants that their pull requests were told of; nil before the first pass
	reasons map[string]reason // by path, of refusals that are not in the ledger yet
}

type reason struct {
	code    policies.Code
	message string
}

// tellGrants has the pull requests of new grants told. What was granted before this run is told again as long as it is
// new: an earlier run may not have come to it, and a comment that says so already is left as it is.
func (a *Agent) tellGrants(w plan.World) {
	first := a.telling.granted == nil
	granted := map[string]bool{}
	for _, r := range w.Records {
		path := r.Grant.Path
		if r.Phase != plan.Granted {
			continue
		}
		granted[path] = true
		if old := first && a.clocks.own().Sub(r.Grant.Window.Start.Time) > notesFor; !old && !a.telling.granted[path] {
			a.notes.put(note{number: r.Grant.Evidence.PullRequest, what: "granted",
				compose: func(context.Context) (string, error) { return grantedText(r.Grant), nil }})
		}
	}
	a.telling.granted = granted
}

// keepReasons remembers why requests are refused until they are in the ledger, which has room for the code only.
func (a *Agent) keepReasons(proofs map[string]plan.Proof) {
	for path, proof := range proofs {
		if proof.Decision.Outcome == policies.Denied {
			if a.telling.reasons == nil {
				a.telling.reasons = map[string]reason{}
			}
			a.telling.reasons[path] = reason{proof.Decision.Code, proof.Decision.Message}
		}
	}
}

// tellEnd has the pull request of a request that is off the branch told what became of it.
func (a *Agent) tellEnd(e ledger.Entry, commit string) {
	r := e.Record
	path := r.Grant.Path
	why := a.telling.reasons[path]
	delete(a.telling.reasons, path)
	if e.Discard {
		return
	}
	for _, open := range a.withdrawals.open {
		if open.Path == path {
			a.withdrawals.commits[path] = commit
		}
	}
	t := note{number: r.Grant.Evidence.PullRequest, what: "ended"}
	ledger := inLedger(requests.RevocationPath(a.cluster.name, r.Grant.Name), commit)
	if r.EverGranted() {
		t.compose = func(ctx context.Context) (string, error) {
			made, err := a.cluster.madeMeanwhile(ctx, r)
			return endedText(r, ledger, made), err
		}
	} else {
		if string(why.code) != r.Code {
			why.message = ""
		}
		t.compose = func(context.Context) (string, error) { return refusedText(r, why.message) + ledger, nil }
	}
	a.notes.put(t)
}
