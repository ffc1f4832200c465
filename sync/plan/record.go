package plan

import (
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// Phase is how far a grant has come.
type Phase string

// Phases of a grant. Each is written before what it announces is relied on: Scheduled when it was
// judged before its window begins, which gives nothing yet; Granting before the
// first binding is created, Granted when the UIDs of all are known, Ending before one is deleted
// for a cause that cannot be told afterwards, Ended when none is left.
const (
	Scheduled Phase = "Scheduled"
	Granting  Phase = "Granting"
	Granted   Phase = "Granted"
	Ending    Phase = "Ending"
	Ended     Phase = "Ended"
)

// Record is what the agent remembers of one grant, as a ConfigMap, until the ledger has it
// and its window is over.
type Record struct {
	Phase   Phase
	Grant   requests.Grant
	Request []byte            // the request file, for the ledger entry; empty when it is no readable request
	Facts   []byte            // what it was judged by, for the ledger; empty when that was not kept
	Objects []Object          // as ObjectsOf has them; Jobs come first
	Roles   map[string]string // by role of the grant, a digest of its rules when it was granted

	// Try is the version of the record from which a binding was announced last. Each try has its
	// own, so that a try which relies on what an earlier one announced is seen by that.
	Try     string
	Refused *Refusal // what the cluster objects to; nil: to nothing, as far as it was asked

	Told Told // of its beginning

	Issue int // where break-glass is answered for; 0: there is none, or no need of one

	Cause   string // of an Ending or Ended grant; "" while it is being found out who removed the request
	Code    string // of a refusal
	EndedAt requests.Time
	EndedBy requests.Person // nobody where it is not known, or nobody did
	// RefusedBy is who refused it before any merge; nil of all that was merged.
	RefusedBy *requests.Refuser
	Uses      requests.Uses // of its commands, as far as the API server's audit log told

	Version string // the ConfigMap's resource version; "" when it does not exist yet
}

// Told is how far the branch was told that a grant began.
type Told struct {
	// After is the tip when it was granted: the commit that tells so comes later. Empty of what an
	// older program granted, which told of nothing.
	After  string `json:"after"`
	Commit string `json:"commit,omitempty"` // that tells so; empty: none is known yet
}

// Made is the i-th of the objects that the Jobs end; these come before them.
func (r *Record) Made(i int) *Object {
	return &r.Objects[len(r.Objects)-len(render.Made(r.Grant))+i]
}

// Refusal is an objection of the cluster to an object of a grant.
type Refusal struct {
	Code    string        `json:"code"`    // that the request is refused with when it stays so
	Message string        `json:"message"` // the API server's words
	Since   requests.Time `json:"since"`
}

// EverGranted tells whether any binding existed, or may have: one may be gone before its UID is
// noted, but none is made that was not announced. What was refused for certain is announced by
// nothing any more, and what was refused later on may only have been announced.
func (r Record) EverGranted() bool {
	return r.Cause == requests.CauseExpired || slices.ContainsFunc(r.Objects, func(o Object) bool {
		return o.IsBinding() && (o.UID != "" || o.Content != "" && r.Cause != requests.CauseDenied)
	})
}

// UsedUp tells whether a grant that ends at its first use was used.
func (r Record) UsedUp() bool { return r.Grant.Once() && r.Uses.Allowed > 0 }

// Announced tells whether what went is a binding of the grant that is only announced: that it was
// made is known by this alone.
func (r Record) Announced(g Gone) bool {
	return slices.ContainsFunc(r.Objects, func(o Object) bool {
		return o.IsBinding() && o.UID == "" && o.Place() == g.Place() && o.Content == g.Content
	})
}

// AsksWho tells whether a grant that is over waits to be known by whom.
func (r Record) AsksWho() bool {
	changed := r.Cause == requests.CausePolicyChanged || r.Cause == requests.CauseSubjectRemoved
	return r.Phase == Ended && (r.Cause == "" || changed && r.EndedBy == requests.Person{})
}

// Unfinished tells whether the request of a record is to be judged, once more before each try: what
// it gives is still to be made. One that begins later is judged again only then.
func (r Record) Unfinished(now time.Time) bool {
	return r.Phase == Granting || r.Phase == Scheduled && begins(r.Grant.Window, now)
}

// begins tells whether a window is open, or so near to its start that what is slow is begun.
func begins(w requests.Window, now time.Time) bool {
	return w.Open(now) || w.Open(now.Add(render.Lead))
}

// Wait is how long before the start of a window its bindings are planned, whose Jobs were made by
// then: that long whoever makes them waits.
const Wait = 5 * time.Second

// Ahead tells whether a grant is as far as it may be before its window: its Jobs are made, and its
// bindings are still to wait for.
func (r Record) Ahead(now time.Time) bool {
	return r.Phase == Granting && now.Before(r.Grant.Window.Start.Add(-Wait)) &&
		len(r.Objects) > 0 && !slices.ContainsFunc(r.Objects, func(o Object) bool {
		return o.IsBackstop() && o.UID == ""
	})
}

// Complete tells whether everything of the grant was made.
func (r Record) Complete() bool {
	return len(r.Objects) > 0 &&
		!slices.ContainsFunc(r.Objects, func(o Object) bool { return o.UID == "" })
}

// Object is one object of a grant: a binding, the Role it gives, or the Job that is its backstop.
type Object struct {
	Kind         string `json:"kind"`
	Namespace    string `json:"namespace"`
	Name         string `json:"name"`
	NamespaceUID string `json:"namespaceUID"` // read before anything was created; "" without a namespace
	UID          string `json:"uid,omitempty"`
	// digest of what was created; of all but a backstop, "" until it is about to be made
	Content string `json:"content"`
}

// Place is where it stands, and nothing else of it.
func (o Object) Place() Object { return Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name} }

// IsBinding tells what gives access.
func (o Object) IsBinding() bool { return render.GivesAccess(o.Kind) }

// IsBackstop tells what only ends access.
func (o Object) IsBackstop() bool { return o.Kind == render.KindJob }

// ObjectsOf names the objects of a grant in the order in which they are made: the Jobs, one a
// namespace, then the bindings that they own. Without a backstop, where the policy lets that be,
// there are bindings only.
func ObjectsOf(g requests.Grant, backstop bool) (objects []Object) {
	if backstop {
		for _, namespace := range g.Namespaces() {
			objects = append(objects, Object{Kind: render.KindJob, Namespace: namespace,
				Name: requests.ObjectName(g.Name, 0)})
		}
	}
	for _, made := range render.Made(g) {
		objects = append(objects, Object{Kind: made.Kind, Namespace: made.Namespace,
			Name: made.Name})
	}
	return objects
}

// SameObjects tells whether two lists name the same objects in the same order, whatever is known of
// each.
func SameObjects(a, b []Object) bool {
	return slices.EqualFunc(a, b, func(a, b Object) bool { return a.Place() == b.Place() })
}
