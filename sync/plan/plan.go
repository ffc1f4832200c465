// Package plan says what an agent is to do next, from the branch, the cluster and what it remembers
// of each grant. It is pure: the same world gives the same steps, so that what was planned can be
// planned again.
package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// MaxWait is how long a request or a question about it may stay undecided because facts cannot be
// had.
const MaxWait = 24 * time.Hour

// MaxSkew is how far the clocks of an agent, of another one and of the API server may be apart
// before nothing is granted any more (R54). An end that is seen so much early may be that of
// another replica, whose clock is ahead.
const MaxSkew = 30 * time.Second

// Make says what is to be done, in order. It is a function of its arguments alone; applied in full,
// planning again gives nothing (G7).
func Make(now time.Time, w World) []Step {
	p := planner{World: w, now: now, live: map[Object]Live{}, vanished: map[Object][]Gone{},
		claimed: map[string]bool{}, taken: map[string]string{}}
	for _, l := range slices.Backward(w.Live) {
		p.live[l.Place()] = l
	}
	for _, g := range w.Gone {
		p.vanished[g.Place()] = append(p.vanished[g.Place()], g)
	}
	records := slices.SortedFunc(slices.Values(w.Records),
		func(a, b Record) int { return cmp.Compare(a.Grant.Name, b.Grant.Name) })
	for _, r := range records {
		p.taken[r.Grant.Name] = r.Grant.Path
		p.follow(r)
	}
	p.sweep()
	if w.Main != nil {
		for _, path := range slices.Sorted(maps.Keys(w.Main.Requests)) {
			p.consider(path, w.Main.Requests[path])
		}
	}
	place := rank(p.steps)
	slices.SortStableFunc(p.steps, func(a, b Step) int { return cmp.Compare(place(a), place(b)) })
	return p.steps
}

type planner struct {
	World
	now      time.Time
	live     map[Object]Live   // by place
	vanished map[Object][]Gone // by place
	steps    []Step
	claimed  map[string]bool   // UIDs of objects that a grant explains or an earlier step deletes
	taken    map[string]string // path by the name of every request that has a record or gets one
}

func (p *planner) add(action Action, r Record, remove ...Live) {
	p.steps = append(p.steps, Step{Action: action, Record: r, Delete: remove})
}

// sweep deletes what only the agent makes and no grant explains, also where it says that it is of
// another cluster, or of none: such a copy, which a backup brought back, would stay for ever.
func (p *planner) sweep() {
	for _, l := range p.Live {
		if l.Ours() && !p.claimed[l.UID] {
			p.add(Sweep, Record{}, l)
		}
	}
}

// consider plans for one request on main.
func (p *planner) consider(path, blob string) {
	place, ok := requests.SplitPath(path)
	if !ok || p.taken[place.Name] == path {
		return
	}
	several := len(p.Main.Names[place.Name]) > 1
	first, known := p.Main.First[place.Name]
	if holder := p.holder(place.Name, path); holder != "" {
		p.discard(place.Name, path, holder)
		return
	}
	if len(p.Stopped) > 0 || several && !known {
		return
	}
	proof := p.Proofs[path]
	decision := proof.Decision
	if several && first == "" {
		decision = policies.Refuse(policies.RequestIDReused,
			"another request came with the same commit under the name %s", place.Name)
		proof.Evidence.Blob = blob
	} else if proof.Blob != blob {
		return
	}
	// what is refused before anybody could be asked is refused by the branch alone
	proof.Evidence.Source = cmp.Or(proof.Evidence.Source, requests.EvidenceBranch)
	r := Record{Phase: Granting, Request: proof.Content, Facts: proof.Facts, Grant: requests.Grant{
		Name: place.Name, Path: path, Cluster: place.Cluster, Policy: place.Policy,
		Evidence: proof.Evidence}}
	cause, code := requests.CauseDenied, decision.Code
	if decision.Outcome == policies.Failed {
		if p.now.Before(proof.Since.Add(MaxWait)) {
			return
		}
		code = policies.ExpiredBeforeGrant
	}
	if decision.Outcome == policies.Allowed {
		r.Grant, code = *decision.Grant, policies.ExpiredBeforeGrant
		switch withdrawn := p.Withdrawn[path]; {
		case withdrawn.Cause != "":
			cause, code, r.EndedBy = withdrawn.Cause, "", withdrawn.By
		case begins(r.Grant.Window, p.now):
			p.taken[place.Name] = path
			p.grant(r)
			return
		case p.now.Before(r.Grant.Window.Start.Time):
			p.taken[place.Name] = path
			r.Phase = Scheduled
			p.add(Schedule, r)
			return
		}
	}
	p.taken[place.Name] = path
	r.Phase, r.Cause, r.Code, r.EndedAt = Ended, cause, string(code), requests.At(p.now)
	p.add(Deny, r)
	p.close(r)
}

// discard plans that a request leaves the branch, as holder has its name.
func (p *planner) discard(name, path, holder string) {
	place, _ := requests.SplitPath(path)
	p.steps = append(p.steps, Step{Action: Discard, Holder: holder, Record: Record{
		Grant: requests.Grant{Name: name, Path: path, Cluster: p.Cluster, Policy: place.Policy}}})
}

// Entered tells whether the ledger of this cluster has the name: then it is over, whatever a record
// says. That of another cluster ends nothing here.
func (w World) Entered(name string) bool {
	return w.Main != nil &&
		slices.Contains(w.Main.Names[name], requests.RevocationPath(w.Cluster, name))
}

// holder is the path of what has the name of the request at path: another one with a record, the
// ledger entry of any cluster (G4), or the request that was on the branch first. Empty when nothing
// has.
func (p *planner) holder(name, path string) string {
	if owner, taken := p.taken[name]; taken {
		return owner
	}
	for _, other := range p.Main.Names[name] {
		if _, asked := requests.SplitPath(other); !asked {
			return other
		}
	}
	if first := p.Main.First[name]; first != path {
		return first
	}
	return ""
}
