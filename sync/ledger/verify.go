package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// maxLateness is how long after its end a grant may have ended before an audit names it.
const maxLateness = time.Minute

// Verify derives each entry of the ledger again and names what does not follow: from git, whether
// the agent signed it, and whether the merge it names stands on the branch and brought the request
// it tells of; from GitHub, when client is not nil, whether that pull request was merged so and
// approved by those people. A request whose time is over and that has no entry is named too, and
// whatever tells of a beginning that was none.
// accounts is what was checked, each of them as each does. An error means that the check could not
// be finished.
func Verify(ctx context.Context, dir string, signers *git.AllowedSigners, client *github.Client,
	now time.Time, each policies.Each) (accounts []Account, findings []requests.Finding, err error) {
	accounts, findings, told, err := history(dir, signers, each)
	if err != nil {
		return nil, nil, err
	}
	local, head, err := openCheckout(dir)
	if err != nil {
		return nil, nil, err
	}
	newest, line, err := onBranch(local, head)
	if err != nil {
		return nil, nil, fmt.Errorf("read the history of %s: %w", dir, err)
	}
	checked, problems := make([]verifier, len(accounts)), make([]error, len(accounts))
	each(len(accounts), func(n int) {
		checked[n] = verifier{Checkout: local, head: newest, onBranch: line, account: accounts[n],
			told: told[accounts[n].asked()]}
		problems[n] = checked[n].check(ctx, client, now)
		problems[n] = errors.Join(problems[n], checked[n].checkTold(signers))
	})
	for n, v := range checked {
		if problems[n] != nil {
			return nil, nil, fmt.Errorf("verify %s: %w", v.account.Path, whole(problems[n]))
		}
		findings = append(findings, v.findings...)
		delete(told, v.account.asked())
	}
	for _, of := range told { // no request that anybody knows of
		for _, t := range of {
			path := cmp.Or(t.path, t.commit.Hash)
			findings = append(findings, fault(path, "granted-unsigned", "commit %s tells that access "+
				"began: %s", t.commit.Hash, cmp.Or(t.problem(signers), "of no request on the branch")))
		}
	}
	requests.SortFindings(findings)
	return accounts, findings, nil
}

// check derives one account again.
func (v *verifier) check(ctx context.Context, client *github.Client, now time.Time) error {
	status := v.account.Status
	if status == nil {
		return v.checkOpen(now)
	}
	if v.account.Proof == requests.Unproven {
		v.add("unsigned", "%s", v.account.Doubt)
	}
	facts, found, err := v.account.Facts()
	if err != nil {
		return err
	}
	v.facts, v.findings = facts, append(v.findings, found...)
	if status.GrantedAt == nil {
		return v.checkRefusal()
	}
	if status.Evidence == requests.EvidenceGitHub && facts == nil && len(found) == 0 {
		v.add("no-evidence",
			"no facts are kept with it, so nobody can judge again what the agent judged")
	}
	if err := v.checkGrant(); err != nil || client == nil ||
		status.Evidence != requests.EvidenceGitHub {
		return err
	}
	pull, reviews, err := client.Reviewed(ctx, status.PullRequest)
	if err == nil {
		v.checkPullRequest(pull, reviews)
	}
	return err
}

// onBranch are the commits of the first-parent line that ends at tip, and the newest of them.
func onBranch(local *git.Checkout, tip string) (newest git.Commit, commits map[string]bool,
	err error) {
	commits = map[string]bool{}
	for c, err := range local.FirstParents(tip) {
		if err != nil {
			return newest, nil, err
		}
		if len(commits) == 0 {
			newest = c
		}
		commits[c.Hash] = true
	}
	return newest, commits, nil
}

// verifier derives one account again.
type verifier struct {
	*git.Checkout
	head     git.Commit
	onBranch map[string]bool
	account  Account
	told     []telling       // of its beginning, newest first
	facts    *policies.Facts // kept with the account; nil: none
	begins   requests.Time   // its window, judged again by the facts; zero: that was not
	findings []requests.Finding
}

