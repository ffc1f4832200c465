package policies_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

var update = flag.Bool("update", false, "write the schemas and other expected files")

func TestSchemasAreCurrent(t *testing.T) {
	for _, kind := range policies.Kinds {
		want, err := policies.Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("schemas", strings.ToLower(kind)+".json")
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the types say (%v); run go test ./policies -run Schemas -update",
				file, err)
		}
	}
	if files, err := os.ReadDir("schemas"); err != nil || len(files) != len(policies.Kinds) {
		t.Errorf("schemas/ holds %d files for %d kinds, %v", len(files), len(policies.Kinds), err)
	}
}

func TestSchemaOfUnknownKind(t *testing.T) {
	if _, err := policies.Schema("Secret"); err == nil || !strings.Contains(err.Error(),
		`"Secret"; kinds: AccessRequest, AccessPolicy`) {
		t.Errorf("got %v", err)
	}
	lower, err := policies.Schema("accesspolicy")
	if upper, _ := policies.Schema("AccessPolicy"); err != nil || !bytes.Equal(lower, upper) {
		t.Errorf("the case of a kind matters: %v", err)
	}
}

func compile(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	data, err := policies.Schema(kind)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(requests.SchemaAddress(kind), document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile(requests.SchemaAddress(kind))
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// validate judges a YAML document by a schema.
func validate(t *testing.T, s *jsonschema.Schema, document []byte) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(document, &value); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(instance)
}

// load is the loader of each kind, on a path that says nothing about the content.
var load = map[string]func([]byte) []requests.Finding{
	"AccessRequest": func(data []byte) []requests.Finding {
		_, f := requests.ParseRequest("x.yaml",
			data)
		return f
	},
	"AccessPolicy": func(data []byte) []requests.Finding {
		_, f := policies.ParsePolicy("x.yaml",
			data)
		return f
	},
	"IdentityMap": func(data []byte) []requests.Finding {
		_, f := policies.ParseIdentities("x.yaml",
			data)
		return f
	},
	"GroupMap": func(data []byte) []requests.Finding {
		_, f := policies.ParseGroups("x.yaml",
			data)
		return f
	},
	"RoleCatalog": func(data []byte) []requests.Finding {
		_, f := rbac.ParseCatalog("x.yaml",
			data)
		return f
	},
	"AccessRule": func(data []byte) []requests.Finding {
		_, f := policies.ParseRule("x.yaml",
			data)
		return f
	},
	"Certification": func(data []byte) []requests.Finding {
		_, f := policies.ParseCertification("x.yaml",
			data)
		return f
	},
	"Rota": func(data []byte) []requests.Finding {
		_, f := policies.ParseRota("x.yaml", data)
		return f
	},
	"PolicyTest": func(data []byte) []requests.Finding {
		_, f := policies.ParsePolicyTest("x.yaml",
			data)
		return f
	},
}

// complete sets every field of each kind.
var complete = map[string]string{
	"AccessRequest": `{apiVersion: pullgrant.dev/v1alpha1, kind: AccessRequest,
		metadata: {name: 20261122-alice-inc-123},
		spec: {cluster: prod-eu, policy: payments-debug, requester: alice,
		subject: {kind: User, name: alice@example.com},
		namespace: payments, duration: 1h, fields: {ticket: INC-123, other: "7"},
		reason: "INC-123, checkout is slow"}}`,
	"AccessPolicy": `{apiVersion: pullgrant.dev/v1alpha1, kind: AccessPolicy, metadata: {name: payments-debug},
		spec: {description: Debug the payments service, clusters: [prod-eu],
		subjects: [{kind: Group, name: acme/squad-a}, {kind: Group, name: squad-b}, {kind: User, name: alice}],
		conditions: [{expression: request.cluster == 'prod-eu', message: only in production}],
		reasonPattern: "INC-[0-9]+", reasonHelp: name the incident,
		fields: [{name: ticket, type: string, required: true, pattern: "^INC-", description: the ticket},
		{name: environment, type: string, enum: [dev, prod]}, {name: count, type: number}],
		challenges: [{kind: CodeOwnerReview, count: 1}, 
		{kind: PeerReview, reviewers: [{kind: User, name: bob}], count: 2},
		{kind: OnCall, pagerDutySchedule: PI7DH85}],
		target: {defaultDuration: 1h, maxDuration: 9999h,
			allowDangerous: [{role: payments-debug, dangers: [rbac, tokens]}],
		grants: [{kind: KubernetesRoleBinding, defaultNamespace: payments,
		allowedNamespaces: [payments, billing], roleRef: {kind: ClusterRole,
		name: payments-debug, apiGroup: rbac.authorization.k8s.io}}]}}}`,
	"IdentityMap": `{apiVersion: pullgrant.dev/v1alpha1, kind: IdentityMap, metadata: {name: identities},
		spec: {users: [{github: alice, githubID: 101, kubernetes: {username: alice@example.com}},
		{github: bob, githubID: 102, kubernetes: {username: bob@example.com},
		clusters: {prod-us: {username: "oidc:bob"}},
		onCall: {pagerDuty: PXPGF42, opsgenie: 4513b7ea-3b91-438f-b7e4-e3e54af9147c}}]}}`,
	"GroupMap": `{apiVersion: pullgrant.dev/v1alpha1, kind: GroupMap, metadata: {name: groups},
		spec: {groups: [{name: squad-b, members: [bob, carol]}]}}`,
	"RoleCatalog": `{apiVersion: pullgrant.dev/v1alpha1, kind: RoleCatalog, metadata: {name: "acme:debug"},
		spec: {cluster: prod-eu, role: {kind: ClusterRole, name: "acme:debug"}, aggregated: true,
		hash: "sha256:cd549c064704b1236b03f5c1008c41a68c3e50ab56fba89cd5dc63412387f9fa",
		rules: [{apiGroups: ["", apps], resources: [pods/log, "*/scale"], resourceNames: [api, "a:b"],
		verbs: [get, "*"]},
		{nonResourceURLs: ["/healthz/*"], verbs: [get]}]}}`,
	"AccessRule": `{apiVersion: pullgrant.dev/v1alpha1, kind: AccessRule, metadata: {name: year-end},
		spec: {description: Nothing moves, reason: "Year-end freeze, ask the change board", endsLive: true,
		deny: {subjects: [{kind: Group, name: acme/squad-a}, {kind: User, name: alice}],
		clusters: ["prod-*", staging], namespaces: [payments], roles: ["*:debug"],
		resources: [secrets, pods/exec, deployments.apps], from: 2026-12-19T00:00:00Z,
		until: 2027-01-04T00:00:00Z}}}`,
	"Rota": `{apiVersion: pullgrant.dev/v1alpha1, kind: Rota, metadata: {name: payments},
		spec: {description: Who runs payments, timeZone: Europe/Stockholm,
		shifts: [{people: [alice, bob], days: [Mon, Tue], from: "09:00", to: "09:00", since: "2026-11-02"}],
		overrides: [{person: carol, from: 2026-11-28T08:00:00Z, to: 2026-11-28T18:00:00Z, by: bob}]}}`,
	"PolicyTest": `{apiVersion: pullgrant.dev/v1alpha1, kind: PolicyTest, metadata: {name: payments-debug},
		spec: {organization: acme, teams: [{name: acme/squad-b, members: [bob, carol]}],
		permissions: [{login: eve, permission: read}],
		cases: [{name: bob approves, request: {cluster: prod-eu, policy: payments-debug, requester: alice,
		subject: {kind: User, name: alice@example.com}, namespace: payments, duration: 1h,
		reason: "INC-123, checkout is slow"},
		author: alice, pullRequest: merged, approvals: [{by: bob, at: head, state: APPROVED}],
		want: {decision: denied, code: NoPolicy}}]}}`,
}

// Every field of every kind is replaced, removed and extended in turn. What the loader accepts the
// schema accepts, and what the loader refuses the schema refuses, except by the rules beyond a
// schema.
func TestSchemaAgreesWithLoader(t *testing.T) {
	for kind, text := range complete {
		t.Run(kind, func(t *testing.T) {
			a := agreement{kind: kind, schema: compile(t, kind)}
			text = strings.ReplaceAll(text, "\t", " ")
			a.judge(t, "unchanged", []byte(text))
			if a.accepted != 1 {
				t.Fatalf("the complete example is refused: %v", load[kind]([]byte(text)))
			}
			mutate(t, text, func(what string, document []byte) { a.judge(t, what, document) })
			if a.accepted < 10 || a.refused < 50 {
				t.Errorf("%d changes accepted, %d refused by both; the test has lost its teeth",
					a.accepted, a.refused)
			}
		})
	}
}

// texts are tried in place of every text. None looks like a number: the loader takes an unquoted 7
// for text, where a schema sees a number.
var texts = []string{"", "x", "bob", "dev", "Payments", "a_b", "a-", "-a", "a--b", "a.b", "a:b",
	"*", "pay*", "acme/squad-b", "acme/", "/squad",
	"a/b/c", "acme/Squad", "system:admin", "oidc:alice", "a b", " padded reason ",
	"a reason of one line", "ein Grund für später",
	"two\nlines of a reason", "30m", "2h", "0h", "-1h", "1h30m", "99999h", "User", "user", "Group",
	"Role", "ClusterRole",
	"CodeOwnerReview", "PeerReview", "OnCall", "AccessRequest", "AccessPolicy",
	"KubernetesRoleBinding", "pullgrant.dev/v1",
	"squad-a@example.com", "Squad-a@example.com", "squad-a@", "a@b@c", ".a@b", "a_b.c@d",
	strings.Repeat("a", 64) + "@b", strings.Repeat("a", 65) + "@b", "a@" + strings.Repeat("b", 63),
	"a@" + strings.Repeat("b", 64), "rbac.authorization.k8s.io", "apps",
	"20261122-alice-other", "20261122-alice-", "2026-alice-x", "20261122-Alice-x",
	strings.Repeat("a", 39), strings.Repeat("a", 40),
	strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a",
		254), strings.Repeat("a", 501),
	"20261122-alice-" + strings.Repeat("a", 85), "20261122-alice-" + strings.Repeat("a", 86)}

