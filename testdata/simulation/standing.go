package simulation

import (
	"slices"
	"time"
)

// standing is when the approval was given that stood when a request was merged: of just what was
// merged, and taken back by nobody. Zero: none did, or nothing may ever be given for it.
func (a *account) standing() time.Time {
	switch {
	case a.frozen():
		return time.Time{}
	case a.trusted:
		return a.approved
	case a.allowed == nothing:
		return time.Time{}
	case a.allowed == glass:
		return a.merged
	}
	var since, stood, pushed time.Time
	for _, e := range a.deeds {
		switch e.did.what {
		case asks, asksAgain:
			pushed = e.at
		case approves:
			since = e.at
		case changesIt:
			since, pushed = time.Time{}, e.at
		case dismisses, objects:
			since = time.Time{}
		case takesUp, spoils:
			return time.Time{}
		case merges:
			if stood = since; a.allowed == byItself {
				stood = a.merged
			}
			if a.policy == standIn && seconds(e.at).Sub(seconds(pushed)) < standsFor {
				stood = time.Time{} // too early
			}
		case mergesNot:
			stood = time.Time{}
		}
	}
	return stood
}

// seconds is a time as GitHub tells of it.
func seconds(at time.Time) time.Time { return at.Truncate(time.Second) }

// refused tells whether its approver requested changes and it was closed: its name is used then, as
// soon as an agent looks.
func (a *account) refused() bool {
	objected := false
	for _, e := range a.deeds {
		switch e.did.what {
		case objects:
			objected = true
		case approves, dismisses:
			objected = false
		case closes:
			if objected {
				return true
			}
		}
	}
	return false
}

// spoilt tells whether nothing is ever to be given for it.
func (a *account) spoilt() bool {
	return slices.ContainsFunc(a.deeds, func(e event) bool { return e.did.what == spoils })
}
