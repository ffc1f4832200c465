package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

var footprint = render.Footprint{Cluster: "prod-eu",
	Grants: []requests.Item{gives("payments", "payments-debug"), gives("checkout", "logs-reader"),
		gives("checkout", "acme:debug"),
		gives("checkout", "logs-reader")},
	Image: "registry.example.com/pullgrant@sha256:0000", Args: []string{"--cluster=prod-eu",
		"--app-id=1234"},
}

func gives(namespace, role string) requests.Item {
	return requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: namespace,
		Role: requests.Role{Kind: requests.KindClusterRole, Name: role}}
}

// documents are the objects of a YAML stream by kind, namespace and name.
func documents(t *testing.T, stream []byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	for decoder := yaml.NewDecoder(bytes.NewReader(stream)); ; {
		var document struct {
			Kind     string
			Metadata struct{ Namespace, Name string }
			Rest     map[string]any `yaml:",inline"`
		}
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		key := document.Kind + " " + document.Metadata.Namespace + "/" + document.Metadata.Name
		if all[key] != nil {
			t.Errorf("two objects are %s", key)
		}
		all[key] = document
	}
}

func TestInstallIsStable(t *testing.T) {
	want := render.YAML(render.Install(footprint))
	for range 20 {
		if got := render.YAML(render.Install(footprint)); !bytes.Equal(got, want) {
			t.Fatal("the same footprint gives other bytes")
		}
	}
	for _, not := range []string{"\nstatus:", "creationTimestamp", ": null", "#", "e+"} {
		if bytes.Contains(want, []byte(not)) {
			t.Errorf("%q is in\n%s", not, want)
		}
	}
}

func TestKustomizationBuilds(t *testing.T) {
	objects := render.Install(footprint)
	files := filesys.MakeFsInMemory()
	for name, data := range render.Kustomization(objects, nil) {
		if err := files.WriteFile(path.Join("/base", name), data); err != nil {
			t.Fatal(err)
		}
	}
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/base")
	if err != nil {
		t.Fatal(err)
	}
	built, err := result.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	want := documents(t, render.YAML(objects))
	if got := documents(t, built); len(want) != len(objects) || !reflect.DeepEqual(got, want) {
		t.Errorf("built %d objects\n%s\nwant %d", len(got), built, len(want))
	}
}

// TestRightsAreNamed: no names would mean every name, which only reading is for.
func TestRightsAreNamed(t *testing.T) {
	for _, f := range []render.Footprint{footprint, {}, {Grants: []requests.Item{}}} {
		in := map[string][]string{}
		for _, object := range render.Rights(f) {
			var rules []rbacv1.PolicyRule
			switch o := object.(type) {
			case *rbacv1.Role:
				rules = o.Rules
			case *rbacv1.ClusterRole:
				rules = o.Rules
			}
			for _, rule := range rules {
				// The fence lets it delete none but its own.
				reads := object.GetNamespace() == "" && !slices.ContainsFunc(rule.Verbs,
					func(v string) bool {
						return !slices.Contains([]string{"get", "list", "watch", "delete"}, v)
					})
				if slices.Contains(rule.Resources, "clusterroles") && !reads {
					in[object.GetNamespace()] = append(rule.ResourceNames, rule.Verbs...)
					if len(rule.ResourceNames) == 0 {
						t.Errorf("%s may %v every ClusterRole", object.GetNamespace(), rule.Verbs)
					}
				}
			}
		}
		want := map[string][]string{}
		if len(f.Grants) > 1 {
			want = map[string][]string{
				"payments": {"payments-debug", "bind"}, "checkout": {"acme:debug",
					"logs-reader", "bind"}}
		}
		if !reflect.DeepEqual(in, want) {
			t.Errorf("%v, want %v", in, want)
		}
	}
}

// TestRightsForWhatMatches: the agent sees which objects there are, and changes Roles, only where
// policies let objects be asked for that come and go, and never Secrets.
func TestRightsForWhatMatches(t *testing.T) {
	within := []string{"*"}
	item := func(namespace, resource string, match ...requests.Match) requests.Item {
		return requests.Item{Kind: requests.KubernetesResourceRole, Namespace: namespace,
			Role:   requests.Role{Kind: requests.KindClusterRole, Name: "view"},
			Allows: []requests.Rule{{Resource: resource, Verbs: []string{"get"}, Match: match}}}
	}
	got := map[string]string{}
	for _, object := range render.Rights(render.Footprint{Grants: []requests.Item{
		item("exact", "pods"), item("pattern", "pods", requests.Match{Pattern: "*", Within: within}),
		item("labels", "pods/log", requests.Match{Within: within}),
		item("secrets", "secrets", requests.Match{Pattern: "*", Within: within})}}) {
		role, is := object.(*rbacv1.Role)
		if !is {
			continue
		}
		for _, rule := range role.Rules {
			if slices.Contains(rule.Verbs, "update") || slices.Contains(rule.Verbs, "list") {
				got[role.Namespace] += strings.Join(slices.Concat(rule.Resources, rule.Verbs), " ") + "; "
			}
		}
	}
	delete(got, requests.AgentNamespace)
	want := "roles create update escalate bind; pods list watch; "
	if !maps.Equal(got, map[string]string{"pattern": want, "labels": want}) {
		t.Errorf("%v", got)
	}
}

