package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// proveTimeout bounds the questions to GitHub about one request, and about all of one pass: revocations wait for the next.
const proveTimeout = time.Minute

// waiting is a request without a record: it cannot be judged yet, or what its judgement asks for does not work yet.
type waiting struct {
	blob  string
	since time.Time // when it was first tried
	next  time.Time // when it is tried again
	pause time.Duration
}

const (
	firstPause = 5 * time.Second
	longPause  = 5 * time.Minute
)

// readMain reads the tip's requests of this cluster and the names in use. problems are files that stand where a request
// of this cluster would and are none: they are left alone and grant nothing.
func (a *Agent) readMain(tip string) (main *plan.Main, problems []string, err error) {
	entries, err := a.repository.Entries(tip, requests.Folder, requests.RevocationsFolder)
	if err != nil {
		return nil, nil, err
	}
	main = &plan.Main{Tip: tip, Requests: map[string]string{}, Names: map[string][]string{}}
	folder := requests.Folder + "/" + a.cluster.Name + "/"
	for _, e := range entries {
		name := strings.TrimSuffix(path.Base(e.Path), ".yaml")
		main.Names[name] = append(main.Names[name], e.Path)
		place, ok := requests.SplitPath(e.Path)
		switch {
		case !strings.HasPrefix(e.Path, folder):
		case e.Fault != "":
			problems = append(problems, fmt.Sprintf("%s is %s; a request is a plain file", requests.Quote(e.Path), e.Fault))
		case !ok || place.Cluster != a.cluster.Name:
			problems = append(problems, fmt.Sprintf("%s is not requests/<cluster>/<policy>/<yyyymmdd>-<requester>-<slug>.yaml", requests.Quote(e.Path)))
		default:
			main.Requests[e.Path] = e.Hash
		}
	}
	return main, problems, nil
}

// prove judges the requests on main that have no record, and again those whose grant another process began and did not
// finish. Those that cannot be judged are tried again at growing intervals; others are not held up by it.
func (a *Agent) prove(ctx context.Context, w plan.World) map[string]plan.Proof {
	a.settled(w)
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	phases := map[string]plan.Phase{} // by path
	for _, r := range w.Records {
		phases[r.Grant.Path] = r.Phase
	}
	proofs := map[string]plan.Proof{}
	paths := slices.Sorted(maps.Keys(w.Main.Requests))
	slices.SortStableFunc(paths, func(p, q string) int { return cmp.Compare(a.waiting[p].pause, a.waiting[q].pause) })
	for _, p := range paths {
		blob, now := w.Main.Requests[p], a.clocks.own()
		phase, begun := phases[p]
		if begun && phase != plan.Granting {
			continue
		}
		if proof, here := a.proved[p]; begun && here && proof.Blob == blob {
			proofs[p] = proof
			continue
		}
		wait, tried := a.waiting[p]
		if !tried || wait.blob != blob {
			wait = waiting{blob: blob, since: now, next: now, pause: firstPause}
		}
		if now.Before(wait.next) {
			proofs[p] = plan.Proof{Blob: blob, Since: wait.since,
				Decision: policies.Refuse(policies.EvaluationError, "it is tried again at %s", requests.At(wait.next))}
			continue
		}
		if ctx.Err() != nil {
			a.waiting[p] = wait
			proofs[p] = plan.Proof{Blob: blob, Since: wait.since,
				Decision: policies.Refuse(policies.EvaluationError, "the requests before it took too long; it is tried again at once")}
			continue
		}
		if stops := a.stops(); len(stops) > 0 { // it is judged once it can be granted, at once
			a.waiting[p] = wait
			proofs[p] = plan.Proof{Blob: blob, Since: wait.since, Decision: policies.Refuse(stops[0].Code, "%s", stops[0].Message)}
			continue
		}
		proof := a.judge(ctx, w.Main.Tip, p, blob)
		proof.Blob, proof.Since = blob, wait.since
		proofs[p] = proof
		if proof.Decision.Outcome == policies.Allowed {
			a.proved[p] = proof
		}
		wait.next, wait.pause = now.Add(wait.pause), min(2*wait.pause, longPause)
		a.waiting[p] = wait
		d := proof.Decision
		level := slog.LevelInfo
		if d.Outcome == policies.Failed {
			level = slog.LevelError
			a.metrics.Decided(d.Outcome, string(d.Code))
		}
		a.log.Log(ctx, level, "judged", "event", "judge", "request", path.Base(strings.TrimSuffix(p, ".yaml")), "cluster", a.cluster.Name,
			"commit", w.Main.Tip, "decision", d.Outcome.String(), "code", string(d.Code), "message", d.Message)
	}
	return proofs
}