// mutate calls judge with each change of the document.
func mutate(t *testing.T, text string, judge func(what string, document []byte)) {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	try := func(format string, args ...any) {
		data, err := yaml.Marshal(&document)
		if err != nil {
			t.Fatal(err)
		}
		judge(fmt.Sprintf(format, args...), data)
	}
	scalar := func(tag, value string) yaml.Node {
		return yaml.Node{Kind: yaml.ScalarNode, Tag: tag,
			Value: value}
	}
	var visit func(n *yaml.Node, path string)
	visit = func(n *yaml.Node, path string) {
		old := *n
		for _, other := range []yaml.Node{{Kind: yaml.MappingNode}, {Kind: yaml.SequenceNode},
			scalar("!!null", "null")} {
			*n = other
			try("%s is an empty value of kind %d", path, other.Kind)
		}
		switch {
		case old.Kind == yaml.ScalarNode && old.Tag == "!!int":
			for _, value := range []string{"-1", "0", "1", "2", "10", "11", "9007199254740991"} {
				*n = scalar("!!int", value)
				try("%s is %s", path, value)
			}
			*n = scalar("!!float", "1.5")
			try("%s is 1.5", path)
			*n = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: old.Value,
				Style: yaml.DoubleQuotedStyle}
			try("%s is %q", path, old.Value) // a quoted number is text to every reader of YAML
		case old.Kind == yaml.ScalarNode:
			for _, value := range texts {
				*n = scalar("!!str", value)
				try("%s is %q", path, value)
			}
		default:
			*n = scalar("!!str", "x")
			try("%s is text", path)
		}
		*n = old
		switch n.Kind {
		case yaml.MappingNode:
			key, value := scalar("!!str", "extra"), scalar("!!str", "x")
			n.Content = append(slices.Clone(old.Content), &key, &value)
			try("%s.extra", path)
			for i := 0; i < len(old.Content); i += 2 {
				n.Content = slices.Delete(slices.Clone(old.Content), i, i+2)
				try("%s without %s", path, old.Content[i].Value)
				n.Content = old.Content
				word := *old.Content[i]
				old.Content[i].Value = strings.ToUpper(word.Value)
				try("%s with %s", path, old.Content[i].Value)
				*old.Content[i] = word
				visit(old.Content[i+1], path+"."+word.Value)
			}
		case yaml.SequenceNode:
			n.Content = append(slices.Clone(old.Content), old.Content[0])
			try("%s repeats its first item", path)
			n.Content = old.Content
			for i, item := range old.Content {
				visit(item, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	visit(document.Content[0], "")
}

// A ledger entry is written by the agent, so its schema is held against what the agent writes.
func TestRevocationSchema(t *testing.T) {
	s := compile(t, policies.KindRevocation)
	at := requests.At(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	denied := requests.Revocation{APIVersion: requests.APIVersion, Kind: requests.KindAccessRequest,
		Metadata: requests.Metadata{Name: "20261122-alice-inc-123"},
		Status: requests.Status{State: requests.StateDenied, Cause: requests.CauseDenied,
			Code:     string(policies.NoPullRequest),
			Path:     "requests/prod-eu/payments-debug/20261122-alice-inc-123.yaml",
			Evidence: requests.EvidenceGitHub, RevokedAt: at}}
	ended := denied
	ended.Spec = &requests.RequestSpec{Cluster: "prod-eu", Policy: "payments-debug",
		Requester: "alice",
		Subject:   &requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Namespace: "payments",
		Duration:  requests.Duration(time.Hour), Reason: "INC-123, checkout is slow"}
	ended.Status = requests.Status{Cause: requests.CauseExpired, State: requests.StateExpired,
		Path:    denied.Status.Path,
		Subject: ended.Spec.Subject, Evidence: requests.EvidenceBranch, GrantedAt: &at,
		ExpiresAt: &at, RevokedAt: at,
		PullRequest: 7, HeadSHA: strings.Repeat("1", 40), MergeCommit: strings.Repeat("2", 40),
		PolicyCommit: strings.Repeat("3", 40),
		Approvers:    []requests.Approver{{Login: "bob", ID: 102, ReviewID: 1, Time: at}},
		Challenges: []requests.ChallengeStatus{{Kind: policies.CodeOwnerReview,
			Path: denied.Status.Path, Count: 1, Approvers: []string{"bob"}}},
		Ignored: []requests.IgnoredApproval{{Login: "eve", ReviewID: 2,
			Code: string(policies.ApprovalStale)}},
		Facts: requests.Digest([]byte("facts")),
		GrantRefs: []requests.GrantRef{{Kind: "RoleBinding", Namespace: "payments",
			Name: "pullgrant-20261122-alice-inc-123",
			Role: "payments-debug", Rules: rbac.HashRules(nil),
			UID: "0c4f3d7e-0000-4000-8000-000000000000", State: requests.ObjectReclaimed}}}
	document := func(r requests.Revocation) []byte {
		data, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, findings := requests.ParseRevocation(
			"revocations/prod-eu/20261122/20261122-alice-inc-123.yaml", data); len(findings) > 0 {
			t.Fatal(findings)
		}
		return data
	}
	for _, r := range []requests.Revocation{denied, ended} {
		if err := validate(t, s, document(r)); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	for old, changed := range map[string]string{
		"cause: Expired":                        "cause: Bored",
		"state: Expired":                        "state: Accepted",
		"evidence: branch":                      "evidence: rumour",
		`revokedAt: "2026-11-22T08:00:00Z"`:     "revokedAt: yesterday",
		`grantedAt: "2026-11-22T08:00:00Z"`:     `grantedAt: "2026-11-22T08:00:00+01:00"`,
		"pullRequest: 7":                        "pullRequest: 0",
		"state: Reclaimed":                      "state: Gone",
		"id: 102":                               "id: -1",
		"count: 1":                              "count: 0",
		"code: ApprovalStale":                   "code: it was stale",
		"facts: sha256:":                        "facts: sha512:",
		"rules: sha256:":                        "rules: ",
		"kind: AccessRequest":                   "kind: Revocation",
		"uid: 0c4f3d7e":                         "UID: 0c4f3d7e",
		"  reason: INC-123, checkout is slow\n": "",
	} {
		whole := document(ended)
		if !bytes.Contains(whole, []byte(old)) {
			t.Fatalf("no %q in\n%s", old, whole)
		}
		if validate(t, s, bytes.Replace(whole, []byte(old), []byte(changed), 1)) == nil {
			t.Errorf("accepted: %s", changed)
		}
	}
}
