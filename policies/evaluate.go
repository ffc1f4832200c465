package policies

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Evaluate judges one pull request under the policies in tree, normally f.Base. It checks the rules
// in the fixed order of docs/rules.md and stops at the first refusal; now is the moment of judging.
// Nothing of an earlier judgement is kept (R39).
func Evaluate(tree Tree, f Facts, now time.Time) Decision {
	return evaluate(tree, f, now).finish()
}

// evaluate is Evaluate by the whole of what is asked for.
func evaluate(tree Tree, f Facts, now time.Time) *judge {
	j := newJudge(tree, f, now)
	switch j.beforeApproval(); j.decision.Kind {
	case KindRequest:
		j.approve()
		j.run(step{NothingToGrant, j.narrowed}, step{OutsideWindow, j.windowNear})
		j.run(j.limitNear()...)
	case KindWithdrawal:
		if j.ownWithdrawal() {
			j.run(step{DraftPullRequest, j.draft}, step{WrongBase, j.base})
			break
		}
		j.run(step{CodeownersInvalid, j.codeowners}, step{RequesterNotAllowed, j.person})
		j.run(j.pullRequestSteps()...)
		j.approve()
	case KindReview:
		j.evaluateReview()
	case KindChange:
		// Whoever may read can open one from a fork: what it says is looked at after that.
		j.run(step{RequesterNotAllowed, j.person}, step{WrongBase, j.base})
		j.looked = !j.stopped
		j.run(step{FileRejected, j.changedFiles}, step{PolicyInvalid, j.resultingTree},
			step{CodeownersInvalid, j.codeowners}, step{DraftPullRequest, j.draft},
			step{UnattributableCommit, j.attributable})
		j.approve()
	}
	return j
}

// beforeApproval checks what every pull request must keep to, and of a request all but its approvals.
func (j *judge) beforeApproval() {
	j.run(step{EvaluationError, j.complete}, step{NotARequestPR, j.shape},
		step{PullRequestNotMerged, j.open})
	switch j.decision.Kind {
	case KindRequest:
		j.readRequest(j.facts.Head)
		j.run(j.fileSteps()...)
		j.run(j.policySteps()...)
		j.run(step{RequesterNotAllowed, j.author}, step{AccessDenied, j.denied},
			step{NotCertified, j.certified})
		j.run(j.debtSteps()...)
		j.run(step{Refused, j.refused}, step{RequestIDReused, j.reused},
			step{ExtensionNotAllowed, j.extension}, step{AlreadyGranted, j.already},
			step{ExpiredBeforeGrant, j.waitedTooLong})
		j.run(j.limitSteps()...)
		j.run(j.pullRequestSteps()...)
	case KindWithdrawal:
		j.readRequest(j.facts.Base)
	}
}

// Refuse is the Decision for a refusal found before the rules could be checked, such as facts that
// could not be gathered.
func Refuse(code Code, format string, args ...any) Decision {
	return Decision{}.Refused(code, format, args...)
}

// judge carries one judgement from rule to rule.
type judge struct {
	decision Decision // as far as it has come
	world    world
	tree     Tree
	facts    Facts
	now      time.Time

	policyFindings []requests.Finding // of the policy, its roles' catalogue files, identities.yaml and groups.yaml
	ownerFindings  []requests.Finding
	policyExists   bool
	request        requests.AccessRequest
	document       *requests.Document
	subject        requests.Subject
	debtor         Owing // of a review: whose debt it pays
	stopped        bool
	looked         bool // of a change: what it says is looked at
	curable        bool // what is refused may still come to be met, whatever its code says
}

type step struct {
	code Code
	// check returns what is wrong, or nothing.
	check func() string
}

func newJudge(tree Tree, f Facts, now time.Time) *judge {
	j := &judge{tree: tree, facts: f, now: now}
	j.decision.Rules = make([]Rule, 0, 32)
	j.decision.HeadSHA, j.decision.PolicyCommit = f.PullRequest.HeadSHA, tree.Commit
	j.decision.Author = f.PullRequest.Author.Login
	j.decision.Kind, j.decision.Path, _ = KindOf(f.Files)
	j.loadWorld()
	j.world.owner = cmp.Or(f.Repository.Owner, tree.Owner)
	return j
}

