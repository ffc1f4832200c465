package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type codeownersOptions struct {
	checkout checkout
	check    bool
	output   *format
}

// ownersChange is what becomes of CODEOWNERS.
type ownersChange struct {
	Path     string             `json:"path"`
	Differs  bool               `json:"differs" about:"It is not, or was not, as the policies want it."`
	Diff     string             `json:"diff,omitempty" about:"What was written, or with --check would be."`
	Findings []requests.Finding `json:"findings" about:"What no generated line can mend."`
}

func newCodeownersCommand(w world) *cobra.Command {
	var o codeownersOptions
	cmd := &cobra.Command{
		Use:   "codeowners",
		Short: "Write the owners of each policy's requests into CODEOWNERS",
		Long: `Write, for each policy that asks for a PeerReview, its reviewers as owners of the
folder its requests stand in, so that GitHub asks those for a review whose approval counts. Groups
of groups.yaml are written as their members. A policy with a CodeOwnerReview gets no line: there
CODEOWNERS itself is the rule, written by people.

Only the lines between "# pullgrant: begin" and "# pullgrant: end" are written; without these two
they go to the end. What no generated line can mend is told as a finding: a later line that takes
the place of one, or a place that decides who gets access and has no owner (policies/, .github/,
catalog/, install/, revocations/, reviews/).

With --check nothing is written: the difference goes to stdout. The exit code is 1 when there is
one, or a finding.`,
		Example: `  pullgrant codeowners
  pullgrant codeowners --check`,
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return codeowners(w, o) },
	}
	o.checkout.flag(cmd)
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; show what would change")
	o.output = outputFlag(cmd, ownersChange{}, asName)
	return cmd
}

func codeowners(w world, o codeownersOptions) error {
	dir, files, err := o.checkout.open()
	if err != nil {
		return err
	}
	tree, err := policies.ReadTree(files, ownerOf(dir))
	if err != nil {
		return fmt.Errorf("read the policies in %s: %w", dir, err)
	}
	file := tree.OwnersFile()
	changed := file.Before != file.After
	var diff report
	var names []string
	if changed {
		names = []string{file.Path}
		diff.difference(file)
	}
	err = o.output.print(w, printed{names: names, value: ownersChange{Path: file.Path, Differs: changed,
		Diff: diff.String(), Findings: file.Findings}, people: func(bool) error {
		r := findingLines(w, file.Findings)
		if o.check {
			r.WriteString(diff.String())
		}
		return r.to(w.out)
	}})
	if err != nil {
		return err
	}
	switch {
	case !changed && len(file.Findings) > 0:
		w.say("nothing to write: what is found is for you to put right")
	case !changed:
		w.say("%s is as the policies want it", file.Path)
	case o.check:
		w.say("%s is not as the policies want it; run \"%s codeowners\"", file.Path, program)
	default:
		if err := writeOwners(dir, file); err != nil {
			return err
		}
		w.say("wrote %s", file.Path)
	}
	if len(file.Findings) > 0 || o.check && changed {
		return verdict(exitFindings)
	}
	return nil
}

// writeOwners writes the file in place: its links cannot lead out of the repository.
func writeOwners(dir string, file policies.OwnersFile) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write %s: %w", file.Path, err)
	}
	defer root.Close()
	return writeFile(root, file.Path, []byte(file.After))
}

// difference is a unified diff of one hunk, from the first line that differs to the last.
func (r *report) difference(file policies.OwnersFile) {
	before, after := lines(file.Before), lines(file.After)
	same := 0
	for same < len(before) && same < len(after) && before[same] == after[same] {
		same++
	}
	tail := 0
	for tail < len(before)-same && tail < len(after)-same &&
		before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	removed, added := before[same:len(before)-tail], after[same:len(after)-tail]
	r.line("--- %s", file.Path)
	r.line("+++ %s", file.Path)
	r.line("@@ -%s +%s @@", hunk(same, len(removed)), hunk(same, len(added)))
	for _, line := range removed {
		r.line("-%s", line)
	}
	for _, line := range added {
		r.line("+%s", line)
	}
}

// hunk is where lines stand in a file, as diff counts: an empty piece stands behind the line before
// it.
func hunk(same, n int) string {
	if n > 0 {
		same++
	}
	return fmt.Sprintf("%d,%d", same, n)
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
