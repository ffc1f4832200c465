package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// onMain has a request be on main since a time, which is all that a grant rests on where the branch
// is the evidence.
func (a *account) onMain(since time.Time) {
	a.opens(since)
	a.approved, a.left = a.merged, time.Time{}
}

// programOf is the name of what a process runs.
func programOf(process string) string {
	name, _, _ := strings.Cut(process, "-")
	return name
}

// writesOf is what a process may do to objects: those that are no agents do little.
func writesOf(process string) []string {
	switch programOf(process) {
	case expirers.name:
		return []string{"rolebindings delete", "clusterrolebindings delete", "roles delete",
			"clusterroles delete", "jobs delete"}
	case awsKeepers.name:
		return []string{"configmaps update"}
	}
	return writes
}

// names: a name that is in the ledger of one cluster is used in all, as long as main is not set back.
func names(h history) (wrong []string) {
	accounts := h.accounts()
	for _, a := range accounts {
		for _, b := range accounts {
			if b == a || b.name != a.name || !b.granted() {
				continue
			}
			made := b.made[0].at
			if since := h.inLedger(a, made); !since.IsZero() && made.Sub(since) > withdrawalBound {
				wrong = append(wrong, fmt.Sprintf("%s was bound in %s at %s; its name is in the ledger of %s "+
					"since %s", b.name, b.cluster, made, a.cluster, since))
			}
		}
	}
	return wrong
}

// inLedger is since when a request has an entry that is there at a time; zero: it has none then.
func (h history) inLedger(a *account, at time.Time) (since time.Time) {
	for _, e := range h {
		if e.push == nil || e.at.After(at) {
			continue
		}
		switch e.push.changed[a.entryOf()] {
		case "A":
			since = e.at
		case "D":
			since = time.Time{}
		}
	}
	return since
}

// namesake tells whether another one of all requests has the name of this one.
func (a *account) namesake(all []*account) bool {
	return slices.ContainsFunc(all, func(b *account) bool {
		return b.path != a.path && b.name == a.name &&
			(!b.merged.IsZero() || b.pushed || b.refused() || b.spoilt())
	})
}

// passMay: a single pass grants and keeps records where no replica holds the Lease as it begins. It
// does not take the Lease: what it saves, it saves over nothing that somebody else wrote meanwhile.
func passMay(h history) (wrong []string) {
	told := h.told()
	type lease struct {
		holder string
		until  time.Time
	}
	leases, begun, may := map[string]lease{}, map[string]bool{}, map[string]bool{}
	var looking []*life // passes
	look := func(cluster string, at time.Time) {
		looking = slices.DeleteFunc(looking, func(p *life) bool { return at.Sub(p.from) >= passLooks })
		for _, p := range looking {
			if l := leases[cluster]; p.cluster == cluster &&
				(l.holder == "" || !at.Add(told.aheadOf(cluster, replicaOf(p.process), at)).Before(l.until)) {
				may[p.process] = true
			}
		}
	}
	for _, e := range h {
		v := e.version
		switch {
		case e.started != nil && e.started.program == passes.name:
			p := *e.started
			p.from = e.at
			begun[p.process], looking = true, append(looking, &p)
			look(p.cluster, e.at)
		case v == nil:
		case v.Resource == "leases" && v.New != nil:
			look(v.cluster, e.at)
			holder, _, _ := unstructured.NestedString(v.New.Object, "spec", "holderIdentity")
			renewed, _, _ := unstructured.NestedString(v.New.Object, "spec", "renewTime")
			seconds, _, _ := unstructured.NestedInt64(v.New.Object, "spec", "leaseDurationSeconds")
			at, err := time.Parse(time.RFC3339Nano, renewed)
			if err != nil { // nobody ever led
				holder = ""
			}
			leases[v.cluster] = lease{holder, at.Add(time.Duration(seconds) * time.Second)}
			look(v.cluster, e.at)
		case begun[v.process]:
			look(v.cluster, e.at)
			if slices.Contains(leaderWrites, v.kind()) && !may[v.process] {
				wrong = append(wrong, fmt.Sprintf("%s: %s of %s, though the Lease was of %q", v.process,
					v.kind(), v.object().GetName(), leases[v.cluster].holder))
			}
		}
	}
	return wrong
}

// passLooks is how long after its begin a pass has read the Lease: a call may be slow.
const passLooks = 45 * time.Second

// lives are those of all processes, in the order in which they began.
func (h history) lives() (all []*life) {
	byName := map[string]*life{}
	for _, e := range h {
		switch {
		case e.started != nil:
			one := *e.started
			one.from, one.to = e.at, h[len(h)-1].at
			byName[one.process] = &one
			all = append(all, &one)
		case e.died != "" && byName[e.died] != nil:
			byName[e.died].to = e.at
			delete(byName, e.died)
		}
	}
	return all
}

// span is a time from one on, and less than another.
type span struct{ from, to time.Time }

