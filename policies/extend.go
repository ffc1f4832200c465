package policies

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Extended is the access that a request goes on from (its extends), of the same cluster and policy,
// as the default branch and GitHub told of it when the facts were gathered.
type Extended struct {
	Requester string `json:"requester"` // empty: the request or the entry could not be read
	// Window is what it was judged to have, or had; zero when it was never to have any.
	Window requests.Window `json:"window,omitzero"`
	// Ungranted is why it gives nothing, while its request stands on the branch.
	Ungranted Code `json:"ungranted,omitempty"`
	// Cause is how it ended, once the ledger has it.
	Cause string `json:"cause,omitempty"`
	// After tells that the branch had neither its request nor its entry when the one that goes on from
	// it was merged.
	After bool `json:"after,omitempty"`
}

// extension refuses to go on from what is not the requester's own, was never granted, or was ended
// by anything but time: whoever ended it meant what follows too. What is merged first is decided
// first (R80), so that nothing goes on from what was merged after it: each would wait for the other.
func (j *judge) extension() string {
	name, e := j.request.Spec.Extends, j.facts.Extended
	if name == "" {
		return ""
	}
	problem := ""
	switch {
	case e == nil:
		problem = fmt.Sprintf("there is no access %s under the policy %s on %s to extend",
			name, j.request.Spec.Policy, j.request.Spec.Cluster)
	case e.After:
		problem = fmt.Sprintf("%s was merged after it", name)
	case !strings.EqualFold(e.Requester, j.request.Spec.Requester):
		problem = fmt.Sprintf("%s is not of @%s under the policy %s", name,
			j.request.Spec.Requester, j.request.Spec.Policy)
	case e.Cause != "" && e.Cause != requests.CauseExpired:
		problem = fmt.Sprintf("%s is over (%s), and not by its time", name, e.Cause)
	case e.Window == (requests.Window{}),
		e.Ungranted != "" && e.Ungranted != ExpiredBeforeGrant:
		problem = strings.TrimSuffix(fmt.Sprintf("%s gives nothing to go on from: %s", name,
			e.Ungranted), ": ")
	default:
		return ""
	}
	return j.field("spec.extends", ExtensionNotAllowed, problem+"; ask without extends (`pullgrant request`)")
}

// already refuses an open request for what its requester has under the same policy when it would
// begin, and names the end of that. Once it is merged it is approved, and gives nobody more.
func (j *judge) already() string {
	if j.facts.PullRequest.Merged {
		return ""
	}
	l, has := j.has()
	if !has {
		return ""
	}
	place, _ := requests.SplitPath(l.Path)
	return fmt.Sprintf("@%s has the same access by %s until %s; to have it longer, run "+
		"\"pullgrant extend %[2]s\"", cmp.Or(j.decision.Grant.Behalf, j.decision.Grant.Requester), place.Name,
		l.Window.End)
}

// has finds what the requester has already of what is asked for when that would begin.
func (j *judge) has() (Live, bool) {
	g := j.decision.Grant
	begin := g.From(j.facts.judgedAt(j.now)).Start
	for _, l := range j.facts.Live {
		place, _ := requests.SplitPath(l.Path)
		if l.Window.Open(begin.Time) && place.Policy == g.Policy &&
			requests.SameAccess(j.given(l), g.Items) {
			return l, true
		}
	}
	return Live{}, false
}

// given is what a live request gives the one who asks. What cannot be read, or is another person's,
// gives nothing here. Whose a request is stands in the file: the beginning of its name is no
// person's alone.
func (j *judge) given(l Live) []requests.Item {
	place, ok := requests.SplitPath(l.Path)
	if !ok || place.Cluster != j.decision.Grant.Cluster || l.Ungranted != "" ||
		l.File.problem() != "" || l.Policy.problem() != "" {
		return nil
	}
	request, findings := requests.ParseRequest(l.Path, []byte(l.File.Content))
	policy, more := ParsePolicy(Path(place.Policy), []byte(l.Policy.Content))
	if len(findings) > 0 || len(more) > 0 || !j.isTheirs(request.Spec) {
		return nil
	}
	items, refused := policy.Spec.resolve(j.tree, request)
	if len(refused) > 0 { // a request gives all or nothing
		return nil
	}
	return narrowedBy(requests.Grant{Items: items}, l.Narrowed).Items
}
