package plan

import (
	"slices"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// Phase is how far a grant has come.
type Phase string

// Phases of a grant. Each is written before what it announces is relied on: Granting before the
// first binding is created, Granted when the UIDs of all are known, Ending before one is deleted
// for a cause that cannot be told afterwards, Ended when none is left.
const (
	Granting Phase = "Granting"
	Granted  Phase = "Granted"
	Ending   Phase = "Ending"
	Ended    Phase = "Ended"
)

// Record is what the agent remembers of one grant, as a ConfigMap, until the ledger has it.
type Record struct {
	Phase   Phase
	Grant   requests.Grant
	Request []byte            // the request file, for the ledger entry; empty when it is no readable request
	Facts   []byte            // what it was judged by, for the ledger; empty when that was not kept
	Objects []Object          // as ObjectsOf has them; Jobs come first
	Roles   map[string]string // by role of the grant, a digest of its rules when it was granted

	Cause   string // of an Ending or Ended grant; "" while it is being found out who removed the request
	Code    string // of a refusal
	EndedAt requests.Time

	Version string // the ConfigMap's resource version; "" when it does not exist yet
}

// Binding is the i-th of the objects that give access; the Jobs come before them.
func (r *Record) Binding(i int) *Object {
	return &r.Objects[len(r.Objects)-len(render.Made(r.Grant))+i]
}

// EverGranted tells whether any binding ever existed. One that expired may have done so before its
// UID was noted.
func (r Record) EverGranted() bool {
	return r.Cause == requests.CauseExpired || slices.ContainsFunc(r.Objects,
		func(o Object) bool { return o.IsBinding() && o.UID != "" })
}

// Object is one object of a grant: a binding, or the Job that is its backstop.
type Object struct {
	Kind         string `json:"kind"`
	Namespace    string `json:"namespace"`
	Name         string `json:"name"`
	NamespaceUID string `json:"namespaceUID"` // read before anything was created
	UID          string `json:"uid,omitempty"`
	// digest of what was created; of a binding, "" until it is about to be made
	Content string `json:"content"`
}

// Place is where it stands, and nothing else of it.
func (o Object) Place() Object { return Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name} }

// IsBinding tells what gives access from what only ends it.
func (o Object) IsBinding() bool { return render.GivesAccess(o.Kind) }

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
