package forge

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-github/v60/github"
)

var accessBehaviours = []behaviour{
	{"maintain maps to write and triage to read; role_name has the true role", docAccess,
		func(t *testing.T, f *Forge) {
			c := client(t, f, f.AppToken("pullgrant"))
			for _, row := range []struct{ role, coarse string }{{"admin", "admin"},
				{"maintain", "write"},
				{"write", "write"}, {"triage", "read"}, {"read", "read"}, {"none", "none"}} {
				f.SetPermission("bob", row.role)
				level, _, err := c.Repositories.GetPermissionLevel(t.Context(), "acme",
					"access", "bob")
				if err != nil || level.GetPermission() != row.coarse ||
					level.GetUser().GetRoleName() != row.role || level.GetUser().GetID() != 102 {
					t.Error(row, level, err)
				}
			}
			_, _, err := c.Repositories.GetPermissionLevel(t.Context(), "acme", "access", "nobody")
			refused(t, err, 404, "")
		}},
	{"a team's permission is its members' too, and its child teams'", docAccess, func(t *testing.T,
		f *Forge) {
		f.AddTeam("squad", 31, "")
		f.AddTeam("inner", 32, "squad", "rita")
		f.SetTeamPermission("squad", "maintain")
		c := client(t, f, f.AppToken("pullgrant"))
		level, _, err := c.Repositories.GetPermissionLevel(t.Context(), "acme", "access", "rita")
		if err != nil || level.GetPermission() != "write" {
			t.Error(level, err)
		}
		repo, _, err := c.Teams.IsTeamRepoBySlug(t.Context(), "acme", "inner", "acme", "access")
		if err != nil || repo.GetRoleName() != "maintain" || !repo.GetPermissions()["push"] {
			t.Error(repo, err)
		}
		teams, _, err := c.Repositories.ListTeams(t.Context(), "acme", "access", nil)
		if err != nil || len(teams) != 2 || teams[0].GetPermission() != "push" {
			t.Error(teams, err)
		}
	}},
	{"members of child teams are members; invitations are pending; others are 404", docTeams,
		func(t *testing.T, f *Forge) {
			f.AddTeam("squad", 31, "", "bob")
			f.AddTeam("inner", 32, "squad", "rita")
			f.SetTeamMember("squad", "carol", "pending")
			c := client(t, f, f.AppToken("pullgrant"))
			for login, want := range map[string]string{"bob": "active", "rita": "active",
				"carol": "pending"} {
				m, _, err := c.Teams.GetTeamMembershipBySlug(t.Context(), "acme", "squad", login)
				if err != nil || m.GetState() != want {
					t.Error(login, m, err)
				}
			}
			_, _, err := c.Teams.GetTeamMembershipBySlug(t.Context(), "acme", "squad", "alice")
			refused(t, err, 404, "")
			_, _, err = c.Teams.GetTeamMembershipBySlug(t.Context(), "acme", "inner", "bob")
			refused(t, err, 404, "") // not the reverse
			team, _, err := c.Teams.GetTeamBySlug(t.Context(), "acme", "inner")
			if err != nil || team.GetID() != 32 || team.GetParent().GetID() != 31 {
				t.Error(team, err)
			}
			members, _, err := c.Teams.ListTeamMembersBySlug(t.Context(), "acme", "squad", nil)
			if err != nil || len(members) != 2 || members[0].GetLogin() != "bob" ||
				members[1].GetLogin() != "rita" {
				t.Error(members, err)
			}
		}},
	{"a secret team does not exist for those outside it", docTeams, func(t *testing.T, f *Forge) {
		f.AddTeam("secret", 31, "", "bob")
		f.HideTeam("secret")
		_, _, err := client(t, f, f.AppToken("pullgrant")).Teams.GetTeamBySlug(t.Context(),
			"acme", "secret")
		refused(t, err, 404, "")
		if _, _, err := client(t, f, f.Token("bob")).Teams.GetTeamBySlug(t.Context(), "acme",
			"secret"); err != nil {
			t.Error(err)
		}
	}},
	{"the workflow's token reads neither members nor teams", docToken, func(t *testing.T,
		f *Forge) {
		f.AddTeam("squad", 31, "", "bob")
		c := client(t, f, f.ActionsToken())
		_, _, err := c.Teams.GetTeamMembershipBySlug(t.Context(), "acme", "squad", "bob")
		refused(t, err, 403, "Resource not accessible by integration")
		_, _, err = c.Organizations.IsMember(t.Context(), "acme", "bob")
		refused(t, err, 403, "Resource not accessible by integration")
	}},
	{"an org member is 204, another 404; askers outside are redirected", docOrg, func(t *testing.T,
		f *Forge) {
		f.SetMember("carol", "pending")
		f.SetMember("eve", "")
		c := client(t, f, f.AppToken("pullgrant"))
		for login, want := range map[string]bool{"bob": true, "carol": false, "eve": false} {
			if member, _, err := c.Organizations.IsMember(t.Context(), "acme", login); err != nil ||
				member != want {
				t.Error(login, member, err)
			}
		}
		if got := get(t, f, f.Token("eve"), "/orgs/acme/members/bob").StatusCode; got != 302 {
			t.Error(got)
		}
		m, _, err := c.Organizations.GetOrgMembership(t.Context(), "carol", "acme")
		if err != nil || m.GetState() != "pending" {
			t.Error(m, err)
		}
	}},
	{"a private repository does not exist for those who cannot read it, and nothing does " +
		"without a token", docApps, func(t *testing.T, f *Forge) {
		_, _, err := client(t, f, f.Token("eve")).Repositories.Get(t.Context(), "acme", "access")
		refused(t, err, 404, "")
		_, _, err = client(t, f, "wrong").Repositories.Get(t.Context(), "acme", "access")
		refused(t, err, 401, "Bad credentials")
		repo, _, err := client(t, f, f.Token("rita")).Repositories.GetByID(t.Context(), 9001)
		if err != nil || repo.GetFullName() != "acme/access" || repo.GetPermissions()["push"] ||
			!repo.GetPermissions()["pull"] {
			t.Error(repo, err)
		}
	}},
	{"an installation has the rights it was given, and is no user, but GraphQL tells it its login",
		docApps, func(t *testing.T, f *Forge) {
			f.AddApp("narrow", 7003, "members:read")
			c := client(t, f, f.AppToken("narrow"))
			_, _, err := c.PullRequests.List(t.Context(), "acme", "access", nil)
			refused(t, err, 403, "Resource not accessible by integration")
			_, _, err = c.Users.Get(t.Context(), "")
			refused(t, err, 403, "Resource not accessible by integration")
			var out struct {
				Data struct{ Viewer struct{ Login string } }
			}
			if err := f.Do(f.AppToken("narrow"), "POST", "/graphql",
				object{"query": "query { viewer { login } }"}, &out); err != nil ||
				out.Data.Viewer.Login != "narrow[bot]" {
				t.Error(out, err)
			}
			me, _, err := client(t, f, f.Token("alice")).Users.Get(t.Context(), "")
			if err != nil || me.GetID() != 101 || me.GetType() != "User" {
				t.Error(me, err)
			}
			bot, _, err := client(t, f, f.Token("alice")).Users.Get(t.Context(), "narrow[bot]")
			if err != nil || bot.GetType() != "Bot" {
				t.Error(bot, err)
			}
		}},
	{"CODEOWNERS lines GitHub skips are listed, of the first file found", docOwners,
		func(t *testing.T, f *Forge) {
			must(f.Push(Change{User: "root", Message: "Own",
				Files: map[string]string{"CODEOWNERS": "broken [x] @nobody\n",
					".github/CODEOWNERS": "* @bob # fine\n/a @rita\n/b nonsense\n[c] @bob\n/d " +
						"@acme/squad\n/e carol@example.com\n"}}))(t)
			c := client(t, f, f.AppToken("pullgrant"))
			errors, _, err := c.Repositories.GetCodeownersErrors(t.Context(), "acme", "access", nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range errors.Errors {
				got = append(got, fmt.Sprintf("%s:%d:%d %s", e.Path, e.Line, e.Column, e.Kind))
			}
			want := []string{".github/CODEOWNERS:2:4 Unknown owner",
				".github/CODEOWNERS:3:4 Invalid owner",
				".github/CODEOWNERS:4:1 Invalid pattern", ".github/CODEOWNERS:5:4 Unknown owner"}
			if !slices.Equal(got, want) {
				t.Errorf("got %q", got)
			}
		}},
	{"the rules of a branch can be read by anyone who reads; bypass actors by admins", docRulesets,
		func(t *testing.T, f *Forge) {
			c := client(t, f, f.Token("rita"))
			var types []string
			for page := 1; page != 0; {
				request, err := c.NewRequest("GET",
					fmt.Sprintf("repos/acme/access/rules/branches/main?page=%d", page), nil)
				if err != nil {
					t.Fatal(err)
				}
				var rules []*github.RepositoryRule
				response, err := c.Do(t.Context(), request, &rules)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range rules {
					types = append(types, r.Type)
				}
				page = response.NextPage
			}
			if want := []string{"deletion", "non_fast_forward", "pull_request",
				"required_status_checks"}; !slices.Equal(types, want) {
				t.Error(types)
			}
			for token, want := range map[string]int{f.Token("rita"): 0, f.Token("root"): 2} {
				set, _, err := client(t, f, token).Repositories.GetRuleset(t.Context(),
					"acme", "access",
					501, false)
				if err != nil || len(set.BypassActors) != want {
					t.Error(set, err)
				}
			}
			branch, _, err := c.Repositories.GetBranch(t.Context(), "acme", "access", "main", 0)
			if err != nil || !branch.GetProtected() ||
				branch.GetCommit().GetSHA() != f.Branch("main") {
				t.Error(branch, err)
			}
		}},
}
