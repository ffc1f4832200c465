package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/testdata/mutate/harness"
)

const module = "github.com/pullgrant/pullgrant/"

// overlay writes the broken files and a test that runs the harness for each package, and the file
// that has the compiler take them.
func (t *trial) overlay() (string, error) {
	replace := map[string]string{}
	put := func(path string, data []byte) error {
		file := filepath.Join(t.dir, strings.ReplaceAll(path, "/", "--"))
		replace[filepath.Join(t.root, path)] = file
		return os.WriteFile(file, data, 0o600)
	}
	done := map[string]bool{}
	for _, r := range t.rooms {
		byFile := map[string][]site{}
		for _, s := range t.sites[r.dir] {
			byFile[s.file] = append(byFile[s.file], s)
		}
		for file, sites := range byFile {
			source, err := os.ReadFile(filepath.Join(t.root, file))
			if err != nil {
				return "", err
			}
			name := []byte("import \"" + module + "testdata/mutate/switched\"\n")
			source = broken(source, sites)
			if err := put(file, imported(source, name)); err != nil {
				return "", err
			}
		}
		for _, p := range r.tests {
			if done[p] {
				continue
			}
			done[p] = true
			tests, err := testsOf(filepath.Join(t.root, p))
			if err != nil {
				return "", err
			}
			for name, source := range harnesses(tests) {
				if err := put(filepath.Join(p, "zz_"+name+"_mutate_test.go"), source); err != nil {
					return "", err
				}
			}
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(t.dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o600)
}

// imported adds an import behind the package clause.
func imported(source, line []byte) []byte {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "", source, parser.ImportsOnly)
	if err != nil {
		return source // the compiler says what is wrong
	}
	at := set.Position(tree.Name.End()).Offset
	return slices.Concat(source[:at], []byte("\n\n"), line, source[at:])
}

// test is a test of a package, or of the package of its tests.
type test struct{ name, pkg string }

func testsOf(dir string) (tests []test, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, declaration := range tree.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") &&
				f.Name.Name != "TestMain" {
				tests = append(tests, test{f.Name.Name, tree.Name.Name})
			}
		}
	}
	return tests, nil
}

// harnesses are the files that make the tests known, by package, and the test that runs them.
func harnesses(tests []test) map[string][]byte {
	files := map[string][]byte{}
	runs := true
	for i, one := range tests {
		if _, ok := files[one.pkg]; ok {
			continue
		}
		var text strings.Builder
		fmt.Fprintf(&text, "package %s\n\nimport "+
			"(\n\t\"testing\"\n\t\"%stestdata/mutate/harness\"\n)\n",
			one.pkg, module)
		fmt.Fprintln(&text, "func init() {")
		for _, other := range tests[i:] {
			if other.pkg == one.pkg {
				fmt.Fprintf(&text, "\tharness.Add(%q, %s)\n", other.name, other.name)
			}
		}
		fmt.Fprintln(&text, "}")
		if runs {
			fmt.Fprintln(&text, "func TestMutations(t *testing.T) { harness.Run(t) }")
			runs = false
		} else {
			fmt.Fprintln(&text, "var _ *testing.T")
		}
		files[one.pkg] = []byte(text.String())
	}
	return files
}

// build is the program of a package's tests, with its own folder.
func (t *trial) build(p, overlay string) (string, error) {
	place := filepath.Join(t.dir, strings.ReplaceAll(p, "/", "--")+".d")
	if err := os.MkdirAll(place, 0o700); err != nil {
		return "", err
	}
	program := filepath.Join(place, "tests")
	build := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", program, "-ldflags",
		"-X "+module+"testdata/mutate/switched.place="+place, "./"+p)
	build.Dir = t.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests of %s: %w\n%s", p, err, out)
	}
	return program, nil
}

// start runs a program until it ends or a test takes longer than the limit; running is the test
// that had not ended.
func (t *trial) start(p string, orders []harness.Order, limit time.Duration) (
	ended []harness.Result, running *harness.Result, err error) {
	place := filepath.Dir(t.programs[p])
	text, err := json.Marshal(orders)
	if err != nil {
		return nil, nil, err
	}
	in, out := filepath.Join(place, "orders"), filepath.Join(place, "results")
	for file, data := range map[string][]byte{in: text, out: nil} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return nil, nil, err
		}
	}
	log, err := os.Create(filepath.Join(place, "log"))
	if err != nil {
		return nil, nil, err
	}
	defer log.Close()
	program := exec.Command(t.programs[p], "-test.run", "^TestMutations$", "-test.timeout", "0")
	program.Dir = filepath.Join(t.root, p)
	program.Env = append(os.Environ(), harness.Orders+"="+in, harness.Results+"="+out)
	program.Stdout, program.Stderr = log, log
	if err := program.Start(); err != nil {
		return nil, nil, err
	}
	over := make(chan error, 1)
	go func() { over <- program.Wait() }()
	size, since := int64(-1), time.Now()
	for alive := true; alive; {
		select {
		case <-over:
			alive = false
		case <-time.After(100 * time.Millisecond):
			if now, err := os.Stat(out); err == nil && now.Size() != size {
				size, since = now.Size(), time.Now()
			} else if time.Since(since) > limit {
				since = time.Now()
				if err := program.Process.Kill(); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	told, err := os.ReadFile(out)
	if err != nil {
		return nil, nil, err
	}
	ended, running, err = readResults(string(told))
	if err == nil && len(ended) == 0 && running == nil && len(orders) > 0 {
		text, _ := os.ReadFile(log.Name())
		err = fmt.Errorf("no test began:\n%s", text)
	}
	return ended, running, err
}
