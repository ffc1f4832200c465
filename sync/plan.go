package sync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// maxWait is how long a request or a question about it may stay undecided because facts cannot be had.
const maxWait = 24 * time.Hour

// World is everything a plan follows from.
type World struct {
	Cluster string
	// Main is the branch; nil when it cannot be had or does not continue from what was accepted. Then nothing is granted
	// and nothing recorded, but all that needs only the cluster goes on (G5).
	Main    *Main
	Records []Record
	// Live are the managed objects, and whatever stands under the name of an object of a grant that has not ended.
	Live       []Live
	Namespaces map[string]string // UID by name, of the namespaces that records name; absent: does not exist
	Gone       []Gone
	// Removers are, by path, the authors of the pull requests that removed a request file. "" means that no pull request
	// did; absent, that it is not known yet.
	Removers map[string]string
	// Drift has, by path, the causes that end grants which the branch or the cluster contradicts by now.
	Drift map[string]string
	// Withdrawn has, by path, the causes for which a withdrawal that is still open ends a grant, whether it has begun or not.
	Withdrawn map[string]string
	Proofs    map[string]Proof // by path, of requests on main without a record, or with one that is not granted yet
	Stopped   []Stop           // while there is any, no request is granted or refused
}

// Stop is one thing that keeps the agent from granting, until it has passed.
type Stop struct {
	Code    policies.Code
	Message string // what it is and what to do
}

// Main is what the branch says.
type Main struct {
	Tip      string
	Requests map[string]string // paths of this cluster's requests that are plain files in the right place, to the blob
	// Names are, by request name, all paths below requests/ and revocations/ of any cluster whose file has that name.
	Names map[string][]string
}

// Live is one RoleBinding, or one Job, in the cluster.
type Live struct {
	Kind, Namespace, Name, UID string
	Managed                    bool   // carries the labels of an object of this cluster's agent
	Content                    string // digest of everything about it that gives access or decides over its end
}

// place is where it stands: the object of a grant that stands there has the same.
func (l Live) place() Object { return Object{Kind: l.Kind, Namespace: l.Namespace, Name: l.Name} }

// Gone is a managed binding whose disappearance was seen.
type Gone struct {
	Live
	At      time.Time
	Expired bool // it was due when the agent took it away
}

// Proof is the judgement of a request that is on main.
type Proof struct {
	Blob     string
	Content  []byte // of the file; nil when it could not be read
	Decision policies.Decision
	Evidence requests.Evidence // as far as it is known, also of a refusal
	Facts    []byte            // as the ledger keeps them; nil when there are none
	Since    time.Time         // when the agent first saw the request
}

// Action is what a Step does.
type Action string

// Actions in the order in which a plan has them: what takes access away comes first.
const (
	End     Action = "end"     // delete the grant's objects, then note cause and time in its record
	Sweep   Action = "sweep"   // delete managed objects that no grant explains
	Grant   Action = "grant"   // note Granting, create the objects that are missing, note Granted
	Deny    Action = "deny"    // note the refusal of a request
	Enter   Action = "enter"   // write the ended grant into the ledger and remove the request file, in git
	Discard Action = "discard" // remove a request file whose name was used before, in git
	Forget  Action = "forget"  // delete the record of a grant that is in the ledger
)

// Step is one thing to do. Record is the grant's record as it is to become; Discard has only its Grant's Name and Path.
type Step struct {
	Action Action
	Record Record
	Delete []Live // in this order: what gives access comes first
}

// String is the object for people.
func (l Live) String() string {
	return fmt.Sprintf("%s %s/%s (%s)", l.Kind, l.Namespace, l.Name, l.UID)
}

