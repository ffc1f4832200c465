package sync

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/messages"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Reasons of the Kubernetes Events, which stand in the agent's namespace: of a grant's record,
// except for the last two, which are of the Lease.
const (
	eventGranted   = "Granted"
	eventScheduled = "Scheduled" // to be granted later
	eventExpired   = "Expired"
	eventEnded     = "Ended"   // before its time
	eventRefused   = "Refused" // a merged request
	eventForged    = "Forged"  // a managed object that no grant explains was taken away
	eventStopped   = "GrantingStopped"
	eventOverdue   = "BreakGlassOverdue" // of the Lease too: nobody has answered for it
)

// teller has people told what becomes of their requests: in comments, in the channels of policies,
// in events of the cluster, and in numbers.
type teller struct {
	cluster  *kube.Cluster
	wall     func() time.Time
	comments *comments
	messages *messages.Keeper // nil: there are no channels
	asks     asks
	events   *kube.Events
	metrics  *monitor.Metrics
	log      *slog.Logger

	// by path, what the pull requests of grants were told that live, or are to; nil before the
	// first pass
	granted map[string]plan.Phase
	still   map[string]bool   // by path, of grants whose names stand still, and that was told
	empty   map[string]bool   // by path, of grants whose names are followed: nothing matched
	reasons map[string]reason // by path, of refusals that are not in the ledger yet
}

// restart forgets what an earlier term told, which by now another replica may have told otherwise.
func (t *teller) restart() {
	t.granted, t.still, t.empty, t.reasons = nil, nil, nil, nil
}

// record tells what a record that was written says came of a request.
func (t *teller) record(r plan.Record) {
	g := r.Grant
	about := kube.RecordReference(g.Name)
	t.messages.Record(r)
	if r.Phase == plan.Ended {
		t.comments.forget(g.Evidence.PullRequest, g.Path)
	}
	switch {
	case r.Phase == plan.Granted:
		t.metrics.Decided(policies.Allowed, "")
		t.events.Send(corev1.EventTypeNormal, eventGranted, about, fmt.Sprintf("%s: %s until %s",
			g.Name, g.Policy, g.Window.End))
	case r.Phase == plan.Scheduled:
		t.events.Send(corev1.EventTypeNormal, eventScheduled, about, fmt.Sprintf("%s: %s from %s",
			g.Name, g.Policy, g.Window.Start))
	case r.Cause == requests.CauseDenied:
		t.metrics.Decided(policies.Denied, r.Code)
		t.events.Send(corev1.EventTypeWarning, eventRefused, about, fmt.Sprintf("%s: %s",
			g.Name, r.Code))
	case r.Cause == requests.CauseExpired:
		t.events.Send(corev1.EventTypeNormal, eventExpired, about, g.Name)
	case r.Cause != "":
		t.events.Send(corev1.EventTypeNormal, eventEnded, about, fmt.Sprintf("%s: %s",
			g.Name, r.Cause))
	}
	if r.Cause == "" {
		return
	}
	for _, o := range r.Objects {
		if o.IsBinding() && o.UID != "" {
			t.metrics.Ended(r.Cause)
		}
	}
}

// forged tells of a managed object that no grant explained.
func (t *teller) forged(l plan.Live) {
	t.metrics.Ended(monitor.Swept)
	t.events.Send(corev1.EventTypeWarning, eventForged, kube.LeaseReference,
		fmt.Sprintf("%s %s in %s was no grant's and is deleted", l.Kind, requests.Quote(l.Name),
			l.Namespace))
}

// stops tells of each thing that keeps the agent from granting when it begins and when it has
// passed.
func (t *teller) stops(all []plan.Stop) {
	now := map[policies.Code]string{}
	for _, stop := range all {
		now[stop.Code] = stop.Message
	}
	for _, known := range monitor.Stopping {
		message, on := now[known.Code]
		log := t.log.With("event", "stop", "cluster", t.cluster.Name, "code", string(known.Code))
		switch changed := t.metrics.Stop(known.Code, on); {
		case changed && on:
			log.Error("nothing is granted", "message", message)
			t.events.Send(corev1.EventTypeWarning, eventStopped, kube.LeaseReference,
				string(known.Code))
		case changed:
			log.Info("no longer a reason not to grant")
		}
	}
}

