package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// challengeKind is all that policies know of one kind of challenge. A new kind is a file
// challenge_<kind>.go and a row in challengeKinds (docs/new-kind.md).
type challengeKind struct {
	name string // of Challenge.Kind
	// about is one sentence for the schema.
	about string
	// check finds what is wrong with a challenge of a policy file beyond the rules of its fields;
	// at is where it stands.
	check  func(d *requests.Document, at string, c Challenge)
	fields kindFields
	// who is the one answer to who may meet it: judging, lint, explain, replay and the list of
	// reviewers go by it.
	who func(w world, c condition) []Party
	// asks are the questions that met needs answered about those who said yes.
	asks func(w world, c condition, t tally) []Question
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
	return []challengeKind{codeOwnerChallenge(),
		peerChallenge()}
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

// checkChallenge finds what is wrong with one challenge of a policy file.
func checkChallenge(d *requests.Document, at string, c Challenge) {
	kind, ok := c.kind()
	if !ok {
		return // the kind itself is a finding
	}
	checkFields[Challenge](d, at, "challenge", c.Kind, challengeFields())
	kind.check(d, at, c)
}

func (k challengeKind) sentence() string { return k.about }

// conditions are what must be met before a pull request is allowed: the policy's challenges for a
// request, otherwise one owner of each path (R33).
func (j *judge) conditions() (all []condition) {
	if j.decision.Kind == KindRequest {
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

// reviewed is how a challenge stands that asks for the approvals of some people: one person counts
// once in it, and may meet several (R23).
func reviewed(w world, f Facts, c condition, t tally) ChallengeResult {
	parties := w.who(c)
	result := ChallengeResult{Kind: c.Kind, Count: c.Count, Reviewers: partyNames(parties)}
	for _, o := range t.counting {
		if w.isParty(f, parties, o.user.Login) {
			result.Approvers = append(result.Approvers, o.user.Login)
		}
	}
	result.Met = c.Count > 0 && len(result.Approvers) >= c.Count
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

// Approval is one challenge of a policy on one cluster, with those who can meet it as far as the
// repository tells.
type Approval struct {
	Kind   string   `json:"kind"`
	Count  int      `json:"count"`
	Path   string   `json:"path,omitempty"` // of a code owner's review: the folder of the requests
	People []string `json:"people"`         // logins: users by name and members of groups.yaml
	Teams  []string `json:"teams"`          // GitHub teams; only GitHub knows who is in them
}

// Approvals are the challenges of a policy for requests on one cluster. It is meant for a tree
// without findings.
func (t Tree) Approvals(policy AccessPolicy, cluster string) []Approval {
	return t.world(policy).approvals(cluster)
}

func (w world) approvals(cluster string) []Approval {
	folder := requestFolder(cluster, w.policy.Metadata.Name)
	var all []Approval
	for _, c := range w.policy.Spec.Challenges {
		a := Approval{Kind: c.Kind, Count: c.Count}
		if c.Kind == CodeOwnerReview {
			a.Path = folder
		}
		a.People, a.Teams = w.resolve(w.who(condition{c, folder + anyRequest}))
		all = append(all, a)
	}
	return all
}

// approvalsInWords is what must be met, as the readers of a policy see it.
func approvalsInWords(challenges []Challenge) string {
	var all []string
	for _, c := range challenges {
		if kind, ok := c.kind(); ok {
			all = append(all, fmt.Sprintf("%d approval(s) by %s", c.Count, kind.words(c)))
		}
	}
	return strings.Join(all, " and ")
}

// challengeFields are the fields of every kind.
func challengeFields() map[string]kindFields {
	all := map[string]kindFields{}
	for _, k := range challengeKinds() {
		all[k.name] = k.fields
	}
	return all
}
