package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// judge proves one request, or says why it does not stand.
func (v *prover) judge(ctx context.Context, tip, p, blob string) plan.Proof {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	proof := plan.Proof{Evidence: requests.Evidence{Source: requests.EvidenceBranch, Blob: blob}}
	if v.github != nil {
		proof.Evidence.Source = requests.EvidenceGitHub
	}
	content, err := v.branch.repository.Blob(ctx, blob)
	if err != nil && !errors.Is(err, git.ErrTooLarge) {
		proof.Decision = policies.Refuse(policies.EvaluationError, "%v", err)
		return proof
	}
	if _, findings := requests.ParseRequest(p, content); len(findings) == 0 {
		proof.Content = content
	}
	added, err := v.branch.repository.Added(ctx, tip, p, v.since())
	if err != nil {
		proof.Decision = policies.Refuse(policies.EvaluationError, "%v", err)
		return proof
	}
	proof.Evidence.MergeCommit, proof.Came = added.Hash, added.Committer.When
	if v.github == nil {
		proof.Decision = v.judgeBranch(ctx, tip, p, blob, content, added)
	} else {
		proof.Decision = v.judgeMerged(ctx, tip, p, blob, added, &proof)
	}
	if stops := v.gate.stops(); len(stops) > 0 { // whatever was found: a clock may have decided it
		proof.Decision = policies.Refuse(stops[0].Code, "%s", stops[0].Message)
	}
	proof.Evidence = proof.Decision.Evidence(proof.Evidence)
	return proof
}

// since is from when on a commit may have brought a request; zero: whenever.
func (v *prover) since() time.Time {
	if v.github == nil {
		return v.clocks.now().Add(-plan.MaxWait) // what is older is refused anyway
	}
	return time.Time{}
}

// trace finds what brought the requests that are to be judged, in one walk. What it cannot tell is
// told of each when its turn comes.
func (v *prover) trace(ctx context.Context, main *plan.Main, records map[string]plan.Record) {
	var open []string
	now, due := v.clocks.wall(), false
	for p := range main.Requests {
		if r, begun := records[p]; !begun || r.Unfinished(now) {
			open = append(open, p)
			due = due || v.waiting[p].again.due(now)
		}
	}
	if _, held := v.held(); due && !held {
		_ = v.branch.repository.Trace(ctx, main.Tip, open, v.since())
	}
}

// judgeMerged goes by the pull request that GitHub says brought the file. The commit must also be
// the one that git's own history says so of (R44). What was found on the way is noted in proof.
func (v *prover) judgeMerged(ctx context.Context, tip, p, blob string, added git.Commit,
	proof *plan.Proof) policies.Decision {
	number, commit, err := v.github.Introduced(ctx, p, tip)
	switch {
	case err != nil:
		return policies.Refuse(policies.EvaluationError, "%v", err)
	case number == 0:
		return policies.Refuse(policies.NoPullRequest, "commit %s brought the file without a "+
			"pull request", added.Hash)
	case commit != added.Hash:
		return policies.Refuse(policies.NoPullRequest, "pull request #%d was merged as %s, but "+
			"the file came with %s", number, commit, added.Hash)
	case len(added.Changes) != 1 || added.TooMany:
		return policies.Refuse(policies.BlobMismatch, "commit %s brought the file together with "+
			"%d other changes", added.Hash, len(added.Changes)-1)
	}
	proof.Evidence.PullRequest = number
	facts, err := v.github.Facts(ctx, number, v.clocks.now())
	if err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err)
	}
	if err := v.takeRecords(ctx, p, &facts); err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err)
	}
	v.answerers.Fill(ctx, &facts, v.clocks.now)
	facts = facts.Fit() // what is judged is what is kept
	proof.Evidence.HeadSHA, proof.Facts = facts.PullRequest.HeadSHA, v.keep(p, facts)
	// whoever judges again knows that time
	d := policies.EvaluateMerged(facts, p, blob, facts.ObservedAt.Time)
	if d.Code == policies.RequestIDReused && facts.Base.Commit != tip { // perhaps by its own end
		proof.Moved = true
		return policies.Refuse(policies.EvaluationError, "the branch moved just now, and has the name; "+
			"what that is, is looked at next")
	}
	d = v.refuseUnproven(ctx, d, tip, added, facts)
	return v.unchanged(ctx, d, facts)
}

// keep is the facts as the ledger keeps them. Facts that are too large are not kept: that holds up
// no grant and no record, and an audit names the entry.
func (v *prover) keep(p string, facts policies.Facts) []byte {
	data, err := facts.Encode()
	if err == nil && len(data) > policies.MaxFactsSize {
		err = fmt.Errorf("they have %d bytes; the most allowed is %d", len(data),
			policies.MaxFactsSize)
	}
	if err != nil {
		v.log.Warn("the facts of a request are not kept; an audit will name it", "event", "judge",
			"cluster", v.cluster.Name,
			"request", nameOf(p), "error", err.Error())
		return nil
	}
	return data
}

// judgeBranch takes the branch at its word.
func (v *prover) judgeBranch(ctx context.Context, tip, p, blob string, content []byte,
	added git.Commit) policies.Decision {
	asked := slices.IndexFunc(added.Changes, func(c git.PathChange) bool { return c.Path == p })
	if asked < 0 || added.Changes[asked].After.Hash != blob {
		return policies.Refuse(policies.BlobMismatch,
			"the file was changed after commit %s added it",
			added.Hash)
	}
	if added.Committer.When.IsZero() {
		return policies.Refuse(policies.ClockSkew, "commit %s has no date that can be read",
			added.Hash)
	}
	tree, err := v.branch.tree(ctx, tip, p)
	if err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err)
	}
	counts, err := v.countBranch(ctx, tip, p, content, added, tree)
	if err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err)
	}
	return v.unchanged(ctx, policies.EvaluateBranch(tree, p, added.Hash, blob, content, counts,
		added.Committer.When, v.clocks.now()), policies.Facts{Base: tree})
}

// unchanged refuses what is allowed when a role it gives is another in the cluster than the
// catalogue shows, now or at the merge: then its approvers saw something else. A role without a
// catalogue file is not compared, as its approvers were told.
func (v *prover) unchanged(ctx context.Context, d policies.Decision,
	f policies.Facts) policies.Decision {
	if d.Outcome != policies.Allowed {
		return d
	}
	trees := []policies.Tree{f.Base}
	if f.Merge != nil {
		trees = append(trees, f.Merge.FirstParent)
	}
	for _, b := range d.Grant.Items {
		for _, t := range trees {
			shown, catalogued, _ := t.Role(d.Grant.Cluster, b.Role.Name)
			if !catalogued {
				continue
			}
			live, err := v.cluster.Role(ctx, b.Role.Name)
			problem, code := "", policies.RoleChanged
			switch {
			case apierrors.IsNotFound(err):
				problem = "is not in the cluster any more"
			case err != nil:
				problem, code = fmt.Sprintf("cannot be compared with the catalogue: %v", err),
					policies.EvaluationError
			case live.Spec.Hash != shown.Spec.Hash || live.Spec.Aggregated != shown.Spec.Aggregated:
				problem = fmt.Sprintf("does not have the rules that %s shows; run `pullgrant "+
					"catalog --cluster %s` and ask again",
					rbac.CatalogPath(d.Grant.Cluster, b.Role.Name), d.Grant.Cluster)
			default:
				continue
			}
			return d.Refused(code, "the role %s %s", requests.Quote(b.Role.Name), problem)
		}
	}
	return d
}
