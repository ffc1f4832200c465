package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

const top = "../.."

var rooms = map[string]string{
	"requests": "requests", "policies": "policies", "codeowners": "policies/codeowners",
	"rbac": "policies/rbac", "render": "render", "action": "action", "github": "internal/github",
	"sync": "sync", "plan": "sync/plan", "git": "sync/git", "ledger": "sync/ledger",
	"kube": "sync/kube", "expiry": "sync/expiry", "monitor": "sync/monitor",
}

// TestMap holds that every file, folder, link and name of Go code that docs/map.md sends a newcomer
// to exists.
func TestMap(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "docs/map.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{}
	for room, folder := range rooms {
		named[room] = declared(t, folder)
	}
	code := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(text), -1)
	if len(code) < 20 {
		t.Fatalf("the map names %d things; they are not found", len(code))
	}
	for _, m := range code {
		room, name, dotted := strings.Cut(m[1], ".")
		switch names, known := named[room]; {
		case strings.Contains(m[1], "/"):
			if _, err := os.Stat(filepath.Join(top, m[1])); err != nil {
				t.Errorf("%s: %v", m[1], err)
			}
		case dotted && known:
			if !slices.Contains(names, name) {
				t.Errorf("package %s has no %s", room, name)
			}
		case !strings.Contains(m[1], " "):
			if !slices.Contains(slices.Concat(slices.Collect(maps.Values(named))...), m[1]) {
				t.Errorf("%s is neither a file nor declared anywhere", m[1])
			}
		}
	}
}

// TestLinks holds that the links between documents lead to files.
func TestLinks(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join(top, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob(filepath.Join(top, "docs/decisions/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	documents = append(slices.Concat(documents, decisions), filepath.Join(top,
		"docs/monitoring/README.md"), filepath.Join(top, "README.md"), filepath.Join(top,
		".github/CONTRIBUTING.md"),
		filepath.Join(top, ".github/SECURITY.md"))
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(
			string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), m[1])); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
}

// TestSetup holds the setup of the agent to the flags that it and its installation have.
func TestSetup(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "docs/setup.md"))
	if err != nil {
		t.Fatal(err)
	}
	install := newInstallCommand(world{}).Flags()
	for _, flags := range []*pflag.FlagSet{newSyncCommand(world{}).Flags(), install} {
		flags.VisitAll(func(f *pflag.Flag) {
			if !regexp.MustCompile("`?--" + f.Name + "[` ]").Match(text) {
				t.Errorf("docs/setup.md does not explain --%s", f.Name)
			}
		})
	}
	command := regexp.MustCompile(`(?s)\npullgrant install (.*?) \|`).FindSubmatch(text)
	if command == nil {
		t.Fatal("docs/setup.md does not show how to install the agent")
	}
	if err := install.Parse(strings.Fields(strings.ReplaceAll(string(command[1]), "\\\n",
		" "))); err != nil {
		t.Error(err)
	}
}

// declared are the names a package declares, methods as Type.Method.
func declared(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", folder, len(files), err)
	}
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil,
			parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					of := d.Recv.List[0].Type
					if star, ok := of.(*ast.StarExpr); ok {
						of = star.X
					}
					if id, ok := of.(*ast.Ident); ok {
						name = id.Name + "." + name
					}
				}
				names = append(names, name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if typed, ok := spec.(*ast.TypeSpec); ok {
						names = append(names, typed.Name.Name)
					}
				}
			}
		}
	}
	return names
}