// String is the step for people.
func (s Step) String() string {
	g := s.Record.Grant
	switch s.Action {
	case Sweep:
		return fmt.Sprintf("sweep %s: managed, but of no grant", s.Delete[0])
	case End, Deny:
		text := fmt.Sprintf("%s %s: %s", s.Action, g.Name, cmp.Or(s.Record.Cause, "removed from main"))
		if s.Record.Code != "" {
			text += " " + s.Record.Code
		}
		for _, l := range s.Delete {
			text += fmt.Sprintf(", delete %s", l)
		}
		return text
	case Grant:
		text := fmt.Sprintf("grant %s to %s until %s", g.Name, g.Subject.Name, g.Window.End)
		for _, b := range g.Items {
			text += fmt.Sprintf(", %s in %s", b.Role.Name, b.Namespace)
		}
		return text
	case Discard:
		return fmt.Sprintf("discard %s: the name is used", g.Path)
	}
	return fmt.Sprintf("%s %s", s.Action, g.Name)
}

// Plan says what is to be done, in order. It is a function of its arguments alone; applied in full, planning again gives
// nothing (G7).
func Plan(now time.Time, w World) []Step {
	p := planner{World: w, now: now, live: map[Object]Live{}, vanished: map[Object][]Gone{}, claimed: map[string]bool{}, taken: map[string]string{}}
	for _, l := range slices.Backward(w.Live) {
		p.live[l.place()] = l
	}
	for _, g := range w.Gone {
		p.vanished[g.place()] = append(p.vanished[g.place()], g)
	}
	records := slices.SortedFunc(slices.Values(w.Records), func(a, b Record) int { return cmp.Compare(a.Grant.Name, b.Grant.Name) })
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
	order := []Action{End, Sweep, Grant, Deny, Enter, Discard, Forget}
	slices.SortStableFunc(p.steps, func(a, b Step) int {
		return cmp.Compare(slices.Index(order, a.Action), slices.Index(order, b.Action))
	})
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

func (p *planner) sweep() {
	for _, l := range p.Live {
		if l.Managed && !p.claimed[l.UID] {
			p.add(Sweep, Record{}, l)
		}
	}
}

// consider plans for one request on main.
func (p *planner) consider(path, blob string) {
	place, ok := requests.SplitPath(path)
	if owner, taken := p.taken[place.Name]; !ok || taken && owner == path {
		return
	} else if taken || p.used(place.Name) {
		p.add(Discard, Record{Grant: requests.Grant{Name: place.Name, Path: path, Cluster: p.Cluster, Policy: place.Policy}})
		return
	}
	if len(p.Stopped) > 0 {
		return
	}
	proof := p.Proofs[path]
	decision := proof.Decision
	if len(p.Main.Names[place.Name]) > 1 {
		decision = policies.Refuse(policies.RequestIDReused, "another request has the name %s", place.Name)
		proof.Evidence.Blob = blob
	} else if proof.Blob != blob {
		return
	}
	r := Record{Phase: Granting, Request: proof.Content, Facts: proof.Facts, Grant: requests.Grant{
		Name: place.Name, Path: path, Cluster: place.Cluster, Policy: place.Policy, Evidence: proof.Evidence}}
	cause, code := requests.CauseDenied, decision.Code
	if decision.Outcome == policies.Failed {
		if p.now.Before(proof.Since.Add(maxWait)) {
			return
		}
		code = policies.ExpiredBeforeGrant
	}
	if decision.Outcome == policies.Allowed {
		r.Grant, code = *decision.Grant, policies.ExpiredBeforeGrant
		switch withdrawn := p.Withdrawn[path]; {
		case withdrawn != "":
			cause, code = withdrawn, ""
		case r.Grant.Window.Open(p.now):
			p.taken[place.Name] = path
			p.add(Grant, r)
			return
		case p.now.Before(r.Grant.Window.Start.Time):
			return
		}
	}
	p.taken[place.Name] = path
	r.Phase, r.Cause, r.Code, r.EndedAt = Ended, cause, string(code), requests.At(p.now)
	p.add(Deny, r)
	p.close(r)
}

// used tells whether the ledger of any cluster has the name (G4).
func (p *planner) used(name string) bool {
	return slices.ContainsFunc(p.Main.Names[name], func(path string) bool {
		_, asked := requests.SplitPath(path)
		return !asked
	})
}