// settled drops from waiting, and from what was proved, what is granted or refused now, or is off the branch.
func (a *Agent) settled(w plan.World) {
	open := map[string]bool{}
	for p := range w.Main.Requests {
		open[p] = true
	}
	for _, r := range w.Records {
		if _, here := a.proved[r.Grant.Path]; here || r.Phase != plan.Granting {
			delete(a.waiting, r.Grant.Path)
		}
		open[r.Grant.Path] = open[r.Grant.Path] && r.Phase == plan.Granting
	}
	maps.DeleteFunc(a.waiting, func(p string, _ waiting) bool { return !open[p] })
	maps.DeleteFunc(a.proved, func(p string, _ plan.Proof) bool { return !open[p] })
}

// judge proves one request, or says why it does not stand.
func (a *Agent) judge(ctx context.Context, tip, p, blob string) plan.Proof {
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	proof := plan.Proof{Evidence: requests.Evidence{Source: requests.EvidenceBranch, Blob: blob}}
	if a.github != nil {
		proof.Evidence.Source = requests.EvidenceGitHub
	}
	content, err := a.repository.Blob(blob)
	if err != nil && !errors.Is(err, git.ErrTooLarge) {
		proof.Decision = policies.Refuse(policies.EvaluationError, "%v", err)
		return proof
	}
	if _, findings := requests.ParseRequest(p, content); len(findings) == 0 {
		proof.Content = content
	}
	since := time.Time{}
	if a.github == nil {
		since = a.now().Add(-plan.MaxWait) // what is older is refused anyway
	}
	added, err := a.repository.Added(ctx, tip, p, since)
	if err != nil {
		proof.Decision = policies.Refuse(policies.EvaluationError, "%v", err)
		return proof
	}
	proof.Evidence.MergeCommit = added.Hash
	if a.github == nil {
		proof.Decision = a.judgeBranch(ctx, tip, p, blob, content, added)
	} else {
		proof.Decision = a.judgeMerged(ctx, tip, p, blob, added, &proof)
	}
	if stops := a.stops(); len(stops) > 0 { // whatever was found: a clock may have decided it
		proof.Decision = policies.Refuse(stops[0].Code, "%s", stops[0].Message)
	}
	proof.Evidence = proof.Decision.Evidence(proof.Evidence)
	return proof
}

// judgeMerged goes by the pull request that GitHub says brought the file. The commit must also be the one that git's
// own history says so of (R44). What was found on the way is noted in proof.
func (a *Agent) judgeMerged(ctx context.Context, tip, p, blob string, added git.Commit, proof *plan.Proof) policies.Decision {
	number, commit, err := a.github.Introduced(ctx, p, tip)
	switch {
	case err != nil:
		return policies.Refuse(policies.EvaluationError, "%v", err)
	case number == 0:
		return policies.Refuse(policies.NoPullRequest, "commit %s brought the file without a pull request", added.Hash)
	case commit != added.Hash:
		return policies.Refuse(policies.NoPullRequest, "pull request #%d was merged as %s, but the file came with %s", number, commit, added.Hash)
	case len(added.Changes) != 1 || added.TooMany:
		return policies.Refuse(policies.BlobMismatch, "commit %s brought the file together with %d other changes", added.Hash, len(added.Changes)-1)
	}
	proof.Evidence.PullRequest = number
	facts, err := a.github.Facts(ctx, number, a.now())
	if err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err)
	}
	proof.Evidence.HeadSHA, proof.Facts = facts.PullRequest.HeadSHA, a.keep(p, facts)
	d := a.proven(policies.EvaluateMerged(facts, p, blob, facts.ObservedAt.Time), tip, added, facts) // whoever judges again knows that time
	return a.unchanged(ctx, d, facts)
}

