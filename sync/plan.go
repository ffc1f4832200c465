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
	// Live are the managed bindings, and whatever stands under the name of a binding of a grant that has not ended.
	Live       []Live
	Namespaces map[string]string // UID by name, of the namespaces that records name; absent: does not exist
	Gone       []Gone
	// Removers are, by path, the authors of the pull requests that removed a request file. "" means that no pull request
	// did; absent, that it is not known yet.
	Removers map[string]string
	Proofs   map[string]Proof // by path, of requests on main without a record
	Skewed   bool             // the clocks are too far apart for any request to be granted or refused (R54)
}

// Main is what the branch says.
type Main struct {
	Tip      string
	Requests map[string]string // paths of this cluster's requests that are plain files in the right place, to the blob
	// Names are, by request name, all paths below requests/ and revocations/ of any cluster whose file has that name.
	Names map[string][]string
}

// Live is one RoleBinding in the cluster.
type Live struct {
	Namespace, Name, UID string
	Managed              bool   // carries the labels of a binding of this cluster's agent
	Content              string // digest of everything about it that gives access or decides over its end
}

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
	End     Action = "end"     // delete the grant's bindings, then note cause and time in its record
	Sweep   Action = "sweep"   // delete managed bindings that no grant explains
	Grant   Action = "grant"   // note Granting, create the bindings that are missing, note Granted
	Deny    Action = "deny"    // note the refusal of a request
	Enter   Action = "enter"   // write the ended grant into the ledger and remove the request file, in git
	Discard Action = "discard" // remove a request file whose name was used before, in git
	Forget  Action = "forget"  // delete the record of a grant that is in the ledger
)

// Step is one thing to do. Record is the grant's record as it is to become; Discard has only its Grant's Name and Path.
type Step struct {
	Action   Action
	Record   Record
	Bindings []Live // to delete
}

