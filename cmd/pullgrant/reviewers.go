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

// reviewers are those whose approval a policy asks for on a cluster, without those who cannot
// approve: the requester, and who is to receive the access.
func reviewers(tree policies.Tree, policy policies.AccessPolicy, cluster string,
	without ...string) reviewerList {
	var list reviewerList
	full := func() bool { return len(list.users)+len(list.teams) >= maxReviewers }
	for _, challenge := range tree.Approvals(policy, cluster) {
		for _, a := range challenge.All() {
			for _, name := range a.Teams {
				// A policy can name a team of another organization, but nobody can ask it.
				org, slug, _ := strings.Cut(name, "/")
				if strings.EqualFold(org, tree.Owner) && !slices.Contains(list.teams, slug) && !full() {
					list.teams = append(list.teams, slug)
				}
			}
			for _, login := range a.People {
				left := slices.ContainsFunc(append(list.users, without...), func(l string) bool {
					return strings.EqualFold(l, login)
				})
				if !left && !full() {
					list.users = append(list.users, login)
				}
			}
		}
	}
	return list
}
