package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// stay is the time in which a binding was there, whoever made it.
type stay struct {
	came event
	went *event // nil: it is there for ever
}

// again tells a binding that was there before, and that a restored etcd brought back.
func (s *stay) again() bool { return s.came.version.Verb == restored }

// byHand tells a binding that no agent made.
func (s *stay) byHand() bool { return s.came.version.process == "" && !s.again() }

// within is how much of a time the binding was there.
func (s *stay) within(from, to time.Time) (since, until time.Time) {
	if s.came.at.After(from) {
		from = s.came.at
	}
	if s.went != nil {
		to = earlier(s.went.at, to)
	}
	return from, to
}

// over is when, up to a time, the last was gone of what an agent made, also of that which came again
// with a restored etcd; zero: nothing was.
func (a *account) over(by time.Time) (at time.Time) {
	for _, s := range a.stays {
		if s.went != nil && !s.byHand() && s.went.at.After(at) && !s.went.at.After(by) {
			at = s.went.at
		}
	}
	return at
}

// restored is the verb of what etcd has when it was set back.
const restored = "restore"

// see takes in a version of one of its bindings. What is made though the cluster forgot since that it was
// announced, it does not know of either.
func (a *account) see(e event) {
	v := e.version
	switch {
	case v.Old == nil:
		a.stays = append(a.stays, &stay{came: e})
		if v.process != "" {
			a.made = append(a.made, e)
			if !a.announced.IsZero() && a.forgotten(a.announced, e.at) {
				a.forgot = append(a.forgot, e.at.Add(time.Nanosecond))
			}
		}
	case v.New == nil:
		for _, s := range a.stays {
			if s.went != nil || s.came.version.object().GetUID() != v.Old.GetUID() {
				continue
			}
			if s.went = &e; !s.byHand() && !s.again() {
				a.gone = append(a.gone, e)
			}
		}
	}
}

// forgotten tells whether after a time, and not after another, the cluster forgot what was granted: etcd
// was set back, or somebody took its record.
func (a *account) forgotten(from, to time.Time) bool {
	return slices.ContainsFunc(a.forgot, func(at time.Time) bool { return at.After(from) && !at.After(to) })
}

// hadFrom tells whether something gave access all the time from one time to another.
func (a *account) hadFrom(from, to time.Time) bool {
	return a.has(from) && !slices.ContainsFunc(a.gone, func(e event) bool {
		return e.at.After(from) && !e.at.After(to)
	})
}

// ofLeaders are the systems without which no replica of a cluster does what a leader does.
func (h history) ofLeaders(cluster string) (all []string) {
	for _, e := range h {
		for name := range e.down {
			if strings.HasPrefix(name, sleeping+" of agent-"+cluster) {
				all = append(all, name)
			}
		}
	}
	return append(slices.Compact(all), of(leaseTaken, cluster), of(noRecords, cluster), noneOf(agents, cluster))
}

// told is what a history tells of faults in force and of clocks, which is little of it.
func (h history) told() (some history) {
	for _, e := range h {
		if e.down != nil || e.clock != nil {
			some = append(some, e)
		}
	}
	return some
}

// inForce tells whether a fault of a cluster was so at a time.
func (h history) inForce(name, cluster string, at time.Time) (yes bool) {
	for _, e := range h {
		if now, told := e.down[of(name, cluster)]; told && !e.at.After(at) {
			yes = now
		}
	}
	return yes
}

// aheadOf is by how much a clock of a cluster was ahead at a time.
func (h history) aheadOf(cluster, of string, at time.Time) (d time.Duration) {
	for _, e := range h {
		if c := e.clock; c != nil && c.cluster == cluster && c.of == of && !e.at.After(at) {
			d = c.ahead
		}
	}
	return d
}

// jobsWait tells whether the clock of a cluster was so far behind that no Job was over for a while.
func (h history) jobsWait(cluster string, from time.Time) bool {
	behind, _ := h.aheadWhile(cluster, of(kubernetes, cluster), from, from.Add(sweepBound))
	return -behind > sweepBound
}

// aheadWhile is by how much a clock of a cluster was ahead in a time, at least and at most.
func (h history) aheadWhile(cluster, of string, from, to time.Time) (least, most time.Duration) {
	least = h.aheadOf(cluster, of, from)
	most = least
	for _, e := range h {
		if c := e.clock; c != nil && c.cluster == cluster && c.of == of && e.at.After(from) && !e.at.After(to) {
			least, most = min(least, c.ahead), max(most, c.ahead)
		}
	}
	return least, most
}

// clockRead is how old what a process knows of another clock may be: no call takes longer, and it
// looks every ten seconds.
const clockRead = time.Minute

// apart tells whether two clocks of a cluster were more apart than is tolerated all the time since.
func (h history) apart(cluster, a, b string, since, to time.Time) bool {
	far := func(at time.Time) bool {
		return (h.aheadOf(cluster, a, at) - h.aheadOf(cluster, b, at)).Abs() > plan.MaxSkew+time.Second
	}
	all := far(since)
	for _, e := range h {
		if e.clock != nil && e.at.After(since) && !e.at.After(to) {
			all = all && far(e.at)
		}
	}
	return all
}

// behind is how late a process may be by its clock: by what is tolerated, as it goes by the API server's
// where that is further ahead.
func (h history) behind(p *life, from, to time.Time) time.Duration {
	least := h.aheadOf(p.cluster, replicaOf(p.process), from)
	for _, e := range h {
		if e.clock != nil && e.clock.of == replicaOf(p.process) && e.at.After(from) && e.at.Before(to) {
			least = min(least, e.clock.ahead)
		}
	}
	return min(max(-least, 0), plan.MaxSkew+time.Second)
}

