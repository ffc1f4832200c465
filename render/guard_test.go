package render

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	kubelabels "k8s.io/apimachinery/pkg/labels"

	"github.com/pullgrant/pullgrant/requests"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// grant is alice's, live, with two bindings.
func grant() requests.Grant {
	const name = "20261122-alice-inc-123"
	return requests.Grant{
		Name: name, Path: requests.Path("prod-eu", "payments-debug", name), Cluster: "prod-eu",
		Policy:    "payments-debug",
		Requester: "alice", Subject: requests.Subject{Kind: requests.KindUser,
			Name: "alice@example.com"},
		Duration: requests.Duration(time.Hour),
		Window: requests.NewWindow(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC),
			requests.Duration(time.Hour)),
		Items: []requests.Item{
			{Kind: requests.KubernetesRoleBinding, Name: requests.ObjectName(name, 0),
				Namespace: "payments",
				Role:      requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}},
			{Kind: requests.KubernetesRoleBinding, Name: requests.ObjectName(name, 1),
				Namespace: "payments",
				Role:      requests.Role{Kind: requests.KindClusterRole, Name: "logs-reader"}},
		},
		Evidence: requests.Evidence{Source: requests.EvidenceGitHub, PullRequest: 7,
			MergeCommit: commit},
	}
}

// output is what a build of the grant gives, as maps that a test can tamper with.
func output(t *testing.T, g requests.Grant) []map[string]any {
	t.Helper()
	objects, err := Render(g)
	if err != nil {
		t.Fatal(err)
	}
	maps := make([]map[string]any, len(objects))
	for i := range objects {
		maps[i] = generic(objects[i])
	}
	return maps
}

