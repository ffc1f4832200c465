package plan

import (
	"slices"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// goesOn tells of a grant whether it may be made as far as the one that it extends goes, and
// whether it overlaps that: the same access, which is there, so that it may come before its window
// and gives nobody what they do not have. What was ended by anything but time ends what goes on
// from it too; a judgement from before that was noted on the branch is none.
func (p *planner) goesOn(g requests.Grant, judged policies.Decision) (may, overlaps bool) {
	if g.Extends == "" {
		return true, false
	}
	i := slices.IndexFunc(p.Records, func(r Record) bool { return r.Grant.Name == g.Extends })
	if i < 0 {
		return !p.Entered(g.Extends) || p.Main != nil && judged.PolicyCommit == p.Main.Tip, false
	}
	r := p.Records[i]
	if r.Phase == Ended {
		return r.Cause == requests.CauseExpired, false
	}
	state := p.examine(r)
	why, _, over := p.verdict(r, state)
	if over && why.Cause != requests.CauseExpired {
		return false, false
	}
	return true, r.Phase == Granted && state.missing == 0 && !state.edited && !state.foreign &&
		r.Grant.Requester == g.Requester && r.Grant.Subject == g.Subject &&
		requests.SameAccess(r.Grant.Items, g.Items) &&
		r.Grant.Window.End.Equal(g.Window.Start.Time)
}

// grant plans one that may be made.
func (p *planner) grant(r Record) {
	r.Grant.Items = p.decidedLike(r.Grant)
	if may, overlaps := p.goesOn(r.Grant, p.Proofs[r.Grant.Path].Decision); may {
		p.steps = append(p.steps, Step{Action: Grant, Record: r, Overlaps: overlaps})
	}
}

// decidedLike are the items of a grant, with the containers that were decided for the one that it
// extends, where that was asked for as the same: another container would be other access.
func (p *planner) decidedLike(g requests.Grant) []requests.Item {
	i := slices.IndexFunc(p.Records, func(r Record) bool { return r.Grant.Name == g.Extends })
	if g.Extends == "" || i < 0 || !requests.SameAccess(p.Records[i].Grant.Asked(), g.Asked()) {
		return g.Items
	}
	items := slices.Clone(g.Items)
	for n, item := range items {
		if before := p.Records[i].Grant.Items[n]; item.Undecided() && !before.Undecided() {
			items[n] = item.Decided(before.Exec.Container)
		}
	}
	return items
}

// rank is the place of a step in a plan. What takes access away comes first, but for what is
// extended by the same plan: that ends right after what takes its place is there.
func rank(steps []Step) func(Step) int {
	extended := map[string]bool{}
	for _, s := range steps {
		if s.Overlaps {
			extended[s.Record.Grant.Extends] = true
		}
	}
	order := []Action{End, Sweep, Grant, Note, Schedule, Deny, Enter, Discard, Forget}
	return func(s Step) int {
		switch {
		case s.Overlaps:
			return 1
		case s.Action == End && extended[s.Record.Grant.Name]:
			return 2
		case s.Action == End:
			return 0
		}
		return 2 + slices.Index(order, s.Action)
	}
}
