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
	// check refuses an item that no policy can have produced.
	check func(i requests.Item) error
	// objects are what is made for an item, in the order in which it is made.
	objects func(g requests.Grant, i requests.Item) []Object
	// same compares an object of the item, but for labels and annotations, with what the grant
	// says.
	same func(g requests.Grant, i requests.Item, got Object) error
	// rights are what the agent needs to make such items in their namespace, or for those without
	// one in the whole cluster.
	rights func(items []requests.Item) []rbacv1.PolicyRule
}

// kinds is the closed list of the kinds.
var kinds = []kind{roleBindings, resourceRoles, clusterRoleBindings, execs}

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
	if slices.ContainsFunc(g.Items, func(i requests.Item) bool { return !known(i.Kind) }) {
		return nil // Render refuses it
	}
	objects, _ := plainObjects(g)
	for _, o := range objects {
		all = append(all, Place{Kind: o.GetObjectKind().GroupVersionKind().Kind,
			Namespace: o.GetNamespace(), Name: o.GetName()})
	}
	return all
}

// Place is where an object stands; without a namespace, in the whole cluster.
type Place struct{ Kind, Namespace, Name string }
