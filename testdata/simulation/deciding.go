package simulation

import (
	"fmt"
	"time"
)

// decidedOtherwise is what people ask for under policies whose challenges a service outside meets, or
// that decide by more than challenges.
var decidedOtherwise = []wish{
	{"shop-checked", "", []string{"rolebindings shop-a/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{"shop-ticket", "fields: {ticket: \"TICKET\"}", []string{
		"rolebindings shop-b/ID: ClusterRole logs-reader to User USER"}, nil, byItself},
	{"shop-pager", "", []string{"rolebindings shop-c/ID: ClusterRole logs-reader to User USER"}, nil,
		byItself},
	{"shop-first", "", []string{"rolebindings shop-a/ID: ClusterRole logs-reader to User USER"}, nil,
		byItself},
	{"shop-genie", "", []string{"rolebindings shop-b/ID: ClusterRole logs-reader to User USER"}, nil,
		byItself},
	{"shop-hours", "", []string{"rolebindings shop-a/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{"shop-frozen", "", []string{"rolebindings shop-a/ID: ClusterRole events-reader to User USER"}, nil, ""},
	{"shop-denied", "", []string{"rolebindings shop-c/ID: ClusterRole events-reader to User USER"}, nil,
		nothing},
	{"shop-team", "", []string{"rolebindings shop-a/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{"shop-strict", "", []string{"rolebindings shop-b/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{few, "", []string{"rolebindings shop-b/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{rare, "", []string{"rolebindings shop-c/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{"shop-ordered", "", []string{"rolebindings shop-a/ID: ClusterRole logs-reader to User USER"}, nil, ""},
	{standIn, "", []string{"rolebindings shop-b/ID: ClusterRole logs-reader to User USER"}, nil, ""},
}

// instead are policies that half of the people ask for something under who would do so under another one.
var instead = map[string]string{"shop-checked": "shop-ordered", "shop-peers": standIn}

// standIn is the policy under which bob's approval counts some time after people can be asked for theirs.
const (
	standIn   = "shop-standin"
	standsFor = 2 * time.Minute
)

// team owns what is asked for under the policy shop-team.
const team = "shop"

// Policies with limits.
const (
	few  = "shop-few"  // at a time
	rare = "shop-rare" // in a day, and soon after each other
)

// limits are what policies have of them.
var limits = map[string]struct {
	active, perDay int // 0: any number
	cooldown       time.Duration
}{few: {active: 2}, rare: {perDay: 2, cooldown: 5 * time.Minute}}

// daily is a time of each day.
type daily struct{ from, to time.Duration }

// windows are when policies let access be; all others do at any time.
var windows = map[string][]daily{"shop-hours": {{8 * time.Minute, 22 * time.Minute},
	{34 * time.Minute, 70 * time.Minute}, {80 * time.Minute, 24 * time.Hour}}}

// freezes are when a rule denies what a policy gives.
var freezes = map[string]span{
	"shop-denied": {begin.AddDate(-1, 0, 0), begin.AddDate(1, 0, 0)},
	"shop-frozen": {begin.Add(12 * time.Minute), begin.Add(24 * time.Minute)},
}

// within is when access is that could begin at a time: from when a window of its policy leaves a
// minute of it, and up to the end of that.
func (r *request) within(start time.Time) (from, to time.Time) {
	all := windows[r.policy]
	if len(all) == 0 {
		return start, start.Add(r.length)
	}
	for day := start.Truncate(24 * time.Hour); ; day = day.AddDate(0, 0, 1) {
		for _, h := range all {
			if from, to = day.Add(h.from), day.Add(h.to); from.Before(start) {
				from = start
			}
			if to.Sub(from) >= time.Minute {
				return from, earlier(from.Add(r.length), to)
			}
		}
	}
}

// frozen tells whether a rule denies access that is as the request would have it.
func (a *account) frozen() bool {
	f, is := freezes[a.policy]
	return is && a.start.Before(f.to) && a.end.After(f.from)
}

// asksForMore is more at once than a policy lets there be.
const asksForMore = "ask for more than there may be"

// crowd asks for the same three times, of which a policy lets only two be.
func (w *world) crowd(o occasion) error {
	policy := []string{few, rare}[w.below(2, o.name+" of which")]
	for i := range 3 {
		one := occasion{1000*(i+1) + o.n, fmt.Sprint(o.name, " of ", i)}
		for n := range wishes {
			if wishes[n].policy != policy {
				continue
			}
			r := w.request(&wishes[n], one)
			r.cluster, r.name = w.sites[0].name, requestName(one.n) // whatever it had in another one
			r.write()
			if err := w.propose(r, one); err != nil {
				return err
			}
		}
	}
	return nil
}
