package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

var states = map[policies.Outcome]string{
	policies.Allowed: requests.StateAccepted,
	policies.Pending: requests.StatePending,
	policies.Denied:  requests.StateDenied,
}

// stands is a request on the branch that has not ended yet, as far as the ledger tells. said is
// what its agent says of it: without that nobody knows that access was given.
func stands(f policies.Facts, d policies.Decision, now time.Time, said string) shown {
	s := shown{State: states[d.Outcome], PullRequest: f.PullRequest.Number, Decision: d, facts: f,
		agentSaid: said}
	if d.Grant == nil || d.Grant.Window.End.IsZero() {
		return s
	}
	end := d.Grant.Window.End
	if left := span(end.Sub(now)); now.Before(end.Time) {
		switch {
		case given(said):
			s.Message += fmt.Sprintf("; its agent gave access until %s, ends in %s", end, left)
		case now.Before(d.Grant.Window.Start.Time) && strings.HasPrefix(said, github.Scheduled):
			s.Message += fmt.Sprintf("; its agent gives access from %s until %s",
				d.Grant.Window.Start, end)
		case now.Before(d.Grant.Window.Start.Time):
			s.Message += fmt.Sprintf("; its window opens at %s%s", d.Grant.Window.Start,
				strings.TrimSuffix("; its agent says: "+said, "; its agent says: "))
		case said != "":
			s.Message += fmt.Sprintf("; its agent says: %s; its window is open until %s, ends in %s",
				said, end, left)
		default:
			s.Message += fmt.Sprintf("; its window is open until %s, ends in %s, and nobody says "+
				"that access was given", end, left)
		}
		return s
	}
	s.State = requests.StateExpired
	if given(said) || strings.HasPrefix(said, github.Ended) || said == github.Lasting {
		s.Outcome, s.Code = policies.Allowed, ""
		s.Rules = slices.DeleteFunc(slices.Clone(s.Rules), func(r policies.Rule) bool {
			return r.Code == policies.ExpiredBeforeGrant
		})
		s.Message = fmt.Sprintf("its time was over at %s, and the ledger has no entry yet; its agent says: %s",
			end, said)
		return s
	}
	refuse(&s.Decision, policies.ExpiredBeforeGrant, "its time was over at %s, "+
		"and the ledger has no entry yet: is the agent of %s running?", end, d.Grant.Cluster)
	return s
}

// given tells whether what the agent says is that it gave access.
func given(said string) bool { return strings.HasPrefix(said, github.Granted) }

// ended is a request that the ledger tells of. What its roles allowed is what the policies and
// the catalogue said at the commit that it was judged by last; treeAt reads them.
func ended(a ledger.Account, treeAt func(commit string) (policies.Tree, error)) (shown, error) {
	status := *a.Status
	grant := requests.Grant{Name: a.Name, Path: status.Path, Cluster: a.Cluster}
	d := policies.Decision{Kind: policies.KindRequest, Path: a.Path, HeadSHA: status.HeadSHA,
		PolicyCommit: status.PolicyCommit, Approvers: status.Approvers, Grant: &grant}
	if a.Spec != nil {
		d.Policy, d.Reason, d.Fields = a.Spec.Policy, a.Spec.Reason, a.Spec.Fields
		grant.Policy, grant.Requester = a.Spec.Policy, a.Spec.Requester
	}
	if a.Spec != nil && commitPattern.MatchString(status.PolicyCommit) {
		tree, err := treeAt(status.PolicyCommit)
		if err != nil {
			return shown{}, err
		}
		then, err := previewAccount(tree, status.Path, a)
		if err != nil {
			return shown{}, err
		}
		if d.Roles = then.Roles; then.Grant != nil {
			grant.Items = decided(then.Grant.Items, status.GrantRefs)
		}
	}
	if status.Subject != nil {
		grant.Subject = *status.Subject
	}
	if status.GrantedAt != nil && status.ExpiresAt != nil {
		grant.Window = requests.Window{Start: *status.GrantedAt, End: *status.ExpiresAt}
		grant.Duration = requests.Duration(status.ExpiresAt.Sub(status.GrantedAt.Time))
	}
	d.Outcome, d.Message = policies.Allowed, howEnded(status)
	if status.State == requests.StateDenied {
		refuse(&d, policies.Code(status.Code), "%s", d.Message)
		d.Outcome = policies.Denied // whatever the entry's code would mean elsewhere
	}
	return shown{State: status.State, PullRequest: status.PullRequest, Ledger: a.Status,
		Decision: d}, nil
}

// howEnded says when and how, as the ledger tells it.
func howEnded(status requests.Status) string {
	switch {
	case status.State == requests.StateDenied:
		return fmt.Sprintf("its agent refused it at %s, after the merge", status.RevokedAt)
	case status.Cause != status.State:
		return fmt.Sprintf("access ended at %s (%s)", status.RevokedAt, status.Cause)
	}
	return fmt.Sprintf("access ended at %s", status.RevokedAt)
}

// decided are items with the containers that an entry says were decided.
func decided(items []requests.Item, refs []requests.GrantRef) (all []requests.Item) {
	for _, i := range items {
		for _, ref := range refs {
			if i.Undecided() && ref.Container != "" && ref.Name == i.Name &&
				ref.Namespace == i.Namespace {
				i = i.Decided(ref.Container)
			}
		}
		all = append(all, i)
	}
	return all
}

// refuse overrules a decision on what stands on the branch, where nobody can approve any more.
func refuse(d *policies.Decision, code policies.Code, format string, args ...any) {
	d.Outcome, d.Code, d.Message = code.Outcome(), code, fmt.Sprintf(format, args...)
	d.Challenges = nil
}

// previewAccount judges the request that an account tells of, as if it stood at path.
func previewAccount(tree policies.Tree, path string, a ledger.Account) (policies.Decision, error) {
	request := requests.AccessRequest{APIVersion: requests.APIVersion,
		Kind:     requests.KindAccessRequest,
		Metadata: requests.Metadata{Name: a.Name}, Spec: *a.Spec}
	data, err := request.Marshal()
	if err != nil {
		return policies.Decision{}, fmt.Errorf("write the request: %w", err)
	}
	file := policies.NewTreeFile(policies.PlainFile, "", data, int64(len(data)))
	if a.Status == nil {
		return policies.Preview(tree, path, file), nil
	}
	return policies.Recall(tree, path, file, a.Status.Approvers), nil
}
