package messages

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// grant is of an hour from noon on.
func grant(change ...func(*requests.Grant)) requests.Grant {
	g := requests.Grant{Name: "20261123-alice-one", Cluster: "prod-eu", Policy: "debug", Requester: "alice",
		Path:   "requests/prod-eu/debug/20261123-alice-one.yaml",
		Window: requests.NewWindow(noon, requests.Duration(time.Hour)),
		Items: []requests.Item{{Kind: requests.KubernetesRoleBinding, Namespace: "shop",
			Role: requests.Role{Kind: requests.KindClusterRole, Name: "view"}}},
		Evidence: requests.Evidence{PullRequest: 7, Approvers: []requests.Approver{{Login: "bob"},
			{Login: "carol"}}}}
	for _, c := range change {
		c(&g)
	}
	return g
}

// given has a binding that existed.
func given(phase plan.Phase, cause string) plan.Record {
	r := plan.Record{Phase: phase, Grant: grant(), Cause: cause, Objects: []plan.Object{{
		Kind: "RoleBinding", Namespace: "shop", Name: "pullgrant-x", UID: "u", Content: "c"}}}
	if phase == plan.Ended {
		r.EndedAt = requests.At(noon.Add(20 * time.Minute))
	}
	return r
}

// TestNews: what each record tells.
func TestNews(t *testing.T) {
	late := func(g *requests.Grant) {
		g.Window = requests.NewWindow(noon.Add(2*time.Hour), requests.Duration(time.Hour))
	}
	refused := given(plan.Ended, requests.CauseDenied)
	refused.Code = string(policies.InsufficientApprovals)
	closed := given(plan.Ended, requests.CauseDenied)
	closed.Code, closed.RefusedBy = string(policies.Refused), &requests.Refuser{Login: "bob", Words: "no"}
	by := given(plan.Ended, requests.CauseRelinquished)
	by.EndedBy = requests.Person{Login: "alice", ID: 101, PullRequest: 9}
	objected := plan.Record{Phase: plan.Granting, Grant: grant(), Refused: &plan.Refusal{
		Code: string(policies.RefusedByCluster), Since: requests.At(noon)}}
	glass := given(plan.Granted, "")
	glass.Grant.BreakGlass = &requests.BreakGlass{Owners: []string{"bob", "acme/sre"},
		ReviewWithin: requests.Duration(24 * time.Hour)}
	extends := given(plan.Granted, "")
	extends.Grant.Extends = "20261123-alice-zero"
	behalf, over := given(plan.Granted, ""), given(plan.Ended, requests.CauseExpired)
	behalf.Grant.Behalf, over.Grant.Behalf = "dave", "dave"
	for name, c := range map[string]struct {
		record plan.Record
		next   string
		after  time.Duration // noon
		want   []string      // event, then words of what happened and of what is next
	}{
		"scheduled": {plan.Record{Phase: plan.Scheduled, Grant: grant(late)}, "", 0, []string{
			"Approved | access begins at 2026-11-23 14:00:00 UTC, until 2026-11-23 15:00:00 UTC, " +
				"approved by bob, carol."}},
		"begun": {plan.Record{Phase: plan.Granting, Grant: grant()}, "", 0, []string{
			"Approved | granted next, until 2026-11-23 13:00:00 UTC, approved by bob, carol."}},
		"the cluster objects": {objected, "", Late - time.Second, []string{"Approved"}},
		"the cluster objects for long": {objected, "", Late, []string{"Approved",
			"Waiting | since 2026-11-23 12:00:00 UTC, RefusedByCluster. | #refusedbycluster"}},
		"granted": {given(plan.Granted, ""), "", 0, []string{"Approved",
			"Granted | Access until 2026-11-23 13:00:00 UTC, 1h, to ClusterRole view in namespace shop | " +
				"kubectl pullgrant drop 20261123-alice-one"}},
		"extends": {extends, "", 0, []string{"Approved", "Granted | It goes on from 20261123-alice-zero."}},
		"on behalf of another": {behalf, "", 0, []string{
			"Approved | until 2026-11-23 13:00:00 UTC, for dave, approved by bob, carol.",
			"Granted | Access of dave until 2026-11-23 13:00:00 UTC"}},
		"over, of another": {over, "", time.Hour, []string{"Ended | Access of dave ended at 2026-11-23 12:20:00 UTC"}},
		"break-glass": {glass, "", 0, []string{"Approved", "Granted",
			"BreakGlass | Nobody looked at it before. | within 24h"}},
		"ending": {given(plan.Ending, requests.CauseRevoked), "", 0, nil},
		"expired": {given(plan.Ended, requests.CauseExpired), "", time.Hour, []string{
			"Ended | Access ended at 2026-11-23 12:20:00 UTC, its time was over."}},
		"extended": {given(plan.Ended, requests.CauseExpired), "20261123-alice-two", time.Hour, []string{
			"Ended | It goes on as 20261123-alice-two."}},
		"given back": {by, "", time.Hour, []string{
			"Ended | it was given back, by alice in pull request 9."}},
		"never begun": {plan.Record{Phase: plan.Ended, Grant: grant(late), Cause: requests.CauseRelinquished,
			EndedAt: requests.At(noon)}, "", 0, []string{"Ended | It was over before access began"}},
		"cause unknown": {given(plan.Ended, ""), "", 20*time.Minute + causeWait - 1, nil},
		"cause unknown for long": {given(plan.Ended, ""), "", 20*time.Minute + causeWait,
			[]string{"Ended | its request is off the branch."}},
		"refused": {refused, "", time.Hour, []string{"Refused | refused at 2026-11-23 12:20:00 UTC, " +
			"InsufficientApprovals. | ask again under a new name; what to do first: | #insufficientapprovals"}},
		"closed": {closed, "", time.Hour, []string{"Refused | bob requested changes"}},
	} {
		got := newsOf(c.record, c.next, noon.Add(c.after))
		if len(got) != len(c.want) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		for i, want := range c.want {
			event, words, _ := strings.Cut(want, " | ")
			for word := range strings.SplitSeq(words, " | ") {
				if text := got[i].happened + "\n" + got[i].next; got[i].event != event ||
					!strings.Contains(text, word) || strings.Contains(text, "\n\n") {
					t.Errorf("%s: %s says %q, want %s: %q", name, got[i].event, text, event, word)
				}
			}
		}
	}
}