// keep is the facts as the ledger keeps them. Facts that are too large are not kept: that holds up no grant and no record,
// and an audit names the entry.
func (a *Agent) keep(p string, facts policies.Facts) []byte {
	data, err := facts.Encode()
	if err == nil && len(data) > policies.MaxFactsSize {
		err = fmt.Errorf("they have %d bytes; the most allowed is %d", len(data), policies.MaxFactsSize)
	}
	if err != nil {
		a.log.Warn("the facts of a request are not kept; an audit will name it", "event", "judge", "cluster", a.cluster.Name,
			"request", path.Base(strings.TrimSuffix(p, ".yaml")), "error", err.Error())
		return nil
	}
	return data
}

// judgeBranch takes the branch at its word.
func (a *Agent) judgeBranch(ctx context.Context, tip, p, blob string, content []byte, added git.Commit) policies.Decision {
	asked := slices.IndexFunc(added.Changes, func(c git.PathChange) bool { return c.Path == p })
	if asked < 0 || added.Changes[asked].After.Hash != blob {
		return policies.Refuse(policies.BlobMismatch, "the file was changed after commit %s added it", added.Hash)
	}
	if added.Committer.When.IsZero() {
		return policies.Refuse(policies.ClockSkew, "commit %s has no date that can be read", added.Hash)
	}
	tree, err := a.tree(tip, p)
	if err != nil {
		return policies.Refuse(policies.EvaluationError, "%v", err)
	}
	return a.unchanged(ctx, policies.EvaluateBranch(tree, p, added.Hash, blob, content, added.Committer.When, a.now()), policies.Facts{Base: tree})
}

// tree reads what a request at p is judged by.
func (a *Agent) tree(tip, p string) (policies.Tree, error) {
	tree := policies.Tree{Commit: tip, Files: map[string]policies.TreeFile{}}
	entries, err := a.repository.Entries(tip, append([]string{policies.Folder, rbac.CatalogFolder}, codeowners.Paths...)...)
	if err != nil {
		return tree, err
	}
	wanted := policies.Wanted(policies.KindRequest, p)
	for _, e := range entries {
		if !wanted(e.Path) {
			continue
		}
		var data []byte
		size := int64(0)
		if e.Fault == "" {
			data, err = a.repository.Blob(e.Hash)
			if errors.Is(err, git.ErrTooLarge) {
				size = policies.MaxFileSize + 1
			} else if err != nil {
				return tree, err
			} else {
				size = int64(len(data))
			}
		}
		tree.Files[e.Path] = policies.NewTreeFile(e.Mode, e.Hash, data, size)
	}
	return tree, nil
}

// removers finds out who removed the request files of grants that ended because theirs is gone. Nothing is asked while
// access still lasts: it does not wait for an answer.
func (a *Agent) removers(ctx context.Context, w plan.World) map[string]string {
	found := map[string]string{}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	for _, r := range w.Records {
		p := r.Grant.Path
		if a.github == nil {
			found[p] = ""
			continue
		}
		if r.Phase != plan.Ended || r.Cause != "" || ctx.Err() != nil {
			continue
		}
		login, _, err := a.github.RemovedBy(ctx, p, w.Main.Tip)
		if err != nil {
			a.log.Error("who removed a request is not known yet", "event", "judge", "request", r.Grant.Name, "cluster", a.cluster.Name, "error", err.Error())
			continue
		}
		found[p] = login
	}
	return found
}

// unchanged refuses what is allowed when a role it gives is another in the cluster than the catalogue shows, now or at
// the merge: then its approvers saw something else. A role without a catalogue file is not compared, as its approvers
// were told.
func (a *Agent) unchanged(ctx context.Context, d policies.Decision, f policies.Facts) policies.Decision {
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
			live, err := a.cluster.Role(ctx, b.Role.Name)
			problem, code := "", policies.RoleChanged
			switch {
			case apierrors.IsNotFound(err):
				problem = "is not in the cluster any more"
			case err != nil:
				problem, code = fmt.Sprintf("cannot be compared with the catalogue: %v", err), policies.EvaluationError
			case live.Spec.Hash != shown.Spec.Hash || live.Spec.Aggregated != shown.Spec.Aggregated:
				problem = fmt.Sprintf("does not have the rules that %s shows; run `pullgrant catalog --cluster %s` and ask again",
					rbac.CatalogPath(d.Grant.Cluster, b.Role.Name), d.Grant.Cluster)
			default:
				continue
			}
			return d.Refused(code, "the role %s %s", requests.Quote(b.Role.Name), problem)
		}
	}
	return d
}
