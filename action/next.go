package action

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

// heading says how a pull request stands, as people say it.
func heading(d policies.Decision) string {
	switch {
	case d.Outcome == policies.Allowed:
		return "Approved"
	case d.Outcome == policies.Denied:
		return "Refused"
	case d.Outcome == policies.Failed:
		return "Could not be judged"
	case d.Code == policies.DraftPullRequest:
		return "Waiting for its author"
	case len(missing(d)) == 0 && !d.Again.IsZero():
		return "Approved, waiting for its time"
	}
	return "Waiting for approval"
}

// next says in Markdown what is to happen next, and who has to do it.
func (v verdict) next() string {
	d := v.decision
	author := "whoever opened it"
	if d.Author != "" {
		author = github.Code("@" + d.Author)
	}
	switch {
	case d.Outcome == policies.Allowed && d.Kind == policies.KindRequest:
		return "it is merged, by GitHub where auto-merge is on, else by anyone who may; then the agent " +
			"gives access, and says so here"
	case d.Outcome == policies.Allowed:
		return "it is merged, by GitHub where auto-merge is on, else by anyone who may"
	case d.Outcome == policies.Failed:
		return "nobody has to do anything, it is judged again within minutes; when that lasts, whoever " +
			"looks after pullgrant looks into it"
	case d.Outcome == policies.Denied && d.Dead(v.at):
		return author + " asks again"
	case d.Outcome == policies.Denied:
		return author + " mends it and pushes, or closes it; the code below leads to how"
	case d.Code == policies.DraftPullRequest:
		return author + " marks it as ready for review"
	case d.Code == policies.ChangesRequested:
		return "whoever asked for changes approves, or their review is dismissed"
	}
	steps := missing(d)
	switch {
	case len(steps) > 0:
		return strings.Join(steps, ", and ")
	case !d.Again.IsZero():
		return "nobody has to do anything, it is judged again at " + github.Moment(d.Again)
	}
	return "what the code below leads to"
}

// missing are the reviews that are still needed, each with who may give it.
func missing(d policies.Decision) []string { return missingOf(d, d.Challenges) }

func missingOf(d policies.Decision, challenges []policies.ChallengeResult) (steps []string) {
	for _, c := range challenges {
		step := ""
		switch parts := missingOf(d, c.Children); {
		case c.Met, c.Spare, c.Waits(), len(c.Replies) > 0:
		case len(c.Children) == 0:
			step = review(d, c)
		case c.Count < len(c.Children): // any of them
			for _, child := range c.Children {
				if child.Waits() && len(parts) > 0 {
					parts = append(parts, "it waits until "+github.Moment(*child.From))
				}
			}
			step = strings.Join(parts, ", or ")
		default:
			step = strings.Join(parts, ", and ")
		}
		if step != "" && !slices.Contains(steps, step) {
			steps = append(steps, step)
		}
	}
	return steps
}

// review is who gives what a challenge lacks.
func review(d policies.Decision, c policies.ChallengeResult) string {
	const most = 4 // who are named; the table below has all
	who := d.Remaining(c)
	var names []string
	for i, name := range who {
		if i == most-1 && len(who) > most {
			names = append(names, fmt.Sprintf("%d others", len(who)-i))
			break
		}
		names = append(names, github.Code("@"+name))
	}
	switch n := c.Count - c.Has(); {
	case len(names) == 0:
		return "nobody can give the " + c.Kind + " that is missing: the policy or CODEOWNERS must change"
	case n > 1:
		return fmt.Sprintf("%d of %s approve", n, strings.Join(names, ", "))
	}
	return strings.Join(names, " or ") + " approves"
}
