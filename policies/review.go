package policies

import (
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// unreviewedLong is from when on a policy is asked whether it means so long an access that nobody
// reviewed.
const unreviewedLong = requests.Duration(time.Hour)

// checkReview finds a policy that would give access with nobody's review and does not say that it
// is meant to (R62).
func checkReview(d *requests.Document, s PolicySpec) {
	if s.AllowWithoutReview || !d.Has("spec.challenges") || !unreviewed(s.Challenges, len(s.Challenges)) {
		return
	}
	d.Add("spec.challenges", "review", "a request could be allowed with no review at all; ask for one "+
		"beside it, or say allowWithoutReview: true where that is meant")
}

// unreviewed tells whether so many of some challenges can be met without any review.
func unreviewed(challenges []Challenge, needed int) bool {
	return howMany(challenges, func(c Challenge) bool {
		kind, _ := c.kind()
		return kind.unreviewed || len(c.Challenges) > 0 && unreviewed(c.Challenges, c.needed())
	}) >= needed
}
