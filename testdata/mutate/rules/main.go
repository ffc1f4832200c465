// Command mutate breaks one rule at a time and sees that it is noticed: a rule of judgement, by any
// test, or what a rule of the simulation is about, by that very rule. The lists mutations.txt and
// simulation.txt say how. The source tree is not touched: the compiler is given the broken file in
// its place.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

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
func (m mutation) caught(root, dir string) (by string, err error) {
	source, err := m.apply(root)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "broken.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root,
		m.file): file}})
	if err != nil {
		return "", err
	}
	for name, data := range map[string][]byte{file: source, filepath.Join(dir,
		"overlay.json"): overlay} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return "", err
		}
	}
	test := exec.Command("go", append([]string{"test", "-overlay", filepath.Join(dir,
		"overlay.json")},
		m.test...)...)
	test.Dir = root
	out, err := test.CombinedOutput()
	if bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out,
		[]byte("no tests to run")) {
		return "", fmt.Errorf("%s: %s\n%s", m.rule, m.broken, out)
	}
	if err != nil {
		by = "a test"
	}
	return by, nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run tries the mutations of a list: those of the named rules, or all. A rule's first word names it.
func run(arguments []string) error {
	if len(arguments) == 0 || lists[arguments[0]].head == nil {
		return errors.New("say which list: judgement or simulation, and which of its rules")
	}
	all, err := parse(arguments[0])
	if err != nil {
		return err
	}
	rules := arguments[1:]
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pullgrant-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	all = slices.DeleteFunc(all, func(m mutation) bool {
		name, _, _ := strings.Cut(m.rule, " ")
		return len(rules) > 0 && !slices.Contains(rules, name)
	})
	caught := func(m mutation) (string, error) { return m.caught(root, dir) }
	if arguments[0] == "simulation" {
		p, err := buildProgram(root, dir, all)
		if err != nil {
			return err
		}
		caught = p.caught
	}
	all = slices.DeleteFunc(all, func(m mutation) bool { return m.beside })
	survived := 0
	for _, m := range all {
		by, err := caught(m)
		if err != nil {
			return err
		}
		word := "caught by " + by
		if by == "" {
			survived++
			word = "SURVIVED"
		}
		fmt.Printf("%s: %s: %s: %s\n", word, m.rule, m.file, strings.TrimSpace(m.broken))
	}
	fmt.Printf("%d rules broken one at a time, %d noticed, %d not\n", len(all),
		len(all)-survived, survived)
	if survived > 0 {
		return fmt.Errorf("%d broken rules were not noticed", survived)
	}
	return nil
}