// TestCausesHaveWords: an end of whatever cause is told in words.
func TestCausesHaveWords(t *testing.T) {
	for _, cause := range append([]string{""}, requests.Causes...) {
		if causes[cause] == "" {
			t.Errorf("%q has none", cause)
		}
	}
	if len(causes) != len(requests.Causes)+1 {
		t.Errorf("%d causes have words", len(causes))
	}
}

// TestEnding: told once it is near, by the end as it stands, and not of what is no longer than that.
func TestEnding(t *testing.T) {
	n := policies.Notification{Channel: "ops", Events: []string{policies.NotifyEnding},
		EndingBefore: requests.Duration(10 * time.Minute)}
	long := n
	long.EndingBefore = requests.Duration(time.Hour)
	other := n
	other.Events = []string{policies.NotifyEnded}
	glass := given(plan.Granted, "")
	glass.Grant.BreakGlass = &requests.BreakGlass{}
	behalf := given(plan.Granted, "")
	behalf.Grant.Behalf = "dave"
	for name, c := range map[string]struct {
		record plan.Record
		asked  policies.Notification
		after  time.Duration
		words  string // empty: it is not told
	}{
		"too early": {given(plan.Granted, ""), n, 50*time.Minute - 1, ""},
		"near": {given(plan.Granted, ""), n, 50 * time.Minute, "ends at 2026-11-23 13:00:00 UTC, in 10m0s.\n" +
			"to have it longer, kubectl pullgrant extend 20261123-alice-one"},
		"nearer":         {given(plan.Granted, ""), n, 59 * time.Minute, "in 1m0s."},
		"of another":     {behalf, n, 50 * time.Minute, "Access of dave ends at 2026-11-23 13:00:00 UTC"},
		"over":           {given(plan.Granted, ""), n, time.Hour, ""},
		"ended":          {given(plan.Ended, requests.CauseRevoked), n, 55 * time.Minute, ""},
		"as long":        {given(plan.Granted, ""), long, 55 * time.Minute, ""},
		"not asked for":  {given(plan.Granted, ""), other, 55 * time.Minute, ""},
		"not extensible": {glass, n, 55 * time.Minute, "in 5m0s.\n"},
	} {
		got, due := endingNews(c.record, c.asked, noon.Add(c.after))
		text := got.happened + "\n" + got.next
		if due != (c.words != "") || !strings.Contains(text, c.words) ||
			name == "not extensible" && got.next != "" {
			t.Errorf("%s: %t, %q", name, due, text)
		}
	}
}

// TestExtensions: only what is approved, not over, and of the same person counts.
func TestExtensions(t *testing.T) {
	var records []plan.Record
	for i, phase := range []plan.Phase{plan.Scheduled, plan.Granting, plan.Granted, plan.Ending, plan.Ended} {
		r := plan.Record{Phase: phase}
		r.Grant.Name, r.Grant.Extends = fmt.Sprint("next-", i), fmt.Sprint("one-", i)
		records = append(records, r, plan.Record{Phase: phase, Grant: requests.Grant{Name: fmt.Sprint("one-", i)}})
	}
	others := plan.Record{Phase: plan.Granted}
	others.Grant.Name, others.Grant.Extends = "others", "one-1"
	others.Grant.Subject = requests.Subject{Kind: requests.KindUser, Name: "dave@example.com"}
	records = append(records, others)
	got := extensions(records)
	for i := range 5 {
		if want := map[bool]string{true: fmt.Sprint("next-", i)}[i < 3]; got[fmt.Sprint("one-", i)] != want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

// TestManyThings: a message names a few.
func TestManyThings(t *testing.T) {
	g := grant()
	g.Items = slices.Repeat(g.Items, 10)
	if text := grantedText(g); strings.Count(text, "ClusterRole view") != 3 || !strings.Contains(text, "; 7 more") {
		t.Error(text)
	}
}

// TestOverdue: who answers, and how, and who breaks no glass before.
func TestOverdue(t *testing.T) {
	d := policies.Debt{Metadata: requests.Metadata{Name: "20261123-alice-breakglass-x"},
		Spec: policies.DebtSpec{Requester: "alice", Owners: []string{"bob"}, DueAt: requests.At(noon)}}
	n := overdueNews(d)
	if n.event != policies.NotifyBreakGlass || n.mark == "" || !n.at.Equal(noon) || n.who[0] != "bob" ||
		!strings.Contains(n.happened, "due at 2026-11-23 12:00:00 UTC. Until somebody does, alice breaks no glass") ||
		!strings.Contains(n.next, "breakglass review 20261123-alice-breakglass-x") {
		t.Errorf("%+v", n)
	}
	d.Spec.Behalf = "dave"
	if n := overdueNews(d); !strings.Contains(n.happened, "alice and dave break no glass, nor") {
		t.Errorf("%+v", n)
	}
}
