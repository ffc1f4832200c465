package policies_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCookbook: every policy, rule and rota in the cookbook is one of the example repository, and every one of that
// but the first steps' is in the cookbook.
func TestCookbook(t *testing.T) {
	pages, err := filepath.Glob("../docs/cookbook/*.md")
	if err != nil || len(pages) < 5 {
		t.Fatalf("found %v: %v", pages, err)
	}
	shown := map[string]bool{}
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for n, block := range strings.Split(string(data), "```yaml\n") {
			if n == 0 {
				continue
			}
			policy, _, _ := strings.Cut(block, "```")
			shown[policy] = false
		}
	}
	files, err := filepath.Glob("../testdata/accessrepo/policies/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Glob("../testdata/accessrepo/policies/rules/*.yaml")
	if err != nil || len(rules) == 0 {
		t.Fatal(rules, err)
	}
	rotas, err := filepath.Glob("../testdata/accessrepo/policies/rotas/*.yaml")
	if err != nil || len(rotas) == 0 {
		t.Fatal(rotas, err)
	}
	for _, file := range slices.Concat(files, rules, rotas) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, is := shown[string(data)]; is {
			shown[string(data)] = true
		} else if (strings.Contains(string(data), "kind: Access") || strings.Contains(string(data), "kind: Rota")) &&
			!strings.HasSuffix(file, "staging-logs.yaml") {
			t.Errorf("%s is on no page", file)
		}
	}
	for policy, found := range shown {
		if !found {
			t.Errorf("the example repository has no\n%s", policy)
		}
	}
}
