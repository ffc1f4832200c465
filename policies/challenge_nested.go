package policies

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Bounds of challenges that are made of others: what is larger nobody could read.
const (
	maxParts  = 10
	maxNested = 3
)

// anyOfChallenge is met by so many of its challenges (R58).
func anyOfChallenge() challengeKind {
	kind := nestedChallenge(AnyOf, "AnyOf: one of its challenges is met, or as many as count says.",
		kindFields{needs: []string{"challenges"}, takes: []string{"count", "after"}})
	kind.check = func(d *requests.Document, at string, c Challenge) {
		if c.Count > len(c.Challenges) {
			d.Check(at+".count", "count", fmt.Sprint(c.Count),
				"there are fewer challenges, so it could never be met")
		}
	}
	kind.met = func(w world, f Facts, c condition, t tally) ChallengeResult {
		result := w.nested(f, c, t, func(_ ChallengeResult, t tally) tally { return t })
		for i := range result.Children {
			result.Children[i].Spare = result.Met && !result.Children[i].Met
		}
		return result
	}
	kind.words = func(c Challenge) string {
		words := "(" + inWordsOf(c.Challenges, " or ") + ")"
		if c.Count > 1 {
			words = fmt.Sprintf("%d of %s", c.Count, words)
		}
		return words
	}
	return kind
}

// allOfChallenge is met by all of its challenges, one after the other where it says so (R59).
func allOfChallenge() challengeKind {
	kind := nestedChallenge(AllOf, "AllOf: all of its challenges are met.",
		kindFields{needs: []string{"challenges"}, takes: []string{"inOrder", "after"}})
	kind.check = func(*requests.Document, string, Challenge) {}
	kind.met = func(w world, f Facts, c condition, t tally) ChallengeResult {
		return w.nested(f, c, t, func(done ChallengeResult, t tally) tally {
			if c.InOrder {
				return t.behind(done)
			}
			return t
		})
	}
	kind.words = func(c Challenge) string {
		if c.InOrder {
			return "(" + inWordsOf(c.Challenges, " and then ") + ")"
		}
		return "(" + inWordsOf(c.Challenges, " and ") + ")"
	}
	return kind
}

// nestedChallenge is what both have alike.
func nestedChallenge(name, about string, fields kindFields) challengeKind {
	return challengeKind{name: name, about: about, fields: fields,
		who: func(w world, c condition) (all []Party) {
			for _, part := range c.Challenges {
				for _, p := range w.who(condition{part, c.path}) {
					if !slices.Contains(all, p) {
						all = append(all, p)
					}
				}
			}
			return all
		},
		asks: func(w world, c condition, t tally) (all []Question) {
			for _, part := range c.Challenges {
				if kind, ok := part.kind(); ok {
					all = append(all, kind.asks(w, condition{part, c.path}, t)...)
				}
			}
			return all
		}}
}

// needed is how many of its challenges must be met.
func (c Challenge) needed() int {
	if c.Kind == AllOf {
		return len(c.Challenges)
	}
	return c.Count
}

// nested is how a challenge stands that is made of others. next is what counts for those after one
// that stands so.
func (w world) nested(f Facts, c condition, t tally,
	next func(ChallengeResult, tally) tally) ChallengeResult {
	result := ChallengeResult{Kind: c.Kind, Count: c.needed()}
	var times []time.Time
	for _, part := range c.Challenges {
		one, _ := w.stands(f, condition{part, c.path}, t)
		result.Children = append(result.Children, one)
		if one.Met {
			times = append(times, one.metAt)
		}
		t = next(one, t)
	}
	result.Met = result.Count > 0 && len(times) >= result.Count
	if result.Met {
		slices.SortFunc(times, time.Time.Compare)
		result.metAt = times[result.Count-1]
	}
	return result
}

// deep walks things and what they are made of, each with how deep it stands.
func deep[T any](all []T, parts func(T) []T) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) { walkDeep(all, 0, parts, yield) }
}

func walkDeep[T any](all []T, depth int, parts func(T) []T, yield func(int, T) bool) bool {
	for _, one := range all {
		if !yield(depth, one) || !walkDeep(parts(one), depth+1, parts, yield) {
			return false
		}
	}
	return true
}

// howMany counts those of which something is true.
func howMany[T any](all []T, is func(T) bool) (n int) {
	for _, one := range all {
		if is(one) {
			n++
		}
	}
	return n
}

// parts walks challenges and what they are made of, each with where it stands in the file.
func parts(at string, challenges []Challenge) iter.Seq2[string, Challenge] {
	return func(yield func(string, Challenge) bool) { walkParts(at, challenges, yield) }
}

func walkParts(at string, challenges []Challenge, yield func(string, Challenge) bool) bool {
	for i, c := range challenges {
		at := fmt.Sprintf("%s.challenges[%d]", at, i)
		if !yield(at, c) || !walkParts(at, c.Challenges, yield) {
			return false
		}
	}
	return true
}
