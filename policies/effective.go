package policies

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// effective is what a request came to under one version of the files that decide: what an approver
// went by (R56). Texts, so that two are compared whole.
type effective struct {
	gives string // subject and items
	rules string // of their roles
	asks  string // how long, and every challenge with its people
}

// outdated tells what of a request became another after an approval of it, on the way to the merge
// and from there to now; empty when nothing did. Changes that concern other people alone are none.
// After the merge the judgement under the files of now says how long and who may approve, and the
// agent holds the cluster's own rules against those that the approver saw (RoleChanged).
func (j *judge) outdated(o opinion) string {
	stood := j.facts.Stood
	if j.decision.Kind != KindRequest || len(stood) == 0 {
		return ""
	}
	at := 0 // the branch at the approval
	for ; !stood[at].Since.Before(o.review.SubmittedAt.Time) && !stood[at].First; at++ {
		if at == len(stood)-1 {
			return "what it approved cannot be told: too much happened on the branch since"
		}
	}
	seen, problem := j.effective(stood[at].Tree)
	for _, later := range stood[:at] {
		now, unknown := j.effective(later.Tree)
		switch commit := short(later.Commit); {
		case problem != "" || unknown != "":
			return fmt.Sprintf("what was asked for cannot be told at every commit since, up to %s: %s",
				commit, problem+unknown)
		case now.gives != seen.gives:
			return fmt.Sprintf("who gets what was another at commit %s after it", commit)
		case now.rules != seen.rules && !later.Merged:
			return fmt.Sprintf("what its roles allow was another at commit %s after it", commit)
		case now.asks != seen.asks && !later.Merged:
			return fmt.Sprintf("how long it lasts or who may approve it was another at commit %s "+
				"after it", commit)
		}
	}
	return ""
}

// effective computes it, or tells why it cannot be.
func (j *judge) effective(tree Tree) (e effective, problem string) {
	k := newJudge(tree, j.facts, j.now)
	k.readRequest(j.facts.Head)
	k.run(k.fileSteps()...)
	k.run(k.policySteps()...)
	k.run(step{AccessDenied, k.denied})
	if k.stopped {
		return e, string(k.decision.Code)
	}
	g := k.decision.Grant
	e.gives, e.asks = text(g.Subject, g.ARN, g.Items), text(g.Duration, g.BackstopOptional)
	for _, item := range g.Items {
		rules, known := grantKindOf(item.Kind).gives(tree, g.Cluster, item)
		e.rules += text(known, rules)
	}
	for _, c := range k.conditions() {
		e.asks += k.world.asksFor(c)
	}
	return e, ""
}

// asksFor is a challenge with whom it asks, down to what it is made of.
func (w world) asksFor(c condition) string {
	people, teams := w.resolve(w.who(c))
	for i, login := range people {
		identity, _ := w.identities.find(login)
		people[i] = fmt.Sprintf("%s/%d", strings.ToLower(login), identity.GitHubID)
	}
	all := text(c.Kind, c.Count, people, teams, c.InOrder, c.After, len(c.Challenges))
	for _, part := range c.Challenges {
		all += w.asksFor(condition{part, c.path})
	}
	return all
}

func text(values ...any) string {
	data, err := json.Marshal(values)
	if err != nil {
		panic("policies: compare what was asked for: " + err.Error()) // plain values always encode
	}
	return requests.EscapeJSON(string(data)) + "\n"
}
