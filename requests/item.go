package requests

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Item is one of the things that a grant gives, of whatever kind.
type Item struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"` // of the object that is made for it
	Namespace string `json:"namespace"`
	Role      Role   `json:"role"`
	Rules     string `json:"rules,omitempty"` // hash of the role's rules in the catalogue; empty when it is not there
}

// KubernetesRoleBinding is the kind of an Item that is a RoleBinding in one namespace.
const KubernetesRoleBinding = "KubernetesRoleBinding"

// Equal tells whether two items are the same in everything. It takes the place of ==, which a kind
// with a list has not.
func (i Item) Equal(other Item) bool { return i == other }

// EqualItems tells whether two grants give the same, in the same order.
func EqualItems(a, b []Item) bool { return slices.EqualFunc(a, b, Item.Equal) }

// String is the one wording of what is given. Grant.Gives adds the cluster; whoever shows it adds
// to whom and how long. Names in it have been checked and hold nothing that a sink must escape but
// what it always does.
func (i Item) String() string {
	return fmt.Sprintf("%s %s in namespace %s", i.Role.Kind, i.Role.Name, i.Namespace)
}

// Brief is String for a line that names many things.
func (i Item) Brief() string { return i.Role.Name + " in " + i.Namespace }

// UnmarshalJSON reads an item; one without a kind was written when there was but one.
func (i *Item) UnmarshalJSON(data []byte) error {
	type plain Item // without this method
	read := plain{Kind: KubernetesRoleBinding}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*i = Item(read)
	return nil
}
