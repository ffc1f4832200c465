package policies_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// TestCodesAreDocumented: every code of a refusal has its row in docs/rules.md and says in
// docs/refusals.md, where messages lead, what to do; every cause is in docs/codes.md.
func TestCodesAreDocumented(t *testing.T) {
	rules, err := os.ReadFile("../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	codes, err := os.ReadFile("../docs/codes.md")
	if err != nil {
		t.Fatal(err)
	}
	refusals, err := os.ReadFile("../docs/refusals.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "decision.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, is := node.(*ast.ValueSpec)
		if !is || len(spec.Values) == 0 {
			return true
		}
		if kind, is := spec.Type.(*ast.Ident); !is || kind.Name != "Code" {
			return true
		}
		code := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		n++
		if !strings.Contains(string(rules), "| `"+code+"` |") {
			t.Errorf("docs/rules.md has no row for %s", code)
		}
		if !strings.Contains(string(refusals), "\n### "+code+"\n**") {
			t.Errorf("docs/refusals.md does not say who can do what about %s", code)
		}
		return true
	})
	if n < 40 {
		t.Errorf("found only %d codes", n)
	}
	for _, cause := range requests.Causes {
		if !strings.Contains(string(codes), "| `"+cause+"` |") {
			t.Errorf("docs/codes.md has no row for %s", cause)
		}
	}
}