func (v *verifier) add(rule, format string, args ...any) {
	v.findings = append(v.findings, fault(v.account.Path, rule, format, args...))
}

// checkOpen names a request that should have ended and has no entry: the longest it can last is
// what it asks for, else what its policy gives at most.
func (v *verifier) checkOpen(now time.Time) error {
	if granted := v.account.Granted; granted != nil {
		v.checkEnded(granted.ExpiresAt, now)
		return nil
	}
	spec := v.account.Spec
	path := policies.Path(spec.Policy)
	file, err := v.Find(v.head, path)
	if err != nil {
		return err
	}
	policy := policies.AccessPolicy{} // none: what is asked for alone tells, if it does
	if file.Path != "" && file.Fault == "" {
		content, err := v.Blob(file.Hash)
		if err != nil {
			return err
		}
		policy, _ = policies.ParsePolicy(path, content)
	}
	asked := requests.Grant{Duration: spec.Duration, NotBefore: spec.NotBefore, Until: spec.Until,
		Windows: policy.Spec.Windows}
	if asked.Duration == 0 && asked.Until.IsZero() {
		asked.Duration = policy.Spec.Target.MaxDuration
	}
	if asked.Duration == 0 && asked.Until.IsZero() || spec.Extends != "" && file.Path == "" {
		return nil
	}
	if spec.Extends != "" { // whose end is not known here
		lead := time.Duration(policy.Spec.LeadTime())
		asked.NotBefore = requests.At(v.account.Entered.Add(lead))
	}
	v.checkEnded(asked.From(v.account.Entered.Time).End, now)
	return nil
}

func (v *verifier) checkEnded(end requests.Time, now time.Time) {
	if now.Sub(end.Time) > maxLateness {
		v.add("no-revocation",
			"its time was over at %s at the latest, and there is no ledger entry: is the agent "+
				"of %s running?",
			end, v.account.Cluster)
	}
}

// checkGrant checks what git alone tells of a grant.
func (v *verifier) checkGrant() error {
	status := v.account.Status
	switch {
	case status.Evidence != requests.EvidenceGitHub:
		v.add("branch-trusted", "the branch was trusted: no approval was ever checked")
	case len(status.Approvers) == 0 || status.PullRequest == 0:
		v.add("no-approval", "it names no pull request with an approval")
	}
	if status.ExpiresAt == nil || !status.GrantedAt.Before(status.ExpiresAt.Time) {
		v.add("window", "its window has no end after its start")
	} else if late := status.RevokedAt.Sub(status.ExpiresAt.Time); late > maxLateness {
		v.add("late", "access ended %s after its end", late)
	}
	return v.checkMerge()
}

// checkMerge checks that the merge brought the request the entry tells of, and nothing else.
func (v *verifier) checkMerge() error {
	status := v.account.Status
	merge, before, err := v.merged()
	if err != nil || before.Hash == "" {
		return err
	}
	if err := v.Compare(&merge, before); err != nil {
		return err
	}
	if len(merge.Changes) != 1 || merge.TooMany || merge.Changes[0].Path != status.Path ||
		merge.Changes[0].Before.Path != "" ||
		merge.Changes[0].After.Fault != "" {
		v.add("no-request", "commit %s does not add %s and nothing else", merge.Hash,
			requests.Quote(status.Path))
		return nil
	}
	content, err := v.Blob(merge.Changes[0].After.Hash)
	if err != nil {
		return err
	}
	request, found := requests.ParseRequest(status.Path, content)
	if len(found) > 0 || v.account.Spec == nil ||
		!reflect.DeepEqual(request.Spec, *v.account.Spec) {
		v.add("request-differs",
			"the entry tells of another request than commit %s brought", merge.Hash)
	}
	if asked := request.Spec.Duration; asked > 0 && status.ExpiresAt != nil &&
		status.ExpiresAt.Sub(status.GrantedAt.Time) > time.Duration(asked) {
		v.add("window", "its window is longer than the %s that were asked for", asked)
	}
	if spec := request.Spec; status.ExpiresAt != nil &&
		(status.GrantedAt.Before(spec.NotBefore.Time) ||
			!spec.Until.IsZero() && status.ExpiresAt.After(spec.Until.Time)) {
		v.add("window", "its window begins before what was asked for, or ends after it")
	}
	return v.judgeAgain(merge, before, merge.Changes[0].After)
}

