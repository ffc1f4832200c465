package policies_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/roles"
)

// TestReplay changes one thing of the policy that alice asked under, with bob's approval.
func TestReplay(t *testing.T) {
	const group = "{kind: Group, name: platform}"
	subjects := func(s string) func(string) string {
		return func(policy string) string {
			return strings.Replace(policy,
				"{kind: User, name: alice}", s, 1)
		}
	}
	replace := func(old, new string) func(string) string {
		return func(policy string) string {
			if !strings.Contains(policy, old) {
				t.Fatalf("the policy holds no %q", old)
			}
			return strings.Replace(policy, old, new, 1)
		}
	}
	keep := func(policy string) string { return policy }
	team := subjects("{kind: Group, name: acme/squad-a}")
	for _, test := range []struct {
		name          string
		before, after func(string) string
		flip          policies.Flip
		why           string // in the message of after, or of before where after has none
	}{
		{"nothing", keep, keep, "", ""},
		{"both refuse", replace("prod-eu", "prod-us"), subjects("{kind: User, name: eve}"), "",
			"may not ask"},
		{"another cluster", keep, replace("prod-eu, ", ""), policies.FlipDenied,
			"not for the cluster"},
		{"shorter", keep, replace("2h", "30m"), policies.FlipDenied,
			"over the policy's maximum of 30m"},
		{"longer", replace("2h", "30m"), keep, policies.FlipAllowed,
			"over the policy's maximum of 30m"},
		{"another namespace", keep, replace("allowedNamespaces: [payments]",
			"allowedNamespaces: [payments, x]"), "", ""},
		{"another role", keep, replace("ClusterRole, name: logs}", "ClusterRole, name: shell}"),
			policies.FlipChanged, ""},
		{"not for alice", keep, subjects("{kind: User, name: eve}"), policies.FlipDenied,
			"@alice may not ask"},
		{"for a team", keep, team, policies.FlipUnknown, "whether @alice is in acme/squad-a"},
		{"for the same team", team, team, "", "whether @alice is in acme/squad-a"},
		{"for another team", team, subjects("{kind: Group, name: acme/squad-z}"),
			policies.FlipUnknown, "whether @alice is in acme/squad-z"},
		{"no longer for a team", team, subjects("{kind: User, name: eve}"), policies.FlipDenied,
			"@alice may not ask"},
		{"another approver", keep, replace(group, "{kind: User, name: dave}"), policies.FlipDenied,
			"needs 1 of @dave, and @bob approved"},
		{"two approvers", keep, replace("count: 1", "count: 2"), policies.FlipDenied,
			"needs 2 of @bob, @carol, and @bob approved"},
		{"a team approves", keep, replace(group, "{kind: Group, name: acme/squad-b}"),
			policies.FlipUnknown, "whether at least 1 of @bob is in acme/squad-b"},
		{"two of a team approve", keep, replace(group+"], count: 1", "{kind: Group, name: "+
			"acme/squad-b}], count: 2"), policies.FlipDenied, "needs 2 of @acme/squad-b"},
		{"another policy name", keep, replace("name: logs}\nspec", "name: other}\nspec"),
			policies.FlipDenied, "metadata.name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy := peers("logs", group)
			past := policies.Past{Path: "requests/prod-eu/logs/20261122-alice-inc-1.yaml",
				Approvers: []string{"bob"},
				Spec: requests.RequestSpec{Cluster: "prod-eu", Policy: "logs", Requester: "alice",
					Duration: requests.Duration(time.Hour), Reason: "checkout is slow"}}
			got := policies.Replay(replayTree(t, test.before(policy)), replayTree(t,
				test.after(policy)), []policies.Past{past}, policies.InTurn)
			if len(got) != 1 || got[0].Flip != test.flip {
				t.Fatalf("%+v, want %q", got, test.flip)
			}
			why := got[0].After.Message
			if why == "" {
				why = got[0].Before.Message
			}
			if !strings.Contains(why, test.why) || test.why == "" && why != "" {
				t.Errorf("because %q, want %q", why, test.why)
			}
			past.Approvers = nil // not known, so nothing is said of them
			got = policies.Replay(replayTree(t, test.before(policy)), replayTree(t,
				test.after(policy)), []policies.Past{past}, policies.InTurn)
			if approval := strings.Contains(test.why, "needs") || strings.Contains(test.why,
				"bob"); approval && got[0].Flip != "" {
				t.Errorf("without approvers: %+v", got[0])
			}
		})
	}
}

