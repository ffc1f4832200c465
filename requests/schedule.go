package requests

import (
	"fmt"
	"slices"
	"time"
)

// From is the window of the grant when its request is merged at that moment (R51): it begins then,
// or at NotBefore where that is later, or when the first of its hours opens after that, and ends at
// Until, or after Duration, or when those hours close (R64), or after AtMost. It is empty where no
// hours can hold it.
func (g Grant) From(merge time.Time) Window {
	w := g.from(merge)
	if most := NewWindow(w.Start.Time, g.AtMost).End; g.AtMost > 0 && most.Before(w.End.Time) {
		w.End = most
	}
	return w
}

func (g Grant) from(merge time.Time) Window {
	if merge.Before(g.NotBefore.Time) {
		merge = g.NotBefore.Time
	}
	if !g.Until.IsZero() {
		return g.Within(Window{At(merge), g.Until})
	}
	if open, ok := Opening(g.Windows, merge, 0); ok {
		merge = open.Start.Time
	}
	return g.Within(NewWindow(merge, g.Duration))
}

// For says for how long a grant is asked for: "for 1h", or until when.
func (g Grant) For() string {
	switch {
	case g.AtMost > 0:
		return fmt.Sprintf("until %s, for %s at most", g.Until, g.AtMost)
	case !g.Until.IsZero():
		return "until " + g.Until.String()
	}
	return "for " + g.Duration.String()
}

// When is For, and from when on.
func (g Grant) When() string {
	within := ""
	if len(g.Windows) > 0 {
		within = ", within the windows of the policy"
	}
	switch {
	case g.Extends != "" && g.NotBefore.IsZero():
		return g.For() + " from the end of " + g.Extends + " on" + within
	case !g.NotBefore.IsZero():
		return g.For() + " from " + g.NotBefore.String() + " on" + within
	}
	return g.For() + " from the merge on" + within
}

// SameAccess tells whether two grants give the same on one cluster, whatever its objects are
// called.
func SameAccess(a, b []Item) bool {
	return len(a) > 0 && slices.EqualFunc(a, b, func(a, b Item) bool {
		a.Name, b.Name = "", ""
		return a.Equal(b)
	})
}

// Length is how long the window is open, in words.
func (w Window) Length() string {
	length := w.End.Sub(w.Start.Time)
	if length%time.Minute == 0 {
		return Duration(length).String()
	}
	return length.String()
}

// checkTimes finds what a request says of its window that contradicts itself; at is where the
// request's spec stands.
func (d *Document) checkTimes(at string, s RequestSpec) {
	begin, end := at+".notBefore", at+".until"
	switch {
	case d.Has(begin) && s.NotBefore.IsZero():
		d.Add(begin, "window", "%s is no time to begin access at", begin)
	case d.Has(end) && s.Until.IsZero(): // which would read as if it were not there
		d.Add(end, "window", "%s is no time to end access at", end)
	case d.Has(begin) && d.Has(at+".extends"):
		d.Add(begin, "window", "extends says when access begins; leave notBefore out")
	case d.Has(end) && d.Has(at+".duration"):
		d.Add(end, "window",
			"until and duration both say when access ends; leave one of them out")
	case d.Has(end) && !s.NotBefore.Before(s.Until.Time):
		d.Add(end, "window", "%s is %s; it must be after notBefore, %s", end, s.Until, s.NotBefore)
	}
}
