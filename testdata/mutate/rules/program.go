package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const switches = "github.com/pullgrant/pullgrant/testdata/mutate/switched"

// program is the simulation with all mutations of its list in it, each behind its number: what costs
// most is to build it.
type program struct{ root, dir string }

// buildProgram builds it in a folder of its own.
func buildProgram(root, dir string, all []mutation) (program, error) {
	p := program{root, dir}
	byFile := map[string][]mutation{}
	for _, m := range all {
		byFile[m.file] = append(byFile[m.file], m)
	}
	replace := map[string]string{}
	for path, some := range byFile {
		source, err := switched(root, path, some)
		if err != nil {
			return p, err
		}
		file := filepath.Join(dir, strings.ReplaceAll(path, "/", "--"))
		replace[filepath.Join(root, path)] = file
		if err := os.WriteFile(file, source, 0o600); err != nil {
			return p, err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return p, err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return p, err
	}
	build := exec.Command("go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", p.file(),
		"-ldflags", "-X "+switches+".place="+dir, "./testdata/simulation")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return p, fmt.Errorf("building the simulation: %w\n%s", err, out)
	}
	return p, nil
}

func (p program) file() string { return filepath.Join(p.dir, "simulation") }

// switched is a file in which each function that has mutations calls, when one is turned on, a copy
// of itself that has it.
func switched(root, path string, all []mutation) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	offset := func(at token.Pos) int { return set.Position(at).Offset }
	out, done := bytes.NewBuffer(nil), 0
	write := func(to token.Pos) {
		out.Write(source[done:offset(to)])
		done = offset(to)
	}
	write(tree.Name.End())
	fmt.Fprintf(out, "\n\nimport %q\n", switches)
	left := slices.Clone(all)
	for _, declaration := range tree.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		text := source[offset(f.Name.End()):offset(f.End())] // the copy has another name
		var copies []byte
		for _, m := range all {
			if !bytes.Contains(text, []byte(m.old)) {
				continue
			}
			left = slices.DeleteFunc(left, func(other mutation) bool {
				return other.number == m.number && other.old == m.old
			})
			name := fmt.Sprintf("%sMutation%d", f.Name.Name, m.number)
			write(f.Body.Lbrace + 1)
			fmt.Fprintf(out, "\nif switched.On(%d) {\n%s\n}\n", m.number, forward(f, name))
			copies = slices.Concat(copies, []byte("\n\n"), source[offset(f.Pos()):offset(f.Name.Pos())],
				[]byte(name), bytes.Replace(source[offset(f.Name.End()):offset(f.End())], []byte(m.old),
					[]byte(m.broken), 1))
		}
		write(f.End())
		out.Write(copies)
	}
	out.Write(source[done:])
	if len(left) > 0 {
		return nil, fmt.Errorf("%s: %q is in no function", path, left[0].old)
	}
	return out.Bytes(), nil
}

// forward is a call of another function with the receiver and parameters of this one.
func forward(f *ast.FuncDecl, name string) string {
	var names []string
	for _, field := range f.Type.Params.List {
		for _, one := range field.Names {
			names = append(names, one.Name)
		}
		if _, variadic := field.Type.(*ast.Ellipsis); variadic {
			names[len(names)-1] += "..."
		}
	}
	call := name + "(" + strings.Join(names, ", ") + ")"
	if f.Recv != nil {
		call = f.Recv.List[0].Names[0].Name + "." + call
	}
	if f.Type.Results == nil {
		return call + "\nreturn"
	}
	return "return " + call
}

// others are the seeds that are tried when a mutation's own does not show it any more, since the
// simulated world has become another.
const others = 20

// caught tells at which seed the rule that a mutation breaks sees it; empty: at none.
func (p program) caught(m mutation) (by string, err error) {
	if err := os.WriteFile(filepath.Join(p.dir, "on"), []byte(strconv.Itoa(m.number)), 0o600); err != nil {
		return "", err
	}
	seed, under, _ := strings.Cut(m.seed, " ")
	seeds := []string{m.seed}
	for n := range others {
		another := strings.TrimSpace(fmt.Sprint(n+1, " ", under))
		if seed == calm {
			another = fmt.Sprint(calm, " ", n+1)
		}
		seeds = append(seeds, another)
	}
	for _, seed := range seeds {
		out, err := p.run(seed)
		if err != nil {
			return "", err
		}
		if bytes.Contains(out, []byte(": "+m.rule+": ")) {
			return "seed " + seed, nil
		}
	}
	return "", nil
}

// run is what a seed of one hour says; a test that fails is no error.
func (p program) run(seed string) ([]byte, error) {
	seed, under, _ := strings.Cut(seed, " ")
	under, faults, _ := strings.Cut(under, ": ")
	arguments := []string{"-test.timeout=5m", "-test.run=TestFaults$", "-from=" + seed, "-seeds=1",
		"-under=" + under, "-only-faults=" + faults}
	if seed == calm {
		// not again, and no histories that are changed
		arguments = []string{"-test.timeout=5m", "-test.run=TestNothingBreaks/none", "-from=" + cmp.Or(under, "1")}
	}
	test := exec.Command(p.file(), arguments...)
	test.Dir = filepath.Join(p.root, "testdata/simulation")
	out, err := test.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return nil, fmt.Errorf("running the simulation: %w", err)
	}
	return out, nil
}
