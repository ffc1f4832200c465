// Package doctor looks at GitHub, at an access repository and at a cluster for what lets somebody
// get access around the pipeline, and for what keeps the pipeline from working. It only reads.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Parts are what there is to look at, in the order they are told.
const (
	PartGitHub     = "github"
	PartRepository = "repository"
	PartCluster    = "cluster"
)

// Parts are all of them.
var Parts = []string{PartGitHub, PartRepository, PartCluster}

// State is how a check went.
type State string

// States, the good one first.
const (
	OK      State = "ok"
	Wrong   State = "wrong"
	Warning State = "warning" // for a person to weigh
	Unknown State = "unknown" // nobody told
	Skipped State = "skipped" // there is nothing to look at
)

// Severity says what a check is about.
type Severity string

// Severities of checks.
const (
	Bypass Severity = "bypass" // where it is wrong, somebody may get access around the pipeline, or keep it
	Advice Severity = "advice"
)

// Check is one thing to look at.
type Check struct {
	Part     string
	ID       string
	Severity Severity
	Why      string // it matters; of an assumption, what the agent does when it does not hold
}

// Result is how a check went. One that found several things has a Result for each.
type Result struct {
	Part     string   `json:"part" enum:"github,repository,cluster"`
	ID       string   `json:"id" about:"Of the check, as in docs/doctor.md. It stays."`
	Severity Severity `json:"severity" enum:"bypass,advice"`
	State    State    `json:"state" enum:"ok,wrong,warning,unknown,skipped"`
	What     string   `json:"what" about:"What was found, in words."`
	Why      string   `json:"why" about:"Why it matters."`
	Mend     string   `json:"mend,omitempty" about:"The command, or the click, that mends it."`
}

// Open tells whether the result leaves a way around the pipeline: it was found, or nobody could
// tell that there is none. What is skipped leaves none, as there is nothing to go around.
func (r Result) Open() bool {
	return r.Severity == Bypass && (r.State == Wrong || r.State == Unknown)
}

// notes are the results of a part, as they come.
type notes struct{ all []Result }

func (n *notes) note(id string, state State, mend, format string, args ...any) {
	i := slices.IndexFunc(Checks, func(c Check) bool { return c.ID == id })
	c := Checks[i]
	n.all = append(n.all, Result{Part: c.Part, ID: id, Severity: c.Severity, State: state,
		What: fmt.Sprintf(format, args...), Why: c.Why, Mend: mend})
}

func (n *notes) ok(id, format string, args ...any) { n.note(id, OK, "", format, args...) }

func (n *notes) skip(id, format string, args ...any) { n.note(id, Skipped, "", format, args...) }

func (n *notes) unknown(id string, err error, mend string) {
	n.note(id, Unknown, mend, "nobody can tell: %v", err)
}

// findings notes the first of some findings in full and counts the others.
func (n *notes) findings(id string, state State, mend string, all []requests.Finding) {
	const most = 3
	for _, f := range all[:min(len(all), most)] {
		n.note(id, state, mend, "%s", f)
	}
	if more := len(all) - most; more > 0 {
		n.note(id, state, mend, "and %d more", more)
	}
}

// Skip has every check of a part skipped for one reason.
func Skip(part string, reason error) []Result {
	var n notes
	for _, c := range Checks {
		if c.Part == part {
			n.skip(c.ID, "%v", reason)
		}
	}
	return n.all
}

// inOrder sorts results as Checks are, what one check found as it came.
func (n *notes) inOrder() []Result {
	place := func(r Result) int {
		return slices.IndexFunc(Checks, func(c Check) bool { return c.ID == r.ID })
	}
	slices.SortStableFunc(n.all, func(a, b Result) int { return cmp.Compare(place(a), place(b)) })
	return n.all
}

// names are at most a few words for a sentence.
func names(all []string) string {
	const most = 5
	if more := len(all) - most; more > 0 {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, ", ")
}
