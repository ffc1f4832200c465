package rbac_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/findings"
)

var debugRules = []rbac.RoleRule{
	{APIGroups: []string{""}, Resources: []string{"pods", "pods/log", "events"},
		Verbs: []string{"watch", "get", "list"}},
	{APIGroups: []string{"apps"}, Resources: []string{"deployments"},
		ResourceNames: []string{"api"},
		Verbs:         []string{"get"}},
	{NonResourceURLs: []string{"/healthz/*"}, Verbs: []string{"get"}},
}

func encode(t testing.TB, c rbac.RoleCatalog) string {
	t.Helper()
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestCatalogFileReadsBack(t *testing.T) {
	for _, role := range []string{"payments-debug", "acme:payments:debug", "a.b_c"} {
		for _, rules := range [][]rbac.RoleRule{debugRules, nil} {
			c := rbac.NewCatalog("prod-eu", role, true, rules)
			file := encode(t, c)
			if again := encode(t, rbac.NewCatalog("prod-eu", role, true, shuffled(rules,
				3))); again != file {
				t.Errorf("rules in another order give another file:\n%s%s", again, file)
			}
			read, findings := rbac.ParseCatalog(rbac.CatalogPath("prod-eu", role), []byte(file))
			if len(findings) > 0 || encode(t, read) != file {
				t.Errorf("%s: %v in\n%s", role, findings, file)
			}
		}
	}
}

// TestCatalogPathsAreOneToOne: a file name that two roles share would show one and check the other.
func TestCatalogPathsAreOneToOne(t *testing.T) {
	seen := map[string]string{}
	for _, role := range []string{"a-b", "a:b", "a.b", "a_b", "a--b", "a::b", "a:b:c", "a-b-c",
		"a.yaml", "a"} {
		if problem := requests.CheckRole(role); problem != "" {
			t.Fatal(problem)
		}
		path := rbac.CatalogPath("prod-eu", role)
		if seen[path] != "" || strings.Contains(path, ":") || strings.Count(path, "/") != 2 {
			t.Errorf("%s of %s, and of %q", path, role, seen[path])
		}
		seen[path] = role
	}
	if requests.CheckRole("a+b") == "" {
		t.Error("a role's name may hold +, which stands for : in a file name")
	}
}

func TestHashRules(t *testing.T) {
	if got := rbac.HashRules(nil); got != rbac.HashRules([]rbac.RoleRule{}) || len(got) != 71 {
		t.Errorf("hash of no rules: %s", got)
	}
	rule := debugRules[1]
	for what, other := range map[string][]rbac.RoleRule{
		"no rule": nil,
		"another group": {{APIGroups: []string{""}, Resources: rule.Resources,
			ResourceNames: rule.ResourceNames, Verbs: rule.Verbs}},
		"all names": {{APIGroups: rule.APIGroups, Resources: rule.Resources,
			Verbs: rule.Verbs}},
		"one verb more": {{APIGroups: rule.APIGroups, Resources: rule.Resources,
			ResourceNames: rule.ResourceNames, Verbs: []string{"get", "list"}}},
		"one rule more": {rule, debugRules[0]},
		"a name as a URL": {{APIGroups: rule.APIGroups, Resources: rule.Resources,
			NonResourceURLs: rule.ResourceNames, Verbs: rule.Verbs}},
	} {
		if rbac.HashRules(other) == rbac.HashRules([]rbac.RoleRule{rule}) {
			t.Errorf("%s: the same hash", what)
		}
	}
	if rbac.HashRules([]rbac.RoleRule{rule, rule}) != rbac.HashRules([]rbac.RoleRule{rule}) {
		t.Error("a rule that is repeated gives another hash")
	}
}

// The mistakes of catalogue files, each with where it is told.
func TestCatalogFindings(t *testing.T) {
	path := rbac.CatalogPath("prod-eu", "acme:debug")
	file := encode(t, rbac.NewCatalog("prod-eu", "acme:debug", false, debugRules))
	if _, findings := rbac.ParseCatalog(path, []byte(file)); len(findings) > 0 {
		t.Fatal(findings)
	}
	for _, test := range []struct{ what, path, old, new, want string }{
		{"another cluster's folder", "catalog/staging/acme+debug.yaml", "", "",
			`:11:11: spec.role.name is "acme:debug"; ` +
				`for this role and cluster the file must be "catalog/prod-eu/acme+debug.yaml" [path]`},
		{"a colon in the file name", "catalog/prod-eu/acme:debug.yaml", "", "",
			`:11:11: spec.role.name is "acme:debug"; for this role`},
		{"two names", path, "name: acme:debug\nspec", "name: acme-debug\nspec",
			`:6:9: metadata.name is "acme-debug"; it must be the role's name, "acme:debug" [role-name]`},
		{"a Role", path, "kind: ClusterRole", "kind: Role",
			`:10:11: spec.role.kind is "Role"; allowed: ClusterRole [role]`},
		{"edited rules", path, "- list", "- create",
			`:12:9: spec.hash is not that of the rules below; write the file again with ` +
				"`pullgrant catalog` [hash]"},
		{"aggregated is a word", path, "  hash:", "  aggregated: yes\n  hash:",
			`:12:15: spec.aggregated is "yes"; it must be true or false [wrong-type]`},
		{"no verb", path, "verbs:\n        - get\n        - list\n        - watch", "verbs: []",
			`.verbs is empty; name at least one [empty-list]`},
		{"an empty name", path, "- api\n", "- \"\"\n",
			`.resourceNames[0] is ""; it must be 1 to 253 printable ASCII characters without spaces [rule]`},
		{"a name with a space", path, "- api\n", "- a b\n",
			`.resourceNames[0] is "a b"; it must be`},
		{"markup in a resource", path, "- deployments", "- \"<b>\"",
			`.resources[0] is "<b>"; it must be letters, digits and * . _ : / - inside [rule]`},
		{"both kinds of rule", path, "- nonResourceURLs:", "- apiGroups: [apps]\n      " +
			"nonResourceURLs:", `has resources and nonResourceURLs; Kubernetes allows one of them in a rule [rule]`},
		{"a group is missing", path, "apiGroups:\n        - apps\n      resources", "resources",
			`.apiGroups is required [missing-field]`},
	} {
		data := strings.Replace(file, test.old, test.new, 1)
		_, findings := rbac.ParseCatalog(test.path, []byte(data))
		if !slices.ContainsFunc(findings, func(f requests.Finding) bool {
			return strings.Contains(
				f.String(), test.want)
		}) {
			t.Errorf("%s: %v, want %s in\n%s", test.what, findings, test.want, data)
		}
	}
}

// TestCatalogOfMillionsOfRights: a short file could keep whoever reads it busy for ever.
func TestCatalogOfMillionsOfRights(t *testing.T) {
	rule := rbac.RoleRule{APIGroups: []string{""}}
	for i := range 1000 {
		word := "w" + strings.Repeat("x", i%50) + string(rune('a'+i%26))
		rule.Resources, rule.ResourceNames, rule.Verbs = append(rule.Resources, word),
			append(rule.ResourceNames, word), append(rule.Verbs, word)
	}
	file := encode(t, rbac.NewCatalog("prod-eu", "wide", false, []rbac.RoleRule{rule}))
	_, findings := rbac.ParseCatalog(rbac.CatalogPath("prod-eu", "wide"), []byte(file))
	if len(findings) != 1 || findings[0].Rule != "file-size" ||
		!strings.Contains(findings[0].Message,
			"the most allowed is 50000") {
		t.Errorf("findings %v", findings)
	}
}

// FuzzParseCatalog: findings lie within the file, and what is accepted can be told and written
// again.
func FuzzParseCatalog(f *testing.F) {
	for _, file := range []string{"prod-eu/payments-debug", "staging/logs-reader"} {
		data, err := os.ReadFile("../../testdata/accessrepo" + "/catalog/" + file + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(encode(f, rbac.NewCatalog("prod-eu", "a:b", true, debugRules))))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, found := rbac.ParseCatalog("x.yaml", data)
		if findings.Within(t, data, found); len(found) > 0 {
			return
		}
		again, found := rbac.ParseCatalog(rbac.CatalogPath(c.Spec.Cluster, c.Spec.Role.Name),
			[]byte(encode(t, c)))
		if len(found) > 0 || rbac.HashRules(again.Spec.Rules) != c.Spec.Hash {
			t.Fatalf("written again: %v", found)
		}
		written := encode(t, rbac.NewCatalog(c.Spec.Cluster, c.Spec.Role.Name, c.Spec.Aggregated,
			c.Spec.Rules))
		if normal, _ := rbac.ParseCatalog("x.yaml", []byte(written)); !bytes.Equal(
			[]byte(tell(normal.Spec.Rules, nil)), []byte(tell(c.Spec.Rules, nil))) {
			t.Fatalf("the order of the rules matters: %s", written)
		}
		if beyond := rbac.Beyond(c.Spec.Rules, c.Spec.Rules); len(beyond) > 0 {
			t.Fatalf("beyond itself: %+v", beyond)
		}
	})
}
