package policies_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// files are the Go types that the loader fills, from which documents are generated.
var files = map[string]reflect.Type{
	"AccessRequest": reflect.TypeFor[requests.AccessRequest](),
	"AccessPolicy":  reflect.TypeFor[policies.AccessPolicy](),
	"IdentityMap":   reflect.TypeFor[policies.IdentityMap](),
	"GroupMap":      reflect.TypeFor[policies.GroupMap](),
	"AccessRule":    reflect.TypeFor[policies.AccessRule](),
	"Certification": reflect.TypeFor[policies.Certification](),
	"Rota":          reflect.TypeFor[policies.Rota](),
	"RoleCatalog":   reflect.TypeFor[rbac.RoleCatalog](),
	"PolicyTest":    reflect.TypeFor[policies.PolicyTest](),
}

// TestSchemaAgreesOnGeneratedDocuments makes documents of every kind up from the Go types alone,
// from nearly right to wild: loader and schema accept and refuse the same of them.
func TestSchemaAgreesOnGeneratedDocuments(t *testing.T) {
	for kind, file := range files {
		t.Run(kind, func(t *testing.T) {
			a := agreement{kind: kind, schema: compile(t, kind)}
			for seed := range uint64(2500) {
				g := generator{rand.New(rand.NewPCG(seed, 1)), []float64{0, 0.01, 0.05,
					0.2}[seed%4], kind}
				data, err := yaml.Marshal(g.value(file, ""))
				if err != nil {
					t.Fatal(err)
				}
				a.judge(t, fmt.Sprintf("seed %d:\n%s", seed, data), data)
			}
			// No catalogue file is made up whose hash is that of its rules: what the schema accepts
			// fails by that alone.
			if a.accepted < 5 && kind != "RoleCatalog" || a.refused < 300 {
				t.Errorf("%d accepted, %d refused by both; the test has lost its teeth",
					a.accepted, a.refused)
			}
		})
	}
}

// generator makes values of a type; wild is how often one is not what its field wants.
type generator struct {
	random *rand.Rand
	wild   float64
	kind   string
}

// usual are texts that some field of the name takes.
var usual = map[string][]string{
	"apiVersion": {requests.APIVersion}, "cluster": {"prod-eu", "staging"}, "clusters": {"prod-eu",
		"staging"},
	"policy": {"payments-debug"}, "requester": {"alice", "Bob"}, "namespace": {"payments"},
	"allowedNamespaces": {"payments", "billing"}, "defaultNamespace": {"payments"},
	"github":   {"alice", "bob", "Carol"},
	"username": {"alice@example.com", "oidc:bob", "carol"}, "members": {"alice", "bob", "carol"},
	"login": {"alice", "bob"}, "for": {"bob"},
	"by": {"bob", "carol"}, "author": {"alice"}, "reason": {"INC-123, checkout is slow",
		"ein Grund für später"},
	"decision": {"allowed", "denied", "pending", "error"}, "code": {"NoPolicy", "FileRejected"},
	"pullRequest": {"open", "merged", "draft", "closed"}, "at": {"head", "old"},
	"state":      {"APPROVED", "DISMISSED"},
	"permission": {"write", "read", "none"}, "organization": {"acme"}, "backstop": {"required",
		"optional"},
	"dangers":   {"tokens", "rbac"},
	"hash":      {"sha256:cd549c064704b1236b03f5c1008c41a68c3e50ab56fba89cd5dc63412387f9fa"},
	"apiGroups": {"", "apps"}, "resources": {"pods", "pods/log", "*"},
	"resourceNames":   {"api", "a:b"},
	"nonResourceURLs": {"/healthz", "/*"}, "verbs": {"get", "list", "*"},
	"description": {"Debug the payments service"}, "mode": {"Direct", "Impersonate"},
	"resource": {"pods", "deployments.apps", "secrets"}, "selector": {"app=nginx"},
	"names": {"api-*", "db"}, "roles": {"view", "edit"},
	"pods": {"api-*", "api-1"}, "containers": {"app"}, "commands": {"cat", "/etc/*"},
	"list":       {"alice may ask", "on prod-eu"},
	"expression": {"true", "request.cluster == 'prod-eu'", "policy.name == request.policy"},
	"type":       {"string", "number", "boolean"}, "reasonPattern": {"INC-[0-9]+", "^x"},
	"pattern": {"^INC-"}, "enum": {"dev", "prod"}, "onChange": {"Tell", "End"}, "fields": {"INC-1", "yes it is"},
	"reasonHelp": {"name the incident"}, "message": {"ask for less"},
	"days": {"Mon", "Sun"}, "from": {"08:00", "09:30"}, "to": {"18:00", "24:00"},
	"timeZone":  {"Europe/Stockholm", "UTC"},
	"challenge": {policies.RBACAuthorization}, "verdict": {"yes", "none"},
	"pod":       {"api-1"},
	"container": {"app"}, "command": {"cat", "/etc/*"}, "grants": {"reading"}, "role": {"view",
		"payments-debug"},
}

func (g generator) often(p float64) bool { return g.random.Float64() < p }

func pick[T any](g generator, from []T) T { return from[g.random.IntN(len(from))] }

