package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// maxReviewers is how many GitHub lets one ask.
const maxReviewers = 15

// reviewerList is who to ask for a review: logins, and slugs of teams.
type reviewerList struct {
	users, teams []string
	texts        []string // as --reviewer has them
}

// flag is that of those who are suggested.
func (l *reviewerList) flag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&l.texts, "reviewer", nil, "login or org/team to ask for a review "+
		"besides those whom the policy asks; may be repeated")
}

// complete reads who was suggested.
func (l *reviewerList) complete(cmd *cobra.Command) error {
	for _, text := range l.texts {
		if org, team, is := strings.Cut(text, "/"); is {
			if problem := cmp.Or(requests.CheckLogin(org), requests.CheckLogin(team)); problem != "" {
				return usagef(cmd, "--reviewer %q: it must be a login, or org/team", text)
			}
			l.teams = append(l.teams, text)
			continue
		}
		if problem := requests.CheckLogin(text); problem != "" {
			return usagef(cmd, "--reviewer %q: %s", text, problem)
		}
		l.users = append(l.users, text)
	}
	return nil
}

// besides are those of the list whom GitHub can ask too, after those whom the policy asks. notes
// tell of the others.
func (l reviewerList) besides(asked reviewerList, owner string, g requests.Grant) (more reviewerList,
	notes []string) {
	left := func(name, why string) {
		notes = append(notes, fmt.Sprintf("%s is not asked for a review: %s", name, why))
	}
	full := func() bool {
		return len(asked.users)+len(asked.teams)+len(more.users)+len(more.teams) >= maxReviewers
	}
	has := func(all []string, name string) bool {
		return slices.ContainsFunc(all, func(n string) bool { return strings.EqualFold(n, name) })
	}
	tooMany := fmt.Sprintf("GitHub asks no more than %d", maxReviewers)
	for _, login := range l.users {
		switch {
		case strings.EqualFold(login, g.Requester):
			left(login, "nobody reviews their own request")
		case strings.EqualFold(login, g.Behalf):
			left(login, "nobody approves access that they receive")
		case has(asked.users, login) || has(more.users, login):
		case full():
			left(login, tooMany)
		default:
			more.users = append(more.users, login)
		}
	}
	for _, name := range l.teams {
		org, slug, _ := strings.Cut(name, "/")
		switch {
		case !strings.EqualFold(org, owner):
			left(name, "it is no team of "+owner)
		case has(asked.teams, slug) || has(more.teams, slug):
		case full():
			left(name, tooMany)
		default:
			more.teams = append(more.teams, slug)
		}
	}
	return more, notes
}

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
