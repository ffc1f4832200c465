package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/render"
)

const top = "../.."

var rooms = map[string]string{
	"requests": "requests", "policies": "policies", "codeowners": "policies/codeowners",
	"rbac": "policies/rbac", "render": "render", "action": "action", "github": "internal/github",
	"sync": "sync", "plan": "sync/plan", "git": "sync/git", "ledger": "sync/ledger",
	"kube": "sync/kube", "mapusers": "sync/mapusers", "expiry": "sync/expiry", "monitor": "sync/monitor",
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

// TestIndexIsWhole: docs/README.md leads to every page beside it.
func TestIndexIsWhole(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(top, "docs/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := os.ReadDir(filepath.Join(top, "docs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		name := page.Name()
		if name != "README.md" && path.Ext(name) != ".json" && !strings.Contains(string(index), "("+name) {
			t.Errorf("docs/README.md does not lead to %s", name)
		}
	}
}

// TestSectionsAreWhole: a merge of two changes can leave a heading, or a sentence that announces
// what follows, without it.
func TestSectionsAreWhole(t *testing.T) {
	headless := regexp.MustCompile(`(?m)^(##+) .*\n\s*(##? .*|\z)|:\n\n(##.*|\z)`)
	for document, text := range documents(t) {
		for _, m := range headless.FindAllString(text, -1) {
			t.Errorf("%s: nothing follows in %q", document, m)
		}
	}
}

// TestNamedTestsExist: each test that a document names is where the document says, and so is each
// file of a test. A test without a place before it may be anywhere.
func TestNamedTestsExist(t *testing.T) {
	places := map[string][]string{} // files and folders by test
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := fs.WalkDir(os.DirFS(top), ".", func(name string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() && slices.Contains([]string{".git", ".cache"}, name) {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		source, err := os.ReadFile(filepath.Join(top, name))
		for _, m := range declaration.FindAllStringSubmatch(string(source), -1) {
			places[m[1]] = append(places[m[1]], name, path.Dir(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	place := "(?:`([^` ]+)` )?"
	test := regexp.MustCompile(place + "`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`((?:, `\\w+`)*)")
	file := regexp.MustCompile("`(testdata/[^` *]+\\.[a-z]+|[^` *]+_test\\.go)`")
	named := map[string]int{}
	for document, text := range documents(t) {
		for _, m := range test.FindAllStringSubmatch(text, -1) {
			all := append([]string{m[2]}, strings.FieldsFunc(m[3], func(r rune) bool {
				return strings.ContainsRune(", `", r)
			})...)
			for _, name := range all {
				named[filepath.Base(document)]++
				if len(places[name]) == 0 || m[1] != "" && !slices.Contains(places[name], m[1]) {
					t.Errorf("%s: there is no %s %s; it is in %v", document, m[1], name,
						places[name])
				}
			}
		}
		for _, m := range file.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(top, m[1])); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
	if named["faults.md"] < 60 || named["guarantees.md"] < 30 || named["github.md"] == 0 {
		t.Errorf("these documents name tests, and too few were found: %v", named)
	}
}

// documents are the texts of all of them, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md", ".github/*.md", "README.md"} {
		found, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d documents, error %v", pattern, len(found), err)
		}
		for _, document := range found {
			text, err := os.ReadFile(document)
			if err != nil {
				t.Fatal(err)
			}
			texts[document] = string(text)
		}
	}
	return texts
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

// TestEmergencyNamesTheRights: an expirer that somebody starts by hand needs those that its role has.
func TestEmergencyNamesTheRights(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(top, "docs/emergency.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile("`" + render.ExpirerRights + "`, to list, watch\\s+and delete ([^.]*)\\.").
		FindSubmatch(text)
	if told == nil {
		t.Fatal("docs/emergency.md does not say what an expirer may do")
	}
	var needed []string
	for _, object := range render.Rights(render.Footprint{}) {
		role, is := object.(*rbacv1.ClusterRole)
		if !is || role.Name != render.ExpirerRights {
			continue
		}
		for _, rule := range role.Rules {
			if slices.Equal(rule.Verbs, []string{"list", "watch", "delete"}) {
				needed = append(needed, rule.Resources...)
			}
		}
	}
	named := regexp.MustCompile(`,\s+|\s+and\s+`).Split(string(told[1]), -1)
	slices.Sort(needed)
	if slices.Sort(named); len(needed) == 0 || !slices.Equal(named, needed) {
		t.Errorf("it names %v, and needs %v", named, needed)
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
