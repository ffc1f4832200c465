package policies_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// live is what alice was given from ten to twelve by bob's approval under the example's policy.
func live(tree policies.Tree) policies.Given {
	g := exampleGrant
	g.Window = requests.NewWindow(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
		requests.Duration(2*time.Hour))
	g.Evidence = requests.Evidence{Source: requests.EvidenceGitHub,
		Approvers: []requests.Approver{{Login: "bob", ID: 102}}}
	return policies.Given{Grant: g, Under: tree.Files[paymentsPath],
		Then: policies.Answers{policies.AboutMember("acme/squad-b", "bob"): true}}
}

// edited is the tree with another version of the example's policy.
func edited(t *testing.T, tree policies.Tree, old, text string) policies.Tree {
	t.Helper()
	tree = with(t, tree, paymentsPath, old, text)
	file := tree.Files[paymentsPath]
	file.Blob = "another"
	tree.Files[paymentsPath] = file
	return tree
}

// TestTightened: what speaks against live access is told, and ends it when its policy says so and it
// is sure (R84).
func TestTightened(t *testing.T) {
	const alice, bob = "{kind: User, name: alice}", "{kind: User, name: bob}"
	tree := exampleTree(t)
	noAlice := edited(t, tree, "    - "+alice+"\n", "")
	peer := func(more string) policies.Tree {
		return edited(t, tree, "{kind: CodeOwnerReview, count: 1}", "{kind: PeerReview, "+more+"}")
	}
	ten := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	said := func(member bool) func(*policies.Given) {
		return func(g *policies.Given) {
			g.Now = policies.Answers{policies.AboutMember("acme/squad-a", "alice"): member}
		}
	}
	glass := func(g *policies.Given) {
		g.BreakGlass, g.Evidence.Approvers = &requests.BreakGlass{Owners: []string{"bob"}}, nil
	}
	for name, c := range map[string]struct {
		tree   policies.Tree
		at     time.Duration // after ten
		change func(*policies.Given)
		want   string // a part of what is told; empty: nothing
		cause  string
	}{
		"as it was": {tree: edited(t, tree, "maxDuration: 2h", "maxDuration: 3h")},
		"shorter maximum, still to come": {edited(t, tree, "maxDuration: 2h", "maxDuration: 1h"),
			59*time.Minute + 59*time.Second, nil,
			"access lasts at most 1h by now, to 2026-11-23T11:00:00Z, and this was given to 2026-11-23T12:00:00Z", ""},
		"shorter maximum, over": {edited(t, tree, "maxDuration: 2h", "maxDuration: 1h"), time.Hour, nil,
			"access lasts at most 1h by now", requests.CausePolicyChanged},
		"two reviews": {edited(t, tree, "count: 1", "count: 2"), 0, nil,
			"CodeOwnerReview needs 2 of @", requests.CausePolicyChanged},
		"a review by somebody else": {peer("reviewers: [{kind: User, name: carol}]"), 0, nil,
			"PeerReview needs 1 of @carol by now, and @bob approved", requests.CausePolicyChanged},
		"a review more by who approved": {tree: peer("reviewers: [" + bob + "]")},
		"by a team that bob was in":     {tree: peer("reviewers: [{kind: Group, name: acme/squad-b}]")},
		"by a team that nobody asked about": {peer("reviewers: [{kind: Group, name: acme/other}]"), 0, nil,
			"nobody asked whether @bob, who approved, was in @acme/other", ""},
		"by a team, and who then was in one": {edited(t, tree, "count: 1", "count: 2"), 0,
			func(g *policies.Given) { g.Under.Blob = "another" }, "", ""},
		"proved by the branch alone": {edited(t, tree, "count: 1", "count: 2"), 0, func(g *policies.Given) {
			g.Evidence.Source = requests.EvidenceBranch
		}, "", ""},
		"a policy of then that is not known": {edited(t, tree, "count: 1", "count: 2"), 0,
			func(g *policies.Given) { g.Under = policies.TreeFile{} }, "", ""},
		"without a review then": {edited(t, tree, "count: 1", "count: 2"), 0,
			func(g *policies.Given) { g.Evidence.Approvers = nil }, "by now, and nobody approved",
			requests.CausePolicyChanged},
		"whom somebody outside of GitHub must let": {edited(t, tree, "{kind: CodeOwnerReview, count: 1}",
			"{kind: RBACAuthorization}\n    - {kind: CodeOwnerReview, count: 1}"), 0, nil,
			"by now, and nobody asked that when it was given", ""},
		"break-glass, which nobody approved": {tree: edited(t, tree, "count: 1", "count: 2"),
			change: glass},
		"break-glass, shorter": {edited(t, tree, "  target:\n", "  breakGlass: {subjects: ["+alice+
			"], maxDuration: 30m, owners: ["+bob+"], reviewWithin: 24h}\n  target:\n"), time.Hour, glass,
			"access lasts at most 30m by now, to 2026-11-23T10:30:00Z", requests.CausePolicyChanged},
		"in the team": {tree: noAlice, change: said(true)},
		"left the team": {noAlice, 0, said(false),
			"@alice is not in @acme/squad-a", requests.CauseSubjectRemoved},
		"nobody knows of the team": {tree: noAlice},
		"left the team, named as well": {tree: edited(t, tree, "maxDuration: 2h", "maxDuration: 3h"),
			change: said(false)},
		"a policy that does not read": {tree: edited(t, noAlice, "maxDuration: 2h", "maxDuration: soon"),
			change: said(false)},
	} {
		g := live(tree)
		if c.change != nil {
			c.change(&g)
		}
		for _, ends := range []bool{false, true} {
			after, cause := c.tree, ""
			if ends {
				after, cause = edited(t, c.tree, "  target:\n", "  onChange: End\n  target:\n"), c.cause
				if name == "by a team, and who then was in one" {
					g.Under.Blob = after.Files[paymentsPath].Blob
				}
			}
			got := policies.Tightened(after, []policies.Given{g}, ten.Add(c.at))[g.Path]
			if got.Cause != cause || c.want == "" && got.Message != "" ||
				!strings.Contains(got.Message, c.want) {
				t.Errorf("%s, ends %t: %+v, want %q %s", name, ends, got, c.want, cause)
			}
			if told := strings.Contains(got.Message, "it goes on, for the policy does not say onChange: "+
				"End"); c.want != "" && told == ends {
				t.Errorf("%s, ends %t: %s", name, ends, got.Message)
			}
		}
	}
	if got := policies.LiveQuestions(noAlice, []policies.Given{live(tree)}); !slices.Equal(got,
		[]policies.Question{policies.AboutMember("acme/squad-a", "alice")}) {
		t.Errorf("asked is %v", got)
	}
	if got := policies.LiveQuestions(tree, []policies.Given{live(tree)}); len(got) != 0 {
		t.Errorf("of somebody who is named it is asked %v", got)
	}
}

// TestOnChangeIsTold: access that would live on is a widening.
func TestOnChangeIsTold(t *testing.T) {
	tree := exampleTree(t)
	ends := edited(t, tree, "  target:\n", "  onChange: End\n  target:\n")
	if got := policies.Widened(ends, tree); len(got) != 1 || !strings.HasSuffix(got[0],
		"access that was given does not end any more when the policy becomes stricter") {
		t.Errorf("taken away: %q", got)
	}
	if got := policies.Widened(tree, ends); len(got) != 0 {
		t.Errorf("set: %q", got)
	}
}
