package sync

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// maxBatch bounds the grants that one commit enters into the ledger, so that its message stays readable.
const maxBatch = 100

// revocation is the ledger entry of an ended grant. The same record always gives the same entry.
func revocation(r plan.Record) requests.Revocation {
	g, e := r.Grant, r.Grant.Evidence
	entry := requests.Revocation{
		APIVersion: requests.APIVersion, Kind: "AccessRequest", Metadata: requests.Metadata{Name: g.Name},
		Status: requests.Status{
			State: requests.StateOf(r.Cause), Cause: r.Cause, Code: r.Code, Path: g.Path, Evidence: e.Source, RevokedAt: r.EndedAt,
			PullRequest: e.PullRequest, HeadSHA: e.HeadSHA, MergeCommit: e.MergeCommit, PolicyCommit: e.PolicyCommit, Approvers: e.Approvers,
			Challenges: e.Challenges, Ignored: e.Ignored,
		},
	}
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
	if r.EverGranted() {
		entry.Status.GrantedAt, entry.Status.ExpiresAt = &g.Window.Start, &g.Window.End
	}
	return entry
}

// grantRef is an object of a grant that is gone, as an entry tells of it: of a binding, with the role it gave.
func grantRef(g requests.Grant, o plan.Object) requests.GrantRef {
	ref := requests.GrantRef{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID, State: requests.ObjectReclaimed}
	if i := slices.IndexFunc(g.Bindings, func(b requests.Binding) bool { return b.Namespace == o.Namespace && b.Name == o.Name }); i >= 0 && o.IsBinding() {
		ref.Role, ref.Rules = g.Bindings[i].Role.Name, g.Bindings[i].Rules
	}
	return ref
}

// entry is one request that leaves requests/: into the ledger, or, when its name was used before, for good.
type entry struct {
	record  plan.Record
	discard bool
}

// enter writes ended grants into the ledger and takes their request files off the branch, in one commit for each batch.
// What is done already is left alone, so that it may be repeated, by anybody.
func (a *Agent) enter(ctx context.Context, entries []entry) error {
	for batch := range slices.Chunk(entries, maxBatch) {
		commit, err := a.repository.Commit(ctx, func(tip string) (git.Change, error) { return a.change(tip, batch) })
		if err != nil {
			return fmt.Errorf("writing the ledger: %w", err)
		}
		for _, e := range batch {
			event, cause := plan.Enter, e.record.Cause
			if e.discard {
				event, cause = plan.Discard, requests.CauseDenied
			}
			a.log.Info("off the branch", "event", string(event), "request", e.record.Grant.Name, "cluster", a.cluster.name,
				"cause", cause, "code", e.record.Code, "commit", commit)
			a.tellEnd(e, commit)
		}
	}
	return nil
}

// change is what is left to be done on a tip.
func (a *Agent) change(tip string, batch []entry) (git.Change, error) {
	at := a.now()
	person := git.Person{Name: "pullgrant", Email: "pullgrant@" + a.cluster.name + ".invalid"}
	change := git.Change{Put: map[string][]byte{}, Author: person, Committer: person, When: at, Sign: a.signer}
	var left []entry
	for _, e := range batch {
		g := e.record.Grant
		path := requests.RevocationPath(a.cluster.name, g.Name)
		facts := requests.FactsPath(path)
		there, err := a.repository.Entries(tip, g.Path, path, facts)
		if err != nil {
			return change, err
		}
		asked := slices.ContainsFunc(there, func(f git.Entry) bool { return f.Path == g.Path && f.Fault == "" })
		entered := e.discard || slices.ContainsFunc(there, func(f git.Entry) bool { return f.Path == path })
		if asked {
			change.Remove = append(change.Remove, g.Path)
		}
		if !entered {
			if change.Put[path], err = revocation(e.record).Marshal(); err != nil {
				return change, err
			}
			blocked := slices.ContainsFunc(there, func(f git.Entry) bool { // by a folder or a link, which no file replaces
				return f.Path == facts && f.Fault != "" || strings.HasPrefix(f.Path, facts+"/")
			})
			if len(e.record.Facts) > 0 && !blocked {
				change.Put[facts] = e.record.Facts
			}
		}
		if asked || !entered {
			left = append(left, e)
		}
	}
	change.Message = message(a.cluster.name, left)
	return change, nil
}

