package ledger

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestAuditPage holds docs/audit.md to the rules of the ledger: each is explained once, and nothing
// else is.
func TestAuditPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, file := range []string{"history.go", "debt.go", "account.go", "verify.go", "verify_facts.go",
		"verify_granted.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(
			`(?:v\.add\(|fault\(path, )"([a-z-]+)"`).FindAllSubmatch(source, -1) {
			rules[string(m[1])] = true
		}
	}
	var explained []string
	for _, row := range regexp.MustCompile(
		"(?m)^\\| `([a-z-]+)` \\| .+ \\| .+ \\|$").FindAllStringSubmatch(string(page), -1) {
		explained = append(explained, row[1])
	}
	if want := slices.Sorted(maps.Keys(rules)); !slices.Equal(explained, want) {
		t.Errorf("docs/audit.md explains\n%v\nand the code has\n%v", explained, want)
	}
}