// TestRightsForCommands: where commands may run in the pods of a Deployment the agent sees that, its
// ReplicaSets and pods; where a request may leave the container open it reads which one kubectl
// takes. Else it does neither.
func TestRightsForCommands(t *testing.T) {
	item := func(namespace string, e requests.Exec, containers ...string) requests.Item {
		return requests.Item{Kind: requests.KubernetesExec, Namespace: namespace, Exec: &e,
			Containers: containers, Allows: e.Rules(e.Container)}
	}
	var got []string
	for _, object := range render.Rights(render.Footprint{Grants: []requests.Item{
		item("pod", requests.Exec{Pod: "api-*", Container: "app"}),
		item("deployment", requests.Exec{Deployment: "api-*", Container: "app"}),
		item("open", requests.Exec{Pod: "api-*"}, "app", "side"),
		item("open-deployment", requests.Exec{Deployment: "api-*"}, "app", "side")}}) {
		role, is := object.(*rbacv1.Role)
		if !is || role.Namespace == requests.AgentNamespace {
			continue
		}
		for _, rule := range role.Rules {
			if rule.APIGroups[0] == "" || rule.APIGroups[0] == "apps" ||
				slices.Contains(rule.Verbs, "update") {
				got = append(got, role.Namespace+": "+strings.Join(slices.Concat(rule.Resources,
					rule.Verbs), " "))
			}
		}
	}
	want := []string{
		"deployment: roles create update escalate bind", "deployment: deployments list watch",
		"deployment: pods list watch", "deployment: replicasets list watch",
		"open: pods get",
		"open-deployment: roles create update escalate bind",
		"open-deployment: deployments list watch", "open-deployment: pods list watch",
		"open-deployment: replicasets list watch", "open-deployment: deployments get",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestExpirerHasLittle: rights to list, watch and delete, no secret, and a name that the fence does
// not keep for the agent.
func TestExpirerHasLittle(t *testing.T) {
	all := documents(t, render.YAML(render.Install(footprint)))
	role := fmt.Sprint(all["ClusterRole /pullgrant:expirer"])
	for _, not := range []string{"create", "update", "patch", "deletecollection", " bind",
		"escalate",
		"impersonate", "*", "secrets", "configmaps", "pods"} {
		if strings.Contains(role, not) {
			t.Errorf("it has %q: %s", not, role)
		}
	}
	for _, want := range []string{"[rolebindings] verbs:[list watch delete]",
		"[jobs] verbs:[list watch delete]",
		"resourceNames:[pullgrant-agent pullgrant-exec pullgrant-expirer pullgrant-home " +
			"pullgrant-managed]"} {
		if !strings.Contains(role, want) {
			t.Errorf("it lacks %q: %s", want, role)
		}
	}
	binding := fmt.Sprint(all["ClusterRoleBinding /pullgrant:expirer"])
	if !strings.Contains(binding, "subjects:[map[kind:ServiceAccount name:pullgrant-expirer "+
		"namespace:pullgrant-system]]") {
		t.Errorf("bound to others: %s", binding)
	}
	deployment := fmt.Sprint(all["Deployment pullgrant-system/pullgrant-expirer"])
	for _, want := range []string{"replicas:2", "args:[expire --cluster=prod-eu --listen=:8080]",
		"serviceAccountName:pullgrant-expirer", "limits:map[memory:256Mi]"} {
		if !strings.Contains(deployment, want) {
			t.Errorf("the Deployment lacks %q: %s", want, deployment)
		}
	}
	if strings.Contains(deployment, "/secrets ") || strings.Contains(deployment, "secretName") {
		t.Errorf("it has secrets: %s", deployment)
	}
	for key := range all {
		if strings.HasPrefix(key, "Role") && strings.Contains(key, "expirer") {
			t.Errorf("it has rights in one namespace: %s", key)
		}
	}
}

// withoutEmpty takes the empty objects out of lists and objects, as deep as they stand, and counts
// them.
func withoutEmpty(all []map[string]any) (n int) {
	var inside func(value any)
	inside = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				inside(item)
			}
		case map[string]any:
			for key, item := range value {
				if object, ok := item.(map[string]any); ok && len(object) == 0 {
					delete(value, key)
					n++
				}
				inside(item)
			}
		}
	}
	for _, object := range all {
		inside(object)
	}
	return n
}

