package pullgrant_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const module = "github.com/pullgrant/pullgrant"

// rooms are the packages and which of the others each may import: one way only. Tests may also
// import testdata's.
var rooms = map[string][]string{
	"requests":            {},
	"policies/codeowners": {"requests"},
	"policies/rbac":       {"requests"},
	"policies":            {"requests", "policies/codeowners", "policies/rbac"},
	"policies/convert":    {"requests", "policies"},
	"render":              {"requests"},
	"internal/github":     {"requests", "policies", "policies/codeowners", "policies/rbac"},
	"internal/inquire":    {"requests", "policies"},
	"internal/outbound":   {},
	"internal/notify":     {"requests", "policies", "internal/outbound"},
	"internal/oncall":     {"policies", "internal/inquire"},
	"internal/checks":     {"requests", "policies", "internal/inquire", "internal/outbound"},
	"action": {"requests", "policies", "policies/rbac", "render", "internal/github",
		"internal/inquire", "internal/checks", "internal/oncall", "internal/notify"},
	"sync/git":  {},
	"sync/plan": {"requests", "policies", "render"},
	"sync/ledger": {"requests", "policies", "policies/codeowners", "policies/rbac",
		"internal/github",
		"sync/git", "sync/plan"},
	"internal/audit":     {"requests", "policies", "policies/rbac", "sync/ledger"},
	"internal/auditpage": {"requests", "internal/audit"},
	"sync/kube":          {"requests", "policies", "policies/rbac", "render", "sync/plan"},
	"sync/mapusers":      {"requests", "render"},
	"sync/monitor":       {"requests", "policies", "sync/plan"},
	"sync/expiry":        {"sync/plan", "sync/kube", "sync/monitor"},
	"sync/names":         {"requests", "render", "sync/plan", "sync/kube"},
	"sync/awsauth":       {"requests", "policies", "sync/plan", "sync/kube", "sync/mapusers", "sync/monitor"},
	"sync/messages":      {"requests", "policies", "internal/notify", "sync/plan", "sync/kube", "sync/monitor"},
	"sync/execaudit":     {"requests", "render", "sync/plan", "sync/kube", "sync/monitor"},
	"internal/doctor": {"requests", "policies", "policies/rbac", "render", "internal/github", "sync/plan",
		"sync/kube"},
	"sync": {"requests", "policies", "policies/codeowners", "policies/rbac", "render",
		"internal/github", "internal/inquire", "internal/notify",
		"sync/git", "sync/plan", "sync/ledger", "sync/kube", "sync/mapusers", "sync/monitor", "sync/expiry",
		"sync/names", "sync/execaudit", "sync/messages"},
	"cmd/pullgrant": {"requests", "policies", "policies/rbac", "policies/convert", "render",
		"internal/github", "internal/inquire", "internal/checks", "internal/outbound", "internal/oncall",
		"internal/notify", "internal/doctor", "internal/audit", "internal/auditpage", "action",
		"sync", "sync/git", "sync/ledger", "sync/kube", "sync/expiry", "sync/awsauth",
		"sync/execaudit"},
}

// pure rooms take time, files and randomness as arguments, so that what they decide can be decided
// again.
var pure = []string{"requests", "policies", "policies/codeowners", "policies/rbac", "policies/convert",
	"render", "sync/plan", "sync/mapusers", "internal/audit",
	"internal/auditpage"}

var impure = regexp.MustCompile(`^(os|net|math/rand|crypto/rand|syscall|log|unsafe|plugin)(/.*)?$`)

