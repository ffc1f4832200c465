package policies

import "github.com/pullgrant/pullgrant/requests"

// peerChallenge is met by people that the policy names.
func peerChallenge() challengeKind {
	return challengeKind{
		name:   PeerReview,
		about:  "PeerReview: the named reviewers approve.",
		fields: kindFields{needs: []string{"reviewers"}, takes: []string{"count", "after"}},
		check: func(d *requests.Document, at string, c Challenge) {
			checkParties(d, at+".reviewers", c.Reviewers)
		},
		who:   func(_ world, c condition) []Party { return c.Reviewers },
		asks:  askedOfTeams,
		met:   reviewed,
		words: func(c Challenge) string { return names(c.Reviewers) },
	}
}