func (g generator) value(t reflect.Type, field string) *yaml.Node {
	text := func(value string) *yaml.Node {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str",
			Value: value}
	}
	if g.often(g.wild) {
		odd := []*yaml.Node{text(pick(g, texts)), {Kind: yaml.MappingNode},
			{Kind: yaml.SequenceNode},
			{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}}
		if t.Kind() != reflect.String { // the loader takes an unquoted 7 for text, where a schema sees a number
			odd = append(odd, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: "7"},
				&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "7",
					Style: yaml.DoubleQuotedStyle},
				&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
		}
		return pick(g, odd)
	}
	switch t {
	case reflect.TypeFor[requests.Duration]():
		return text(pick(g, []string{"30m", "1h", "8h"}))
	case reflect.TypeFor[requests.Days]():
		return text(pick(g, []string{"7d", "90d"}))
	case reflect.TypeFor[requests.Day]():
		return text("2026-11-23")
	case reflect.TypeFor[requests.Time]():
		if field == "until" {
			return text("2026-11-23T18:00:00Z")
		}
		return text("2026-11-23T08:00:00Z")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.value(t.Elem(), field)
	case reflect.Struct:
		return g.mapping(t, field)
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for range 1 + g.random.IntN(2) {
			entry := g.value(t.Elem(), field)
			again := entry.Kind == yaml.ScalarNode && slices.ContainsFunc(list.Content,
				func(n *yaml.Node) bool { return n.Value == entry.Value })
			if !again || g.often(g.wild) {
				list.Content = append(list.Content, entry)
			}
		}
		return list
	case reflect.Map:
		key := text(pick(g, []string{"ticket", "prod", "a-b"}))
		return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, g.value(t.Elem(), field)}}
	case reflect.Int, reflect.Int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: pick(g, []string{"1", "2",
			"10", "101"}[:2+g.random.IntN(3)])}
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: pick(g,
			[]string{"true", "false"})}
	}
	if known := usual[field]; len(known) > 0 {
		return text(pick(g, known))
	}
	return text(pick(g, texts))
}

// kinds are the values of the field kind, and names those of the field name beside it, by the type
// they stand in.
var (
	kinds = map[string][]string{"Subject": {"User"}, "Role": {"ClusterRole"}, "RoleRef": {"ClusterRole"},
		"Party":     {"User", "Group"},
		"Challenge": {"CodeOwnerReview", "PeerReview"}, "GrantSpec": {"KubernetesRoleBinding",
			"KubernetesResourceRole",
			"KubernetesClusterRoleBinding", "KubernetesExec"}}
	nameIn = map[string][]string{"Subject": {"alice@example.com"}, "RoleRef": {"payments-debug"},
		"Role": {"payments-debug",
			"acme:debug"},
		"CustomField": {"ticket", "count"},
		"Party":       {"alice", "squad-b", "acme/squad-a"}, "Group": {"squad-b"},
		"TestTeam": {"acme/squad-b"}, "GrantSpec": {"reading", "writing"},
		"TestCase": {"bob approves"}}
)

// ofKind are, of the fields that may be left out, those that each kind of grant and challenge needs
// and some that it takes.
var ofKind = map[string][2]string{
	"KubernetesRoleBinding":        {"allowedNamespaces roleRef", "name defaultNamespace"},
	"KubernetesResourceRole":       {"allowedNamespaces resources roles", "name defaultNamespace"},
	"KubernetesClusterRoleBinding": {"roleRef", "name"},
	"CodeOwnerReview":              {"", ""},
	"PeerReview":                   {"reviewers", ""},
	"KubernetesExec": {"allowedNamespaces pods containers commands",
		"name defaultNamespace stdin terminal"},
}

func (g generator) mapping(t reflect.Type, _ string) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	kind := ""
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		fields, known := ofKind[kind]
		needed := slices.Contains(strings.Fields(fields[0]), name)
		strange := known && options == "omitempty" && !needed &&
			!slices.Contains(strings.Fields(fields[1]), name)
		if options == "omitempty" && !needed && g.often(0.5) || strange || g.often(g.wild) {
			if !strange || !g.often(g.wild) {
				continue
			}
		}
		value := g.value(t.Field(i).Type, name)
		if choices := g.choices(t, name); len(choices) > 0 && value.Tag == "!!str" &&
			!g.often(g.wild) {
			value.Value = pick(g, choices)
		}
		if name == "kind" {
			kind = value.Value
		}
		m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name},
			value)
	}
	if g.often(g.wild) {
		m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str",
			Value: "extra"},
			&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "x"})
	}
	return m
}

// choices are what a field called kind or name takes in a type.
func (g generator) choices(t reflect.Type, field string) []string {
	switch {
	case field == "kind" && t == files[g.kind]:
		return []string{g.kind}
	case field == "kind":
		return kinds[t.Name()]
	case field == "name" && t == reflect.TypeFor[requests.Metadata]():
		return map[string][]string{"AccessRequest": {"20261122-alice-inc-123", "20261122-bob-x"},
			"RoleCatalog":  {"payments-debug", "acme:debug"},
			"AccessPolicy": {"payments-debug"}}[g.kind]
	case field == "name":
		return nameIn[t.Name()]
	}
	return nil
}
