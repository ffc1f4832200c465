package convert

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/requests"
)

// What is done to nodes. Each takes no node, and one of another kind, for one without content.

// field is the value of a field; nil where there is none.
func field(n *yaml.Node, name string) *yaml.Node {
	if i := keyOf(n, name); i >= 0 {
		return n.Content[i+1]
	}
	return nil
}

// keyOf is where the key of a field stands; -1 where there is none.
func keyOf(n *yaml.Node, name string) int {
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return i
			}
		}
	}
	return -1
}

// text is the value of a field that is a text.
func text(n *yaml.Node, name string) string { return value(field(n, name)) }

func value(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// items are those of a list.
func items(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// isEmpty tells whether a node says nothing.
func isEmpty(n *yaml.Node) bool {
	return n == nil || n.Tag == "!!null" || n.Kind == yaml.ScalarNode && n.Value == "" ||
		n.Kind != yaml.ScalarNode && len(n.Content) == 0
}

// set gives a field its value, in place of the one that it has.
func set(n *yaml.Node, name string, v *yaml.Node) {
	if i := keyOf(n, name); i >= 0 {
		n.Content[i+1] = v
	} else if n != nil && n.Kind == yaml.MappingNode {
		n.Content = append(n.Content, scalar(name, v), v)
	}
}

// setFirst is set for a field that is not there, before all others.
func setFirst(n *yaml.Node, name string, v *yaml.Node) {
	if n != nil && n.Kind == yaml.MappingNode {
		n.Content = slices.Concat([]*yaml.Node{scalar(name, v), v}, n.Content)
	}
}

// rename gives a field another name.
func rename(n *yaml.Node, from, to string) {
	if i := keyOf(n, from); i >= 0 && keyOf(n, to) < 0 {
		n.Content[i].Value = to
	}
}

// remove takes a field away.
func remove(n *yaml.Node, name string) {
	if i := keyOf(n, name); i >= 0 {
		n.Content = slices.Delete(n.Content, i, i+2)
	}
}

// scalar is a text that comes from another node.
func scalar(value string, at *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: at.Line,
		Column: at.Column}
}

// list is one of nodes that come from another.
func list(at *yaml.Node, all ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: all, Line: at.Line, Column: at.Column}
}

// mapping is one without fields that comes from another node.
func mapping(at *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Line: at.Line, Column: at.Column}
}

// header is a document of ours but for its spec.
func header(at *yaml.Node, kind string, name *yaml.Node) *yaml.Node {
	root, metadata := mapping(at), mapping(name)
	set(metadata, "name", scalar(value(name), name))
	set(root, "apiVersion", scalar(requests.APIVersion, at))
	set(root, "kind", scalar(kind, at))
	set(root, "metadata", metadata)
	return root
}

// kept is what the API server, or Teleport, writes into metadata by itself.
var kept = []string{"creationTimestamp", "generation", "managedFields", "resourceVersion",
	"selfLink", "uid", "id", "revision"}

// isApplied tells whether a field is nothing but the note of kubectl apply of what was applied.
func isApplied(key, v *yaml.Node) bool {
	return key.Value == "annotations" && v.Kind == yaml.MappingNode && len(v.Content) == 2 &&
		v.Content[0].Value == "kubectl.kubernetes.io/last-applied-configuration"
}

// advice says what to do instead of fields that have no counterpart, by their paths without places
// in lists; what is below them has the same.
var advice = map[string]string{
	"": "nothing here corresponds to it, so it was left out",
	"metadata": "a file here has only a name; what people must know of it goes into a comment or " +
		"spec.description",
	"status":                  "what became of it is in the ledger here, which the agent alone writes",
	"spec.subjects.namespace": "only people ask here; name them as User or Group",
	"spec.userInfo": "the requester is known by name and number in policies/identities.yaml, and has " +
		"no other groups here",
	"spec.execOptions": "kubectl shows the output either way; only stdin and terminal are asked for",
	"spec.customKeys":  "put into reason what approvers must know, such as a ticket",
	"spec.allow":       "pullgrant gives access to Kubernetes alone; keep this in Teleport",
	"spec.allow.kubernetes_labels": "the policy names its clusters, here the one of --cluster; see " +
		"that they are the same",
	"spec.allow.kubernetes_labels_expression": "the policy names its clusters, here the one of " +
		"--cluster; see that they are the same",
	"spec.allow.kubernetes_users": "the requester's user is in policies/identities.yaml; mode: " +
		"Impersonate gives an identity of the grant's own",
	"spec.allow.kubernetes_resources": "nothing in a grant corresponds to it, so it was left out",
	"spec.allow.request": "nothing in a policy corresponds to it; see that it gives no " +
		"more than was meant",
	"spec.allow.review_requests": "every approval of the group counts, whatever an expression says; put " +
		"those into the group whom it means",
	"spec.deny": "nothing is denied by name here: what no policy gives nobody has; see that the policy " +
		"gives none of it",
	"spec.options": "sessions are the cluster's own here; there is no option for it",
}

var inList = regexp.MustCompile(`\[[0-9]+\]`)

func adviceOn(path string) string {
	path = inList.ReplaceAllString(path, "")
	for {
		if what, ok := advice[path]; ok {
			return what
		}
		path = path[:max(strings.LastIndex(path, "."), 0)]
	}
}

// keep takes all other fields out of a mapping, and tells of those that say something.
func (d *document) keep(n *yaml.Node, path string, names ...string) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	var left []*yaml.Node
	for i := 0; i < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		switch {
		case slices.Contains(names, key.Value):
			left = append(left, key, v)
		case isEmpty(v), path == "metadata" && (slices.Contains(kept, key.Value) || isApplied(key, v)):
		default:
			d.tell(key, shown(at), "%s", adviceOn(at))
		}
	}
	n.Content = left
}

// shown is a path as it may stand in a message: its parts may be anybody's.
func shown(path string) string { return strings.Trim(requests.Quote(path), `"`) }

var days = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// span reads a duration of Go's, or of Teleport's, which has days too.
func span(s string) (time.Duration, error) {
	var whole time.Duration
	if m := days.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1]) // the pattern takes five digits
		whole, s = time.Duration(n)*24*time.Hour, m[2]
		if s == "" {
			return whole, nil
		}
	}
	rest, err := time.ParseDuration(s)
	return whole + rest, err
}

// duration makes a duration of ours of a field, which has whole minutes. What it cannot read is left
// for the loader to find.
func (d *document) duration(n *yaml.Node, path, name string) {
	v := field(n, name)
	if _, err := requests.ParseDuration(value(v)); err == nil || v == nil {
		return
	}
	length, err := span(value(v))
	if err != nil || length <= 0 {
		return
	}
	whole := max(length.Truncate(time.Minute), time.Minute)
	ours := requests.Duration(whole).String()
	if whole != length {
		d.tell(v, path+"."+name, "durations are whole minutes here; %s was made %s",
			requests.Quote(v.Value), ours)
	}
	set(n, name, scalar(ours, v))
}

// below is the path of an item of a list.
func below(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