func encode(t *testing.T, objects []map[string]any) [][]byte {
	t.Helper()
	var all [][]byte
	for _, object := range objects {
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

func TestGuardAcceptsWhatTheGrantSays(t *testing.T) {
	if _, err := guard(grant(), encode(t, output(t, grant()))); err != nil {
		t.Fatal(err)
	}
}

// at walks into nested maps and lists; the last key is set to value, or removed when value is nil.
func at(object any, value any, keys ...any) {
	for _, key := range keys[:len(keys)-1] {
		switch key := key.(type) {
		case string:
			object = object.(map[string]any)[key]
		case int:
			object = object.([]any)[key]
		}
	}
	key := keys[len(keys)-1].(string)
	if value == nil {
		delete(object.(map[string]any), key)
		return
	}
	object.(map[string]any)[key] = value
}

func TestGuardRefusesTampering(t *testing.T) {
	type objects = []map[string]any
	set := func(value any, keys ...any) func(objects) objects {
		return func(o objects) objects { at(o[0], value, keys...); return o }
	}
	for name, test := range map[string]struct {
		tamper func(objects) objects
		reason string
	}{
		"no object": {func(objects) objects { return nil },
			"0 objects for 2 bindings"},
		"one object less": {func(o objects) objects { return o[:1] },
			"1 objects for 2 bindings"},
		"one object more": {func(o objects) objects { return append(o, o[0]) },
			"3 objects for 2 bindings"},
		"another order": {func(o objects) objects { return objects{o[1], o[0]} },
			"its name is"},
		"the same twice": {func(o objects) objects { return objects{o[0], o[0]} },
			"object 2 of the build"},
		"kind": {set("ClusterRoleBinding", "kind"),
			`it is a "ClusterRoleBinding"`},
		"kind missing": {set(nil, "kind"), `it is a ""`},
		"apiVersion": {set("rbac.authorization.k8s.io/v1beta1", "apiVersion"),
			`of "rbac.authorization.k8s.io/v1beta1"`},
		"name":              {set("pullgrant-other", "metadata", "name"), "its name is"},
		"namespace":         {set("billing", "metadata", "namespace"), "its namespace is"},
		"namespace missing": {set(nil, "metadata", "namespace"), "its namespace is"},
		"role":              {set("cluster-admin", "roleRef", "name"), "its roleRef is"},
		"role kind":         {set("Role", "roleRef", "kind"), "its roleRef is"},
		"role group":        {set("", "roleRef", "apiGroup"), "its roleRef is"},
		"subject": {set("mallory@example.com", "subjects", 0, "name"),
			"its subject is"},
		"subject in other case": {set("Alice@example.com", "subjects", 0, "name"),
			"its subject is"},
		"subject kind":           {set("Group", "subjects", 0, "kind"), "its subject is"},
		"subject group":          {set("", "subjects", 0, "apiGroup"), "its subject is"},
		"subject with namespace": {set("payments", "subjects", 0, "namespace"), "its subject is"},
		"no subject":             {set([]any{}, "subjects"), "it has 0 subjects"},
		"two subjects": {func(o objects) objects {
			at(o[0], append(o[0]["subjects"].([]any), o[0]["subjects"].([]any)[0]), "subjects")
			return o
		}, "it has 2 subjects"},
		"label changed": {set("helm", "metadata", "labels", LabelManagedBy),
			`its label "app.kubernetes.io/managed-by"`},
		"label missing": {set(nil, "metadata", "labels", LabelRequest),
			`its label "pullgrant.dev/request"`},
		"cluster label changed": {set("staging", "metadata", "labels", LabelCluster),
			`its label "pullgrant.dev/cluster"`},
		"label added": {set("true", "metadata", "labels", "rbac.example.com/aggregate"),
			`its label "rbac.example.com/aggregate"`},
		"empty label added": {set("", "metadata", "labels", "x"), `its label "x"`},
		"labels missing":    {set(nil, "metadata", "labels"), "its label"},
		"granted-at changed": {set("2026-11-22T09:00:00Z", "metadata", "annotations",
			AnnotationGrantedAt), "granted-at"},
		"expires-at changed": {set("2027-11-22T09:00:00Z", "metadata", "annotations",
			AnnotationExpiresAt), "expires-at"},
		"expires-at missing": {set(nil, "metadata", "annotations", AnnotationExpiresAt),
			"expires-at"},
		"commit changed": {set(strings.Repeat("0", 40), "metadata", "annotations",
			AnnotationCommit), "commit"},
		"path changed": {set("requests/prod-eu/other/x.yaml", "metadata", "annotations",
			AnnotationPath), "path"},
		"pull-request changed": {set("8", "metadata", "annotations", AnnotationPullRequest),
			"pull-request"},
		"requester changed": {set("bob", "metadata", "annotations", AnnotationRequester),
			"requester"},
		"annotation added": {set("INC-123", "metadata", "annotations", "pullgrant.dev/reason"),
			"pullgrant.dev/reason"},
		"annotations missing": {set(nil, "metadata", "annotations"), "its annotation"},
		"generateName": {set("x-", "metadata", "generateName"),
			"fields that no grant sets"},
		"finalizer": {set([]any{"x.example.com/keep"}, "metadata", "finalizers"),
			"fields that no grant sets"},
		"empty finalizers": {set([]any{}, "metadata", "finalizers"),
			"fields that no grant sets"},
		"uid": {set("u", "metadata", "uid"), "fields that no grant sets"},
		"owner": {set([]any{map[string]any{"kind": "Job"}}, "metadata",
			"ownerReferences"), "fields that no grant sets"},
		"unknown field": {set([]any{}, "rules"), `unknown field "rules"`},
		"unknown inner field": {set("x", "roleRef", "namespace"),
			`unknown field "roleRef.namespace"`},
		"key in another case":    {set([]any{}, "Subjects"), `unknown field "Subjects"`},
		"key folding to subject": {set([]any{}, "ſubjects"), "unknown field"},
		"text where a list is":   {set("x", "subjects"), "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := guard(grant(), encode(t, test.tamper(output(t, grant())))); err == nil ||
				!strings.Contains(err.Error(), test.reason) {
				t.Fatalf("got %v, want an error with %q", err, test.reason)
			}
		})
	}
}

func TestGuardReadsStrictly(t *testing.T) {
	good := encode(t, output(t, grant()))
	for name, test := range map[string]struct{ data, reason string }{
		"empty":      {"", "end of JSON"},
		"two values": {string(good[0]) + "{}", "after top-level value"},
		"key twice": {strings.Replace(string(good[0]), `"kind"`, `"roleRef":{},"kind"`, 1),
			"duplicate field"},
		"null": {"null", `it is a ""`},
		"subject null": {strings.Replace(string(good[0]), `"subjects":[`, `"subjects":[null,`, 1),
			"it has 2 subjects"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := guard(grant(), [][]byte{[]byte(test.data), good[1]}); err == nil ||
				!strings.Contains(err.Error(), test.reason) {
				t.Fatalf("got %v, want an error with %q", err, test.reason)
			}
		})
	}
}

