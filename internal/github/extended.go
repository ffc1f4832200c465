package github

import (
	"context"
	"fmt"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// maxExtended bounds how many requests that go on from each other are judged for one: each takes as
// many calls as the request itself. What has ended is in the ledger and takes one.
const maxExtended = 3

// readExtended reads the access that a request goes on from: what the ledger says of it, else what
// the agent judges of its request. Nothing is found when neither is on the default branch. before
// is how many requests were judged on the way.
func (c *Client) readExtended(ctx context.Context, f *policies.Facts, now time.Time,
	before int) error {
	kind, path, _ := policies.KindOf(f.Files)
	place, ok := requests.SplitPath(path)
	request, findings := requests.ParseRequest(path, []byte(f.Head.Files[path].Content))
	name := request.Spec.Extends
	if kind != policies.KindRequest || !ok || len(findings) > 0 || name == "" {
		return nil
	}
	entry := requests.RevocationPath(place.Cluster, name)
	_, over, err := c.entry(ctx, f.Base.Commit, entry)
	if err != nil {
		return err
	}
	asked := requests.Path(place.Cluster, place.Policy, name)
	found, there, err := c.entry(ctx, f.Base.Commit, asked)
	if err != nil || !over && !there {
		return err
	}
	if first, err := c.mergedBefore(ctx, f, []string{asked, entry}); err != nil {
		return err
	} else if !first {
		f.Extended = &policies.Extended{After: true}
		return nil
	}
	if over {
		return c.readOver(ctx, f, entry, place.Policy)
	}
	if before == maxExtended {
		return fmt.Errorf("%s goes on from more than %d requests that have not ended; "+
			"try again once they have", requests.Quote(path), maxExtended)
	}
	number, _, err := c.Introduced(ctx, asked, f.Base.Commit)
	if err != nil {
		return err
	}
	f.Extended = &policies.Extended{Ungranted: policies.NoPullRequest}
	if number == 0 {
		return nil
	}
	other, err := c.facts(ctx, number, now)
	if err != nil {
		return err
	}
	if err := c.readExtended(ctx, &other, now, before+1); err != nil {
		return err
	}
	d := policies.EvaluateMerged(withReplies(other), asked, found.name, now)
	if d.Outcome == policies.Failed {
		return fmt.Errorf("judge %s, which it goes on from: %s", name, d.Message)
	}
	f.Extended.Ungranted = d.Code
	if d.Grant != nil {
		f.Extended.Requester, f.Extended.Window = d.Grant.Requester, d.Grant.Window
	}
	return nil
}

// withReplies are the facts of a merged request with a yes to all that it asks of others than GitHub, whom
// the agent asks once, before it grants. What goes on from the request needs its window only, and is not
// granted before the agent decided it: a no is in the ledger then.
func withReplies(f policies.Facts) policies.Facts {
	f.Replies = map[policies.Inquiry]policies.Reply{}
	for _, a := range policies.Inquiries(f) {
		f.Replies[a.Inquiry] = policies.Reply{Verdict: policies.Yes, At: f.ObservedAt}
	}
	return f
}

// readOver reads what the ledger says of it.
func (c *Client) readOver(ctx context.Context, f *policies.Facts, entry, policy string) error {
	tree, err := c.files(ctx, f.Base.Commit, []string{entry})
	if err != nil {
		return err
	}
	r, findings := requests.ParseRevocation(entry, []byte(tree.Files[entry].Content))
	f.Extended = &policies.Extended{Cause: r.Status.Cause}
	if len(findings) > 0 || r.Spec == nil || r.Spec.Policy != policy {
		return nil
	}
	f.Extended.Requester = r.Spec.Requester
	if s := r.Status; s.GrantedAt != nil && s.ExpiresAt != nil {
		f.Extended.Window = requests.Window{Start: *s.GrantedAt, End: *s.ExpiresAt}
	}
	return nil
}
