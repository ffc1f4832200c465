// Command mutate breaks one rule of judgement at a time and sees a test fail. mutations.txt says
// how: a line with the rule, the file and the arguments of go test, then the line as it stands
// behind a minus and the broken one behind a plus. The source tree is not touched: the compiler is
// given the broken file in its place.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed mutations.txt
var list string

// mutation is one way to break a rule.
type mutation struct {
	rule, file  string
	test        []string // arguments of go test
	old, broken string
}

func parse(text string) ([]mutation, error) {
	var all []mutation
	for i, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(block, "\n")
		head := strings.Fields(lines[0])
		if len(lines) != 3 || len(head) < 3 || !strings.HasPrefix(lines[1], "-") ||
			!strings.HasPrefix(lines[2], "+") {
			return nil, fmt.Errorf("block %d of mutations.txt: want a line with rule, file and "+
				"tests, then one with - and one with +", i+1)
		}
		all = append(all, mutation{rule: head[0], file: head[1], test: head[2:], old: lines[1][1:],
			broken: lines[2][1:]})
	}
	return all, nil
}

// apply is the broken file.
func (m mutation) apply(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.rule, err)
	}
	if n := bytes.Count(source, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("%s: %s has %q %d times, want once", m.rule, m.file, m.old, n)
	}
	return bytes.Replace(source, []byte(m.old), []byte(m.broken), 1), nil
}

// caught tells whether the tests notice.
func (m mutation) caught(root, dir string) (bool, error) {
	source, err := m.apply(root)
	if err != nil {
		return false, err
	}
	file := filepath.Join(dir, "broken.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root,
		m.file): file}})
	if err != nil {
		return false, err
	}
	for name, data := range map[string][]byte{file: source, filepath.Join(dir,
		"overlay.json"): overlay} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return false, err
		}
	}
	test := exec.Command("go", append([]string{"test", "-overlay", filepath.Join(dir,
		"overlay.json")},
		m.test...)...)
	test.Dir = root
	out, err := test.CombinedOutput()
	if bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out,
		[]byte("no tests to run")) {
		return false, fmt.Errorf("%s: %s\n%s", m.rule, m.broken, out)
	}
	return err != nil, nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run tries the mutations of the named rules, or all.
func run(rules []string) error {
	all, err := parse(list)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pullgrant-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tried, survived := 0, 0
	for _, m := range all {
		if len(rules) > 0 && !strings.Contains(" "+strings.Join(rules, " ")+" ", " "+m.rule+" ") {
			continue
		}
		caught, err := m.caught(root, dir)
		if err != nil {
			return err
		}
		tried++
		word := "caught  "
		if !caught {
			survived++
			word = "SURVIVED"
		}
		fmt.Printf("%s %-4s %s: %s\n", word, m.rule, m.file, strings.TrimSpace(m.broken))
	}
	fmt.Printf("%d rules broken one at a time, %d noticed, %d not\n", tried,
		tried-survived, survived)
	if survived > 0 {
		return fmt.Errorf("%d broken rules were not noticed", survived)
	}
	return nil
}
