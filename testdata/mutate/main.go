// Command mutate breaks the code of each room in many small ways and sees the room's tests fail.
// What is broken is chosen by rules and a hash, in sites.go; how many places of which room is in
// rooms.go. The source tree is not touched: the compiler is given other files in place of it. The
// rules of judgement are broken one by one, by hand, in the folder rules.
package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run tries the rooms of the names, or all, and writes their rows of docs/mutations.md.
func run(names []string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	chosen := rooms
	if len(names) > 0 {
		chosen = slices.DeleteFunc(slices.Clone(rooms), func(r room) bool {
			return !slices.Contains(names, r.dir)
		})
		if len(chosen) != len(names) {
			return fmt.Errorf("%s: not all of these are rooms", strings.Join(names, ", "))
		}
	}
	commit, err := commitOf(root)
	if err != nil {
		return err
	}
	reasons, err := readReasons(filepath.Join(root, "testdata/mutate/survivors.txt"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pullgrant-mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	trial, err := newTrial(root, dir, chosen)
	if err != nil {
		return err
	}
	if err := trial.run(); err != nil {
		return err
	}
	rows := trial.rows(commit, reasons)
	fmt.Print(report(rows))
	if err := write(filepath.Join(root, table), rows); err != nil {
		return err
	}
	if n := trial.unnamed(reasons); n > 0 {
		return fmt.Errorf("%d places can be broken and no test notices", n)
	}
	return nil
}

const table = "docs/mutations.md"

// commitOf names the commit whose code is broken, and says so if the code is not as committed. The
// table does not count: each room that is tried changes it.
func commitOf(root string) (string, error) {
	git := func(arguments ...string) (string, error) {
		command := exec.Command("git", arguments...)
		command.Dir = root
		out, err := command.Output()
		if err != nil {
			return "", fmt.Errorf("which commit this is: %w", err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	commit, err := git("rev-parse", "--short=8", "HEAD")
	if err != nil {
		return "", err
	}
	changed, err := git("status", "--porcelain", "--", ".", ":!"+table)
	if err != nil {
		return "", err
	}
	if changed != "" {
		commit += " with changes"
	}
	return commit, nil
}

// own is the part of docs/mutations.md that is written here, and the rest, on the simulation, which
// is kept.
func own(text string) (part, rest string) {
	if i := strings.Index(text, "\n## What the simulation sees\n"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// write puts the rows in the file and keeps its others. It is read only now, since other rooms may
// have been tried meanwhile.
func write(file string, rows map[string]row) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	all, err := readReport(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	maps.Copy(all, rows)
	_, rest := own(string(text))
	return os.WriteFile(file, []byte(report(all)+rest), 0o644)
}