// The guard does not trust the grant either: what may never be granted is refused even when output
// and grant agree.
func TestGuardRefusesProtected(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*requests.Grant)
		reason string
	}{
		"kube-system": {func(g *requests.Grant) { g.Items[1].Namespace = "kube-system" },
			"it is protected"},
		"agent's namespace": {func(g *requests.Grant) { g.Items[0].Namespace = "pullgrant-system" },
			"it is protected"},
		"system role": {func(g *requests.Grant) { g.Items[0].Role.Name = "system:node" },
			"it is protected"},
		"system subject": {func(g *requests.Grant) { g.Subject.Name = "system:admin" },
			"belong to Kubernetes"},
		"group": {func(g *requests.Grant) { g.Subject.Kind = "Group" },
			"allowed: User"},
	} {
		t.Run(name, func(t *testing.T) {
			g := grant()
			test.change(&g)
			plain, _ := plainObjects(g)
			objects := make([]map[string]any, len(plain))
			for i, object := range plain {
				object.SetLabels(labels(g))
				object.SetAnnotations(annotations(g))
				objects[i] = generic(object)
			}
			if _, err := guard(g, encode(t, objects)); err == nil || !strings.Contains(err.Error(),
				test.reason) {
				t.Fatalf("got %v, want an error with %q", err, test.reason)
			}
		})
	}
}

// TestImpossibleGrantsAreRefused: each part that no policy can have produced, by its name.
func TestImpossibleGrantsAreRefused(t *testing.T) {
	for want, spoil := range map[string]func(*requests.Grant){
		"requester is":      func(g *requests.Grant) { g.Requester = "-alice" },
		"name is":           func(g *requests.Grant) { g.Name = "20261122-bob-inc-123" },
		"cluster is":        func(g *requests.Grant) { g.Cluster = "Prod" },
		"policy is":         func(g *requests.Grant) { g.Policy = "../payments" },
		"path is":           func(g *requests.Grant) { g.Path = "requests/other.yaml" },
		"subject kind is":   func(g *requests.Grant) { g.Subject.Kind = "Group" },
		"subject is":        func(g *requests.Grant) { g.Subject.Name = "system:admin" },
		"it has no binding": func(g *requests.Grant) { g.Items = nil },
		"pull request -1":   func(g *requests.Grant) { g.Evidence.PullRequest = -1 },
		"merge commit is":   func(g *requests.Grant) { g.Evidence.MergeCommit = "main" },
		"no merge commit":   func(g *requests.Grant) { g.Evidence.MergeCommit = "" },
		"is never open":     func(g *requests.Grant) { g.Window.End = g.Window.Start },
		"kind is":           func(g *requests.Grant) { g.Items[1].Kind = "KubernetesSomething" },
	} {
		g := grant()
		spoil(&g)
		if objects, err := Render(g); err == nil || !strings.Contains(err.Error(), want) ||
			objects != nil {
			t.Errorf("%s: %v, %v", want, objects, err)
		}
	}
}

// kept is the grant with a Role whose names are kept current.
func kept() requests.Grant {
	g := grant()
	g.Items[0] = requests.Item{Kind: requests.KubernetesResourceRole, Name: g.Items[0].Name,
		Namespace: "payments", Role: g.Items[0].Role, Resources: []string{"pods", "pods/api-1",
			"pods/^api-[0-9]$"}, Selector: "app=api",
		Allows: []requests.Rule{{Resource: "pods", Verbs: []string{"get"}, Names: []string{"api-1"},
			Match: []requests.Match{{Pattern: "^api-[0-9]$", Within: []string{"api-*"}},
				{Selector: "app=api", Within: []string{"api-*"}}}}}}
	return g
}

// TestGuardHoldsWhatMatches: what no policy lets be matched, or what has no bounds, is refused
// whoever asks for it.
func TestGuardHoldsWhatMatches(t *testing.T) {
	objects, err := Render(kept())
	if err != nil {
		t.Fatal(err)
	}
	role := objects[0].(*rbacv1.Role)
	if names := role.Rules[0].ResourceNames; !slices.Equal(names, []string{"-", "api-1"}) {
		t.Errorf("the Role is made with the names %q", names)
	}
	rule := func(g *requests.Grant) *requests.Rule { return &g.Items[0].Allows[0] }
	for _, c := range []struct {
		want  string
		spoil func(g *requests.Grant)
	}{
		{"list Secrets", func(g *requests.Grant) { rule(g).Resource = "secrets" }},
		{"list Secrets", func(g *requests.Grant) { rule(g).Resource = "secrets/status" }},
		{"any name", func(g *requests.Grant) {
			rule(g).Group, rule(g).Resource = "rbac.authorization.k8s.io", "roles"
		}},
		{"in the whole cluster", func(g *requests.Grant) {
			g.Items[0].Namespace, g.Items[0].Mode = "", requests.ModeImpersonate
		}},
		{"within globs", func(g *requests.Grant) { rule(g).Match[0].Within = nil }},
		{"no glob of names", func(g *requests.Grant) { rule(g).Match[0].Within = []string{"a b"} }},
		{"a pattern or a selector", func(g *requests.Grant) { rule(g).Match[0].Pattern = "" }},
		{"a pattern or a selector", func(g *requests.Grant) { rule(g).Match[0].Selector = "a=b" }},
		{"end with $", func(g *requests.Grant) { rule(g).Match[0].Pattern = "^api" }},
		{"unexpected )", func(g *requests.Grant) { rule(g).Match[0].Pattern = "^a)|(b$" }},
		{"label selector", func(g *requests.Grant) { rule(g).Match[1].Selector = "a=b=c" }},
		{`the name "-"`, func(g *requests.Grant) { rule(g).Names = []string{"-"} }},
		{`the name ""`, func(g *requests.Grant) { rule(g).Names = []string{""} }},
		{"0 names", func(g *requests.Grant) { rule(g).Names, rule(g).Match = nil, nil }},
	} {
		g := kept()
		c.spoil(&g)
		if objects, err := Render(g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", objects, err, c.want)
		}
	}
}