func (j *judge) loadWorld() {
	var groupFindings []requests.Finding
	j.world.identities, j.policyFindings = parse(j.tree, IdentitiesPath, ParseIdentities)
	j.world.groups, groupFindings = parse(j.tree, GroupsPath, ParseGroups)
	j.policyFindings = append(j.policyFindings, groupFindings...)
	j.world.owners, j.ownerFindings = j.tree.codeowners()
	if place, ok := requests.SplitPath(j.decision.Path); ok {
		j.decision.Policy = place.Policy
		var findings []requests.Finding
		j.world.policy, findings = parse(j.tree, Path(place.Policy), ParsePolicy)
		j.policyFindings = append(j.policyFindings, findings...)
		j.world.rotas = j.tree.rotasOf(j.world.policy.Spec.Challenges)
		_, j.policyExists = j.tree.Files[Path(place.Policy)]
		for _, role := range j.world.policy.Roles() {
			_, _, findings := j.tree.Role(place.Cluster, role)
			j.policyFindings = append(j.policyFindings, findings...)
		}
	}
}

// run checks steps in order until one refuses; after a refusal it does nothing.
func (j *judge) run(steps ...step) {
	for _, s := range steps {
		if j.stopped {
			return
		}
		if problem := s.check(); problem != "" {
			j.refuse(s.code, problem)
			return
		}
		j.decision.Rules = append(j.decision.Rules, Rule{Code: s.code, Passed: true})
	}
}

func (j *judge) refuse(code Code, problem string) {
	j.stopped = true
	j.decision = j.decision.Refused(code, "%s", problem)
	if j.curable {
		j.decision.Outcome = Pending
	}
}

func (j *judge) finish() Decision {
	j.decision.leave()
	if pr := j.facts.PullRequest; j.decision.Kind == KindRequest && !pr.Merged && len(j.facts.pushes()) > 0 {
		j.decision.LapsesAt = requests.At(j.waitsSince().Add(time.Duration(j.maxPending())))
	}
	j.decision.Roles = j.views()
	if j.looked {
		j.decision.Widened = Widened(j.tree, j.tree.overlay(j.facts.Files, j.facts.Head))
	}
	return j.outcome()
}

// outcome is the decision without what it would give.
func (j *judge) outcome() Decision {
	if !j.stopped && j.decision.Kind != "" {
		j.decision.Outcome = Allowed
		j.decision.Message = "every rule and every approval is met"
		if cut := j.cut(); cut != "" {
			j.decision.Message += "; access is " + cut
		}
	}
	return j.decision
}

func (j *judge) shape() string {
	kind, path, problem := KindOf(j.facts.Files)
	if _, there := j.facts.Base.Files[path]; kind == KindWithdrawal && !there &&
		j.facts.PullRequest.State == "open" {
		return fmt.Sprintf("%s is not on the branch any more: what it asked for has ended, or ends "+
			"with that; close this pull request, for it changes nothing", requests.Quote(path))
	}
	return problem
}

func (j *judge) open() string {
	if pr := j.facts.PullRequest; pr.State != "open" && !pr.Merged {
		return fmt.Sprintf("pull request #%d was closed without a merge", pr.Number)
	}
	return ""
}

// readRequest parses the request file in the given tree; what is wrong with it is told by
// fileSteps.
func (j *judge) readRequest(tree Tree) {
	file, ok := tree.Files[j.decision.Path]
	if !ok || file.problem() != "" {
		return
	}
	j.request, j.document = requests.ReadRequest(j.decision.Path, []byte(file.Content))
	if len(j.document.Findings) == 0 {
		j.decision.Reason, j.decision.Fields = j.request.Spec.Reason, j.request.Spec.Fields
	}
}

// fileSteps check the request file alone, before anything it says is used.
func (j *judge) fileSteps() []step {
	return []step{{FileRejected, j.file}, {ParseError, j.parseError}, {SchemaError, j.schemaError}}
}