// TestCompare changes one thing in what a cluster has, and is told what.
func TestCompare(t *testing.T) {
	wanted := render.Install(footprint)
	live := func() (all []map[string]any) {
		data, err := json.Marshal(wanted)
		if err == nil {
			err = kjson.UnmarshalCaseSensitivePreserveInts(data, &all) // as client-go does
		}
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	at := func(all []map[string]any, kind, namespace string) map[string]any {
		for _, object := range all {
			metadata := object["metadata"].(map[string]any)
			in, _ := metadata["namespace"].(string)
			if object["kind"] == kind && in == namespace && metadata["name"] != render.Expirer {
				return object
			}
		}
		t.Fatalf("there is no %s in %q", kind, namespace)
		return nil
	}
	for name, test := range map[string]struct {
		change func(all []map[string]any) []map[string]any
		want   []string // the object and its fields
	}{
		"nothing": {func(all []map[string]any) []map[string]any { return all }, nil},
		"status and metadata of others": {func(all []map[string]any) []map[string]any {
			role := at(all, "ClusterRole", "")
			role["metadata"].(map[string]any)["uid"] = "1"
			role["metadata"].(map[string]any)["labels"].(map[string]any)["theirs"] = "x"
			at(all, "ValidatingAdmissionPolicy", "")["status"] = map[string]any{
				"observedGeneration": 1}
			return all
		}, nil},
		"filled in": {func(all []map[string]any) []map[string]any {
			at(all, "Deployment", "pullgrant-system")["spec"].(map[string]any)["progressDeadlineSeconds"] = 600
			return all
		}, nil},
		"nothing for something empty": {func(all []map[string]any) []map[string]any {
			if n := withoutEmpty(all); n == 0 {
				t.Error("nothing is empty")
			}
			return all
		}, nil},
		"missing": {func(all []map[string]any) []map[string]any { return all[1:] },
			[]string{"ValidatingAdmissionPolicy pullgrant-agent"}},
		"too much": {func(all []map[string]any) []map[string]any {
			return append(all, map[string]any{"kind": "RoleBinding",
				"metadata": map[string]any{"namespace": "old", "name": "pullgrant-agent"}})
		}, []string{"RoleBinding old/pullgrant-agent"}},
		"label": {func(all []map[string]any) []map[string]any {
			delete(at(all, "Namespace", "")["metadata"].(map[string]any)["labels"].(map[string]any),
				"pod-security.kubernetes.io/enforce")
			return all
		}, []string{"Namespace pullgrant-system",
			"metadata.labels.pod-security.kubernetes.io/enforce"}},
		"verb": {func(all []map[string]any) []map[string]any {
			rule := at(all, "Role", "payments")["rules"].([]any)[2].(map[string]any)
			rule["verbs"] = append(rule["verbs"].([]any), "escalate")
			return all
		}, []string{"Role payments/pullgrant-agent", "rules[2].verbs"}},
		"no names": {func(all []map[string]any) []map[string]any {
			delete(at(all, "Role", "payments")["rules"].([]any)[2].(map[string]any),
				"resourceNames")
			return all
		}, []string{"Role payments/pullgrant-agent", "rules[2].resourceNames"}},
		"aggregated": {func(all []map[string]any) []map[string]any {
			at(all, "ClusterRole", "")["aggregationRule"] = map[string]any{
				"clusterRoleSelectors": []any{}}
			return all
		}, []string{"ClusterRole pullgrant-agent", "aggregationRule"}},
		"audit only": {func(all []map[string]any) []map[string]any {
			at(all, "ValidatingAdmissionPolicyBinding",
				"")["spec"].(map[string]any)["validationActions"] = []any{"Audit"}
			return all
		}, []string{"ValidatingAdmissionPolicyBinding pullgrant-agent",
			"spec.validationActions[0]"}},
		"for some only": {func(all []map[string]any) []map[string]any {
			at(all, "ValidatingAdmissionPolicyBinding",
				"")["spec"].(map[string]any)["matchResources"] = map[string]any{
				"matchPolicy": "Exact"}
			return all
		}, []string{"ValidatingAdmissionPolicyBinding pullgrant-agent", "spec.matchResources"}},
		"image": {func(all []map[string]any) []map[string]any {
			deployment := at(all, "Deployment", "pullgrant-system")["spec"].(map[string]any)
			spec := deployment["template"].(map[string]any)["spec"].(map[string]any)
			spec["containers"].([]any)[0].(map[string]any)["image"] = "other"
			return all
		}, []string{"Deployment pullgrant-system/pullgrant-agent",
			"spec.template.spec.containers[0].image"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range render.Compare(wanted, test.change(live())) {
				got = append(append(got, d.String()), d.Fields...)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
