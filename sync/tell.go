package sync

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Reasons of the Kubernetes Events, which stand in the agent's namespace: of a grant's record, except for the last two,
// which are of the Lease.
const (
	eventGranted = "Granted"
	eventExpired = "Expired"
	eventEnded   = "Ended"   // before its time
	eventRefused = "Refused" // a merged request
	eventForged  = "Forged"  // a managed object that no grant explains was taken away
	eventStopped = "GrantingStopped"
)

// save writes a record that says what came of a request, and tells so.
func (a *Agent) save(ctx context.Context, r *plan.Record) error {
	if err := a.cluster.Save(ctx, r); err != nil {
		return err
	}
	g := r.Grant
	about := kube.RecordReference(g.Name)
	switch {
	case r.Phase == plan.Granted:
		a.metrics.Decided(policies.Allowed, "")
		a.events.Send(corev1.EventTypeNormal, eventGranted, about, fmt.Sprintf("%s: %s until %s", g.Name, g.Policy, g.Window.End))
	case r.Cause == requests.CauseDenied:
		a.metrics.Decided(policies.Denied, r.Code)
		a.events.Send(corev1.EventTypeWarning, eventRefused, about, fmt.Sprintf("%s: %s", g.Name, r.Code))
	case r.Cause == requests.CauseExpired:
		a.events.Send(corev1.EventTypeNormal, eventExpired, about, g.Name)
	case r.Cause != "":
		a.events.Send(corev1.EventTypeNormal, eventEnded, about, fmt.Sprintf("%s: %s", g.Name, r.Cause))
	}
	if r.Cause != "" {
		for _, o := range r.Objects {
			if o.IsBinding() && o.UID != "" {
				a.metrics.Ended(r.Cause)
			}
		}
	}
	return nil
}

// forged tells of a managed object that no grant explained.
func (a *Agent) forged(l plan.Live) {
	a.metrics.Ended(monitor.Swept)
	a.events.Send(corev1.EventTypeWarning, eventForged, kube.LeaseReference,
		fmt.Sprintf("%s %s in %s was no grant's and is deleted", l.Kind, requests.Quote(l.Name), l.Namespace))
}

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
	ledger := inLedger(requests.RevocationPath(a.cluster.Name, r.Grant.Name), commit)
	if r.EverGranted() {
		t.compose = func(ctx context.Context) (string, error) {
			made, err := a.cluster.MadeMeanwhile(ctx, r)
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
