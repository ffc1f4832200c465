package simulation

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// Faults of calls. A call is named by its process, what it asks for, and how many the same process
// made for the same before.
const (
	slow        = "slow"         // it takes seconds
	dropped     = "dropped"      // it never arrives
	late        = "late"         // given up by the caller, it arrives all the same
	twice       = "twice"        // it arrives twice
	lost        = "answer lost"  // it does what it asks for, and the caller never knows
	crashBefore = "crash before" // the process dies as it makes the call
	crashAfter  = "crash after"  // the process dies while the answer is on its way
)

// Faults that come with a doing of people's, by which they are named.
const (
	outageOf = "outage of "  // a system answers nobody, up to the time outage
	broken   = "watches end" // all that are under way
	// compacted: Kubernetes forgets all versions but the last, so that watches cannot go on
	compacted = "history compacted"
	// still: Kubernetes' controllers do nothing, up to the time outage
	still = "controllers stand still"
)

// controllers are those of Kubernetes: a system that nobody calls.
const controllers = "controllers"

// skewed is the clock of a replica, by which it is named.
const skewed = "skew"

// outage is the longest one of a system.
const outage = 40 * time.Minute

// everything is each fault, as often as lets most of what people do still come to something: of
// 100,000 occasions.
var everything = rates(ratesOfAnswers(map[string]int{slow: 200, dropped: 500, late: 50_000, twice: 500,
	lost: 500, crashBefore: 10, crashAfter: 10, skewed: 70_000, toldLate: 20_000, toldTwice: 20_000,
	toldNever: 10_000}), besides, shapes)

// rates adds those of the faults that come with doings, and of shapes.
func rates(all map[string]int, besides []beside, shapes map[string]int) map[string]int {
	maps.Copy(all, shapes)
	for _, b := range besides {
		all[b.name] = b.rate
	}
	return all
}

// beside is a fault that comes with a doing of people's. Where there are several clusters, it takes
// each by itself, or it is of what they have in common.
type beside struct {
	name   string
	rate   int
	common bool
	// begin has it happen, to all clusters when it is common, and to s otherwise; what chance decides
	// about it has the name of the occasion. What is returned ends it; nil: it happened, and that was
	// all.
	begin func(w *world, s *site, occasion string) (end func())
}

// besides are those that there are. One that lasts does so up to the time outage, and does not begin
// again before.
var besides = slices.Concat(outages, hubFaults, changes, rewrites, clusterFaults, clockFaults,
	outsideBesides, leaseFaults, adminFaults, tamperings.besides(), withdrawals, copied, usesForged)

var outages = []beside{
	{outageOf + git, 3000, true, func(w *world, _ *site, _ string) func() { return w.stops(git) }},
	{outageOf + github, 3000, true, func(w *world, _ *site, _ string) func() { return w.stops(github) }},
	{outageOf + kubernetes, 3000, false, func(w *world, s *site, _ string) func() {
		end := w.stops(of(kubernetes, s.name))
		w.cut(s)
		return end
	}},
	{still, 3000, false, func(w *world, s *site, _ string) func() {
		set := func(yes bool) {
			s.SetFaults(func(f *cluster.Faults) { f.NoJobs, f.NoTTL, f.NoGC = yes, yes, yes })
		}
		end := w.stops(of(controllers, s.name))
		set(true)
		return func() { end(); set(false) }
	}},
	{compacted, 5000, false, func(_ *world, s *site, _ string) func() {
		time.Sleep(time.Nanosecond) // whoever watches has read what people just did
		s.Compact()
		return nil
	}},
	rolledOut(agents), none(agents, 3000), rolledOut(expirers), none(expirers, 3000),
	rolledOut(awsKeepers), none(awsKeepers, 3000), listEdited,
	{broken, 10_000, false, func(w *world, s *site, _ string) func() { w.cut(s); return nil }},
}

// fault tells whether a fault of a kind takes an occasion.
func (w *world) fault(kind, occasion string) bool {
	name, is := w.chosen(kind, occasion)
	if is {
		w.add(event{fault: name})
	}
	return is
}

// chosen tells whether something by chance takes an occasion, and its name.
func (w *world) chosen(kind, occasion string) (name string, is bool) {
	name = kind + ": " + occasion
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calm || w.below(100_000, name) >= w.faults[kind] || w.only != nil && !w.only[name] {
		return name, false
	}
	if !slices.Contains(w.met, name) { // several calls may have one name
		w.met = append(w.met, name)
	}
	return name, true
}

// setCalm has no fault begin any more.
func (w *world) setCalm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm = true
}

// beside begins the faults that come with a doing.
func (w *world) beside(doing string) {
	for _, s := range w.sites {
		s.backUp()
	}
	for _, b := range besides {
		if b.common {
			w.befalls(b, nil, doing)
			continue
		}
		for _, s := range w.sites {
			w.befalls(b, s, of(doing, s.name))
		}
	}
}

// befalls has a fault take an occasion, by chance.
func (w *world) befalls(b beside, s *site, occasion string) {
	what := b.name
	if s != nil {
		what = of(what, s.name)
	}
	w.mu.Lock()
	lasts := w.lasting[what]
	w.mu.Unlock()
	if lasts || !w.fault(b.name, occasion) {
		return
	}
	end := b.begin(w, s, occasion)
	if end == nil {
		return
	}
	set := func(yes bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lasting[what] = yes
	}
	set(true)
	w.busy.Go(func() {
		time.Sleep(w.span(time.Second, outage, b.name+" length "+occasion))
		end()
		set(false)
	})
}

// stops has a system answer nobody, until what is returned is called.
func (w *world) stops(system string) (end func()) {
	set := func(down bool) {
		w.note("%s down: %t", system, down)
		w.add(event{down: map[string]bool{system: down}})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.down[system] = down
	}
	set(true)
	return func() { set(false) }
}

func (w *world) isDown(system string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down[system]
}

// cut breaks every watch of a cluster, one by one: what their readers draw then depends on the order.
func (w *world) cut(s *site) {
	w.mu.Lock()
	var all []*watch
	for one := range w.watches {
		if one.site == s {
			all = append(all, one)
		}
	}
	w.mu.Unlock()
	slices.SortFunc(all, func(a, b *watch) int { return strings.Compare(a.id, b.id) })
	for _, one := range all {
		time.AfterFunc(w.span(0, time.Second, "cut "+one.id), func() { one.end(errBroken) })
	}
}
