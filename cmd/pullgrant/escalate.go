package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

func newEscalateCommand(w world) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "escalate NAME|NUMBER",
		Short: "Ask once more, and everybody, for the reviews that your request waits for",
		Long: `Ask all those for a review whose approval your request may still be given by: those whom the
policy names in any of its challenges that are not met, and who have not answered. Who was not asked
yet is asked by GitHub; a comment on the pull request mentions everybody. Where the policy names a
channel for it, the Action tells that too (docs/messages.md).

Only whoever asked for the access can, and once an hour: the comment is what that goes by. The
comment's address goes to stdout. The exit code is 1 when nobody was asked.`,
		Example: `  pullgrant escalate 20261122-alice-inc-123`,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, w, args[0]); err != nil {
				return err
			}
			if o.remote.checkout.dir != "" {
				return usagef(cmd, "a checkout holds no pull requests; leave out --dir")
			}
			return escalate(cmd.Context(), w, o)
		},
	}
	o.remote.flags(cmd)
	return cmd
}

func escalate(ctx context.Context, w world, o showOptions) error {
	client, repo, err := o.remote.client(ctx, w)
	if err != nil {
		return err
	}
	login, id, err := client.User(ctx)
	if err != nil {
		return err
	}
	s, err := o.onGitHub(ctx, w, client, repo)
	if err != nil {
		return err
	}
	now, pull := w.now(), s.facts.PullRequest
	switch {
	case s.Kind != policies.KindRequest || s.Grant == nil || s.stage(now) != policies.StageWaiting:
		return verdictWith(w, exitFindings, "no review is waited for: %s", s.news(now))
	case pull.Author.ID != id:
		return verdictWith(w, exitFindings, "only @%s, who asked, can escalate it; you are @%s",
			pull.Author.Login, login)
	}
	last, err := client.Escalated(ctx, pull.Number, id)
	if err != nil {
		return err
	}
	if next := last.At.Add(github.EscalateEvery); now.Before(next) {
		return verdictWith(w, exitFindings, "it was escalated at %s; the next time is from %s on",
			moment(last.At, now, now.Location()), moment(next, now, now.Location()))
	}
	people, teams := s.unanswered()
	if len(people)+len(teams) == 0 {
		return verdictWith(w, exitFindings, "there is nobody left to ask: %s", s.news(now))
	}
	asked, askedTeams, err := client.AskedToReview(ctx, pull.Number)
	if err != nil {
		return err
	}
	newPeople, newTeams := without(people, asked), without(slugs(teams, s.facts.Repository.Owner), askedTeams)
	room := max(0, maxReviewers-len(asked)-len(askedTeams))
	newTeams = newTeams[:min(room, len(newTeams))]
	newPeople = newPeople[:min(room-len(newTeams), len(newPeople))]
	for _, note := range client.AskMore(ctx, pull.Number, newPeople, newTeams) {
		w.say("note: %s", note)
	}
	everybody := at(slices.Concat(teams, people))
	url, err := client.Escalate(ctx, pull.Number, fmt.Sprintf("@%s still waits for a review of this "+
		"request, and asks %s.\n", login, everybody))
	if err != nil {
		return err
	}
	w.say("asked: %s", everybody)
	_, err = fmt.Fprintln(w.out, plain(url))
	return err
}

// unanswered are the people and teams who can meet what is not met yet and have not answered.
func (s shown) unanswered() (people, teams []string) {
	policy, known, _ := s.facts.Base.Policy(s.Policy)
	if !known {
		return nil, nil
	}
	tree := s.facts.Base
	tree.Owner = s.facts.Repository.Owner
	answered := []string{s.facts.PullRequest.Author.Login, s.Grant.Requester, s.Grant.Behalf}
	for _, a := range s.Approvers {
		answered = append(answered, a.Login)
	}
	for _, r := range s.facts.Reviews {
		if r.CommitID == s.HeadSHA && strings.EqualFold(r.State, "CHANGES_REQUESTED") {
			answered = append(answered, r.User.Login)
		}
	}
	for _, challenge := range unmet(tree.Approvals(policy, s.Grant.Cluster), s.Decision) {
		for _, part := range challenge.All() {
			people = append(people, without(part.People, slices.Concat(answered, people))...)
			teams = append(teams, without(part.Teams, teams)...)
		}
	}
	return people, teams
}

// without are the names that are not among others, whatever the case.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(others, func(other string) bool {
			return strings.EqualFold(name, other)
		})
	})
}

// slugs are the teams of one organization, without it: no other's can be asked for a review.
func slugs(teams []string, owner string) (all []string) {
	for _, team := range teams {
		if org, slug, _ := strings.Cut(team, "/"); strings.EqualFold(org, owner) {
			all = append(all, slug)
		}
	}
	return all
}
