package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// GlassReview says what came of looking at access that was given before anybody had.
type GlassReview struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       GlassReviewSpec   `yaml:"spec" json:"spec"`
}

// KindGlassReview is the kind of a review's file.
const KindGlassReview = "BreakGlassReview"

// GlassReviewSpec is the content of a review.
type GlassReviewSpec struct {
	Request string `yaml:"request" json:"request"`
	Verdict string `yaml:"verdict" json:"verdict"`
	Text    string `yaml:"text" json:"text"` // free text, escape at every sink
}

// Verdicts of a review.
const (
	Justified   = "Justified"
	Unjustified = "Unjustified"
)

// Bounds of the text of a review, in characters.
const (
	minReviewText = 10
	maxReviewText = 4000
)

// GlassReviewFormat is the format of a review.
var GlassReviewFormat = requests.Format{
	Kind: KindGlassReview,
	About: "What came of looking at access that was given before anybody had. Stands at " +
		"reviews/<name>.yaml, where name is the request's.",
	Name: requests.RequestFormat.Name,
	Fields: requests.HeaderFields("GlassReview", "What was found.").With(requests.Fields{
		"GlassReviewSpec.request": {About: "Name of the request, as metadata.name has it.",
			Form: requests.RequestFormat.Name.Form},
		"GlassReviewSpec.verdict": {About: "Whether breaking the glass was right. Either pays the debt.",
			Form: requests.OneOf("verdict", Justified, Unjustified)},
		"GlassReviewSpec.text": {About: "What was done, and what follows from it. It is kept for ever: no " +
			"secrets.", Form: requests.Form{Rule: "text", Min: minReviewText, Max: maxReviewText,
			Check: checkReviewText}},
	}),
}

func checkReviewText(s string) string {
	if n := len([]rune(strings.TrimSpace(s))); n < minReviewText || n > maxReviewText {
		return fmt.Sprintf("it has %d characters; %d to %d are allowed", n, minReviewText, maxReviewText)
	}
	return ""
}

// ParseGlassReview reads the file of one review strictly.
func ParseGlassReview(path string, data []byte) (GlassReview, []requests.Finding) {
	review, d := readGlassReview(path, data)
	return review, d.Findings
}

func readGlassReview(path string, data []byte) (GlassReview, *requests.Document) {
	const maxSize = 32 << 10
	review, d := requests.Decode[GlassReview](path, data, maxSize)
	if len(d.Findings) > 0 {
		return review, d
	}
	d.Conform(GlassReviewFormat, review)
	if path != requests.ReviewPath(review.Metadata.Name) {
		d.Check("metadata.name", "path", review.Metadata.Name, "it must be the file's name without "+
			".yaml, directly in "+requests.ReviewsFolder)
	}
	if review.Spec.Request != review.Metadata.Name {
		d.Check("spec.request", "path", review.Spec.Request, "it must be the file's name without .yaml")
	}
	requests.SortFindings(d.Findings)
	return review, d
}

// Marshal writes the file of a review.
func (r GlassReview) Marshal() ([]byte, error) { return requests.Marshal(r) }

// wantedForReview tells which files a review is judged by: the policies, what all is judged by, and
// the debt, in whichever ledger it stands.
func wantedForReview(path string, common []string) func(string) bool {
	base := path[strings.LastIndex(path, "/")+1:]
	return func(p string) bool {
		parts := strings.Split(p, "/")
		switch {
		case parts[0] == requests.RevocationsFolder:
			return len(parts) < 3 || strings.HasPrefix(p+"/", requests.DebtsFolder(parts[1])+"/") &&
				(len(parts) == 3 || len(parts) == 4 && parts[3] == base)
		case len(parts) == 2 && parts[0] == Folder:
			return true
		}
		return slices.Contains(common, p)
	}
}

// DebtOf is what the review at a path is about, as the ledger in the tree has it; ok is false when there
// is none that reads, or more than one.
func (t Tree) DebtOf(review string) (debt Debt, ok bool) {
	n := 0
	for path := range t.Files {
		place, is := requests.SplitDebtPath(path)
		if !is || requests.ReviewPath(place.Name) != review {
			continue
		}
		found, findings := parse(t, path, ParseDebt)
		n++
		debt, ok = found, len(findings) == 0
	}
	return debt, ok && n == 1
}

// payers are the owners of a debt: those whom its policy names now, else those of then.
func (j *judge) payers(debt Debt) (all []Party) {
	policy, _ := parse(j.tree, Path(debt.Spec.Policy), ParsePolicy)
	if b := policy.Spec.BreakGlass; b != nil {
		return b.Owners
	}
	for _, name := range debt.Spec.Owners {
		all = append(all, ownerOf(name))
	}
	return all
}

