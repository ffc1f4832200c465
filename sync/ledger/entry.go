// Package ledger is the record of ended grants in the access repository: what an entry and its
// commit say, who it was that said so, and whether it follows from git and GitHub. `pullgrant
// audit` is made of it.
package ledger

import (
	"slices"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Revocation is the ledger entry of an ended grant. The same record always gives the same entry.
func Revocation(r plan.Record) requests.Revocation {
	g, e := r.Grant, r.Grant.Evidence
	entry := requests.Revocation{
		APIVersion: requests.APIVersion, Kind: "AccessRequest",
		Metadata: requests.Metadata{Name: g.Name},
		Status: requests.Status{
			State: requests.StateOf(r.Cause), Cause: r.Cause, Code: r.Code, Path: g.Path,
			Evidence: e.Source, RevokedAt: r.EndedAt,
			PullRequest: e.PullRequest, HeadSHA: e.HeadSHA, MergeCommit: e.MergeCommit,
			PolicyCommit: e.PolicyCommit, Approvers: e.Approvers,
			Challenges: e.Challenges, Ignored: e.Ignored, Issue: r.Issue,
		},
	}
	if r.EndedBy != (requests.Person{}) && requests.ByAPerson(r.Cause) {
		entry.Status.EndedBy = &r.EndedBy
	}
	entry.Status.RefusedBy = r.RefusedBy
	if len(r.Facts) > 0 {
		entry.Status.Facts = requests.Digest(r.Facts)
	}
	if request, findings := requests.ParseRequest(g.Path, r.Request); len(findings) == 0 {
		entry.Spec = &request.Spec
	}
	if g.Subject.Name != "" {
		entry.Status.Subject = &g.Subject
	}
	for _, o := range r.Objects {
		if o.UID != "" {
			entry.Status.GrantRefs = append(entry.Status.GrantRefs, grantRef(g, o))
		}
	}
	if len(r.Uses.First) > 0 {
		entry.Status.Uses = &r.Uses
	}
	if r.EverGranted() {
		entry.Status.GrantedAt, entry.Status.ExpiresAt = &g.Window.Start, &g.Window.End
	}
	return entry
}

// grantRef is an object of a grant that is gone, as an entry tells of it: of a binding, with the
// role it gave.
func grantRef(g requests.Grant, o plan.Object) requests.GrantRef {
	ref := requests.GrantRef{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID,
		State: requests.ObjectReclaimed}
	if i := slices.IndexFunc(
		g.Items, func(b requests.Item) bool {
			return b.Namespace == o.Namespace &&
				b.Name == o.Name
		}); i >= 0 && o.IsBinding() {
		ref.Role, ref.Rules = g.Items[i].Role.Name, g.Items[i].Rules
		if g.Items[i].Exec != nil && len(g.Items[i].Containers) > 0 {
			ref.Container = g.Items[i].Exec.Container
		}
	}
	return ref
}

// grantRefs are what entries may say of an object of a grant as it was judged: of a command whose
// container is still to be decided, any that it may be.
func grantRefs(g requests.Grant, o plan.Object) (all []requests.GrantRef) {
	for i, item := range g.Items {
		if item.Namespace != o.Namespace || item.Name != o.Name {
			continue
		}
		for _, container := range item.Containers {
			decided := g
			decided.Items = slices.Clone(g.Items)
			decided.Items[i] = item.Decided(container)
			all = append(all, grantRef(decided, o))
		}
	}
	if len(all) == 0 {
		all = append(all, grantRef(g, o))
	}
	return all
}

// Entry is one request that leaves requests/: into the ledger, or, when its name was used before,
// for good.
type Entry struct {
	Record  plan.Record
	Discard bool
	Holder  string // of one that is discarded: the path of what has the name
}
