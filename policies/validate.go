package policies

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Validate checks an access repository offline, as CI does: policies, identities, groups and
// CODEOWNERS together, each request against them, each ledger entry and policy test alone. With
// paths, only findings in those files or folders are told. owner is whose the repository is, empty
// where nobody knows. files is how many files were looked at. What GitHub alone knows (approvals,
// teams, the author) is not checked.
func Validate(fsys fs.FS, owner string, paths ...string) (findings []requests.Finding, files int,
	err error) {
	for _, name := range paths {
		if _, err := fs.Stat(fsys, name); err != nil {
			return nil, 0, fmt.Errorf("validate %s: %w", requests.Quote(name), err)
		}
	}
	chosen := func(name string) bool {
		return len(paths) == 0 || slices.ContainsFunc(paths,
			func(p string) bool { return isUnder(name, path.Clean(p)) || path.Clean(p) == "." })
	}
	tree, err := ReadTree(fsys, owner)
	if err != nil {
		return nil, 0, err
	}
	for name := range tree.Files {
		if chosen(name) {
			files++
		}
	}
	for _, f := range tree.Check() {
		if chosen(f.File) {
			findings = append(findings, f)
		}
	}
	for _, folder := range []string{requests.Folder, requests.RevocationsFolder} {
		err := fs.WalkDir(fsys, folder, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !chosen(name) {
				return err
			}
			files++
			file, err := readFile(fsys, name)
			if err != nil {
				return fmt.Errorf("read %s: %w", name, err)
			}
			findings = append(findings, checkFile(tree, name, file)...)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, 0, err
		}
	}
	requests.SortFindings(findings)
	return findings, files, nil
}

func checkFile(tree Tree, name string, file TreeFile) []requests.Finding {
	if isUnder(name, requests.Folder) {
		d := Preview(tree, name, file)
		own := slices.DeleteFunc(d.Findings, func(f requests.Finding) bool {
			return f.File != name
		})
		if d.Outcome != Allowed && len(own) == 0 { // what is wrong lies elsewhere, and the request fails with it
			return []requests.Finding{{File: name, Line: 1, Column: 1, Rule: string(d.Code),
				Message: d.Message}}
		}
		return own
	}
	if problem := file.problem(); problem != "" {
		return []requests.Finding{{File: name, Line: 1, Column: 1, Rule: "file", Message: problem}}
	}
	if _, ok := requests.SplitFactsPath(name); ok {
		if _, err := ParseFacts([]byte(file.Content)); err != nil {
			return []requests.Finding{{File: name, Line: 1, Column: 1, Rule: "facts",
				Message: err.Error()}}
		}
		return nil
	}
	_, findings := requests.ParseRevocation(name, []byte(file.Content))
	return findings
}

// factsOf are the facts of a request file that no pull request is known of.
func factsOf(commit, name string, file TreeFile) Facts {
	return Facts{Head: Tree{Commit: commit, Files: map[string]TreeFile{name: file}},
		Files: []File{{Path: name, Status: "added"}}}
}

// encode writes a request as its file.
func encode(request requests.AccessRequest) []byte {
	content, err := request.Marshal()
	if err != nil {
		panic("policies: write a request: " + err.Error()) // texts and a duration always encode
	}
	return content
}

// Preview judges what a request file says against the policies in tree, before there is a pull
// request: Allowed means that only its author and the approvals remain to be judged. The Grant has
// no window.
func Preview(tree Tree, name string, file TreeFile) Decision {
	f := factsOf("", name, file)
	j := newJudge(tree, f, time.Time{})
	j.readRequest(f.Head)
	j.run(j.fileSteps()...)
	j.run(j.policySteps()...)
	for _, c := range j.conditions() {
		if kind, ok := c.kind(); ok {
			j.decision.Challenges = append(j.decision.Challenges, kind.met(j.world, j.facts,
				c, tally{}))
		}
	}
	return j.finish()
}

// Explain is the decision in lines for people: the outcome first, then what to do. Everything from
// files is quoted.
func (d Decision) Explain() []string {
	lines := []string{fmt.Sprintf("%s: %s", strings.ToUpper(d.Outcome.String()), d.Message)}
	if d.Code != "" {
		lines[0] = fmt.Sprintf("%s %s: %s", strings.ToUpper(d.Outcome.String()), d.Code, d.Message)
	}
	if g := d.Grant; g != nil {
		for _, given := range g.Gives() {
			lines = append(lines, fmt.Sprintf("  %s gets %s for %s", g.Subject.Name, given,
				g.Duration))
		}
	}
	for depth, c := range d.AllChallenges() {
		mark := "missing"
		if c.Met {
			mark = "met"
		}
		lines = append(lines, fmt.Sprintf("  %s%s %s: %d of %d, approved by [%s], may approve [%s]",
			strings.Repeat("  ", depth), c.Kind, mark, len(c.Approvers), c.Count,
			strings.Join(c.Approvers, ", "), strings.Join(c.Reviewers, ", ")))
	}
	for _, r := range d.Ignored {
		lines = append(lines, "  "+r.Message+" ["+string(r.Code)+"]")
	}
	return lines
}
