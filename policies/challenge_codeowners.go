package policies

import (
	"github.com/pullgrant/pullgrant/requests"
)

// codeOwnerChallenge is met by owners of the request's path: any of those in the line of CODEOWNERS
// that matches (R33).
func codeOwnerChallenge() challengeKind {
	return challengeKind{
		name:   CodeOwnerReview,
		about:  "CodeOwnerReview: owners of the request's path approve.",
		fields: kindFields{takes: []string{"count", "after"}},
		check:  func(*requests.Document, string, Challenge) {},
		who:    func(w world, c condition) []Party { return w.ownersOf(c.path) },
		asks:   askedOfTeams,
		met: func(w world, f Facts, c condition, t tally) ChallengeResult {
			result := reviewed(w, f, c, t)
			result.Path = c.path
			return result
		},
		words: func(Challenge) string { return "code owners" },
	}
}
