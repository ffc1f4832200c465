package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
)

// written is a request as its file.
func written(asked requests.AccessRequest) ([]byte, error) {
	data, err := asked.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	return append([]byte("# yaml-language-server: $schema="+
		requests.SchemaAddress(requests.KindAccessRequest)+"\n"), data...), nil
}

func timeOfDay(now time.Time) string { return now.UTC().Format("150405") }

// compose writes the request as its author would.
func (o requestOptions) compose(login string, now time.Time) requests.AccessRequest {
	now = now.UTC()
	slug := cmp.Or(o.slug, ticket(o.reason), "at-"+timeOfDay(now))
	if o.breakGlass {
		slug = requests.BreakGlassSlug + slug
	}
	r := requests.AccessRequest{APIVersion: requests.APIVersion, Kind: requests.KindAccessRequest,
		Metadata: requests.Metadata{Name: now.Format("20060102") + "-" + requests.NamePart(login) +
			"-" + slug},
		Spec: requests.RequestSpec{Cluster: o.cluster, Policy: o.policy, Requester: login,
			Namespace: o.namespace, Reason: o.reason, BreakGlass: o.breakGlass}}
	if o.extends != nil {
		r.Spec = o.extends.Spec
		r.Spec.Extends, r.Spec.Reason = o.extends.Metadata.Name, o.reason
		r.Spec.BreakGlass = false // what goes on was looked at
		r.Spec.NotBefore, r.Spec.Until = requests.Time{}, requests.Time{}
		if o.until != "" {
			r.Spec.Duration = 0
		}
	} else {
		o.fill(&r.Spec)
		r.Spec.Fields = o.fields.given
	}
	if o.duration != "" {
		r.Spec.Duration, _ = requests.ParseDuration(o.duration) // complete has checked it
	}
	for text, at := range map[string]*requests.Time{o.notBefore: &r.Spec.NotBefore,
		o.until: &r.Spec.Until} {
		_ = at.UnmarshalText([]byte(text)) // and these; without a text it stays zero
	}
	return r
}

// proposal is the pull request. Its text stands in a code block, where GitHub reads no mention,
// link or HTML; the title is made of checked names only. Whom the policy
// asks is apart from who else was suggested.
func (o requestOptions) proposal(asked requests.AccessRequest, g requests.Grant, data []byte,
	ask, more reviewerList) github.Proposal {
	var facts strings.Builder
	fmt.Fprintf(&facts, "requester: %s\ngets access as: %s %s\n", g.Requester, g.Subject.Kind,
		g.Subject.Name)
	if g.Behalf != "" {
		fmt.Fprintf(&facts, "on behalf of: %s\n", g.Behalf)
	}
	for _, given := range g.Gives() {
		fmt.Fprintf(&facts, "to: %s\n", given)
	}
	if g.Extends != "" {
		fmt.Fprintf(&facts, "extends: %s\n", g.Extends)
	}
	fmt.Fprintf(&facts, "for: %s\npolicy: %s\nreason: %s\n", strings.TrimPrefix(g.When(),
		"for "), g.Policy,
		asked.Spec.Reason)
	for _, field := range requests.FieldsInWords(asked.Spec.Fields) {
		fmt.Fprintf(&facts, "field: %s\n", field)
	}
	if g.BreakGlass != nil {
		fmt.Fprintf(&facts, "break-glass: %s\n", g.BreakGlass)
	}
	fence := codeFence(facts.String())
	return github.Proposal{
		Branch:  branchOf(g.Name),
		Files:   map[string][]byte{g.Path: data},
		Message: "Request access " + g.Name,
		Title: o.titled() + fmt.Sprintf(": %s on %s for %s, %s", g.Policy, g.Cluster, g.Requester,
			strings.TrimPrefix(g.For(), "for ")),
		Body:           fence + "text\n" + facts.String() + fence + "\n",
		Reviewers:      ask.users,
		TeamReviewers:  ask.teams,
		Suggested:      more.users,
		SuggestedTeams: more.teams,
		AutoMerge:      o.autoMerge,
	}
}

var ticketPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,15}-[0-9]{1,10}\b`)

// ticket is the first word of a reason that names a ticket, such as INC-123, as a name holds it;
// empty when none does.
func ticket(reason string) string {
	for word := range strings.FieldsSeq(reason) {
		if found := ticketPattern.FindString(word); found != "" {
			return strings.ToLower(found)
		}
	}
	return ""
}
