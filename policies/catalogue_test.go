package policies_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
)

func TestRoleRisksOfTheCatalogue(t *testing.T) {
	tree := func(files map[string]string) policies.Tree {
		fsys := fstest.MapFS{}
		for name, content := range files {
			fsys[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
		}
		tree, err := policies.ReadTree(fsys, "")
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	path := rbac.CatalogPath("prod-eu", "debug")
	data, err := rbac.NewCatalog("prod-eu", "debug", true, []rbac.RoleRule{{APIGroups: []string{""},
		Resources: []string{"pods", "pods/log", "events"}, Verbs: []string{"watch", "get",
			"list"}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	whole := string(data)
	for what, test := range map[string]struct {
		files map[string]string
		want  rbac.Risk
	}{
		"none": {nil, rbac.Risk{Code: "uncatalogued", High: true, Text: "the role's rules " +
			"are not in the catalogue; run `pullgrant catalog --cluster prod-eu`"}},
		"broken": {map[string]string{path: strings.Replace(whole, "- get", "- create", 1)},
			rbac.Risk{Code: "uncatalogued", High: true, Text: "the role's catalogue file is not " +
				"valid: catalog/prod-eu/debug.yaml:13:9: spec.hash is not that of the rules " +
				"below; write the file again with `pullgrant catalog` [hash]"}},
		"aggregated": {map[string]string{path: whole}, rbac.Risk{Code: "aggregated",
			Text: "is put together from other roles, so what it allows can change without " +
				"anybody changing it"}},
	} {
		if got := tree(test.files).RoleRisks("prod-eu", "debug", rbac.InNamespace); len(got) != 1 ||
			got[0] != test.want {
			t.Errorf("%s: %+v", what, got)
		}
	}
}
