// Command mutate breaks the code of each room in many small ways and sees the room's tests fail.
// What is broken is chosen by rules and a hash, in sites.go; how many places of which room is in
// rooms.go. The source tree is not touched: the compiler is given other files in place of it. The
// rules of judgement are broken one by one, by hand, in the folder rules.
package main

import (
	"fmt"
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

// run tries the rooms of the names, or all; then the table of docs/mutations.md is written too.
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
	reasons, err := readReasons(filepath.Join(root, "testdata/mutate/survivors.txt"))
	if err != nil {
		return err
	}
	commit, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return fmt.Errorf("which commit this is: %w", err)
	}
	report := trial.report(strings.TrimSpace(string(commit)), reasons)
	fmt.Print(report)
	if len(names) == 0 {
		err := os.WriteFile(filepath.Join(root, "docs/mutations.md"), []byte(report), 0o644)
		if err != nil {
			return err
		}
	}
	if n := trial.unnamed(reasons); n > 0 {
		return fmt.Errorf("%d places can be broken and no test notices", n)
	}
	return nil
}