// reviewConditions are what must be met before a review pays: an owner of the file, and one of the
// debt (R77).
func (j *judge) reviewConditions() []condition {
	owned := Challenge{Kind: CodeOwnerReview, Count: 1}
	debt, ok := j.tree.DebtOf(j.decision.Path)
	if !ok {
		return []condition{{owned, j.decision.Path}}
	}
	return []condition{{owned, j.decision.Path},
		{Challenge{Kind: PeerReview, Count: 1, Reviewers: j.payers(debt)}, j.decision.Path}}
}

// evaluateReview judges a pull request that adds the review of break-glass.
func (j *judge) evaluateReview() {
	file := j.facts.Head.Files[j.decision.Path]
	if file.problem() == "" {
		_, j.document = readGlassReview(j.decision.Path, []byte(file.Content))
	}
	j.run(step{FileRejected, j.reviewFile}, step{ParseError, j.parseError}, step{SchemaError, j.schemaError},
		step{PolicyInvalid, j.policyReads}, step{NothingOwed, j.owed}, step{CodeownersInvalid, j.codeowners},
		step{RequesterNotAllowed, j.person})
	j.run(j.pullRequestSteps()...)
	j.approve()
}

func (j *judge) reviewFile() string {
	file, ok := j.facts.Head.Files[j.decision.Path]
	switch {
	case !ok:
		return fmt.Sprintf("%s is not in the head commit", requests.Quote(j.decision.Path))
	case file.problem() != "":
		return fmt.Sprintf("%s: %s", requests.Quote(j.decision.Path), file.problem())
	}
	return j.findingsOf(isFileRule)
}

// policyReads refuses to go by identities or groups that do not read: they say who nobody's own debt
// is paid by.
func (j *judge) policyReads() string {
	if debt, ok := j.tree.DebtOf(j.decision.Path); ok {
		_, findings := parse(j.tree, Path(debt.Spec.Policy), ParsePolicy)
		j.policyFindings = append(j.policyFindings, findings...)
	}
	return j.policyValid()
}

// owed refuses a review of what is not owed, and takes from the debt whose it is: neither of them
// approves its review.
func (j *judge) owed() string {
	debt, ok := j.tree.DebtOf(j.decision.Path)
	if !ok {
		return j.field("spec.request", NothingOwed, "no ledger holds one debt of that name: either it is "+
			"paid, or the access is not over and recorded yet, which is when it can be reviewed")
	}
	j.request.Spec.Cluster, j.request.Spec.Requester = debt.Spec.Cluster, debt.Spec.Requester
	j.subject, j.debtor = debt.Spec.Subject, debt.Owing()
	j.decision.Policy = debt.Spec.Policy
	return ""
}

// EvaluateReview judges what pays a debt: the review at path with the git blob, which must have come to
// the default branch by the pull request of f alone, as the change that was allowed when it was merged
// (R77). Nothing is pending after a merge.
func EvaluateReview(f Facts, path, blob string, now time.Time) Decision {
	pr := f.PullRequest
	refuse := func(code Code, format string, args ...any) Decision {
		d := Refuse(code, format, args...)
		d.Path, d.HeadSHA, d.PolicyCommit = path, pr.HeadSHA, f.Base.Commit
		return d
	}
	if problem := newJudge(f.Base, f, now).complete(); problem != "" {
		return refuse(EvaluationError, "%s", problem)
	}
	switch kind, reviewed, _ := KindOf(f.Files); {
	case !pr.Merged:
		return refuse(PullRequestNotMerged, "pull request #%d is not merged", pr.Number)
	case f.Merge.Commit == "" || f.Merge.Commit != pr.MergeCommitSHA ||
		!slices.Equal(f.Merge.Introduced, []int{pr.Number}):
		return refuse(NoPullRequest, "pull request #%d alone did not bring %s", pr.Number, requests.Quote(path))
	case kind != KindReview || reviewed != path:
		return refuse(NotARequestPR, "pull request #%d does not add %s alone", pr.Number, requests.Quote(path))
	case f.Head.Files[path].Blob != blob || f.Merge.Blob != blob || blob == "":
		return refuse(BlobMismatch, "the review on the branch (%s) is not the one that was approved (%s) and "+
			"merged (%s)", short(blob), short(f.Head.Files[path].Blob), short(f.Merge.Blob))
	}
	d := Evaluate(f.Merge.FirstParent, f, now)
	if d.Outcome == Pending {
		d.Outcome = Denied
	}
	return d
}

// DecidesReview tells whether a file that must be proven decides over the review of a debt under a
// policy: that names the owners, and the others say who people are and who owns what.
func DecidesReview(policy string) func(path string) bool {
	return func(path string) bool { return DecidesChanges(path) || path == Path(policy) }
}
