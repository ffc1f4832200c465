package policies_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// TestNarrowing: whatever the reviews of a request say, it is given nothing that it would not be given
// without their words; words added to a review never turn a refusal into Allowed; and no approval
// whose words are unknown or edited counts.
func TestNarrowing(t *testing.T) {
	c := scenarios(t)["approval/allow_narrowed_resources"]
	path := "policies/payments-debug.yaml"
	texts := []string{"", "OK", "pullgrant: at most 30m", "pullgrant: at most 1h", "pullgrant: at most 2h",
		"pullgrant: only namespaces payments", "pullgrant: only namespaces billing; at most 5m",
		"pullgrant: only resources pods/api-1", "pullgrant: only resources pods/api-2, pods/db-*",
		"pullgrant: only resources secrets/x", "pullgrant: at most 1m\npullgrant: at most 1m",
		"> pullgrant: at most 1m", "Pullgrant", "pullgrant: nothing"}
	now, _ := time.Parse(time.RFC3339, cases.Now)
	allowed, narrowed, refused := 0, 0, 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 5))
		f := c.Facts
		f.Base = with(t, c.Facts.Base, path, "count: 1", []string{"count:  1", "count: 2"}[r.IntN(2)])
		f.Base.Commit = c.Facts.Base.Commit
		f.Reviews, f.Users = nil, map[string]policies.UserFacts{"alice": c.Facts.Users["alice"]}
		for i, u := range approvers {
			f.Users[u.Login] = policies.UserFacts{ID: u.ID, Permission: "write", Member: true}
			if r.IntN(4) > 0 {
				f.Reviews = append(f.Reviews, policies.Review{ID: int64(i + 1), User: u, State: "APPROVED",
					CommitID: f.PullRequest.HeadSHA, SubmittedAt: requests.At(now.Add(-time.Hour)),
					Words: &policies.Words{}})
			}
		}
		silent := policies.Evaluate(f.Base, f, now)
		f.Reviews = slices.Clone(f.Reviews)
		for i := range f.Reviews {
			words := policies.Words{Text: texts[r.IntN(len(texts))], Edited: r.IntN(8) == 0}
			if f.Reviews[i].Words = &words; r.IntN(8) == 0 {
				f.Reviews[i].Words = nil
			}
		}
		d := policies.Evaluate(f.Base, f, now)
		if d.Outcome != policies.Allowed {
			refused++
			continue
		}
		if allowed++; silent.Outcome != policies.Allowed {
			t.Fatalf("seed %d: words turned %s into allowed: %+v", seed, silent.Code, f.Reviews)
		}
		if !isWithin(*d.Grant, *silent.Grant, now) {
			t.Fatalf("seed %d: %+v\nis more than\n%+v", seed, d.Grant, silent.Grant)
		}
		if !reflect.DeepEqual(d.Grant, silent.Grant) {
			narrowed++
		}
		for _, a := range d.Approvers {
			i := slices.IndexFunc(f.Reviews, func(r policies.Review) bool { return r.ID == a.ReviewID })
			words := f.Reviews[i].Words
			if words == nil || words.Edited {
				t.Fatalf("seed %d: %+v counts", seed, f.Reviews[i])
			}
			if n, _, _, _ := requests.ParseNarrowing(words.Text); n.AtMost > 0 && d.Grant.Duration > n.AtMost ||
				a.Narrowed != n.String() {
				t.Fatalf("seed %d: %q left %s, as %q", seed, words.Text, d.Grant.Duration, a.Narrowed)
			}
		}
	}
	if allowed < 300 || narrowed < 100 || refused < 300 {
		t.Errorf("%d allowed, %d of them narrowed, %d refused; the test tries little", allowed, narrowed,
			refused)
	}
}

// isWithin tells whether everything of a grant is in another.
func isWithin(g, wide requests.Grant, at time.Time) bool {
	w, all := g.From(at), wide.From(at)
	return !w.End.After(all.End.Time) && !w.Start.Before(all.Start.Time) &&
		!slices.ContainsFunc(g.Items, func(i requests.Item) bool {
			return !slices.ContainsFunc(wide.Items, func(o requests.Item) bool {
				return i.Kind == o.Kind && i.Namespace == o.Namespace && i.Role == o.Role &&
					!slices.ContainsFunc(i.Allows, func(r requests.Rule) bool {
						return !slices.ContainsFunc(o.Allows, func(other requests.Rule) bool {
							return r.Key() == other.Key() && !slices.ContainsFunc(about(r), func(one string) bool {
								return !slices.Contains(about(other), one)
							})
						})
					})
			})
		})
}

// about is what a rule is about.
func about(r requests.Rule) []string {
	all := slices.Clone(r.Names)
	for _, m := range r.Match {
		all = append(all, m.String())
	}
	return all
}

// TestNarrowingTakenAway: a policy that stops letting reviews narrow lets approvals give more.
func TestNarrowingTakenAway(t *testing.T) {
	c := scenarios(t)["approval/allow_narrowed"]
	before := c.Facts.Base
	after := with(t, before, "policies/payments-debug.yaml", "  allowNarrowing: true\n", "")
	const told = "policy payments-debug: an approval gives all that is asked for, whatever it says " +
		"and whoever edited it"
	if got := policies.Widened(before, after); !slices.Equal(got, []string{told}) {
		t.Errorf("told %q", got)
	}
	if got := policies.Widened(after, before); len(got) > 0 {
		t.Errorf("told %q of the other way", got)
	}
}

// TestNarrowingWithNobody: words of nobody cannot count.
func TestNarrowingWithNobody(t *testing.T) {
	c := scenarios(t)["approval/allow_narrowed"]
	text := strings.Replace(c.Facts.Base.Files["policies/payments-debug.yaml"].Content,
		"  challenges:\n    - {kind: CodeOwnerReview, count: 1}\n", "  challenges: []\n  allowWithoutReview: true\n", 1)
	_, findings := policies.ParsePolicy("policies/payments-debug.yaml", []byte(text))
	if len(findings) != 1 || findings[0].Rule != "narrowing" || findings[0].Line != 11 {
		t.Errorf("%v", findings)
	}
}