// Of the package time, pure rooms use none that reads the clock or waits. The others are told what
// time it is by cmd, but may wait.
var (
	clock  = []string{"Now", "Since", "Until", "Sleep"}
	timers = []string{"After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
)

// homes says where each library lives. cmd only turns --kubeconfig into the configuration that sync
// is given.
var homes = map[string][]string{
	"cel.dev/":                                 {"policies"},
	"github.com/google/go-github/":             {"internal/github"},
	"github.com/sethvargo/go-githubactions":    {"action"},
	"github.com/PagerDuty/go-pagerduty":        {"internal/oncall"},
	"github.com/go-git/":                       {"sync/git"},
	"github.com/standard-webhooks/":            {"internal/checks"},
	"github.com/nicholas-fedor/shoutrrr/":      {"internal/notify"},
	"github.com/prometheus/":                   {"sync/monitor"},
	"k8s.io/client-go/":                        {"sync/kube", "sync/expiry", "sync/names"},
	"k8s.io/client-go/rest":                    {"sync/kube", "cmd/pullgrant"},
	"k8s.io/client-go/tools/clientcmd":         {"cmd/pullgrant"},
	"k8s.io/klog/v2":                           {"sync/kube"},
	"github.com/go-logr/logr":                  {"sync/kube"},
	"sigs.k8s.io/kustomize/":                   {"render"},
	"github.com/spf13/":                        {"cmd/pullgrant"},
	"golang.org/x/mod/":                        {"cmd/pullgrant"},
	"charm.land/":                              {"cmd/pullgrant"},
	"github.com/charmbracelet/":                {"cmd/pullgrant"},
	"github.com/agnivade/levenshtein":          {"cmd/pullgrant"},
	"github.com/creack/pty":                    {"cmd/pullgrant"},
	"gopkg.in/yaml":                            {},
	"sigs.k8s.io/yaml":                         {},
	"github.com/goccy/go-yaml":                 {},
	"go.yaml.in/yaml/v2":                       {},
	"github.com/hmarr/codeowners":              {},
	"github.com/hiddeco/sshsig":                {"sync/git"},
	"golang.org/x/crypto/ssh":                  {"sync/git"},
	"github.com/santhosh-tekuri/jsonschema/v6": {},
}

// file is one Go file of the module.
type file struct {
	path, room string // room: the folder
	test       bool
	syntax     *ast.File
	data       []byte
}

func (f file) isTestdata() bool {
	return f.room == "testdata" || strings.HasPrefix(f.room, "testdata/")
}

func goFiles(t *testing.T) (files []file) {
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || skip(name, entry) {
			return or(err, fs.SkipDir)
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
		files = append(files, file{path: name, room: path.Dir(name), test: strings.HasSuffix(name,
			"_test.go"), syntax: syntax, data: data})
		return err
	})
	if err != nil || len(files) < 50 {
		t.Fatalf("found %d Go files: %v", len(files), err)
	}
	return files
}

// skip leaves out what is not ours to look at: git, caches, built programs.
func skip(name string, entry fs.DirEntry) bool {
	base := path.Base(name)
	return entry.IsDir() && name != "." && (strings.HasPrefix(base, ".") && base != ".github" &&
		base != ".ci" || name == "bin")
}

