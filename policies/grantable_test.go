package policies_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/roles"
)

func TestGrantable(t *testing.T) {
	tree, err := policies.ReadTree(os.DirFS("../testdata/accessrepo"), "")
	if err != nil {
		t.Fatal(err)
	}
	add := func(name, change, to string) {
		content := tree.Files[policies.Path("payments-debug")].Content
		content = strings.ReplaceAll(strings.Replace(content, "name: payments-debug", "name: "+name,
			1), change, to)
		tree.Files[policies.Path(name)] = policies.NewTreeFile(policies.PlainFile, "",
			[]byte(content), int64(len(content)))
	}
	add("payments-admin", "kind: ClusterRole, name: payments-debug", "kind: ClusterRole, name: "+
		"payments-admin")
	for name, content := range roles.File("prod-eu", "payments-admin", roles.Harmless) {
		tree.Files[name] = policies.TreeFile{Mode: policies.PlainFile, Content: content}
	}
	add("again", "allowedNamespaces: [payments]", "allowedNamespaces: [payments, checkout]")
	for cluster, want := range map[string]map[string][]string{
		"prod-eu": {"payments": {"", "payments-admin", "payments-debug"}, // "": to run a command
			"checkout": {"orders-scaler", "payments-debug"}, "orders": {"orders-scaler"}, "": {"node-triage"}},
		"staging": {"payments": {"logs-reader"}, "checkout": {"logs-reader"}, "baskets": {"logs-reader"}},
		"prod-us": {},
	} {
		items, findings := tree.Grantable(cluster)
		got := map[string][]string{}
		for _, i := range items {
			got[i.Namespace] = append(got[i.Namespace], i.Role.Name)
		}
		for namespace, roles := range got {
			slices.Sort(roles)
			got[namespace] = slices.Compact(roles)
		}
		if !reflect.DeepEqual(got, want) || len(findings) > 0 {
			t.Errorf("%s: %v, %v, want %v", cluster, got, findings, want)
		}
	}

	add("system", "defaultNamespace: payments\n        allowedNamespaces: [payments]",
		"defaultNamespace: kube-system\n        allowedNamespaces: [kube-system]")
	if _, findings := tree.Grantable("prod-eu"); len(findings) != 1 ||
		findings[0].Rule != "protected" || findings[0].File != "policies/system.yaml" {
		t.Errorf("a policy for kube-system: %v", findings)
	}
	add("system", "spec:", "spec: [")
	for _, cluster := range []string{"prod-eu", "staging"} {
		if _, findings := tree.Grantable(cluster); len(findings) == 0 {
			t.Errorf("%s: a policy that cannot be read is no finding", cluster)
		}
	}
}
