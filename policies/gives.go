package policies

import (
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// Gives are the rules of what an item allows on a cluster, false where the catalogue does not tell.
func (t Tree) Gives(cluster string, i requests.Item) ([]rbac.RoleRule, bool) {
	return grantKindOf(i.Kind).gives(t, cluster, i)
}
