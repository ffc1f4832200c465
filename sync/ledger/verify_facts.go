package ledger

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// foundLater are the refusals that facts alone do not tell: of the agent's other questions to git
// and the cluster.
var foundLater = []policies.Code{policies.BlobMismatch, policies.RequestIDReused,
	policies.PolicyUnproven, policies.RoleChanged,
	policies.ExpiredBeforeGrant, policies.BindingConflict, policies.NoBackstop,
	policies.ChangedByCluster, policies.RefusedByCluster, policies.NotInAWSAuth,
	policies.ExecUnguarded, policies.ResourcesTooMany, policies.NothingToGrant,
	policies.ContainerAmbiguous, policies.ContainerNotAllowed}

// judgeAgain judges the request of an entry again, by the facts that are kept with it, and
// compares. merge is the commit that brought asked to the branch, before the one it stands on.
func (v *verifier) judgeAgain(merge, before git.Commit, asked git.Entry) error {
	if v.facts == nil {
		return nil
	}
	status, granted := v.account.Status, v.account.Status.GrantedAt != nil
	kind, path, _ := policies.KindOf(v.facts.Files)
	if !granted && (kind != policies.KindRequest || v.facts.Head.Files[path].Blob != asked.Hash) {
		return nil // what was reviewed is not on the branch, so it cannot be read
	}
	f, problem, err := v.fromGit(merge, before, asked)
	if err != nil {
		return err
	}
	if problem != "" {
		v.add("evidence-differs", "by the facts kept with it, %s", problem)
		return nil
	}
	d := policies.EvaluateMerged(f, status.Path, asked.Hash, f.ObservedAt.Time)
	switch code := policies.Code(status.Code); {
	case granted:
		v.checkAllowed(d)
	case status.Cause == requests.CauseDenied && d.Code != code &&
		!slices.Contains(foundLater, code):
		v.add("refusal-differs",
			"it was refused as %s, and judged again by the facts kept with it, it is %s",
			requests.Quote(status.Code), describe(d))
	}
	return nil
}

func describe(d policies.Decision) string {
	if d.Code == "" {
		return d.Outcome.String()
	}
	return fmt.Sprintf("%s, %s: %s", d.Outcome, d.Code, d.Message)
}

// fromGit is the kept facts with the files that git has at their commits. problem says where they
// tell of something else than the entry and git do.
func (v *verifier) fromGit(merge, before git.Commit, asked git.Entry) (f policies.Facts,
	problem string, err error) {
	f, status := *v.facts, v.account.Status
	switch {
	case f.PullRequest.Number != status.PullRequest || f.PullRequest.HeadSHA != status.HeadSHA:
		return f, fmt.Sprintf("it was pull request #%d with the head %s", f.PullRequest.Number,
			requests.Quote(f.PullRequest.HeadSHA)), nil
	case f.Merge == nil || f.Merge.Commit != merge.Hash:
		return f, "another commit brought it", nil
	case status.GrantedAt != nil && f.Base.Commit != status.PolicyCommit:
		return f, "it was judged under the policies of another commit", nil
	case !v.onBranch[f.Base.Commit]:
		return f, fmt.Sprintf(
			"it was judged under the policies of commit %s, which is not on the branch",
			requests.Quote(f.Base.Commit)), nil
	}
	base, err := v.Commit(f.Base.Commit)
	if err != nil {
		return f, "", err
	}
	told := *f.Merge
	f.Merge = &told
	if f.Base, err = v.judgedBy(base, status.Path); err != nil {
		return f, "", err
	}
	if f.Merge.FirstParent, err = v.judgedBy(before, status.Path); err != nil {
		return f, "", err
	}
	reviewed, err := treeFile(v.Checkout, asked)
	if err != nil {
		return f, "", err
	}
	f.Head.Files = map[string]policies.TreeFile{status.Path: reviewed}
	f.Stood = slices.Clone(f.Stood)
	for i, stood := range f.Stood {
		if !v.onBranch[stood.Commit] {
			return f, fmt.Sprintf("it was approved under the files of commit %s, which is not "+
				"on the branch", requests.Quote(stood.Commit)), nil
		}
		at, err := v.Commit(stood.Commit)
		if err != nil {
			return f, "", err
		}
		if f.Stood[i].Tree, err = v.judgedBy(at, status.Path); err != nil {
			return f, "", err
		}
	}
	f.Live = nil
	for _, l := range v.facts.Live {
		place, _ := requests.SplitPath(l.Path)
		if l.File, err = v.fileAt(base, l.Path); err != nil {
			return f, "", err
		}
		if l.Policy, err = v.fileAt(base, policies.Path(place.Policy)); err != nil {
			return f, "", err
		}
		f.Live = append(f.Live, l)
	}
	data, err := f.Encode()
	if err == nil && requests.Digest(data) != status.Facts {
		problem = "files that decided were others than git has in the commits they name"
	}
	return f, problem, err
}

// judgedBy reads the files of a commit that a request is judged by: of the catalogue, which can be
// large, what its policy names.
func (v *verifier) judgedBy(c git.Commit, path string) (policies.Tree, error) {
	wanted := policies.Wanted(policies.KindRequest, path)
	tree, err := policyTree(v.Checkout, c,
		func(name string) bool {
			return wanted(name) && !strings.HasPrefix(name,
				rbac.CatalogFolder+"/")
		})
	if err != nil {
		return tree, err
	}
	for _, name := range tree.Reviewed(path) {
		file, err := v.fileAt(c, name)
		if err != nil {
			return tree, err
		}
		if file.Blob != "" {
			tree.Files[name] = file
		}
	}
	return tree, nil
}

// fileAt reads what a commit has at path; the zero TreeFile when there is nothing.
func (v *verifier) fileAt(c git.Commit, path string) (policies.TreeFile, error) {
	e, err := v.Find(c, path)
	if err != nil || e.Path == "" {
		return policies.TreeFile{}, err
	}
	return treeFile(v.Checkout, e)
}

// checkAllowed compares a grant with what its facts give when they are judged again.
func (v *verifier) checkAllowed(d policies.Decision) {
	status := v.account.Status
	if d.Outcome != policies.Allowed {
		v.add("not-allowed", "judged again by the facts kept with it, it is %s", describe(d))
		return
	}
	g, e := d.Grant, d.Grant.Evidence
	v.begins = g.Window.Start
	if status.Subject == nil || *status.Subject != g.Subject {
		v.add("subject-differs", "by the facts kept with it, access was for %s",
			requests.Quote(g.Subject.Name))
	}
	if !status.GrantedAt.Equal(g.Window.Start.Time) || status.ExpiresAt == nil ||
		!status.ExpiresAt.Equal(g.Window.End.Time) {
		v.add("window", "by the facts kept with it, its window is from %s to %s",
			g.Window.Start, g.Window.End)
	}
	if !slices.Equal(status.Approvers, e.Approvers) || !slices.Equal(status.Ignored, e.Ignored) ||
		!reflect.DeepEqual(status.Challenges, e.Challenges) {
		v.add("approvals-differ", "by the facts kept with it, other approvals counted")
	}
	var made []requests.GrantRef
	for _, o := range plan.ObjectsOf(*g, true) {
		made = append(made, grantRefs(*g, o)...)
	}
	for _, ref := range status.GrantRefs {
		ref.UID = ""
		if !slices.Contains(made, ref) {
			v.add("binding-differs",
				"by the facts kept with it, there was no %s %s in %s that gave %s with these rules",
				requests.Quote(ref.Kind), requests.Quote(ref.Name), requests.Quote(ref.Namespace),
				requests.Quote(ref.Role+ref.Container))
		}
	}
}
