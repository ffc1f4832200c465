package github

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

func TestADeletedReviewerIsNobody(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("carol", n, "APPROVE")
	w.DeleteUser("carol")
	f := w.facts(n)
	if len(f.Reviews) != 1 || f.Reviews[0].User != (policies.User{}) {
		t.Errorf("reviews %+v", f.Reviews)
	}
	if len(f.Users) != 1 || f.Users["alice"].ID != 101 {
		t.Errorf("users %v", f.Users)
	}
	if d := policies.Evaluate(f.Base, f, noon); d.Code != policies.ApproverNotAllowed {
		t.Errorf("code %s: %s", d.Code, d.Message)
	}
}

// TestALoginThatIsNone never becomes part of an address.
func TestALoginThatIsNone(t *testing.T) {
	w := newWorld(t)
	before := len(w.Requests())
	bad := policies.User{Login: "bob/../carol", ID: 102, Type: "User"}
	facts, err := w.client.userFacts(t.Context(), policies.Repository{}, bad)
	if err == nil || facts != (policies.UserFacts{}) {
		t.Errorf("facts %+v, error %v", facts, err)
	}
	if member, err := w.client.isTeamMember(t.Context(),
		policies.Question{Team: "acme/squad-b", User: bad.Login}); err == nil ||
		member {
		t.Errorf("member %t, error %v", member, err)
	}
	if asked := w.Requests()[before:]; len(asked) > 0 {
		t.Errorf("GitHub was asked %v", asked)
	}
}

func TestABotIsNotAskedAbout(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.check(w.Do(w.AppToken("agent"), "POST", fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", n),
		map[string]any{"event": "APPROVE"}, nil))
	f := w.facts(n)
	if f.Reviews[0].User.Type != "Bot" || len(f.Users) != 1 {
		t.Errorf("review by %+v, users %v", f.Reviews[0].User, f.Users)
	}
}

func TestADeletedAuthor(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.DeleteUser("alice")
	f := w.facts(n)
	if f.PullRequest.Author != (policies.User{}) || f.Commits[0].Author != (policies.User{}) ||
		f.Pushes[0].Actor != (policies.User{}) {
		t.Errorf("author %+v, commit %+v, push %+v", f.PullRequest.Author, f.Commits[0],
			f.Pushes[0])
	}
}

func TestPermissionAndMembershipAreThoseOfNow(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	w.review("carol", n, "REQUEST_CHANGES")
	w.SetPermission("carol", "triage")
	w.SetMember("bob", "pending")
	w.SetTeamMember("squad-b", "bob", "pending")
	f := w.facts(n)
	if got := f.Users["carol"]; got.Permission != "read" || !got.Member {
		t.Errorf("carol %+v; want triage as read", got)
	}
	if got := f.Users["bob"]; got.Member || got.Permission != "write" {
		t.Errorf("bob %+v; want no member", got)
	}
	if member, known := f.Answers[policies.AboutMember("acme/squad-b", "bob")]; member || !known {
		t.Errorf("a pending invitation: member %v, known %v", member, known)
	}
}

func TestAPrivateOwnerHasNoMembers(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.client = w.edited("", func(body any) any {
		body.(map[string]any)["owner"].(map[string]any)["type"] = "User"
		return body
	})
	f := w.facts(n)
	if f.Repository.Organization || f.Users["alice"].Member {
		t.Errorf("organization %v, member %v", f.Repository.Organization, f.Users["alice"].Member)
	}
	if slices.ContainsFunc(w.Requests(), func(r forge.Request) bool {
		return strings.HasPrefix(r.Path,
			"/orgs/acme/members")
	}) {
		t.Error("the members of a user were asked for")
	}
}

func TestTeamsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(world)
		token   func(world) string
		words   []string
	}{
		"secret": {func(w world) { w.HideTeam("squad-a") },
			func(w world) string { return w.AppToken("agent") },
			[]string{"read the team acme/squad-a",
				"Members: read"}},
		"deleted": {func(w world) { w.DeleteTeam("squad-a") },
			func(w world) string { return w.AppToken("agent") },
			[]string{"read the team acme/squad-a",
				"may not exist"}},
		"workflow token": {func(world) {}, func(w world) string { return w.ActionsToken() },
			[]string{"403", "organization permission Members: read"}},
		"stranger": {func(w world) { w.SetMember("eve", "") },
			func(w world) string { return w.Token("eve") },
			[]string{"is a member of acme", "302", "no member of the organization"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n := w.ask()
			c.prepare(w)
			w.client = w.clientOf(w.URL, c.token(w))
			w.refused(n, c.words...)
		})
	}
}

func TestTeamsOfBothPolicies(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	w.review("bob", n, "APPROVE")
	w.merge(n)
	w.AddTeam("squad-c", 203, "", "carol")
	w.push(forge.Change{User: "root", Files: map[string]string{policyPath: strings.ReplaceAll(
		repositoryFiles[policyPath], "acme/squad-a", "acme/squad-c")}})
	f := w.facts(n)
	want := policies.Answers{policies.AboutMember("acme/squad-a", "alice"): true,
		policies.AboutMember("acme/squad-b", "bob"): true, policies.AboutMember("acme/squad-c",
			"alice"): false}
	if !reflect.DeepEqual(f.Answers, want) {
		t.Errorf("teams %v", f.Answers)
	}
}

func TestCoAuthors(t *testing.T) {
	for message, want := range map[string][]string{
		"Fix": nil,
		"Fix\n\nCo-authored-by: Bob <bob@example.com>": {
			"bob@example.com"},
		"Fix\n\nco-AUTHORED-by : Bob <bob@example.com>\r\nSigned-off-by: x\r\n": {
			"bob@example.com"},
		"Co-authored-by: A <a@x>\n\nmore text\n\n  Co-Authored-By: B <b@x> and <c@x>": {"a@x",
			"b@x", "c@x"},
		"Fix\n\nCo-authored-by: bob\nCo-authored-by:\n": {"bob"},
		"see Co-authored-by: Bob <bob@example.com>":     nil,
	} {
		if got := coAuthors(message); !slices.Equal(got, want) {
			t.Errorf("%q: %q; want %q", message, got, want)
		}
	}
}

func FuzzCoAuthors(f *testing.F) {
	f.Add("Fix\n\nSigned-off-by: a <a@x>")
	f.Add("Co-authored-by: \r\n")
	f.Fuzz(func(t *testing.T, message string) {
		if got := coAuthors(message + "\n\nCo-authored-by: Bob <bob@example.com>\n"); !slices.Contains(
			got, "bob@example.com") {
			t.Errorf("%q hides a co-author: %q", message, got)
		}
	})
}

func TestCoAuthorsOfAPullRequest(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{Branch: "ask", Files: map[string]string{requestPath: requestFile},
		Message: "Ask\n\nCo-authored-by: Bob <102+bob@users.noreply.github.com>"})
	n := w.open("ask")
	w.review("bob", n, "APPROVE")
	f := w.facts(n)
	if d := policies.Evaluate(f.Base, f, noon); d.Code != policies.ContributorApproval {
		t.Errorf("code %s: %s", d.Code, d.Message)
	}
}