func (j *judge) file() string {
	if _, ok := requests.SplitPath(j.decision.Path); !ok {
		return fmt.Sprintf("%s: a request stands at "+
			"requests/<cluster>/<policy>/<yyyymmdd>-<requester>-<slug>.yaml",
			requests.Quote(j.decision.Path))
	}
	file, ok := j.facts.Head.Files[j.decision.Path]
	if !ok {
		return fmt.Sprintf("%s is not in the head commit", requests.Quote(j.decision.Path))
	}
	if problem := file.problem(); problem != "" {
		return fmt.Sprintf("%s: %s", requests.Quote(j.decision.Path), problem)
	}
	return j.findingsOf(isFileRule)
}

func (j *judge) parseError() string { return j.findingsOf(isParseRule) }

func (j *judge) schemaError() string { return j.findingsOf(func(string) bool { return true }) }

func isFileRule(rule string) bool {
	return slices.Contains([]string{"file", "file-size", "encoding", "hidden-character"}, rule)
}

func isParseRule(rule string) bool {
	return strings.HasPrefix(rule, "yaml-") || rule == "duplicate-key"
}

// findingsOf reports the request file's findings when one of them is of the class.
func (j *judge) findingsOf(class func(rule string) bool) string {
	findings := j.document.Findings
	i := slices.IndexFunc(findings, func(f requests.Finding) bool { return class(f.Rule) })
	if i < 0 {
		return ""
	}
	j.decision.Findings = findings
	return findings[i].String()
}

// field records where in the request file a refusal stands.
func (j *judge) field(path string, code Code, problem string) string {
	if problem != "" && j.document != nil {
		j.document.Add(path, string(code), "%s", problem)
		j.decision.Findings = j.document.Findings
	}
	return problem
}

func (j *judge) codeowners() string {
	if len(j.ownerFindings) > 0 {
		j.decision.Findings = append(j.decision.Findings, j.ownerFindings...)
		return j.ownerFindings[0].String()
	}
	if len(j.facts.CodeownersErrors) > 0 {
		return "GitHub reports an error in CODEOWNERS: " +
			requests.Quote(j.facts.CodeownersErrors[0])
	}
	for _, path := range j.changedPaths() {
		if len(j.world.ownersOf(path)) == 0 {
			return fmt.Sprintf("nobody owns %s in %s, so nobody can approve it; %s",
				requests.Quote(path), j.world.owners.Path, j.world.unowned(path))
		}
	}
	return ""
}

func (j *judge) changedPaths() []string {
	var paths []string
	for _, f := range j.facts.Files {
		paths = append(paths, f.paths()...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// changedFiles refuses links and other odd entries where a policy or CODEOWNERS should stand.
func (j *judge) changedFiles() string {
	wanted := Wanted(KindChange, "")
	for _, f := range j.facts.Files {
		if f.Status == "removed" || !wanted(f.Path) {
			continue
		}
		file, ok := j.facts.Head.Files[f.Path]
		if !ok {
			return requests.Quote(f.Path) + " is not in the head commit"
		}
		if problem := file.problem(); problem != "" {
			return requests.Quote(f.Path) + ": " + problem
		}
	}
	return ""
}

func (j *judge) resultingTree() string {
	after := j.tree.overlay(j.facts.Files, j.facts.Head)
	if j.facts.PullRequest.Merged { // its authors were told what they had to be told
		maps.DeleteFunc(after.Files, func(name string, _ TreeFile) bool { return informs(name) })
	}
	findings := after.Check()
	if len(findings) == 0 {
		return cmp.Or(j.certifies(), j.overridesOwned(after))
	}
	j.decision.Findings = findings
	return fmt.Sprintf("after the merge the policies would not be valid: %s", findings[0])
}

// ownWithdrawal tells whether the author gives back what they asked for or receive, which needs
// nobody's approval (R37).
func (j *judge) ownWithdrawal() bool {
	if j.document == nil || len(j.document.Findings) > 0 {
		return false
	}
	author := j.facts.PullRequest.Author
	requester, known := j.world.identities.find(j.request.Spec.Requester)
	receiver, _, ok := j.world.identities.receiver(j.request.Spec)
	return author.ID != 0 && (known && requester.is(author) || ok && receiver.is(author))
}

func short(sha string) string { return sha[:min(7, len(sha))] }
