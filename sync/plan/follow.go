package plan

import (
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// follow plans for one record.
func (p *planner) follow(r Record) {
	if r.Phase == Ended {
		p.settle(r)
		return
	}
	state := p.examine(r)
	if why, code, over := p.verdict(r, state); over {
		for _, l := range state.found {
			p.claimed[l.UID] = true
		}
		if proof := p.Proofs[r.Grant.Path]; code != "" &&
			code == proof.Decision.Code && !state.existed {
			r.Facts, r.Grant.Evidence = proof.Facts, proof.Evidence // those that it is refused by
		}
		r.Phase, r.Cause, r.Code, r.Objects = Ended, why.Cause, string(code),
			p.known(state.objects)
		r.EndedBy = why.By
		if !state.gives() {
			r.EndedAt = p.lastSeen(r)
		}
		slices.Reverse(state.found) // bindings before the Jobs that own them
		p.add(End, r, state.found...)
		if !r.AsksWho() || p.knows(r, p.now) {
			p.close(r)
		}
		return
	}
	for _, l := range state.found {
		p.claimed[l.UID] = true
	}
	r.Objects = state.objects
	switch may := p.Main != nil && len(p.Stopped) == 0 && begins(r.Grant.Window, p.now); {
	case r.Phase == Granting && state.missing == 0:
		p.add(Grant, r)
	case r.Phase == Granting && may && !r.Ahead(p.now) && p.provenAgain(r):
		p.grant(r)
	case r.Phase == Scheduled && may && p.proven(r):
		proof := p.Proofs[r.Grant.Path] // what was found at the merge gives nothing
		r.Grant, r.Facts = *proof.Decision.Grant, proof.Facts
		if !begins(r.Grant.Window, p.now) { // its policy's windows open later by now
			p.add(Schedule, r)
			return
		}
		r.Phase = Granting
		p.grant(r)
	case r.Phase == Granting && state.unnoted: // which the ledger could not name once it is gone
		p.add(Note, r)
	}
}

// settle plans for a record of a grant that is over. Why, and who ended it, may be known only by
// now; the ledger waits for that, access did not.
func (p *planner) settle(r Record) {
	switch {
	case r.Cause != "" && p.Entered(r.Grant.Name): // what is written down stands
	case r.Cause == "":
		why := p.removal(r, r.EndedAt.Time)
		if why.Cause == "" {
			return
		}
		r.Cause, r.EndedBy = why.Cause, why.By
		p.add(End, r)
	case r.AsksWho():
		if !p.knows(r, r.EndedAt.Time) {
			return
		}
		if r.EndedBy = p.Doers[r.Grant.Path]; r.EndedBy != (requests.Person{}) {
			p.add(Attribute, r)
		}
	}
	p.close(r)
}

// knows tells whether it is known who ended a grant since then, or has been asked for long enough.
func (p *planner) knows(r Record, since time.Time) bool {
	_, known := p.Doers[r.Grant.Path]
	return known || !p.now.Before(since.Add(MaxWait))
}

// proven tells whether the request of a record was judged again, and is allowed.
func (p *planner) proven(r Record) bool {
	proof := p.Proofs[r.Grant.Path]
	return proof.Decision.Outcome == policies.Allowed && proof.Blob == r.Grant.Evidence.Blob
}

// provenAgain tells whether a grant that an earlier try left unfinished was judged again and is the
// same: its record alone gives nobody access.
func (p *planner) provenAgain(r Record) bool {
	again := p.Proofs[r.Grant.Path].Decision.Grant
	return p.proven(r) &&
		again.Subject == r.Grant.Subject && requests.EqualItems(again.Items, r.Grant.Asked()) &&
		again.ARN == r.Grant.ARN &&
		!again.Window.Start.After(r.Grant.Window.Start.Time) &&
		!again.Window.End.Before(r.Grant.Window.End.Time)
}

// close plans the ledger entry of an ended grant, and that its record is forgotten once the entry is
// there and the window is over: until then the record holds the name, should the branch be set back
// to before the entry (G4). A file that was put back after the entry is used up: what the ledger has
// stands, and was told.
func (p *planner) close(r Record) {
	if p.Main == nil || r.Cause == "" {
		return
	}
	path, name := r.Grant.Path, r.Grant.Name
	_, asked := p.Main.Requests[path]
	switch {
	case asked && p.Entered(name):
		p.discard(name, path, requests.RevocationPath(p.Cluster, name))
	case !p.Entered(name):
		p.add(Enter, r)
	}
	if !p.now.Before(r.Grant.Window.End.Time) {
		p.add(Forget, r)
	}
}

// remains is what is left of the objects of a grant.
type remains struct {
	objects  []Object // as recorded, with the UIDs of those found for the first time
	found    []Live   // the grant's own, whatever was done to them
	missing  int      // not there
	lost     bool     // one that is not there was
	edited   bool     // there, with other content
	changed  bool     // the same, of what was about to be made: the cluster made it otherwise
	foreign  bool     // something else stands under the name
	replaced bool     // the namespace is another one
	unnoted  bool     // a binding was found for the first time
	existed  bool     // at least one binding was there at some time, or may have been
}

// gives tells whether any of the bindings is left.
func (s remains) gives() bool {
	return slices.ContainsFunc(s.found, func(l Live) bool { return render.GivesAccess(l.Kind) })
}

func (p *planner) examine(r Record) remains {
	s := remains{objects: slices.Clone(r.Objects)}
	for i, o := range s.objects {
		uid, exists := p.Namespaces[o.Namespace]
		s.replaced = s.replaced || o.NamespaceUID != "" && exists && uid != o.NamespaceUID
		there, found := p.live[o.Place()]
		switch {
		case !found:
			s.missing++
			s.lost = s.lost || o.UID != ""
		case o.UID == there.UID:
			s.found = append(s.found, there)
			s.edited = s.edited || there.Content != o.Content
		case o.UID == "" && there.Managed && there.Content == o.Content:
			s.found = append(s.found, there)
			s.objects[i].UID, s.unnoted = there.UID, s.unnoted || o.IsBinding()
		case o.UID == "" && slices.ContainsFunc(p.gone(r),
			func(g Gone) bool { return g.UID == there.UID }):
			s.found = append(s.found, there) // it was seen as it was made, and then without its label
			s.objects[i].UID, s.edited = there.UID, true
		case o.UID == "" && o.IsBackstop() && there.Managed:
			s.missing++ // of a try whose answer never came: its TTL is another, so it is swept and made anew
		case o.UID == "" && o.Content != "" && there.Managed:
			s.found = append(s.found, there) // of a try whose answer never came, too
			s.objects[i].UID, s.changed = there.UID, true
		default:
			s.missing++
			s.lost = s.lost || o.UID != ""
			s.foreign = true
		}
		s.existed = s.existed || o.IsBinding() && o.Content != ""
	}
	return s
}

// verdict says whether a grant is over, and why.
func (p *planner) verdict(r Record, s remains) (why Why, code policies.Code, over bool) {
	end := r.Grant.Window.End.Time
	due := !p.now.Before(end)
	near := end.Add(-MaxSkew)
	seen := p.gone(r)
	early := len(seen) > 0 && seen[0].At.Before(near)
	proof := p.Proofs[r.Grant.Path]
	judged := proof.Blob != "" && proof.Blob == r.Grant.Evidence.Blob
	removed, changed := false, false
	if p.Main != nil {
		blob, asked := p.Main.Requests[r.Grant.Path]
		removed, changed = !asked, asked && blob != r.Grant.Evidence.Blob
	}
	switch {
	case p.Entered(r.Grant.Name): // the record was restored, or is of a process that came late
		return Why{Cause: requests.CauseRevoked}, "", true
	case r.Phase == Ending && r.Cause != "":
		return Why{r.Cause, r.EndedBy}, policies.Code(r.Code), true
	case r.Phase == Ending:
		return p.removal(r, p.now), "", true
	case r.UsedUp(): // its bindings may be gone by now, as if they had expired
		return Why{Cause: requests.CauseExecUsed}, "", true
	case len(seen) > 0 && seen[0].Expired:
		return Why{Cause: requests.CauseExpired}, "", true
	case due && !s.existed && len(seen) == 0:
		return Why{Cause: requests.CauseDenied}, policies.ExpiredBeforeGrant, true
	case due && !early:
		return Why{Cause: requests.CauseExpired}, "", true
	case removed:
		return p.removal(r, p.now), "", true
	case changed:
		return Why{Cause: requests.CauseRevoked}, "", true
	case p.Withdrawn[r.Grant.Path].Cause != "":
		return p.Withdrawn[r.Grant.Path], "", true
	case p.Drift[r.Grant.Path] != "":
		return Why{p.Drift[r.Grant.Path], p.Doers[r.Grant.Path]}, "", true
	case s.replaced:
		return Why{Cause: requests.CauseNamespaceReplaced}, "", true
	case s.edited:
		return Why{Cause: requests.CauseRevoked}, "", true
	case s.changed:
		return Why{Cause: requests.CauseDenied}, policies.ChangedByCluster, true
	case s.foreign && r.Phase == Granting && len(seen) == 0:
		return Why{Cause: requests.CauseDenied}, policies.BindingConflict, true
	case (s.lost && s.existed || s.missing > 0 && len(seen) > 0) && !early && !p.now.Before(near):
		return Why{Cause: requests.CauseExpired}, "", true // by a replica whose clock is ahead
	case s.lost, s.missing > 0 && len(seen) > 0:
		return Why{Cause: requests.CauseBindingDeleted}, "", true
	case (r.Phase == Granting && s.missing > 0 || r.Phase == Scheduled) && judged &&
		proof.Decision.Outcome == policies.Denied:
		return Why{Cause: requests.CauseDenied}, proof.Decision.Code, true
	case due:
		return Why{Cause: requests.CauseExpired}, "", true
	}
	return Why{}, "", false
}

// gone are the bindings of the grant that were seen to disappear, the first one first.
func (p *planner) gone(r Record) []Gone {
	var seen []Gone
	for _, o := range r.Objects {
		for _, g := range p.vanished[o.Place()] {
			if o.UID == g.UID || o.UID == "" && o.Content == g.Content {
				seen = append(seen, g)
			}
		}
	}
	slices.SortFunc(seen, func(a, b Gone) int { return a.At.Compare(b.At) })
	return seen
}

// known are the objects with the UIDs of those bindings that were seen to go before anybody noted
// that they were made.
func (p *planner) known(objects []Object) []Object {
	for i, o := range objects {
		for _, g := range p.vanished[o.Place()] {
			if objects[i].UID == "" && o.Content == g.Content {
				objects[i].UID = g.UID
			}
		}
	}
	return objects
}

// lastSeen is when the last binding of a grant that has none left disappeared; zero when nobody saw
// it.
func (p *planner) lastSeen(r Record) (at requests.Time) {
	bindings := 0
	for _, o := range r.Objects {
		if o.IsBinding() {
			bindings++
		}
	}
	seen := slices.DeleteFunc(p.gone(r), func(g Gone) bool { return !render.GivesAccess(g.Kind) })
	if len(seen) > 0 && len(seen) == bindings {
		at = requests.At(seen[len(seen)-1].At)
	}
	return at
}

// removal is why a grant whose request file is gone from main is over: given back by who asked for
// it, or taken. It has no cause while that is not known; access ends without waiting for it.
func (p *planner) removal(r Record, since time.Time) Why {
	by, known := p.Doers[r.Grant.Path]
	switch {
	case known && by.Login != "" &&
		requests.NamePart(by.Login) == requests.NamePart(r.Grant.Requester):
		return Why{requests.CauseRelinquished, by}
	case known, !p.now.Before(since.Add(MaxWait)):
		return Why{requests.CauseRevoked, by}
	}
	return Why{}
}
