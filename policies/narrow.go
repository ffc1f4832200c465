package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// MaxWords bounds what is kept of what a review says, in bytes.
const MaxWords = 4000

// Words are what a review says. They are gathered where WordsWanted asks for them, and nowhere else
// do they mean anything (R25).
type Words struct {
	Text string `json:"text"`          // the first MaxWords bytes
	Cut  bool   `json:"cut,omitempty"` // there is more
	// Edited is that they are not, or may not be, as the reviewer gave them first.
	Edited bool `json:"edited,omitempty"`
}

// WordsWanted are the numbers of the reviews whose words judging f needs: approvals of the head by
// people who may write, under a policy that lets reviews narrow.
func WordsWanted(f Facts) (wanted []int64) {
	trees := []Tree{f.Base}
	if f.Merge != nil {
		trees = append(trees, f.Merge.FirstParent)
	}
	if !slices.ContainsFunc(trees, func(t Tree) bool {
		return newJudge(t, f, f.ObservedAt.Time).mayNarrow()
	}) {
		return nil
	}
	j := newJudge(f.Base, f, f.ObservedAt.Time)
	for _, o := range opinions(f) {
		if !o.blocks && o.review.CommitID == f.PullRequest.HeadSHA && j.canWrite(o.user) {
			wanted = append(wanted, o.review.ID)
		}
	}
	return wanted
}

// mayNarrow tells whether approvers of the pull request may leave less than it asks for.
func (j *judge) mayNarrow() bool {
	return j.decision.Kind == KindRequest && j.world.policy.Spec.AllowNarrowing
}

// narrowingOf is what an approval leaves of what is asked for, and what else it says. Nobody but the
// reviewer may have written that, and it must be told for certain what they meant: otherwise why says
// for what the approval is stale (R71).
func (j *judge) narrowingOf(o opinion) (n requests.Narrowing, rest, why string) {
	words := o.review.Words
	switch {
	case !j.mayNarrow():
		return n, "", ""
	case words == nil:
		return n, "", "what it says is not known, and under a policy that lets reviews narrow it must " +
			"be: GitHub's GraphQL does not tell whether the review was edited"
	case words.Edited:
		return n, "", "the review was edited, so what it says may be another's words; they must approve " +
			"again"
	case words.Cut:
		return n, "", fmt.Sprintf("the review has more than %d bytes; they must approve again and say "+
			"less", MaxWords)
	}
	n, rest, _, err := requests.ParseNarrowing(words.Text)
	if err != nil {
		return n, "", err.Error() + ", and approve again"
	}
	if more := j.decision.Grant.More(n, o.review.SubmittedAt.Time); more != "" {
		return n, "", more + "; they must approve again"
	}
	return n, rest, ""
}

// maxWordsTold bounds the approvers of whose words an entry of the ledger has an excerpt.
const maxWordsTold = 20

// approver is one whose review counts, with what it leaves of what is asked for.
func (j *judge) approver(o opinion) requests.Approver {
	a := requests.Approver{Login: o.user.Login, ID: o.user.ID, ReviewID: o.review.ID,
		Time: o.review.SubmittedAt}
	n, rest, _ := j.narrowingOf(o)
	if a.Narrowed = n.String(); a.Narrowed != "" {
		j.decision.Narrowed = append(j.decision.Narrowed, n)
	}
	if len(j.decision.Approvers) < maxWordsTold {
		a.Words = requests.Excerpt(rest)
	}
	return a
}

// narrowed is the step that refuses what the approvals that count leave nothing of, all of them together (R72).
func (j *judge) narrowed() string {
	if g := j.decision.Grant; len(j.decision.Narrowed) == 0 || len(narrowedBy(*g, j.decision.Narrowed).Items) > 0 {
		return ""
	}
	j.curable = true
	return "of what is asked for, the approvals leave nothing that all of them allow; " +
		j.decision.NarrowedInWords() + "; one of them must approve again"
}

// narrowedBy is what all of some narrowings leave.
func narrowedBy(g requests.Grant, all []requests.Narrowing) requests.Grant {
	for _, n := range all {
		g = g.Narrowed(n)
	}
	return g
}

// leave has the decision give what those who approved leave of what is asked for, once every rule is
// checked by the whole of that: less is never a way around a rule.
func (d *Decision) leave() {
	if d.Grant != nil && len(d.Narrowed) > 0 {
		left := narrowedBy(*d.Grant, d.Narrowed)
		d.Grant = &left
	}
}

// NarrowedInWords says which approvers narrowed what is asked for, and how; empty when none did.
func (d Decision) NarrowedInWords() string {
	var all []string
	for _, a := range d.Approvers {
		if a.Narrowed != "" {
			all = append(all, "@"+a.Login+" narrowed it: "+a.Narrowed)
		}
	}
	return strings.Join(all, ", ")
}

// checkNarrowing finds a policy that would have words count that nobody can say.
func checkNarrowing(d *requests.Document, s PolicySpec) {
	if s.AllowNarrowing && len(s.Challenges) == 0 {
		d.Add("spec.allowNarrowing", "narrowing", "no review counts under this policy, so none can "+
			"narrow; ask for a review, or leave it out")
	}
}
