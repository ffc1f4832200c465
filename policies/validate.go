package policies

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Each calls do for each number below n and returns when all calls have. They may come in any order,
// and beside each other.
type Each func(n int, do func(int))

// InTurn is Each of one after the other.
func InTurn(n int, do func(int)) {
	for i := range n {
		do(i)
	}
}

// Validate checks an access repository offline, as CI does: policies, identities, groups and
// CODEOWNERS together, each request against them, each ledger entry and policy test alone. With
// paths, only findings in those files or folders are told. owner is whose the repository is, empty
// where nobody knows. each spreads the work. files is how many files were looked at. What GitHub
// alone knows (approvals, teams, the author) is not checked.
func Validate(fsys fs.FS, owner string, each Each, paths ...string) (findings []requests.Finding,
	files int, err error) {
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
		if name != AttributesPath && chosen(name) {
			files++
		}
	}
	for _, f := range tree.check() {
		if chosen(f.File) {
			findings = append(findings, f)
		}
	}
	var names []string
	for _, folder := range []string{requests.Folder, requests.RevocationsFolder,
		requests.ReviewsFolder} {
		below, err := filesBelow(fsys, folder)
		if err != nil {
			return nil, 0, fmt.Errorf("read %s/: %w", folder, err)
		}
		names = append(names, below...)
	}
	named := namesOf(names)
	names = slices.DeleteFunc(names, func(name string) bool { return !chosen(name) })
	found, failed := make([][]requests.Finding, len(names)), make([]error, len(names))
	each(len(names), func(n int) {
		var file TreeFile
		if file, failed[n] = readFile(fsys, names[n]); failed[n] == nil {
			found[n] = checkFile(tree, names[n], file, usedBeside(names[n], named))
		}
	})
	for n, name := range names {
		if failed[n] != nil {
			return nil, 0, fmt.Errorf("read %s: %w", name, failed[n])
		}
	}
	files += len(names)
	findings = append(findings, slices.Concat(found...)...)
	findings = oneForLineEnds(findings)
	requests.SortFindings(findings)
	return findings, files, nil
}

// oneForLineEnds puts one finding in the place of those about carriage returns, where several files
// have them: then git has put them there, and not those who wrote the files.
func oneForLineEnds(findings []requests.Finding) []requests.Finding {
	var others, ends []requests.Finding
	files := map[string]bool{}
	for _, f := range findings {
		if strings.HasPrefix(f.Message, "carriage return") {
			ends = append(ends, f)
			files[f.File] = true
		} else {
			others = append(others, f)
		}
	}
	if len(files) < 2 {
		return findings
	}
	one := ends[0]
	one.Rule = "line-ends"
	one.Message = fmt.Sprintf("this file and %d more have CRLF line ends, as git writes them with "+
		"core.autocrlf; turn that off, or add the line \"* -text\" to .gitattributes, and check out "+
		"again", len(files)-1)
	return append(others, one)
}

// namesOf are the paths of requests, asked for or over, by the name of the request.
func namesOf(paths []string) map[string][]string {
	named := map[string][]string{}
	for _, path := range paths {
		place, ok := requests.SplitPath(path)
		if !ok {
			place, ok = requests.SplitRevocationPath(path)
		}
		if ok {
			named[place.Name] = append(named[place.Name], path)
		}
	}
	return named
}

// usedBeside lists where the name of the request at path is used already: by another request, or by one
// that has ended, of whatever cluster, as the agent looks it up (R48).
func usedBeside(path string, named map[string][]string) (used []string) {
	place, ok := requests.SplitPath(path)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(named[place.Name]), func(other string) bool {
		return other == path
	})
}

func checkFile(tree Tree, name string, file TreeFile, used []string) []requests.Finding {
	if isUnder(name, requests.Folder) {
		d := preview(tree, name, file, Facts{UsedNames: used}).outcome()
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
	if isUnder(name, requests.ReviewsFolder) {
		_, findings := ParseGlassReview(name, []byte(file.Content))
		return findings
	}
	if _, ok := requests.SplitDebtPath(name); ok {
		_, findings := ParseDebt(name, []byte(file.Content))
		return findings
	}
	_, findings := requests.ParseRevocation(name, []byte(file.Content))
	return findings
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
			lines = append(lines, fmt.Sprintf("  %s gets %s %s", g.Subject.Name, given,
				g.For()))
		}
	}
	for depth, c := range d.AllChallenges() {
		mark := "missing"
		if c.Met {
			mark = "met"
		}
		line := fmt.Sprintf("  %s%s %s: %d of %d", strings.Repeat("  ", depth), c.Kind, mark, c.Has(),
			c.Count)
		if len(c.Children) == 0 {
			line += fmt.Sprintf(", approved by [%s], may approve [%s]",
				strings.Join(c.Approvers, ", "), strings.Join(c.Reviewers, ", "))
		}
		lines = append(lines, line)
	}
	for _, r := range d.Ignored {
		lines = append(lines, "  "+r.Message+" ["+string(r.Code)+"]")
	}
	return lines
}
