package policies

// peerChallenge is met by people that the policy names.
func peerChallenge() challengeKind {
	return challengeKind{
		name:  PeerReview,
		about: "PeerReview: the named reviewers approve.",
		check: checkReviewers,
		who:   func(_ world, c condition) []Party { return c.Reviewers },
		asks:  askedOfTeams,
		met:   reviewed,
		words: func(c Challenge) string { return names(c.Reviewers) },
	}
}
