package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// challengeKind is all that policies know of one kind of challenge. A new kind is a file
// challenge_<kind>.go and a row in challengeKinds (docs/new-kind.md).
type challengeKind struct {
	name string // of Challenge.Kind
	// about is one sentence for the schema.
	about string
	// unreviewed is that it can be met without any review on GitHub.
	unreviewed bool
	// check finds what is wrong with a challenge of a policy file beyond the rules of its fields;
	// at is where it stands.
	check  func(d *requests.Document, at string, c Challenge)
	fields kindFields
	// who is the one answer to who may meet it: judging, lint, explain, replay and the list of
	// reviewers go by it.
	who func(w world, c condition) []Party
	// asks are the questions that met needs answered about those who said yes.
	asks func(w world, c condition, t tally) []Question
	// inquires are what met needs told by somebody outside of GitHub; nil where nothing is.
	inquires func(w world, c condition, t tally) []Asking
	// refusal is of a request for which what it inquires is answered with No; empty without inquires.
	refusal Code
	// met tells how the challenge stands.
	met func(w world, f Facts, c condition, t tally) ChallengeResult
	// words is who is asked, as the readers of a policy see it.
	words func(c Challenge) string
}

// condition is a challenge as one pull request meets it.
type condition struct {
	Challenge
	path string // of the changed file, whose owners a CodeOwnerReview asks
}

// challengeKinds is the closed list of the kinds. It is a function because kinds may hold other
// kinds.
func challengeKinds() []challengeKind {
	return []challengeKind{codeOwnerChallenge(), peerChallenge(), anyOfChallenge(),
		allOfChallenge(), rbacChallenge(), onCallChallenge(), webhookChallenge(), ticketChallenge()}
}

// kind is the row of the challenge's kind. A kind without one has refused its file before anybody
// asks.
func (c Challenge) kind() (challengeKind, bool) {
	kinds := challengeKinds()
	i := slices.IndexFunc(kinds, func(k challengeKind) bool { return k.name == c.Kind })
	if i < 0 {
		return challengeKind{}, false
	}
	return kinds[i], true
}

func challengeKindNames() (names []string) {
	for _, k := range challengeKinds() {
		names = append(names, k.name)
	}
	return names
}

// checkChallenges finds what is wrong with the challenges of a policy file.
func checkChallenges(d *requests.Document, at string, challenges []Challenge) {
	for at, c := range parts(at, challenges) {
		kind, ok := c.kind()
		if !ok {
			continue // the kind itself is a finding
		}
		checkFields[Challenge](d, at, "challenge", c.Kind, challengeFields())
		kind.check(d, at, c)
		if strings.Count(at, ".challenges[") > maxNested {
			d.Add(at, "challenge", "challenges stand at most %d deep in each other", maxNested)
		}
	}
}

// counted sets what a file may leave out.
func counted(challenges []Challenge) {
	for i := range challenges {
		c := &challenges[i]
		if kind, _ := c.kind(); c.Kind != AllOf && kind.inquires == nil {
			c.Count = max(c.Count, 1)
		}
		counted(c.Challenges)
	}
}

func (k challengeKind) sentence() string { return k.about }

// conditions are what must be met before a pull request is allowed: the policy's challenges for a
// request, otherwise one owner of each path (R33).
func (j *judge) conditions() (all []condition) {
	switch {
	case j.decision.Kind == KindRequest && j.breaksGlass():
		return nil
	case j.decision.Kind == KindReview:
		return j.reviewConditions()
	case j.decision.Kind == KindRequest:
		for _, c := range j.world.policy.Spec.Challenges {
			all = append(all, condition{c, j.decision.Path})
		}
		return all
	}
	for _, path := range j.changedPaths() {
		all = append(all, condition{Challenge{Kind: CodeOwnerReview, Count: 1}, path})
	}
	return all
}

// who is the kind's answer; nobody where there is no such kind.
func (w world) who(c condition) []Party {
	kind, ok := c.kind()
	if !ok {
		return nil
	}
	return kind.who(w, c)
}

// stands is how a challenge stands; ok is false where there is no such kind. One that can be met
// only after some time counts from then on (R60).
func (w world) stands(f Facts, c condition, t tally) (result ChallengeResult, ok bool) {
	kind, ok := c.kind()
	if !ok {
		return ChallengeResult{Kind: c.Kind}, false
	}
	result = kind.met(w, f, c, t)
	if c.After > 0 {
		from := t.asked.Add(time.Duration(c.After))
		if result.From == nil || result.From.Before(from) {
			result.From = &requests.Time{Time: from}
		}
		if result.metAt.Before(from) {
			result.metAt = from
		}
		result.Met = result.Met && !t.now.Before(from)
	}
	return result, true
}

// reviewed is how a challenge stands that asks for the approvals of some people: one person counts
// once in it, and may meet several (R23).
func reviewed(w world, f Facts, c condition, t tally) ChallengeResult {
	parties := w.who(c)
	result := ChallengeResult{Kind: c.Kind, Count: c.Count, Reviewers: w.people(parties)}
	var times []time.Time
	for _, o := range t.counting {
		switch {
		case !w.isParty(f, parties, o.user.Login):
		case t.isEarly(o):
			result.early = append(result.early, o.user.Login)
		default:
			result.Approvers = append(result.Approvers, o.user.Login)
			times = append(times, o.review.SubmittedAt.Time)
		}
	}
	result.Met = c.Count > 0 && len(times) >= c.Count
	if result.Met {
		slices.SortFunc(times, time.Time.Compare)
		result.metAt = times[c.Count-1]
	}
	return result
}

// askedOfTeams are the questions of reviewed: of each who said something, whether they are in the
// teams that are asked.
func askedOfTeams(w world, c condition, t tally) (all []Question) {
	for _, o := range t.opinions {
		all = append(all, teamQuestions(w.who(c), o.user)...)
	}
	return all
}

// approvalsInWords is what must be met, as the readers of a policy see it.
func approvalsInWords(challenges []Challenge) string {
	if len(challenges) == 0 {
		return "nobody's approval"
	}
	return inWordsOf(challenges, " and ")
}

func inWordsOf(challenges []Challenge, between string) string {
	var all []string
	for _, c := range challenges {
		kind, ok := c.kind()
		if !ok {
			continue
		}
		words := kind.words(c)
		if len(c.Challenges) == 0 && kind.inquires == nil {
			words = approvals(c.Count) + " by " + words
		}
		if c.After > 0 {
			words += fmt.Sprintf(" after %s", c.After)
		}
		all = append(all, words)
	}
	return strings.Join(all, between)
}

// challengeFields are the fields of every kind.
func challengeFields() map[string]kindFields {
	all := map[string]kindFields{}
	for _, k := range challengeKinds() {
		all[k.name] = k.fields
	}
	return all
}
