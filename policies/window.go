package policies

import (
	"cmp"
	"fmt"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// onceDuration is how long a grant lasts that ends at its first use, when nobody says: the end by
// use is best effort, so the other one is near.
const onceDuration = requests.Duration(2 * time.Minute)

// onceLong is from when on a policy is asked whether it means so long a window for a single use.
const onceLong = requests.Duration(10 * time.Minute)

// LeadTime is the longest time from a merge to the start of access.
func (s PolicySpec) LeadTime() requests.Duration { return s.limits().MaxLeadTime }

// duration refuses a window that is longer than the policy allows, or has no length. One with an
// absolute end is measured from the merge, or from now, as far as either is known.
func (j *judge) duration() string {
	target, spec, g := j.target(), j.request.Spec, j.decision.Grant
	g.NotBefore, g.Until, g.Extends = spec.NotBefore, spec.Until, spec.Extends
	g.Windows = j.world.policy.Spec.Windows
	if e := j.facts.Extended; e != nil && g.Extends != "" {
		g.NotBefore = e.Window.End
	}
	if !g.Until.IsZero() {
		return j.field("spec.until", DurationOutOfRange, j.lengthUntil(*g))
	}
	asked := cmp.Or(spec.Duration, target.DefaultDuration)
	if asked == 0 && g.Once() {
		asked = min(onceDuration, target.MaxDuration)
	}
	if asked == 0 {
		return j.field("spec.duration", DurationOutOfRange, "the policy has no default "+
			"duration; ask for one up to "+target.MaxDuration.String())
	}
	if asked > target.MaxDuration {
		return j.field("spec.duration", DurationOutOfRange, fmt.Sprintf("the duration %s is "+
			"over the policy's maximum of %s", asked, target.MaxDuration))
	}
	g.Duration = asked
	return ""
}

func (j *judge) lengthUntil(g requests.Grant) string {
	merge, most := j.facts.judgedAt(j.now), j.target().MaxDuration
	if merge.IsZero() && g.NotBefore.IsZero() {
		return ""
	}
	w := g.From(merge)
	length := w.End.Sub(w.Start.Time)
	g.Windows = nil
	switch asked := g.From(merge); {
	case asked.Empty():
		return fmt.Sprintf("access would end at %s, before it could start at %s; ask for a later end",
			asked.End, asked.Start)
	case length > time.Duration(most):
		return fmt.Sprintf("from %s to %s is %s, over the policy's maximum of %s; ask for an "+
			"earlier end, or a later start", w.Start, w.End, w.Length(), most)
	}
	return ""
}

// start refuses one that lies farther after the merge than the policy allows: what was approved for
// then would be far from those who approved it (R52).
func (j *judge) start() string {
	merge, most := j.facts.judgedAt(j.now), j.world.policy.Spec.LeadTime()
	if begin := j.decision.Grant.NotBefore; !merge.IsZero() &&
		begin.Sub(merge) > time.Duration(most) {
		field := "spec.notBefore"
		if j.request.Spec.Extends != "" {
			field = "spec.extends"
		}
		return j.field(field, StartOutOfRange, fmt.Sprintf("access would start at "+
			"%s, more than the policy's %s after the merge; ask for an earlier start, or ask later",
			begin, most))
	}
	return ""
}
