package main

import (
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
)

// maxReviewers is how many GitHub lets one ask.
const maxReviewers = 15

// reviewerList is who to ask for a review: logins, and slugs of teams.
type reviewerList struct{ users, teams []string }

// reviewers are those whose approval a policy asks for, without the requester, who cannot approve.
func reviewers(tree policies.Tree, d policies.Decision, requester, repo string) reviewerList {
	var list reviewerList
	owner, _, _ := strings.Cut(repo, "/")
	user := func(login string) {
		known := slices.ContainsFunc(list.users, func(l string) bool { return strings.EqualFold(l, login) })
		if !known && !strings.EqualFold(login, requester) && len(list.users)+len(list.teams) < maxReviewers {
			list.users = append(list.users, login)
		}
	}
	team := func(name string) {
		// A team of another organization can be named but not asked.
		org, slug, _ := strings.Cut(name, "/")
		if strings.EqualFold(org, owner) && !slices.Contains(list.teams, slug) && len(list.users)+len(list.teams) < maxReviewers {
			list.teams = append(list.teams, slug)
		}
	}
	for _, c := range d.Challenges {
		for _, name := range c.Reviewers {
			switch {
			case strings.Contains(name, "/"):
				team(name)
			case c.Kind == policies.CodeOwnerReview:
				user(name)
			}
		}
	}
	policy, _ := policies.ParsePolicy(policies.Path(d.Policy), []byte(tree.Files[policies.Path(d.Policy)].Content))
	groups, _ := policies.ParseGroups(policies.GroupsPath, []byte(tree.Files[policies.GroupsPath].Content))
	for _, c := range policy.Spec.Challenges {
		for _, party := range c.Reviewers {
			if party.Kind == policies.PartyUser {
				user(party.Name)
			}
			for _, g := range groups.Spec.Groups {
				if party.Kind == policies.PartyGroup && g.Name == party.Name {
					for _, member := range g.Members {
						user(member)
					}
				}
			}
		}
	}
	return list
}
