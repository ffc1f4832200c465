package doctor

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// Checkout is an access repository as it stands.
type Checkout struct {
	Tree     policies.Tree
	Findings []requests.Finding // of policies.Validate, or of Tree.Check where there are no requests
	Now      time.Time
}

// carriage begins the message of findings about line ends.
const carriage = "carriage return"

// stale are rules of lint about people.
var stale = []string{policies.RuleApproverUnknown, policies.RuleIdentityMissing,
	policies.RuleIdentityUnused}

// Repository looks at what stands in an access repository, as validate, policy lint, policy test and
// codeowners --check do.
func Repository(c Checkout) []Result {
	var n notes
	c.valid(&n)
	c.lint(&n)
	c.tests(&n)
	c.strict(&n)
	c.owners(&n)
	c.schema(&n)
	return n.inOrder()
}

func (c Checkout) valid(n *notes) {
	var ends, others []requests.Finding
	for _, f := range c.Findings {
		if strings.HasPrefix(f.Message, carriage) {
			ends = append(ends, f)
		} else {
			others = append(others, f)
		}
	}
	n.findings("valid", Wrong, "correct the file; pullgrant validate tells of all", others)
	if len(others) == 0 {
		n.ok("valid", "every file reads")
	}
	n.findings("line-ends", Wrong, "git config core.autocrlf false, write * -text into "+
		".gitattributes and check the files out again", ends)
}

func (c Checkout) lint(n *notes) {
	by := map[string][]requests.Finding{}
	for _, f := range c.Tree.Lint(c.Now) {
		id := "lint"
		switch {
		case f.Severity == policies.SeverityError || f.Rule == policies.RuleStrictPath:
			continue // which is told of as not valid, or not owned
		case f.Rule == policies.RuleAttributes:
			id = "line-ends"
		case slices.Contains(stale, f.Rule):
			id = "stale-people"
		}
		by[id] = append(by[id], f.Finding)
	}
	n.findings("lint", Warning, "pullgrant policy lint tells of all, docs/lint.md what to do", by["lint"])
	n.findings("stale-people", Warning, "bring policies/identities.yaml, groups and CODEOWNERS in "+
		"line with who is there", by["stale-people"])
	n.findings("line-ends", Warning, "leave the attribute out of .gitattributes; * -text is what "+
		"init writes", by["line-ends"])
	for id, what := range map[string]string{"lint": "nothing that looks unmeant",
		"stale-people": "everybody named has an account number"} {
		if len(by[id]) == 0 {
			n.ok(id, "%s", what)
		}
	}
	if len(by["line-ends"]) == 0 && !slices.ContainsFunc(n.all,
		func(r Result) bool { return r.ID == "line-ends" }) {
		n.ok("line-ends", "no carriage returns, no attributes that hide files")
	}
}

func (c Checkout) tests(n *notes) {
	results, findings := c.Tree.RunTests()
	const mend = "change the policy or the case; pullgrant policy test judges again"
	n.findings("tests", Wrong, mend, findings)
	failed := 0
	for _, r := range results {
		if !r.Passed {
			failed++
			n.note("tests", Wrong, mend, "%s:%d: %s: wanted %s, got %s", r.File, r.Line, r.Name,
				r.Want, r.Got)
		}
	}
	switch {
	case failed+len(findings) > 0:
	case len(results) == 0:
		n.note("tests", Warning, "write cases into tests/; pullgrant schema PolicyTest describes them",
			"no policy is tested")
	default:
		n.ok("tests", "%d as wanted", len(results))
	}
}

// strict looks for places that decide and have no owner.
func (c Checkout) strict(n *notes) {
	const mend = "write a line into CODEOWNERS with who decides; pullgrant init has all of them"
	places, read := c.Tree.Unowned()
	switch {
	case !read:
		n.note("strict-owned", Wrong, mend, "there is no CODEOWNERS that reads")
	case len(places) == 0:
		n.ok("strict-owned", "every place that decides has an owner")
	}
	for _, place := range places {
		if read {
			n.note("strict-owned", Wrong, mend, "nobody owns /%s", place)
		}
	}
}

// owners compares CODEOWNERS with the reviewers of the policies.
func (c Checkout) owners(n *notes) {
	const mend = "pullgrant codeowners"
	file := c.Tree.OwnersFile()
	well, read := file.Before == file.After, true
	for _, f := range file.Findings {
		switch {
		case f.Rule == "codeowners-strict": // told of as not owned
		case strings.HasPrefix(f.Rule, "codeowners-"):
			n.note("owners-fresh", Wrong, mend, "%s", f)
			well = false
		default:
			read = false
		}
	}
	switch {
	case !read:
		n.note("owners-fresh", Unknown, mend, "a file does not read, see valid")
	case file.Before != file.After:
		n.note("owners-fresh", Wrong, mend, "%s is not as the policies want it", file.Path)
	case well:
		n.ok("owners-fresh", "%s is as the policies want it", file.Path)
	}
}

// schema looks for the line by which an editor finds the schema of a file.
func (c Checkout) schema(n *notes) {
	wanted := func(name string) bool {
		return path.Ext(name) == ".yaml" && (strings.HasPrefix(name, policies.Folder+"/") ||
			strings.HasPrefix(name, rbac.CatalogFolder+"/") || strings.HasPrefix(name, "tests/"))
	}
	var without []string
	for _, name := range slices.Sorted(maps.Keys(c.Tree.Files)) {
		if wanted(name) && !strings.HasPrefix(c.Tree.Files[name].Content,
			"# yaml-language-server: $schema=") {
			without = append(without, name)
		}
	}
	if len(without) == 0 {
		n.ok("schema", "every file names its schema")
		return
	}
	n.note("schema", Warning, "write '# yaml-language-server: $schema=ADDRESS' there, as the files "+
		"that init writes have it", "without it as the first line: %s", names(without))
}