// TestGuardHoldsCommandsInADeployment: a Role for the pods of a Deployment begins with none, and is
// refused with anything but what its command says, and before its container is decided.
func TestGuardHoldsCommandsInADeployment(t *testing.T) {
	command := func() requests.Grant {
		g := grant()
		e := requests.Exec{Deployment: "nginx", Container: "app", Command: []string{"date"}}
		g.Items[0] = requests.Item{Kind: requests.KubernetesExec, Name: g.Items[0].Name,
			Namespace: "payments", Exec: &e, Containers: []string{"app", "side"},
			Allows: e.Rules("app")}
		return g
	}
	objects, err := Render(command())
	if err != nil {
		t.Fatal(err)
	}
	for n, rule := range objects[0].(*rbacv1.Role).Rules {
		if !slices.Equal(rule.ResourceNames, []string{"-"}) {
			t.Errorf("rule %d is made with the names %q", n+1, rule.ResourceNames)
		}
	}
	for _, c := range []struct {
		want  string
		spoil func(i *requests.Item)
	}{
		{"either a pod or a deployment", func(i *requests.Item) { i.Exec.Pod = "api-1" }},
		{"either a pod or a deployment", func(i *requests.Item) { i.Exec.Deployment = "" }},
		{"the default one", func(i *requests.Item) { *i = i.Asked() }},
		{"app or side", func(i *requests.Item) { *i = i.Decided("admin") }},
		{"exact name", func(i *requests.Item) { i.Exec.Deployment = "ngin*" }},
		{"not those of its command", func(i *requests.Item) { i.Exec.Command = []string{"sh"} }},
		{"not those of its command", func(i *requests.Item) { i.Allows[0].Match[0].Deployment = "a" }},
		{"not those of its command", func(i *requests.Item) { i.Allows[2].Match[0].Then = "/app" }},
		{"not those of its command", func(i *requests.Item) { i.Allows[1].Names = []string{"api-1"} }},
		{"only commands", func(i *requests.Item) {
			i.Kind, i.Exec, i.Containers = requests.KubernetesResourceRole, nil, nil
			i.Resources, i.Allows = []string{"pods"}, i.Allows[:1]
			i.Role = requests.Role{Kind: requests.KindClusterRole, Name: "view"}
		}},
		{"neither resources nor a command", func(i *requests.Item) {
			i.Kind, i.Exec, i.Allows = requests.KubernetesRoleBinding, nil, nil
			i.Role = requests.Role{Kind: requests.KindClusterRole, Name: "view"}
		}},
	} {
		g := command()
		c.spoil(&g.Items[0])
		if objects, err := Render(g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", objects, err, c.want)
		}
	}
}

// TestSelectorsAreKubernetes: what the format lets through, Kubernetes reads in the same way.
func TestSelectorsAreKubernetes(t *testing.T) {
	for _, text := range []string{"app=nginx", "app==nginx", "app != nginx", "app", "!app",
		"example.com/app=a", "tier in (web, api)", "tier notin (web)", "in in (in)", "app=",
		"a=b,c,!d,e notin (f,g)", "notin", "in=notin"} {
		if problem := requests.CheckSelector(text); problem != "" {
			t.Errorf("%s: %s", text, problem)
		}
		if _, err := kubelabels.Parse(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "=", "a b", "a=b=c", "a,,b", "a>1", "a in b",
		"a in ()", "!a=b",
		"-a", "a=-b", "A/b", "a=b,", "metadata.name=x y", strings.Repeat("a,", 300) + "a"} {
		if requests.CheckSelector(text) == "" {
			t.Errorf("%q is taken", text)
		}
	}
}
