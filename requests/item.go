package requests

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Item is one of the things that a grant gives, of whatever kind.
type Item struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`                // of the object that is made for it
	Namespace string `json:"namespace,omitempty"` // empty: the whole cluster
	Role      Role   `json:"role,omitzero"`
	Rules     string `json:"rules,omitempty"` // hash of the role's rules in the catalogue; empty when it is not there
	Mode      string `json:"mode,omitempty"`  // "" is ModeDirect

	Resources []string `json:"resources,omitempty"` // of a KubernetesResourceRole: what the role is cut down to
	Selector  string   `json:"selector,omitempty"`  // of the resources without a name
	Exec      *Exec    `json:"exec,omitempty"`      // of a KubernetesExec
	// Containers are those of which a command that names none runs in kubectl's default one. Which
	// that is, the agent decides when it gives access, and notes in Exec.
	Containers []string `json:"containers,omitempty"`
	Allows     []Rule   `json:"allows,omitempty"` // rules of the Role that is made for it
	// of a KubernetesExec: the grant ends at its first use, as soon as anybody tells of that
	Once bool `json:"once,omitempty"`
}

// Kinds of an Item.
const (
	// KubernetesRoleBinding is a RoleBinding to a ClusterRole in one namespace.
	KubernetesRoleBinding = "KubernetesRoleBinding"
	// KubernetesResourceRole is a Role with what a ClusterRole allows on some objects, by name.
	KubernetesResourceRole = "KubernetesResourceRole"
	// KubernetesClusterRoleBinding is a ClusterRoleBinding to a ClusterRole.
	KubernetesClusterRoleBinding = "KubernetesClusterRoleBinding"
	// KubernetesExec is a Role that lets a command run in a container.
	KubernetesExec = "KubernetesExec"
)

// How somebody uses what was granted to them.
const (
	ModeDirect      = "Direct"      // as themselves
	ModeImpersonate = "Impersonate" // as an identity of the grant's own, with kubectl --as
)

// GrantsNamespace is where the right to use an identity of a grant stands. Nothing runs there, and
// nobody can sign in from there.
const GrantsNamespace = "pullgrant-grants"

// OnceText is what once means, for people: it is best effort, and said to be.
const OnceText = "ends at first use, as soon as the audit webhook tells (best effort)"

// Impersonates tells whether the item is given to an identity of the grant's own.
func (i Item) Impersonates() bool { return i.Mode == ModeImpersonate }

// Undecided tells whether the item's container is decided when access is given.
func (i Item) Undecided() bool {
	return i.Exec != nil && len(i.Containers) > 0 && i.Exec.Container == ""
}

// Decided is an item whose container is decided.
func (i Item) Decided(container string) Item {
	e := *i.Exec
	e.Container = container
	i.Exec, i.Allows = &e, e.Rules(container)
	return i
}

// Asked is the item as it was judged, whatever was decided since.
func (i Item) Asked() Item {
	if i.Exec != nil && len(i.Containers) > 0 {
		i = i.Decided("")
		i.Allows = i.Exec.Rules(i.Containers...)
	}
	return i
}

// Equal tells whether two items are the same in everything.
func (i Item) Equal(other Item) bool { return reflect.DeepEqual(i, other) }

// EqualItems tells whether two grants give the same, in the same order.
func EqualItems(a, b []Item) bool { return slices.EqualFunc(a, b, Item.Equal) }

// String is the one wording of what is given. Grant.Gives adds the cluster; whoever shows it adds
// to whom and how long. Names in it have been checked and hold nothing that a sink must escape but
// what it always does.
func (i Item) String() string {
	return i.on("")
}

// on is String with the cluster, where that is said.
func (i Item) on(cluster string) string {
	text := i.what() + " in the whole cluster"
	if i.Namespace != "" {
		text = i.what() + " in namespace " + i.Namespace
	}
	switch {
	case cluster != "" && i.Namespace != "":
		text += " on " + cluster
	case cluster != "":
		text += " " + cluster
	}
	if i.Impersonates() {
		text += ", used with --as"
	}
	if i.Once {
		text += ", " + OnceText
	}
	return text
}

func (i Item) what() string {
	switch i.Kind {
	case KubernetesResourceRole:
		return fmt.Sprintf("%s %s on %s", i.Role.Kind, i.Role.Name, i.objects())
	case KubernetesExec:
		return i.command()
	}
	return i.Role.Kind + " " + i.Role.Name
}

// command is what may run, and where.
func (i Item) command() string {
	text := i.Exec.String()
	switch {
	case i.Undecided():
		text = i.Exec.in("the default container, " + strings.Join(i.Containers, " or ") + ",")
	case len(i.Containers) > 0:
		text = i.Exec.in("the default container, " + i.Exec.Container + ",")
	}
	if i.Matches() {
		text += ", as they come and go,"
	}
	return text
}

// objects are what the role is cut down to.
func (i Item) objects() string {
	var all []string
	for _, text := range i.Resources {
		if SplitResource(text).Name == "" {
			text += " with " + cmp.Or(i.Selector, "any labels")
		}
		all = append(all, text)
	}
	text := strings.Join(all, ", ")
	if i.Matches() {
		text += ", as they come and go,"
	}
	return text
}

// Matches tells whether the item is about objects that come and go.
func (i Item) Matches() bool {
	return slices.ContainsFunc(i.Allows, func(r Rule) bool { return len(r.Match) > 0 })
}

// Brief is String for a line that names many things.
func (i Item) Brief() string {
	where := " in " + i.Namespace
	if i.Namespace == "" {
		where = " everywhere"
	}
	switch i.Kind {
	case KubernetesResourceRole:
		return i.Role.Name + " on " + i.objects() + where
	case KubernetesExec:
		if i.Once {
			where += " once"
		}
		return i.command() + where
	}
	return i.Role.Name + where
}

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
