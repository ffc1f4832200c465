package plan

import (
	"cmp"
	"fmt"
)

// Action is what a Step does.
type Action string

// Actions in the order in which a plan has them: what takes access away comes first.
const (
	End       Action = "end"       // delete the grant's objects, then note cause and time in its record
	Attribute Action = "attribute" // note by whom a grant ended, which was told when it did
	Sweep     Action = "sweep"     // delete managed objects that no grant explains
	Grant     Action = "grant"     // note Granting, create the objects that are missing, note Granted
	Note      Action = "note"      // note what was made of a grant that may not go on by now
	Schedule  Action = "schedule"  // note that a request is allowed whose window begins later
	Deny      Action = "deny"      // note the refusal of a request
	Enter     Action = "enter"     // write the ended grant into the ledger and remove the request file, in git
	Discard   Action = "discard"   // remove a request file whose name was used before, in git
	Forget    Action = "forget"    // delete the record of a grant that is in the ledger
)

// Step is one thing to do. Record is the grant's record as it is to become; Discard has only its
// Grant's Name and Path.
type Step struct {
	Action Action
	Record Record
	Delete []Live // in this order: what gives access comes first
	// Overlaps tells of a Grant that it goes on from one that is there: it needs not wait for its
	// window.
	Overlaps bool
	Holder   string // of Discard: the path of what has the name
}

// String is the step for people.
func (s Step) String() string {
	g := s.Record.Grant
	switch s.Action {
	case Sweep:
		return fmt.Sprintf("sweep %s: managed, but of no grant", s.Delete[0])
	case End, Attribute, Deny:
		text := fmt.Sprintf("%s %s: %s", s.Action, g.Name,
			cmp.Or(s.Record.Cause, "removed from main"))
		if s.Record.Code != "" {
			text += " " + s.Record.Code
		}
		for _, l := range s.Delete {
			text += fmt.Sprintf(", delete %s", l)
		}
		return text
	case Grant:
		text := fmt.Sprintf("grant %s to %s until %s", g.Name, g.Subject.Name, g.Window.End)
		for _, item := range g.Items {
			text += ", " + item.Brief()
		}
		if s.Overlaps {
			text += ", beside " + g.Extends
		}
		return text
	case Schedule:
		return fmt.Sprintf("schedule %s for %s from %s until %s", g.Name, g.Subject.Name,
			g.Window.Start, g.Window.End)
	case Discard:
		return fmt.Sprintf("discard %s: the name is used by %s", g.Path, s.Holder)
	}
	return fmt.Sprintf("%s %s", s.Action, g.Name)
}
