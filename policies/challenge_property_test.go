package policies_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// challengeTree makes challenges and those who approve.
type challengeTree struct{ *rand.Rand }

var approvers = []policies.User{{Login: "bob", ID: 102, Type: "User"},
	{Login: "carol", ID: 103, Type: "User"}, {Login: "dave", ID: 104, Type: "User"}}

func (r challengeTree) challenge(depth int) policies.Challenge {
	c := policies.Challenge{Kind: policies.PeerReview, Count: 1 + r.IntN(2)}
	if r.IntN(4) == 0 {
		c.After = requests.Duration(time.Duration(1+r.IntN(4)) * 30 * time.Minute)
	}
	if r.IntN(4) == 0 {
		return policies.Challenge{Kind: policies.RBACAuthorization, After: c.After,
			Verb: pickOne(r, "sudo", "use", "debug")}
	}
	if depth == 0 || r.IntN(3) == 0 {
		for _, u := range approvers {
			if r.IntN(2) == 0 || u.ID == 102 && r.IntN(2) == 0 {
				c.Reviewers = append(c.Reviewers, policies.Party{Kind: policies.PartyUser, Name: u.Login})
			}
		}
		if len(c.Reviewers) == 0 {
			return policies.Challenge{Kind: policies.CodeOwnerReview, Count: c.Count, After: c.After}
		}
		return c
	}
	for range 1 + r.IntN(3) {
		c.Challenges = append(c.Challenges, r.challenge(depth-1))
	}
	c.Kind, c.Count = policies.AnyOf, min(c.Count, len(c.Challenges))
	if r.IntN(2) == 0 {
		c.Kind, c.Count, c.InOrder = policies.AllOf, 0, r.IntN(2) == 0
	}
	return c
}

func pickOne[T any](r challengeTree, all ...T) T { return all[r.IntN(len(all))] }

// stricter makes one challenge of a tree stricter, somewhere.
func (r challengeTree) stricter(c policies.Challenge) policies.Challenge {
	c.Challenges, c.Reviewers = slices.Clone(c.Challenges), slices.Clone(c.Reviewers)
	if n := len(c.Challenges); n > 0 && r.IntN(3) > 0 {
		i := r.IntN(n)
		c.Challenges[i] = r.stricter(c.Challenges[i])
		return c
	}
	switch r.IntN(4) {
	case 0:
		c.After += requests.Duration(30 * time.Minute)
	case 1:
		switch c.Kind {
		case policies.AllOf:
			c.InOrder = true
		case policies.RBACAuthorization:
		default:
			c.Count++
		}
	case 2:
		switch {
		case c.Kind == policies.AnyOf:
			c.Kind, c.Count = policies.AllOf, 0
		case c.Kind == policies.AllOf:
			c.Challenges = append(c.Challenges, r.challenge(0))
		case len(c.Reviewers) > 1:
			c.Reviewers = c.Reviewers[1:]
		}
	default:
		return policies.Challenge{Kind: policies.AllOf, Challenges: []policies.Challenge{c, r.challenge(1)}}
	}
	return c
}

