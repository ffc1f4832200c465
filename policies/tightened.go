package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// What becomes of live access when its policy would give less, or not to whom it was given (R84).
const (
	OnChangeTell = "Tell"
	OnChangeEnd  = "End"
)

var onChangeFields = requests.Fields{
	"PolicySpec.onChange": {About: "What becomes of access that was given when the policy comes to ask for " +
		"more reviews, or a shorter maximum, or who asked leaves the team by which they might. End: it is " +
		"cut to the maximum, or ends. Tell: the agent's log tells of it. Default: Tell.",
		Form: requests.OneOf("value", OnChangeTell, OnChangeEnd)},
}

// Given is live access with what is known of how it was given.
type Given struct {
	requests.Grant
	Under TreeFile // the policy then; the zero one is not known
	Then  Answers  // what GitHub said when it was judged
	Now   Answers  // what GitHub said since about whoever it was given to
}

// Tightening is what speaks against live access that its policy still gives.
type Tightening struct {
	Message string
	Cause   string // of its end; empty: it goes on
}

// Tightened tells, by the path of the request, what speaks against access of one policy since it was
// given: a shorter maximum, challenges that those who approved do not meet, and that whoever it was
// given to is in no team any more by which they might ask. Who is in a team of approvers counts as
// GitHub said it then, and who is in one of the requester's as it says now; where neither is known,
// nothing speaks against it. So it is where files do not read.
func Tightened(tree Tree, given []Given, now time.Time) map[string]Tightening {
	found := map[string]Tightening{}
	if len(given) == 0 {
		return found
	}
	j := newJudge(tree, factsOf(tree.Commit, given[0].Path, TreeFile{}), now)
	if !j.policyExists || len(j.policyFindings) > 0 {
		return found
	}
	ends := j.world.policy.Spec.OnChange == OnChangeEnd
	for _, g := range given {
		var t Tightening
		var all []string
		add := func(message, cause string, over bool) {
			if message != "" {
				all = append(all, message)
			}
			if message != "" && ends && over && t.Cause == "" {
				t.Cause = cause
			}
		}
		long, end := j.shorter(g.Grant)
		add(long, requests.CausePolicyChanged, !now.Before(end))
		message, sure := j.stricter(g)
		add(message, requests.CausePolicyChanged, sure)
		add(j.leftTeams(g), requests.CauseSubjectRemoved, true)
		if len(all) == 0 {
			continue
		}
		if t.Message = strings.Join(all, "; "); !ends {
			t.Message += "; it goes on, for the policy does not say onChange: " + OnChangeEnd
		}
		found[g.Path] = t
	}
	return found
}

// shorter tells that access lasts longer than the policy lets it by now, and when its time is over.
func (j *judge) shorter(g requests.Grant) (message string, end time.Time) {
	most := j.world.policy.Spec.Target.MaxDuration
	if b := j.world.policy.Spec.BreakGlass; b != nil && g.BreakGlass != nil {
		most = min(most, b.MaxDuration)
	}
	end = g.Window.Start.Add(time.Duration(most))
	if !g.Window.End.After(end) {
		return "", end
	}
	return fmt.Sprintf("access lasts at most %s by now, to %s, and this was given to %s", most,
		requests.At(end), g.Window.End), end
}

// stricter tells that the policy asks for more than when access was given, which those who approved
// do not meet, or may not: then it is not sure. On the branch as evidence nobody approved anything,
// and nobody need have before break-glass.
func (j *judge) stricter(g Given) (message string, sure bool) {
	if g.Evidence.Source != requests.EvidenceGitHub || g.BreakGlass != nil ||
		g.Under.Blob == j.tree.Files[Path(g.Policy)].Blob || g.Under.problem() != "" {
		return "", false
	}
	old, findings := ParsePolicy(Path(g.Policy), []byte(g.Under.Content))
	if len(findings) > 0 {
		return "", false
	}
	j.facts.Answers = g.Then
	var approved []string
	for _, a := range g.Evidence.Approvers {
		approved = append(approved, a.Login)
	}
	who := "nobody"
	if len(approved) > 0 {
		who = "@" + strings.Join(approved, ", @")
	}
	for n, a := range j.world.approvals(g.Cluster) {
		now := j.world.policy.Spec.Challenges[n]
		if slices.ContainsFunc(old.Spec.Challenges, func(c Challenge) bool { return c.atLeast(now) }) {
			continue
		}
		switch met, maybe, left := j.metBy(a, approved); {
		case !maybe:
			return fmt.Sprintf("%s by now, and %s approved", a.needs(), who), true
		case !met && message == "" && len(left) == 0:
			message = a.needs() + " by now, and nobody asked that when it was given"
		case !met && message == "":
			message = fmt.Sprintf("%s by now, and nobody asked whether %s, who approved, was in @%s",
				a.needs(), who, strings.Join(once(left), ", @"))
		}
	}
	return message, false
}

// leftTeams tells that somebody to whom access was given is in no team any more by which they might
// ask, or be asked for.
func (j *judge) leftTeams(g Given) string {
	j.facts.Answers = g.Now
	var all []string
	for _, w := range g.receivers(j.world.policy.Spec) {
		if j.world.isParty(j.facts, w.parties, w.login) {
			continue
		}
		teams := teamsOf(w.parties)
		if _, open := j.known(w.login, teams); len(teams) > 0 && len(open) == 0 {
			all = append(all, fmt.Sprintf("@%s is not in @%s", w.login, strings.Join(teams, ", @")))
		}
	}
	return strings.Join(all, "; ")
}

// receiver is somebody by whom access was asked for, or for whom, and whom the policy has for that.
type receiver struct {
	login   string
	parties []Party
}

func (g Given) receivers(s PolicySpec) []receiver {
	all := []receiver{{g.Requester, s.askers(g.BreakGlass != nil)}}
	if g.Behalf != "" {
		all = append(all, receiver{g.Behalf, s.OnBehalfOf})
	}
	return all
}

// LiveQuestions are those that Tightened has about who is in teams now, in order: about people that a
// policy names in no other way.
func LiveQuestions(tree Tree, given []Given) (all []Question) {
	if len(given) == 0 {
		return nil
	}
	j := newJudge(tree, factsOf(tree.Commit, given[0].Path, TreeFile{}), time.Time{})
	if !j.policyExists || len(j.policyFindings) > 0 {
		return nil
	}
	for _, g := range given {
		for _, w := range g.receivers(j.world.policy.Spec) {
			if j.world.isParty(j.facts, w.parties, w.login) {
				continue
			}
			for _, team := range teamsOf(w.parties) {
				if q := AboutMember(team, w.login); !slices.Contains(all, q) {
					all = append(all, q)
				}
			}
		}
	}
	return all
}

// onChangeLess says that access lives on where the old policy ended it.
func (s PolicySpec) onChangeLess(old PolicySpec) []string {
	if old.OnChange == OnChangeEnd && s.OnChange != OnChangeEnd {
		return []string{"access that was given does not end any more when the policy becomes stricter"}
	}
	return nil
}