// answered is how much of a time lies in none of the silent ones.
func answered(silent []span, from, to time.Time) time.Duration {
	return max(to.Sub(from), 0) - covered(silent, 0, from, to)
}

// What a process that ends access needs, in time in which Kubernetes answers.
const (
	// learns is until it has heard of what is there: by its list each minute, if by no watch
	learns = 3 * time.Minute
	// acts is until it has deleted what is due: a look at the clock each second, and a call
	acts = 2500 * time.Millisecond
	// tryLost is a call that something happened to, and the pause after it
	tryLost = 6 * time.Second
)

// prompt: while one process lives that ends access and Kubernetes answers it, access ends when that
// process does so by its clock, whatever became of all others.
func prompt(h history) (wrong []string) {
	lives, told := h.lives(), h.told()
	silent := remembered(func(cluster string) []span { return h.downs(of(kubernetes, cluster)) })
	for _, a := range h.accounts() {
		down := silent(a.cluster)
		for _, s := range a.stays {
			if s.byHand() || s.again() {
				continue
			}
			gone := h[len(h)-1].at
			if s.went != nil {
				gone = s.went.at
			}
			unknown := slices.ContainsFunc(a.deeds, func(e event) bool { // an expirer keeps no record of it
				return e.did.what == unlabelled && e.at.Before(gone)
			})
			for _, p := range lives {
				if p.cluster != a.cluster || p.program != agents.name && (p.program != expirers.name || unknown) {
					continue
				}
				due := knows(down, p, s.came.at)
				if due.Before(a.end) {
					due = a.end
				}
				until := earlier(gone, p.to)
				if !due.Before(until) {
					continue
				}
				allowed := acts + told.behind(p, due, until) + time.Duration(h.hindered(p, due, until))*tryLost +
					covered(h.downs(of(sleeping, p.process), of(keeping, p.cluster), of(refusing, p.cluster),
						of(held, string(s.came.version.New.GetUID()))), tryLost, due, until)
				if had := answered(down, due, until); had > allowed {
					wrong = append(wrong, fmt.Sprintf("%s had %s until %s; its window ended at "+
						"%s, and %s had %s to end it, where %s is enough", a.name, s.came.version.place(), gone,
						a.end, p.process, had, allowed))
				}
			}
		}
	}
	return wrong
}

// unseen tells whether something went and no agent was there to see that before its end. Then it is
// found gone after it, and has expired as far as anybody knows.
func (h history) unseen(a *account) bool {
	if len(a.gone) == 0 {
		return false
	}
	down := h.downs(of(kubernetes, a.cluster))
	return !slices.ContainsFunc(h.lives(), func(p *life) bool {
		from, to := a.gone[0].at, a.end.Add(-plan.MaxSkew)
		if p.from.After(from) {
			from = p.from
		}
		if p.to.Before(to) {
			to = p.to
		}
		return p.program == agents.name && p.cluster == a.cluster && answered(down, from, to) > learns
	})
}

// unwatched tells whether something went and no agent was there that had known of it.
func (h history) unwatched(a *account) bool {
	return len(a.gone) > 0 && !slices.ContainsFunc(h.lives(), func(p *life) bool {
		return p.program == agents.name && p.cluster == a.cluster && p.from.Add(learns).Before(a.gone[0].at) &&
			p.to.After(a.gone[0].at)
	})
}

// knows is when a process knows of what was there since a time.
func knows(silent []span, p *life, since time.Time) time.Time {
	if since.Before(p.from) {
		since = p.from
	}
	at := since.Add(learns)
	for _, s := range silent {
		if s.to.After(since) && s.from.Before(at) {
			if s.from.Before(since) {
				s.from = since
			}
			at = at.Add(s.to.Sub(s.from))
		}
	}
	return at
}

// hindered is how many calls of a process something happened to in a time, and just before it.
func (h history) hindered(p *life, from, to time.Time) (n int) {
	from = from.Add(-2 * tolerated)
	first, _ := slices.BinarySearchFunc(h, from, func(e event, at time.Time) int {
		return e.at.Compare(at)
	})
	for _, e := range h[first:] {
		if !e.at.Before(to) {
			break
		}
		if e.fault != "" && e.at.After(from) && strings.Contains(e.fault, " "+p.process+" ") {
			n++
		}
	}
	return n
}

// endsNothingEarly: what only expires ends nothing before its end, by its own clock.
func endsNothingEarly(h history) (wrong []string) {
	told := h.told()
	for _, e := range h {
		v := e.version
		if v == nil || v.New != nil || programOf(v.process) != expirers.name {
			continue
		}
		text := v.Old.GetAnnotations()[render.AnnotationExpiresAt]
		end, err := time.Parse(time.RFC3339, text)
		if latest := told.latest(v.cluster, e.at, replicaOf(v.process), of(kubernetes, v.cluster)); err != nil ||
			latest.Before(end) {
			wrong = append(wrong, fmt.Sprintf("%s deleted %s %s at %s, which ends at %q", v.process,
				v.Resource, v.Old.GetName(), e.at, text))
		}
	}
	return wrong
}
