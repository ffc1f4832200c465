package simulation

import (
	"slices"
	"strings"
	"time"
)

// downs are when systems answered nobody, or stood still.
func (h history) downs(systems ...string) (all []span) {
	since := map[string]time.Time{}
	for _, e := range h {
		if e.down == nil {
			continue
		}
		for _, system := range systems {
			switch down, told := e.down[system]; {
			case told && down:
				since[system] = e.at
			case told:
				all = append(all, span{since[system], e.at})
				delete(since, system)
			}
		}
	}
	for _, begin := range since { // it still is
		all = append(all, span{begin, h[len(h)-1].at})
	}
	return all
}

// idle are when no agent of a cluster lived, and nothing of more programs.
func (h history) idle(cluster string, more ...string) (all []span) {
	since := begin
	for _, p := range h.lives() {
		if p.cluster != cluster || p.program != agents.name && !slices.Contains(more, p.program) {
			continue
		}
		if p.from.After(since) {
			all = append(all, span{since, p.from})
		}
		if p.to.After(since) {
			since = p.to
		}
	}
	return append(all, span{since, h[len(h)-1].at})
}

// troubles are when anything was down, or otherwise than it is to be, that an agent of a cluster has to
// do with, or when none lived; more are services that it asks.
func (h history) troubles(cluster string, more ...string) []span {
	var all []string
	for _, e := range h {
		for system := range e.down {
			if isOutside(system) && !slices.Contains(more, system) {
				continue
			}
			if _, other, one := strings.Cut(system, " of prod-"); !one || "prod-"+other == cluster {
				all = append(all, system)
			}
		}
	}
	slices.Sort(all)
	return append(h.downs(slices.Compact(all)...), h.idle(cluster)...)
}

// covered is how much of a time lies in any of some, each of which lasts for more.
func covered(some []span, more time.Duration, from, to time.Time) (sum time.Duration) {
	some = slices.SortedFunc(slices.Values(some), func(a, b span) int { return a.from.Compare(b.from) })
	for _, s := range some { // from is where what is counted already ends
		if s.to = s.to.Add(more); s.from.Before(from) {
			s.from = from
		}
		if s.to.After(to) {
			s.to = to
		}
		if s.to.After(s.from) {
			sum += s.to.Sub(s.from)
			from = s.to
		}
	}
	return sum
}

// wrongs are what went wrong in a history, for those who ask often.
type wrongs struct {
	// in the order in which they end; more are services that are asked
	troubles func(cluster string, more ...string) []span
	at       []time.Time // a fault, or an agent that ended
}

func (h history) wrongs() wrongs {
	all := remembered(func(names string) []span {
		of := strings.Split(names, "\n")
		return slices.SortedFunc(slices.Values(h.troubles(of[0], of[1:]...)),
			func(a, b span) int { return a.to.Compare(b.to) })
	})
	w := wrongs{troubles: func(cluster string, more ...string) []span {
		return all(strings.Join(append([]string{cluster}, more...), "\n"))
	}}
	for _, e := range h {
		if e.fault != "" || programOf(e.died) == agents.name {
			w.at = append(w.at, e.at)
		}
	}
	return w
}

// in tells whether anything was wrong in a time: a fault, an agent that ended, something down.
func (w wrongs) in(cluster string, from, to time.Time, more ...string) bool {
	next, _ := slices.BinarySearchFunc(w.at, from, time.Time.Compare)
	return next < len(w.at) && !w.at[next].After(to) ||
		covered(w.troubles(cluster, more...), 0, from, to) > 0
}

// remembered is a function of names that is asked of each name no more than once.
func remembered[T any](of func(name string) T) func(name string) T {
	known := map[string]T{}
	return func(name string) T {
		is, asked := known[name]
		if !asked {
			is = of(name)
			known[name] = is
		}
		return is
	}
}