// TestReplayWithTeams: what GitHub said of teams when a request was judged is known; only what
// nobody asked is open.
func TestReplayWithTeams(t *testing.T) {
	teams := func(subject, reviewers string) policies.Tree {
		policy := strings.Replace(peers("logs", "{kind: Group, name: "+reviewers+"}"),
			"{kind: User, name: alice}", "{kind: Group, name: "+subject+"}", 1)
		return replayTree(t, policy)
	}
	before := teams("acme/squad-a", "acme/squad-b")
	past := policies.Past{Path: "requests/prod-eu/logs/20261122-alice-inc-1.yaml",
		Approvers: []string{"bob"},
		Spec: requests.RequestSpec{Cluster: "prod-eu", Policy: "logs", Requester: "alice",
			Duration: requests.Duration(time.Hour), Reason: "checkout is slow"},
		Answers: policies.Answers{{Team: "acme/squad-a", User: "alice"}: true,
			{Team: "acme/squad-b",
				User: "bob"}: true,
			{Team: "acme/squad-c", User: "alice"}: false, {Team: "acme/squad-c",
				User: "bob"}: false}}
	for _, test := range []struct {
		subject, reviewers string
		decision           string
		code               policies.Code
		flip               policies.Flip
		why                string
	}{
		{"acme/squad-a", "acme/squad-b", "allowed", "", "", ""},
		{"acme/squad-c", "acme/squad-b", "denied", policies.RequesterNotAllowed,
			policies.FlipDenied,
			"@alice may not ask"},
		{"acme/squad-a", "acme/squad-c", "denied", policies.InsufficientApprovals,
			policies.FlipDenied, "needs 1 of @acme/squad-c, and @bob approved"},
		{"acme/squad-d", "acme/squad-b", "unknown", "", policies.FlipUnknown,
			"whether @alice is in acme/squad-d"},
		{"acme/squad-a", "acme/squad-d", "unknown", "", policies.FlipUnknown, "whether at least " +
			"1 of @bob is in acme/squad-d"},
	} {
		r := policies.Replay(before, teams(test.subject, test.reviewers), []policies.Past{past},
			policies.InTurn)[0]
		if r.Before.Decision != "allowed" || r.After.Decision != test.decision ||
			r.After.Code != test.code || r.Flip != test.flip ||
			!strings.Contains(r.After.Message, test.why) {
			t.Errorf("%s, %s: %+v", test.subject, test.reviewers, r)
		}
	}
}

func replayTree(t *testing.T, policy string) policies.Tree {
	t.Helper()
	files := fstest.MapFS{
		"CODEOWNERS": {Data: []byte("* @dave\n")},
		policies.IdentitiesPath: {Data: []byte("apiVersion: pullgrant.dev/v1alpha1\nkind: " +
			"IdentityMap\nmetadata: {name: identities}\n" +
			"spec: {users: [{github: alice, githubID: 101, kubernetes: {username: " +
			"alice@example.com}}]}\n")},
		policies.GroupsPath: {Data: []byte("apiVersion: pullgrant.dev/v1alpha1\nkind: " +
			"GroupMap\nmetadata: {name: groups}\n" +
			"spec: {groups: [{name: platform, members: [carol, bob]}]}\n")},
		policies.Path("logs"): {Data: []byte(policy)},
	}
	for _, role := range []string{"logs", "shell"} {
		for name, content := range roles.File("prod-eu", role, roles.Harmless) {
			files[name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	tree, err := policies.ReadTree(files, "")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// TestReplayUntil: an absolute end is measured from when access began, as the ledger tells it.
func TestReplayUntil(t *testing.T) {
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	past := policies.Past{Path: "requests/prod-eu/logs/20261122-alice-inc-1.yaml", Began: began,
		Approvers: []string{"bob"},
		Spec: requests.RequestSpec{Cluster: "prod-eu", Policy: "logs", Requester: "alice",
			Until: requests.At(began.Add(time.Hour)), Reason: "checkout is slow"}}
	policy := peers("logs", "{kind: Group, name: platform}")
	r := policies.Replay(replayTree(t, policy), replayTree(t, strings.Replace(policy, "2h",
		"30m", 1)),
		[]policies.Past{past}, policies.InTurn)[0]
	if r.Flip != policies.FlipDenied || r.After.Code != policies.DurationOutOfRange {
		t.Errorf("%+v", r)
	}
}

// TestReplayWindows: windows that a past request lay in change nothing, those that cut it or move it
// do, and those that are too far off refuse it.
func TestReplayWindows(t *testing.T) {
	began := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	past := policies.Past{Path: "requests/prod-eu/logs/20261123-alice-inc-1.yaml", Began: began,
		Approvers: []string{"bob"},
		Spec: requests.RequestSpec{Cluster: "prod-eu", Policy: "logs", Requester: "alice",
			Duration: requests.Duration(time.Hour), Reason: "checkout is slow"}}
	policy := peers("logs", "{kind: Group, name: platform}")
	for window, flip := range map[string]policies.Flip{
		`days: [Mon], from: "08:00", to: "18:00"`: "",
		`days: [Mon], from: "08:00", to: "11:30"`: policies.FlipChanged,
		`days: [Mon], from: "12:00", to: "18:00"`: policies.FlipChanged,
		`days: [Wed], from: "08:00", to: "18:00"`: policies.FlipChanged, // it could have waited
		`days: [Thu], from: "08:00", to: "18:00"`: policies.FlipDenied,
	} {
		windows := "  windows: [{" + window + ", timeZone: Europe/Stockholm}]\n  target:"
		r := policies.Replay(replayTree(t, policy), replayTree(t, strings.Replace(policy, "  target:",
			windows, 1)), []policies.Past{past}, policies.InTurn)[0]
		if r.Flip != flip || flip == policies.FlipDenied && r.After.Code != policies.OutsideWindow {
			t.Errorf("%s: %+v", window, r)
		}
	}
}
