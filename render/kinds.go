package render

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// kind is all that rendering knows of one kind of item. A new kind is a file of its own and a row
// in kinds (docs/new-kind.md).
type kind struct {
	name string // of requests.Item.Kind
	// check refuses an item that no policy can have produced; name is what the object of its place
	// must be called.
	check func(i requests.Item, name string) error
	// makes names the kinds of Kubernetes objects that are made for an item, in their order.
	makes []string
	// objects are what is made for an item, in the order in which it is made.
	objects func(g requests.Grant, i requests.Item) []Object
	// same compares an object of the item, but for labels and annotations, with what the grant
	// says.
	same func(g requests.Grant, i requests.Item, got Object) error
	// resource is what the agent writes for it besides Jobs, as RBAC and the fence name it, and
	// plural as people do.
	resource, plural string
	// created is the fence's name for the creation of one, with the condition that makes it one.
	created, when string
	// fence is what must hold of one that the agent creates.
	fence []rule
	// rights are what the agent needs to make such items in one namespace.
	rights func(items []requests.Item) []rbacv1.PolicyRule
}

// kinds is the closed list of the kinds.
var kinds = []kind{roleBindings}

func known(name string) bool {
	return slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name })
}

// kindOf is the row of an item's kind, which check has seen to.
func kindOf(i requests.Item) kind {
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.name == i.Kind })
	if at < 0 {
		panic("render: no kind " + requests.Quote(i.Kind))
	}
	return kinds[at]
}

// Made names the objects that are made for a grant, in the order in which they are made, after the
// Jobs that end them.
func Made(g requests.Grant) (all []Place) {
	for _, i := range g.Items {
		if !known(i.Kind) {
			continue // Render refuses it
		}
		for _, object := range kindOf(i).makes {
			all = append(all, Place{Kind: object, Namespace: i.Namespace, Name: i.Name})
		}
	}
	return all
}

// Place is where an object stands.
type Place struct{ Kind, Namespace, Name string }

// GivesAccess tells an object that gives access from one that only ends it.
func GivesAccess(object string) bool {
	return slices.ContainsFunc(kinds, func(k kind) bool { return slices.Contains(k.makes, object) })
}