// message tells what happened in words of a fixed vocabulary: names, logins and times, never the reason or any other text
// somebody wrote (G8). The trailers stand together at its end, those of one grant after those of another, each group
// beginning with Pullgrant-Event, which is what git interpret-trailers reads.
func message(cluster string, entries []entry) string {
	if len(entries) == 0 {
		return ""
	}
	var subject string
	var lines, trailers []string
	for _, e := range entries {
		subject = title(e)
		lines = append(lines, sentence(e))
		trailers = append(trailers, e.trailers()...)
	}
	if len(entries) > 1 {
		subject = fmt.Sprintf("Revoke %d grants of %s", len(entries), cluster)
		for i, e := range entries {
			lines[i] = title(e) + "\n  " + lines[i]
		}
	}
	return subject + "\n\n" + strings.Join(lines, "\n") + "\n\n" + strings.Join(trailers, "\n") + "\n"
}

func title(e entry) string {
	g := e.record.Grant
	switch {
	case e.discard:
		return "Discard " + g.Path + ": the name is used"
	case e.record.Cause == requests.CauseDenied:
		return "Refuse " + g.Name + ": " + e.record.Code
	}
	return "Revoke " + g.Name + ": " + e.record.Cause
}

func sentence(e entry) string {
	g, r := e.record.Grant, e.record
	if e.discard {
		return "A request is granted at most once; ask again under a new name."
	}
	text := "Asked for under policy " + g.Policy
	if requests.CheckLogin(g.Requester) == "" {
		text = "@" + g.Requester + " asked under policy " + g.Policy
	}
	if g.Evidence.PullRequest != 0 {
		text += fmt.Sprintf(" in #%d", g.Evidence.PullRequest)
	}
	var approvers []string
	for _, a := range g.Evidence.Approvers {
		approvers = append(approvers, "@"+a.Login)
	}
	text += ", approved by " + cmp.Or(strings.Join(approvers, ", "), "nobody")
	if g.Evidence.Source == requests.EvidenceBranch {
		text += " as far as is known, for the branch was trusted"
	}
	text += "; "
	if !r.EverGranted() {
		verb := "refused"
		if r.Cause != requests.CauseDenied {
			verb = "ended"
		}
		return text + "never granted, " + verb + " at " + r.EndedAt.String() + "."
	}
	return fmt.Sprintf("%sgranted from %s to %s, ended at %s.", text, g.Window.Start, g.Window.End, r.EndedAt)
}

func (e entry) trailers() []string {
	g, r := e.record.Grant, e.record
	out := []string{"Pullgrant-Event: revoked", "Pullgrant-Cause: " + cmp.Or(r.Cause, requests.CauseDenied), "Pullgrant-Request: " + g.Path}
	if g.Evidence.PullRequest != 0 {
		out = append(out, fmt.Sprintf("Pullgrant-Pull-Request: %d", g.Evidence.PullRequest))
	}
	if g.Evidence.MergeCommit != "" {
		out = append(out, "Pullgrant-Merge-Commit: "+g.Evidence.MergeCommit)
	}
	if r.EverGranted() {
		out = append(out, "Pullgrant-Granted-At: "+g.Window.Start.String(), "Pullgrant-Expires-At: "+g.Window.End.String())
	}
	if !e.discard {
		out = append(out, "Pullgrant-Revoked-At: "+r.EndedAt.String())
	}
	for _, a := range g.Evidence.Approvers {
		out = append(out, fmt.Sprintf("Approved-by: %s (%d)", a.Login, a.ID))
	}
	return out
}
