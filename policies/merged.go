package policies

import (
	"fmt"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// maxPast is how old a commit may be that --evidence=branch starts a window at; maxFuture is the
// other bound.
const maxPast = 24 * time.Hour

// EvaluateMerged judges what stands on the default branch: the file at path with the git blob,
// brought there by the pull request of f. The policies at the merge's first parent and those of now
// must both allow it, the same subject and the same bindings, and the shorter window holds (R43 to
// R47). Commit dates, names and messages are not asked (R49). Nothing is pending after a merge.
// Allowed decisions carry the Grant with its window and evidence.
func EvaluateMerged(f Facts, path, blob string, now time.Time) Decision {
	pr := f.PullRequest
	refuse := func(code Code, format string, args ...any) Decision {
		d := Refuse(code, format, args...)
		d.Path, d.HeadSHA, d.PolicyCommit = path, pr.HeadSHA, f.Base.Commit
		return d
	}
	if problem := newJudge(f.Base, f, now).complete(); problem != "" {
		return refuse(EvaluationError, "%s", problem)
	}
	switch kind, asked, _ := KindOf(f.Files); {
	case !pr.Merged:
		return refuse(PullRequestNotMerged, "pull request #%d is not merged", pr.Number)
	case f.Merge.Commit == "" || f.Merge.Commit != pr.MergeCommitSHA:
		return refuse(NoPullRequest, "pull request #%d was merged as %s, not as %s", pr.Number,
			short(pr.MergeCommitSHA), short(f.Merge.Commit))
	case !slices.Equal(f.Merge.Introduced, []int{pr.Number}):
		return refuse(NoPullRequest, "the merge commit %s was introduced by the pull requests "+
			"%v, not by #%d alone",
			short(f.Merge.Commit), f.Merge.Introduced, pr.Number)
	case kind != KindRequest || asked != path:
		return refuse(NotARequestPR, "pull request #%d does not add %s alone", pr.Number,
			requests.Quote(path))
	case f.Head.Files[path].Blob != blob || f.Merge.Blob != blob || blob == "":
		return refuse(BlobMismatch, "the file on the branch (%s) is not the one that was "+
			"reviewed (%s) and merged (%s)",
			short(blob), short(f.Head.Files[path].Blob), short(f.Merge.Blob))
	}
	atMerge, byNow := evaluate(f.Merge.FirstParent, f, now), evaluate(f.Base, f, now)
	same := sameAsked(atMerge.decision.Grant, byNow.decision.Grant)
	// What counted as narrowing under either policy does.
	all := slices.Concat(atMerge.decision.Narrowed, byNow.decision.Narrowed)
	atMerge.decision.Narrowed, byNow.decision.Narrowed = all, all
	then, current := atMerge.finish(), byNow.finish()
	d := current
	if then.Outcome != Allowed {
		d = then
	}
	if d.Outcome == Pending {
		d.Outcome = Denied
	}
	if d.Outcome != Allowed {
		return d
	}
	switch {
	case then.Grant.Subject != current.Grant.Subject:
		return d.Refused(SubjectNotAllowed, "the subject was %s at the merge and is %s now",
			then.Grant.Subject.Name, current.Grant.Subject.Name)
	case then.Grant.ARN != current.Grant.ARN:
		return d.Refused(SubjectNotAllowed, "the subject's ARN was %s at the merge and is %s now",
			requests.Quote(then.Grant.ARN), requests.Quote(current.Grant.ARN))
	case !same || !requests.EqualItems(then.Grant.Items, current.Grant.Items):
		return d.Refused(RoleNotAllowed, "the policy %s gives other roles or namespaces now "+
			"than at the merge", d.Policy)
	}
	if len(d.Grant.Items) == 0 {
		return d.Refused(NothingToGrant, "of what is asked for, the approvals under the policies at the "+
			"merge and now leave nothing that all of them allow; %s", d.NarrowedInWords())
	}
	d.Approvers = toldOnce(d.Approvers, then.Approvers)
	then.Grant.Duration = min(then.Grant.Duration, current.Grant.Duration)
	d.Grant.Duration = then.Grant.Duration
	d.Grant.BackstopOptional = then.Grant.BackstopOptional && current.Grant.BackstopOptional
	// What was approved is what the windows of then held; those of now only take of it (R66).
	window := d.Grant.Within(then.Grant.From(pr.MergedAt.Time))
	if window.Empty() && len(d.Grant.Windows) > 0 {
		return d.Refused(OutsideWindow, "the policy %s has other windows now than at the merge, and "+
			"of what it gave then they leave nothing", d.Policy)
	}
	d.Grant.Window = window
	d.Grant.Evidence = d.Evidence(requests.Evidence{Source: requests.EvidenceGitHub,
		PullRequest: pr.Number, HeadSHA: pr.HeadSHA,
		MergeCommit: f.Merge.Commit, Blob: blob})
	f.Base.catalogued(d.Grant)
	return d.inTime(now)
}

// inTime refuses a grant whose window is over (R51); one that is granted late is as long as it
// would have been.
func (d Decision) inTime(now time.Time) Decision {
	if !now.Before(d.Grant.Window.End.Time) {
		return d.Refused(ExpiredBeforeGrant, "the window ended at %s, before access could be given",
			d.Grant.Window.End)
	}
	return d
}

// EvaluateBranch judges a file under --evidence=branch: no approval is proved, the branch is
// trusted, and only what the policy says of the request itself is checked. start is the committer
// date of the commit that added the file, counts what the policy's limits go by.
func EvaluateBranch(tree Tree, path, commit, blob string, content []byte, counts *Counts, start,
	now time.Time) Decision {
	f := factsOf(commit, path, NewTreeFile(PlainFile, blob, content, int64(len(content))))
	merged := requests.At(start)
	f.PullRequest.MergedAt, f.ObservedAt, f.Counts = &merged, requests.At(now), counts
	j := newJudge(tree, f, now)
	j.readRequest(f.Head)
	j.run(step{EvaluationError, func() string { return j.begun(start) }}, step{ExpiredBeforeGrant,
		func() string { return j.recent(start) }})
	j.run(j.fileSteps()...)
	j.run(j.policySteps()...)
	j.run(step{BreakGlassNotAllowed, j.reviewedFirst}, step{RequesterNotAllowed, j.asker},
		step{AccessDenied, j.denied}, step{NotCertified, j.certified},
		step{ExtensionNotAllowed, j.extension})
	j.run(j.limitSteps()...)
	d := j.finish()
	if d.Outcome != Allowed {
		return d
	}
	d.Grant.Window = d.Grant.From(start)
	d.Grant.Evidence = d.Evidence(requests.Evidence{Source: requests.EvidenceBranch,
		MergeCommit: commit, Blob: blob})
	tree.catalogued(d.Grant)
	return d.inTime(now)
}

// reviewedFirst refuses break-glass where nobody knows what is owed for it.
func (j *judge) reviewedFirst() string {
	if !j.request.Spec.BreakGlass {
		return ""
	}
	return j.field("spec.breakGlass", BreakGlassNotAllowed, "without GitHub nobody answers for "+
		"break-glass; ask without it")
}

func (j *judge) begun(start time.Time) string {
	if start.Sub(j.now) > maxFuture {
		return fmt.Sprintf("the commit is dated %s, in the future; correct the clock of whoever commits",
			requests.At(start))
	}
	return ""
}

func (j *judge) recent(start time.Time) string {
	if j.now.Sub(start) > maxPast {
		return fmt.Sprintf("the commit is dated %s, more than %s ago; ask again",
			requests.At(start),
			requests.Duration(maxPast))
	}
	return ""
}

// asker is author without a pull request: GitHub teams cannot be asked, so only logins and
// groups.yaml count.
func (j *judge) asker() string {
	login, spec := j.request.Spec.Requester, j.world.policy.Spec
	if behalf := j.decision.Grant.Behalf; behalf != "" &&
		!j.world.isParty(j.facts, spec.OnBehalfOf, behalf) {
		return j.field("spec.subject", RequesterNotAllowed, fmt.Sprintf("nobody may ask on behalf of "+
			"@%s under the policy %s; %s (GitHub teams cannot be looked up on this evidence)", behalf,
			j.decision.Policy, j.world.behalfInWords()))
	}
	if j.world.isParty(j.facts, spec.Subjects, login) {
		return ""
	}
	return j.field("spec.requester", RequesterNotAllowed, fmt.Sprintf("@%s may not ask under "+
		"the policy %s; it is for %s (GitHub teams cannot be looked up on this evidence)",
		login, j.decision.Policy, names(j.world.policy.Spec.Subjects)))
}

// sameAsked tells whether two judgements of a request found the same asked for. Where one of them
// found nothing, that one says why.
func sameAsked(then, current *requests.Grant) bool {
	return then == nil || current == nil || requests.EqualItems(then.Items, current.Items)
}

// toldOnce is approvers with what their reviews say, where the policy of only one moment lets those
// narrow.
func toldOnce(now, then []requests.Approver) []requests.Approver {
	all := slices.Clone(now)
	for i, a := range all {
		for _, b := range then {
			if a.ReviewID == b.ReviewID && a.Narrowed+a.Words == "" {
				all[i] = b
			}
		}
	}
	return all
}