func or(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func (f file) imports(t *testing.T) (paths []string) {
	for _, spec := range f.syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

func TestImportsGoOneWay(t *testing.T) {
	for _, f := range goFiles(t) {
		allowed, known := rooms[f.room]
		if !known && !f.isTestdata() && f.room != "." {
			t.Errorf("%s: there is no room %s", f.path, f.room)
		}
		for _, p := range f.imports(t) {
			other, ours := strings.CutPrefix(p, module+"/")
			switch {
			case !ours || other == f.room:
			case strings.HasPrefix(other, "testdata/"):
				if !f.test && !f.isTestdata() {
					t.Errorf("%s imports %s, which is for tests", f.path, other)
				}
			case !f.isTestdata() && !slices.Contains(allowed, other):
				t.Errorf("%s imports %s; %s may import %v", f.path, other, f.room, allowed)
			}
		}
	}
}

func TestPureRooms(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || f.isTestdata() || f.room == "cmd/pullgrant" {
			continue
		}
		forbidden := clock
		if slices.Contains(pure, f.room) {
			forbidden = append(slices.Clone(clock), timers...)
			for _, p := range f.imports(t) {
				if impure.MatchString(p) {
					t.Errorf("%s imports %s; %s takes such things as arguments", f.path, p, f.room)
				}
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(forbidden,
					s.Sel.Name) {
					t.Errorf("%s uses time.%s; only cmd reads the clock", f.path, s.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestSerialRooms holds that the rooms which the Makefile tests without the race detector, and what
// they are tested with, start nothing that runs beside them.
func TestSerialRooms(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^serial := (.+)$`).FindSubmatch(makefile)
	if line == nil {
		t.Fatal("the Makefile names no serial rooms")
	}
	files := goFiles(t)
	rooms := strings.Fields(string(line[1]))
	named := len(rooms)
	for n := 0; n < len(rooms); n++ { // grows by what they import
		found := false
		for _, f := range files {
			if f.room != rooms[n] || n >= named && f.test {
				continue
			}
			found = true
			for _, p := range f.imports(t) {
				if room, ours := strings.CutPrefix(p, module+"/"); ours && !slices.Contains(rooms, room) {
					rooms = append(rooms, room)
				}
			}
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				_, starts := n.(*ast.GoStmt)
				if s, is := n.(*ast.SelectorExpr); is {
					starts = s.Sel.Name == "Go" || s.Sel.Name == "Parallel"
				}
				if starts {
					t.Errorf("%s starts something beside; the Makefile's serial rooms do not", f.path)
				}
				return true
			})
		}
		if !found {
			t.Errorf("no Go file in %s", rooms[n])
		}
	}
}

func TestLibrariesHaveOneHome(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || f.isTestdata() {
			continue
		}
		for _, p := range f.imports(t) {
			longest := ""
			for library := range homes {
				if strings.HasPrefix(p, library) && len(library) > len(longest) {
					longest = library
				}
			}
			if longest != "" && !slices.Contains(homes[longest], f.room) {
				t.Errorf("%s imports %s, which lives in %v", f.path, p, homes[longest])
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	const most = 400
	for _, f := range goFiles(t) {
		if n := bytes.Count(f.data, []byte("\n")); n >= most {
			t.Errorf("%s has %d lines; files have fewer than %d", f.path, n, most)
		}
		for _, folder := range strings.Split(f.room, "/") {
			if slices.Contains([]string{"pkg", "util", "utils", "common", "helpers", "misc",
				"shared"}, folder) {
				t.Errorf("%s: the folder %s says nothing of what is in it", f.path, folder)
			}
		}
	}
}

// TestLinesAreNarrow counts a tab as four columns. What has no place to break, such as an address,
// may be longer than any other line.
func TestLinesAreNarrow(t *testing.T) {
	const most, wide, share = 120, 100, 0.033 // of all lines may be wide
	unbreakable := regexp.MustCompile(`\S{80,}`)
	lines, over := 0, 0
	for _, f := range goFiles(t) {
		number := 0
		for line := range bytes.Lines(f.data) {
			number, lines = number+1, lines+1
			text := strings.TrimRight(strings.ReplaceAll(string(line), "\t", "    "), "\n")
			switch columns := utf8.RuneCountInString(text); {
			case columns > most && !unbreakable.MatchString(text):
				t.Errorf("%s:%d has %d columns; the most is %d", f.path, number, columns, most)
			case columns > wide:
				over++
			}
		}
	}
	if float64(over) > share*float64(lines) {
		t.Errorf("%d of %d lines have more than %d columns", over, lines, wide)
	}
}

// TestNothingIsLeftForLater looks into every text file: what is to be done is done, or stands in an
// issue.
func TestNothingIsLeftForLater(t *testing.T) {
	later := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || skip(name, entry) {
			return or(err, fs.SkipDir)
		}
		info, err := entry.Info()
		theirs := name == "go.sum" || name == "testdata/forge/graphql/github-schema.graphql"
		if err != nil || !info.Mode().IsRegular() || theirs {
			return err
		}
		data, err := os.ReadFile(name)
		if at := later.FindIndex(data); err == nil && at != nil &&
			!bytes.ContainsRune(data[:min(len(data), 8000)], 0) {
			t.Errorf("%s:%d: %s", name, 1+bytes.Count(data[:at[0]], []byte("\n")),
				data[at[0]:at[1]])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