// String is the step for people.
func (s Step) String() string {
	g := s.Record.Grant
	switch s.Action {
	case Sweep:
		return fmt.Sprintf("sweep %s/%s (%s): managed, but of no grant", s.Bindings[0].Namespace, s.Bindings[0].Name, s.Bindings[0].UID)
	case End, Deny:
		text := fmt.Sprintf("%s %s: %s", s.Action, g.Name, cmp.Or(s.Record.Cause, "removed from main"))
		if s.Record.Code != "" {
			text += " " + s.Record.Code
		}
		for _, b := range s.Bindings {
			text += fmt.Sprintf(", delete %s/%s (%s)", b.Namespace, b.Name, b.UID)
		}
		return text
	case Grant:
		text := fmt.Sprintf("grant %s to %s until %s", g.Name, g.Subject.Name, g.Window.End)
		for _, b := range g.Bindings {
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
	p := planner{World: w, now: now, claimed: map[string]bool{}, taken: map[string]string{}}
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
	now     time.Time
	steps   []Step
	claimed map[string]bool   // UIDs of bindings that a grant explains or an earlier step deletes
	taken   map[string]string // path by the name of every request that has a record or gets one
}

func (p *planner) add(action Action, r Record, bindings ...Live) {
	p.steps = append(p.steps, Step{Action: action, Record: r, Bindings: bindings})
}

// follow plans for one record.
func (p *planner) follow(r Record) {
	if r.Phase == Ended {
		if r.Cause == "" {
			if r.Cause = p.removal(r, r.EndedAt.Time); r.Cause == "" {
				return
			}
			p.add(End, r)
		}
		p.close(r)
		return
	}
	state := p.examine(r)
	if cause, code, over := p.verdict(r, state); over {
		for _, b := range state.own {
			p.claimed[b.UID] = true
		}
		r.Phase, r.Cause, r.Code, r.Bindings = Ended, cause, string(code), state.bindings
		if len(state.own) == 0 {
			r.EndedAt = p.lastSeen(r)
		}
		p.add(End, r, state.own...)
		p.close(r)
		return
	}
	for _, b := range state.own {
		p.claimed[b.UID] = true
	}
	if r.Phase == Granting && (state.missing == 0 || p.Main != nil && !p.Skewed && r.Grant.Window.Open(p.now)) {
		r.Bindings = state.bindings
		p.add(Grant, r)
	}
}

// close plans the ledger entry of an ended grant, and that its record is forgotten once the entry is there.
func (p *planner) close(r Record) {
	if p.Main == nil || r.Cause == "" {
		return
	}
	_, asked := p.Main.Requests[r.Grant.Path]
	if asked || !slices.Contains(p.Main.Names[r.Grant.Name], requests.RevocationPath(p.Cluster, r.Grant.Name)) {
		p.add(Enter, r)
	}
	p.add(Forget, r)
}

// state is what is left of the bindings of a grant.
type state struct {
	bindings []Object // as recorded, with the UIDs of those found for the first time
	own      []Live   // the grant's own, whatever was done to them
	missing  int      // not there
	edited   bool     // there, with other content
	foreign  bool     // something else stands under the name
	replaced bool     // the namespace is another one
	existed  bool     // at least one binding was there at some time
}

func (p *planner) examine(r Record) state {
	s := state{bindings: slices.Clone(r.Bindings)}
	for i, b := range s.bindings {
		uid, exists := p.Namespaces[b.Namespace]
		s.replaced = s.replaced || b.NamespaceUID != "" && exists && uid != b.NamespaceUID
		at := slices.IndexFunc(p.Live, func(l Live) bool { return l.Namespace == b.Namespace && l.Name == b.Name })
		switch {
		case at < 0:
			s.missing++
		case b.UID == p.Live[at].UID:
			s.own = append(s.own, p.Live[at])
			s.edited = s.edited || p.Live[at].Content != b.Content
		case b.UID == "" && p.Live[at].Managed && p.Live[at].Content == b.Content:
			s.own = append(s.own, p.Live[at])
			s.bindings[i].UID = p.Live[at].UID
		case b.UID == "" && slices.ContainsFunc(p.gone(r), func(g Gone) bool { return g.UID == p.Live[at].UID }):
			s.own = append(s.own, p.Live[at]) // it was seen as it was made, and then without its label
			s.bindings[i].UID, s.edited = p.Live[at].UID, true
		default:
			s.missing++
			s.foreign = true
		}
		s.existed = s.existed || s.bindings[i].UID != ""
	}
	return s
}

// verdict says whether a grant is over, and why.
func (p *planner) verdict(r Record, s state) (cause string, code policies.Code, over bool) {
	end := r.Grant.Window.End.Time
	left := !p.now.Before(end)
	seen := p.gone(r)
	early := len(seen) > 0 && seen[0].At.Before(end)
	removed, changed := false, false
	if p.Main != nil {
		blob, asked := p.Main.Requests[r.Grant.Path]
		removed, changed = !asked, asked && blob != r.Grant.Evidence.Blob
	}
	switch {
	case len(seen) > 0 && seen[0].Expired:
		return requests.CauseExpired, "", true
	case left && !s.existed && len(seen) == 0:
		return requests.CauseDenied, policies.ExpiredBeforeGrant, true
	case left && !early:
		return requests.CauseExpired, "", true
	case removed:
		return p.removal(r, p.now), "", true
	case changed:
		return requests.CauseRevoked, "", true
	case s.replaced:
		return requests.CauseNamespaceReplaced, "", true
	case s.edited:
		return requests.CauseRevoked, "", true
	case s.foreign && r.Phase == Granting && len(seen) == 0:
		return requests.CauseDenied, policies.BindingConflict, true
	case s.missing > 0 && (r.Phase == Granted || len(seen) > 0):
		return requests.CauseBindingDeleted, "", true
	case left:
		return requests.CauseExpired, "", true
	}
	return "", "", false
}

// gone are the bindings of the grant that were seen to disappear, the first one first.
func (p *planner) gone(r Record) []Gone {
	var seen []Gone
	for _, g := range p.Gone {
		if slices.ContainsFunc(r.Bindings, func(b Object) bool {
			return b.Namespace == g.Namespace && b.Name == g.Name && (b.UID == g.UID || b.UID == "" && b.Content == g.Content)
		}) {
			seen = append(seen, g)
		}
	}
	slices.SortFunc(seen, func(a, b Gone) int { return a.At.Compare(b.At) })
	return seen
}

// lastSeen is when the last binding of a grant that has none left disappeared; zero when nobody saw it.
func (p *planner) lastSeen(r Record) (at requests.Time) {
	if seen := p.gone(r); len(seen) > 0 && len(seen) == len(r.Bindings) {
		at = requests.At(seen[len(seen)-1].At)
	}
	return at
}

// removal is the cause of a grant whose request file is gone from main: given back by who asked for it, or taken. It is
// "" while that is not known; access ends without waiting for it.
func (p *planner) removal(r Record, since time.Time) string {
	remover, known := p.Removers[r.Grant.Path]
	switch {
	case known && remover != "" && requests.NamePart(remover) == requests.NamePart(r.Grant.Requester):
		return requests.CauseRelinquished
	case known, !p.now.Before(since.Add(maxWait)):
		return requests.CauseRevoked
	}
	return ""
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
	if p.Skewed {
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
	code := decision.Code
	if decision.Outcome == policies.Failed {
		if p.now.Before(proof.Since.Add(maxWait)) {
			return
		}
		code = policies.ExpiredBeforeGrant
	}
	if decision.Outcome == policies.Allowed {
		r.Grant = *decision.Grant
		switch {
		case r.Grant.Window.Open(p.now):
			p.taken[place.Name] = path
			p.add(Grant, r)
			return
		case p.now.Before(r.Grant.Window.Start.Time):
			return
		}
		code = policies.ExpiredBeforeGrant
	}
	p.taken[place.Name] = path
	r.Phase, r.Cause, r.Code, r.EndedAt = Ended, requests.CauseDenied, string(code), requests.At(p.now)
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