// startOf is when the window of what was asked for begins after a merge. Where it goes on from other
// access, or its policy has windows, the facts that are kept tell.
func (v *verifier) startOf(merge requests.Time) requests.Time {
	if !v.begins.IsZero() && v.facts.PullRequest.MergedAt.Equal(merge.Time) {
		return v.begins
	}
	g := requests.Grant{}
	if v.account.Spec != nil {
		g.NotBefore = v.account.Spec.NotBefore
	}
	if v.facts != nil && v.facts.Extended != nil {
		g.NotBefore = v.facts.Extended.Window.End
	}
	return g.From(merge.Time).Start
}

// checkRefusal checks a request that was never granted, when facts are kept of it.
func (v *verifier) checkRefusal() error {
	if v.facts == nil {
		return nil
	}
	merge, before, err := v.merged()
	if err != nil || before.Hash == "" {
		return err
	}
	asked, err := v.Find(merge, v.account.Status.Path)
	if err != nil {
		return err
	}
	return v.judgeAgain(merge, before, asked)
}

// merged are the commit that brought the request and the one it stands on; zero Commits, and a
// finding, when there are none.
func (v *verifier) merged() (merge, before git.Commit, err error) {
	name := v.account.Status.MergeCommit
	if !v.onBranch[name] {
		v.add("no-merge", "the commit %s that is said to have brought the request is not on the branch",
			requests.Quote(name))
		return merge, before, nil
	}
	if merge, err = v.Commit(name); err != nil {
		return merge, before, err
	}
	if len(merge.Parents) == 0 {
		v.add("no-merge", "commit %s has no parent: it brought everything", merge.Hash)
		return merge, before, nil
	}
	before, err = v.Commit(merge.Parents[0])
	return merge, before, err
}

// checkPullRequest checks what GitHub says of a grant.
func (v *verifier) checkPullRequest(pull policies.PullRequest, reviews []policies.Review) {
	status := v.account.Status
	switch {
	case !pull.Merged:
		v.add("not-merged", "pull request #%d is not merged", pull.Number)
		return
	case pull.MergeCommitSHA != status.MergeCommit || pull.HeadSHA != status.HeadSHA:
		v.add("not-merged", "pull request #%d was merged as %s from %s, not as %s from %s",
			pull.Number, pull.MergeCommitSHA, pull.HeadSHA,
			requests.Quote(status.MergeCommit), requests.Quote(status.HeadSHA))
	case !v.startOf(*pull.MergedAt).Equal(status.GrantedAt.Time):
		v.add("window", "pull request #%d was merged at %s, and the window begins at %s",
			pull.Number, pull.MergedAt, status.GrantedAt)
	}
	for _, approver := range status.Approvers {
		if !approvedBy(approver, pull, reviews) {
			v.add("no-approval",
				"pull request #%d has no review %d by %s (%d) that approves its head",
				pull.Number, approver.ReviewID,
				requests.Quote(approver.Login), approver.ID)
		}
	}
}

// approvedBy finds the review of an approver. One that was dismissed after the merge was an
// approval then.
func approvedBy(approver requests.Approver, pull policies.PullRequest,
	reviews []policies.Review) bool {
	for _, r := range reviews {
		if r.ID == approver.ReviewID {
			return (r.State == "APPROVED" || r.State == "DISMISSED") && r.User.ID == approver.ID &&
				r.CommitID == pull.HeadSHA &&
				r.SubmittedAt.Equal(approver.Time.Time) && !r.SubmittedAt.After(pull.MergedAt.Time)
		}
	}
	return false
}