// replicaOf is the name of the replica of which a process is a life.
func replicaOf(process string) string {
	_, name, _ := strings.Cut(process, "-")
	return name[:max(0, strings.LastIndex(name, "-"))]
}

// checked is how long an agent takes its fence and its rights as it found them, and how long it takes
// to look.
const checked = time.Hour + 5*time.Minute

// stops: nothing is bound by who knows that the clocks are apart, that the fence is not whole, or
// that the agent may do too much.
func stops(h history) (wrong []string) {
	told := h.told()
	since := map[string]map[string]time.Time{} // when something began to lack, by cluster and by what
	led := map[string]time.Time{}              // when a process led first
	for _, e := range h {
		v := e.version
		if v == nil {
			continue
		}
		name := v.object().GetName()
		if since[v.cluster] == nil {
			since[v.cluster] = map[string]time.Time{}
		}
		lacks := since[v.cluster]
		switch fence := strings.HasPrefix(v.Resource, "validatingadmission"); {
		case v.Resource == "leases" && led[holder(v.New)].IsZero():
			led[holder(v.New)] = e.at
		case fence && !v.isRendered(), v.Resource == "clusterrolebindings" && name == "extra" && v.New != nil:
			lacks[v.Resource+" "+name] = e.at
		case fence, v.Resource == "clusterrolebindings" && name == "extra":
			delete(lacks, v.Resource+" "+name)
		case v.process != "" && v.Old == nil && slices.Contains(access, v.Resource):
			if told.apart(v.cluster, replicaOf(v.process), of(kubernetes, v.cluster), v.made.Add(-clockRead), v.made) {
				wrong = append(wrong, fmt.Sprintf("%s made %s at %s, while its clock was not the API server's",
					v.process, name, e.at))
			}
			for what, from := range lacks {
				if first := led[v.process]; from.Before(v.made.Add(-checked)) || !first.IsZero() &&
					from.Before(first.Add(-clockRead)) {
					wrong = append(wrong, fmt.Sprintf("%s made %s at %s, while %s was not as it should since %s",
						v.process, name, e.at, what, from))
				}
			}
		}
	}
	return wrong
}

// isRendered tells whether of the fence this is what this program has it be.
func (v *version) isRendered() bool {
	if v.New == nil {
		return false
	}
	for _, p := range render.FencePolicies() {
		if v.Resource == "validatingadmissionpolicies" && p.Name == v.New.GetName() {
			var live admissionv1.ValidatingAdmissionPolicy
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(v.New.Object, &live); err != nil {
				panic(err) // the cluster decoded it by its type
			}
			return equality.Semantic.DeepEqual(live.Spec, p.Spec)
		}
	}
	return true
}

// causesAround are those that are true of a binding that went at a time by what was in force then.
func (a *account) causesAround(h history, at time.Time) (causes []string) {
	if !h.latest(a.cluster, at).Before(a.end.Add(-tolerated)) { // by the later clock
		causes = append(causes, requests.CauseExpired)
		if at.Before(a.end.Add(-tolerated)) { // to whoever has another one, somebody took it
			causes = append(causes, requests.CauseBindingDeleted)
		}
	}
	if h.waived(a.cluster, at.Add(-time.Minute), at, of(namespaceGone, a.cluster)) > 0 {
		causes = append(causes, requests.CauseBindingDeleted, requests.CauseNamespaceReplaced)
	}
	if !a.whole() {
		causes = append(causes, requests.CauseDenied)
	}
	if !a.granted() {
		return causes
	}
	for _, name := range []string{putOff, added} {
		if h.inForce(name, a.cluster, a.made[len(a.made)-1].at) {
			causes = append(causes, requests.CauseDenied)
		}
	}
	known := at.Add(takenBound)
	if a.entered.After(known) { // who ended it was still to be found out
		known = a.entered
	}
	if a.forgotten(a.made[0].at, known) { // what is unknown was not granted, or goes
		causes = append(causes, requests.CauseDenied, requests.CauseRevoked, requests.CauseBindingDeleted)
	}
	return causes
}

// refusedWhenMade tells whether what was made of a request was gone by a time, and was refused: in the
// cluster it came to be otherwise than was asked for, or something of it could not be made.
func (a *account) refusedWhenMade(h history, at time.Time) bool {
	return !a.has(at) && slices.Contains(a.causesAround(h, at), requests.CauseDenied)
}

// whole tells whether all that a request asks for was made. What was not is refused in the end, and
// taken back.
func (a *account) whole() bool {
	made := map[string]bool{}
	for _, e := range a.made {
		made[e.version.place()] = true
	}
	return len(made) == len(a.objects())
}

// changedByAdmission tells whether a binding came to be otherwise than the agent asked, which then is
// to take it back at once. While that is refused it tries ever less often, up to every five minutes.
func (h history) changedByAdmission(a *account, e event) bool {
	if !h.inForce(putOff, a.cluster, e.at) && !h.inForce(added, a.cluster, e.at) {
		return false
	}
	for _, s := range a.stays {
		if s.came.version != e.version || s.went == nil {
			continue
		}
		bound, refused := sweepBound, of(refusing, a.cluster)
		if covered(h.downs(refused), 0, e.at, s.went.at) > 0 {
			bound = takenBound
		}
		return s.went.at.Sub(e.at)-h.waived(a.cluster, e.at, s.went.at, refused) < bound
	}
	return false
}

// holder is who holds a Lease; empty where there is none.
func holder(lease cluster.Object) string {
	if lease == nil {
		return ""
	}
	spec, _ := lease.Object["spec"].(map[string]any)
	name, _ := spec["holderIdentity"].(string)
	return name
}