// written is the challenge as its file has it.
func written(c policies.Challenge) string {
	fields := []string{"kind: " + c.Kind}
	if c.Count > 0 {
		fields = append(fields, fmt.Sprintf("count: %d", c.Count))
	}
	if c.After > 0 {
		fields = append(fields, "after: "+c.After.String())
	}
	if c.Verb != "" {
		fields = append(fields, "verb: "+c.Verb)
	}
	if c.URL != "" {
		fields = append(fields, "url: "+c.URL)
	}
	if c.InOrder {
		fields = append(fields, "inOrder: true")
	}
	var names, inside []string
	for _, p := range c.Reviewers {
		names = append(names, fmt.Sprintf("{kind: %s, name: %s}", p.Kind, p.Name))
	}
	for _, part := range c.Challenges {
		inside = append(inside, written(part))
	}
	if len(names) > 0 {
		fields = append(fields, "reviewers: ["+strings.Join(names, ", ")+"]")
	}
	if len(inside) > 0 {
		fields = append(fields, "challenges: ["+strings.Join(inside, ", ")+"]")
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// TestTreesOfChallenges: what a tree with one part made stricter allows, the tree itself allows;
// fewer approvals, and replies that are a no or nobody's, never allow more; nothing is allowed that
// nobody said yes to; and where a change of the tree is not told as widening, it allows nothing that
// the tree before did not.
func TestTreesOfChallenges(t *testing.T) {
	c := scenarios(t)["request/allow_approved_by_code_owner"]
	const path = "policies/payments-debug.yaml"
	under := func(challenge policies.Challenge) policies.Tree {
		base := with(t, c.Facts.Base, path, "    - {kind: CodeOwnerReview, count: 1}",
			"    - "+written(challenge)+" # drawn\n  allowWithoutReview: true")
		base.Commit = c.Facts.Base.Commit
		if _, findings := policies.ParsePolicy(path, []byte(base.Files[path].Content)); len(findings) > 0 &&
			!strings.Contains(findings[0].Message, "deep") &&
			!strings.Contains(findings[0].Message, "never be met") {
			t.Fatalf("%s: %v", written(challenge), findings)
		}
		return base
	}
	now, _ := time.Parse(time.RFC3339, cases.Now)
	allowed, told, outside := 0, 0, 0
	for seed := range uint64(3000) {
		r := challengeTree{rand.New(rand.NewPCG(seed, 2))}
		f := c.Facts
		f.Reviews, f.Users = nil, map[string]policies.UserFacts{}
		f.Answers = policies.Answers{}
		for q, member := range c.Facts.Answers {
			f.Answers[q] = member
		}
		for i, u := range approvers {
			f.Users[u.Login] = policies.UserFacts{ID: u.ID, Permission: "write", Member: true}
			f.Answers[policies.AboutMember("acme/squad-b", u.Login)] = true
			if r.IntN(4) > 0 {
				f.Reviews = append(f.Reviews, policies.Review{ID: int64(i + 1), User: u,
					State: "APPROVED", CommitID: f.PullRequest.HeadSHA,
					SubmittedAt: requests.At(now.Add(-time.Duration(r.IntN(6)) * 10 * time.Minute))})
			}
		}
		f.Users["alice"] = c.Facts.Users["alice"]
		verdicts := map[string]policies.Verdict{}
		for _, verb := range []string{"sudo", "use", "debug"} {
			verdicts[verb] = pickOne(r, policies.Yes, policies.Yes, policies.No, policies.Unknown,
				policies.Waiting)
		}
		tree, other := r.challenge(2), r.challenge(2)
		strict := r.stricter(tree)
		judge := func(challenge policies.Challenge, f policies.Facts) policies.Decision {
			f.Base = under(challenge)
			f.Replies = policies.Replies{}
			for _, a := range policies.Inquiries(f) {
				f.Replies[a.Inquiry] = policies.Reply{Verdict: verdicts[a.Challenge.Verb], At: requests.At(now)}
			}
			return policies.Evaluate(f.Base, f, now)
		}
		d, s := judge(tree, f), judge(strict, f)
		if s.Outcome == policies.Allowed && d.Outcome != policies.Allowed {
			t.Fatalf("seed %d: stricter is allowed\n%s\n%s\n%s", seed, written(tree), written(strict),
				d.Message)
		}
		if d.Outcome == policies.Allowed {
			allowed++
			if len(d.Approvers) == 0 {
				outside++
				if !saidYes(d) {
					t.Fatalf("seed %d: nobody approved %s", seed, written(tree))
				}
			}
		}
		for i := range f.Reviews {
			fewer := f
			fewer.Reviews = slices.Delete(slices.Clone(f.Reviews), i, i+1)
			if d.Outcome != policies.Allowed && judge(tree, fewer).Outcome == policies.Allowed {
				t.Fatalf("seed %d: allowed without review %d of %v\n%s", seed, i, f.Reviews, written(tree))
			}
		}
		if d.Outcome != policies.Allowed {
			for verb, verdict := range maps.Clone(verdicts) {
				if verdict != policies.Yes {
					continue
				}
				for _, verdicts[verb] = range []policies.Verdict{policies.No, policies.Unknown,
					policies.Waiting} {
					if judge(tree, f).Outcome == policies.Allowed {
						t.Fatalf("seed %d: allowed once %s is answered with %q\n%s", seed, verb,
							verdicts[verb], written(tree))
					}
				}
				verdicts[verb] = verdict
			}
		}
		if len(policies.Widened(under(tree), under(other))) > 0 {
			told++
		} else if o := judge(other, f); o.Outcome == policies.Allowed &&
			d.Outcome != policies.Allowed {
			t.Fatalf("seed %d: a change that lets more through is not told\n%s\n%s", seed,
				written(tree), written(other))
		}
	}
	if allowed < 300 || told < 300 || told > 2990 || outside < 100 {
		t.Errorf("%d trees were met, %d by replies alone, and %d changes told; the test tries little",
			allowed, outside, told)
	}
}

// saidYes tells whether a reply met a part of what allowed a request.
func saidYes(d policies.Decision) bool {
	for _, c := range d.AllChallenges() {
		if c.Met && slices.ContainsFunc(c.Replies, func(r policies.ReplyResult) bool {
			return r.Verdict == policies.Yes
		}) {
			return true
		}
	}
	return false
}