// reason is why a request is refused.
type reason struct {
	code    policies.Code
	message string
	number  int // of the pull request that was known to have brought it, where the refusal names none
}

// grants has the pull requests of new grants told. What was granted before this run is told again
// as long as it is new: an earlier run may not have come to it, and a comment that says so already
// is left as it is.
func (t *teller) grants(w plan.World) {
	first := t.granted == nil
	granted := map[string]plan.Phase{}
	for _, r := range w.Records {
		path := r.Grant.Path
		if r.Phase != plan.Granted && r.Phase != plan.Scheduled {
			continue
		}
		granted[path] = r.Phase
		if old := first && t.wall().Sub(r.Grant.Window.Start.Time) > tellFor; !old &&
			t.granted[path] != r.Phase {
			if r.Phase == plan.Granted {
				t.sayGranted(r)
				continue
			}
			t.comments.put(comment{number: r.Grant.Evidence.PullRequest, what: "scheduled", grant: path,
				compose: func(context.Context) (string, error) { return scheduledText(r.Grant), nil }})
		}
	}
	t.granted = granted
}

// waits has the pull request of a grant that the cluster refuses told, and why.
func (t *teller) waits(r plan.Record) {
	t.comments.put(comment{number: r.Grant.Evidence.PullRequest, what: "waiting", grant: r.Grant.Path,
		compose: func(context.Context) (string, error) { return waitingText(r), nil }})
}

// unjudged has the pull request of a request that is not judged yet told, and why.
func (t *teller) unjudged(path string, number int, since time.Time, d policies.Decision) {
	t.comments.put(comment{number: number, what: "waiting", grant: path,
		compose: func(context.Context) (string, error) { return unjudgedText(since, d), nil }})
}

// gone has the pull request of a request that left the branch before it was judged told so.
func (t *teller) gone(number int, path string) {
	t.comments.put(comment{number: number, what: "gone", last: true, grant: path,
		compose: func(context.Context) (string, error) { return goneText, nil }})
}

// lasts has the pull request of a grant that cannot be ended told, and why.
func (t *teller) lasts(s plan.Step, err error) {
	t.comments.put(comment{number: s.Record.Grant.Evidence.PullRequest, what: "lasting",
		grant:   s.Record.Grant.Path,
		compose: func(context.Context) (string, error) { return lastingText(s.Record, err), nil }})
}

// keepReasons remembers why requests are refused until they are in the ledger, which has room for
// the code only, and of those that waited whose pull request may have been told so.
func (t *teller) keepReasons(proofs map[string]plan.Proof, waited map[string]waiting) {
	for path, proof := range proofs {
		if proof.Decision.Outcome == policies.Denied {
			if t.reasons == nil {
				t.reasons = map[string]reason{}
			}
			t.reasons[path] = reason{proof.Decision.Code, proof.Decision.Message, waited[path].number}
		}
	}
}

// unentered has the pull request of a request that is over told that the ledger cannot be given
// that.
func (t *teller) unentered(e ledger.Entry, why error) {
	t.comments.put(comment{number: e.Record.Grant.Evidence.PullRequest, what: "unentered",
		compose: func(context.Context) (string, error) {
			return unenteredText(e.Record,
				why), nil
		}})
}

// end has the pull request of a request that is off the branch told what became of it.
func (t *teller) end(e ledger.Entry, commit string) {
	r := e.Record
	path := r.Grant.Path
	why := t.reasons[path]
	delete(t.reasons, path)
	if e.Discard {
		return
	}
	number := cmp.Or(r.Grant.Evidence.PullRequest, why.number)
	c := comment{number: number, what: "ended", last: true}
	where := inLedger(requests.RevocationPath(t.cluster.Name, r.Grant.Name), commit)
	if r.EverGranted() && r.Cause != requests.CauseDenied {
		c.compose = func(ctx context.Context) (string, error) {
			made, err := t.cluster.MadeMeanwhile(ctx, r)
			return endedText(r, where, made), err
		}
	} else {
		if string(why.code) != r.Code {
			why.message = ""
		}
		if r.Refused != nil && r.Refused.Code == r.Code {
			why.message = r.Refused.Message
		}
		c.compose = func(context.Context) (string, error) {
			return refusedText(r, why.message) +
				where, nil
		}
	}
	t.comments.put(c)
}
