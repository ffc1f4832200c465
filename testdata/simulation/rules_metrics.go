package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/monitor"
)

// Bounds of what processes say of themselves.
const (
	// calmShown and faultyShown are how old a number may be: a pass takes it, and in a run with faults
	// several may fail, or another replica takes over.
	calmShown   = 15 * time.Second
	faultyShown = 3 * time.Minute
	// outageShown is how long something is down before each pass has met it.
	outageShown = 2 * time.Minute
)

// scraped are the scrapes of agents that run on, with what is about each.
func (h history) scraped(do func(at time.Time, s *scrape) (wrong string)) (wrong []string) {
	for _, e := range h {
		if e.scrape == nil || programOf(e.scrape.process) != agents.name {
			continue
		}
		if what := do(e.at, e.scrape); what != "" {
			wrong = append(wrong, fmt.Sprintf("%s at %s: %s", e.scrape.process, e.at, what))
		}
	}
	if len(wrong) == 0 && !slices.ContainsFunc(h, func(e event) bool { return e.scrape != nil }) {
		return []string{"no process was asked how it is"}
	}
	return wrong
}

// shownFrom is since when something may have been as a process shows it at a time: while something
// was down it learned nothing.
func (w wrongs) shownFrom(cluster string, bound time.Duration, at time.Time) time.Time {
	from := at.Add(-bound)
	for _, s := range slices.Backward(w.troubles(cluster)) {
		if s.from.Before(from) && s.to.After(from.Add(-bound)) {
			from = s.from.Add(-bound)
		}
	}
	return from
}

// shownLive: the replica that takes the passes shows how many bindings there are, and others none.
func shownLive(h history) []string {
	bound, were := calmShown, remembered(h.bindings)
	if h.faulty() {
		bound = faultyShown
	}
	wrong, terms := h.wrongs(), remembered(h.terms)
	return h.scraped(func(at time.Time, s *scrape) string {
		shows, from := s.numbers["grants_active"], wrong.shownFrom(s.cluster, bound, at)
		if s.numbers["leader"] == 0 {
			if shows == 0 {
				return ""
			}
			return fmt.Sprintf("it does not lead, and shows %g bindings", shows)
		}
		if shows == 0 && slices.ContainsFunc(terms(s.cluster), func(t term) bool {
			return t.process == s.process && t.from.After(from)
		}) {
			return ""
		}
		n := 0
		for _, c := range were(s.cluster) {
			if c.at.After(at) {
				break
			}
			if !c.at.Before(from) && float64(n) == shows { // until then it was n
				return ""
			}
			n = c.is
		}
		if float64(n) == shows {
			return ""
		}
		return fmt.Sprintf("it shows %g bindings; there are %d", shows, n)
	})
}

// change is what a number is from a time on.
type change struct {
	at time.Time
	is int
}

// bindings are how many there are in a cluster that say that they are an agent's; none before the first
// change.
func (h history) bindings(cluster string) (all []change) {
	there := map[types.UID]bool{}
	for _, e := range h {
		v := e.version
		if v == nil || v.cluster != cluster || !strings.HasSuffix(v.Resource, "rolebindings") {
			continue
		}
		if uid := v.object().GetUID(); v.New != nil && v.ours() {
			there[uid] = true
		} else {
			delete(there, uid)
		}
		all = append(all, change{e.at, len(there)})
	}
	return all
}

// ours tells whether an object says that it is an agent's.
func (v *version) ours() bool {
	return v.object().GetLabels()[render.LabelManagedBy] == render.ManagedBy &&
		v.object().GetLabels()[render.LabelCluster] == v.cluster
}

// shownCounts: what all processes of a cluster counted is no more than what happened, by the causes
// and codes that the ledger has; nor less, but for what is lost with a process, or with an answer.
func shownCounts(h history) []string {
	counted, may, told := h.counted("decisions_total", "bindings_ended_total"), h.refusals(), h.told()
	k := h.knowledge()
	for _, a := range h.accounts() {
		if a.granted() {
			causes := h.enteredAs(a)
			may[of(`decisions_total{code="",decision="allowed"}`, a.cluster)] += float64(a.mostGrants())
			for _, s := range a.stays {
				if s.went == nil || s.byHand() || !s.came.version.binds() {
					continue
				}
				for _, cause := range a.endings(s, told, k, causes) {
					may[endedBy(cause, a.cluster)]++
				}
			}
		}
	}
	h.countForged(may)
	h.countRefusedAgain(may)
	most := maps.Clone(may)
	for name, n := range counted {
		if strings.Contains(name, `"error"`) || strings.Contains(name, "Swept") { // of which there may be any number
			most[name] = n
		}
	}
	return h.miscounted(counted, most, may)
}

// miscounted are the numbers that are more than there may be, or less than there must be where nothing is
// lost.
func (h history) miscounted(counted, most, least map[string]float64) (wrong []string) {
	for name, n := range counted {
		if n > most[name] {
			wrong = append(wrong, fmt.Sprintf("%s is %g, more than the %g that were", name, n, most[name]))
		}
	}
	for name, n := range least {
		if counted[name] < n && !h.faulty() && !h.passes() {
			wrong = append(wrong, fmt.Sprintf("%s is %g, less than the %g that were", name, counted[name], n))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// enteredAs are the causes that the ledger has of an end, and had where main was set back since.
func (h history) enteredAs(a *account) []string {
	entry, _ := h.entry(a)
	causes := []string{entry.Status.Cause}
	for _, e := range h {
		if e.push == nil || e.push.cluster != a.cluster {
			continue
		}
		for line := range strings.Lines(e.push.message) {
			cause, is := strings.CutPrefix(strings.TrimSpace(line), "Revoke "+a.name+": ")
			if is && !slices.Contains(causes, cause) {
				causes = append(causes, cause)
			}
		}
	}
	return causes
}

// endings are the causes by which the end of a binding may be counted, each once: those that were
// entered, and more where a restored etcd brought it back or had nothing of it, its record was set back before
// the ledger had it, or later its record alone says again that it is there.
func (a *account) endings(s *stay, told history, k *knowledge, entered []string) []string {
	once := func(causes []string) []string { return slices.Compact(slices.Sorted(slices.Values(causes))) }
	all := slices.Clone(entered)
	// it ends once more, or its end is forgotten before the ledger has it: the entry may not tell that
	if s.again() || slices.ContainsFunc(a.forgot, s.went.at.Before) {
		all = append(all, a.causesAround(told, s.went.at)...)
	}
	if slices.ContainsFunc(a.recalled, func(at time.Time) bool {
		return at.After(s.went.at) && !a.enteredBy(at)
	}) { // the record did not tell any more what it was
		all = append(all, a.anyCause(told, k, s.went.at)...)
	}
	all = once(all)
	for _, at := range a.recalled {
		if at.After(s.went.at) && !slices.ContainsFunc(a.stays, func(o *stay) bool { return o.came.at.Equal(at) }) {
			all = append(all, once(append(a.causesAround(told, at), a.usedBy(k, at)...))...)
		}
	}
	return all
}

// endedBy is the name of how many bindings ended by a cause.
func endedBy(cause, cluster string) string {
	return of(fmt.Sprintf("bindings_ended_total{cause=%q}", cause), cluster)
}

// mostGrants is how often a request may be granted: once, and once more each time its cluster forgot that,
// where all that etcd brought back at one time is forgotten once.
func (a *account) mostGrants() int {
	most, last := 1, a.made[0].version.made
	for _, at := range a.forgot {
		if at.After(last) && at.Before(a.end.Add(tolerated)) {
			most, last = most+1, at
		}
	}
	return most
}

// refusals are how often agents of a cluster entered a code into the ledger: twice of a request that
// was judged again, as people took its entry from main.
func (h history) refusals() map[string]float64 {
	all := map[string]float64{}
	for _, e := range h {
		if e.push == nil || e.push.cluster == "" {
			continue
		}
		for line := range strings.Lines(e.push.message) {
			if what, refused := strings.CutPrefix(line, "Refuse "); refused {
				_, code, _ := strings.Cut(strings.TrimSpace(what), ": ")
				all[deniedFor(code, e.push.cluster)]++
			}
		}
	}
	return all
}

// deniedFor is the name of how many requests were refused for a code.
func deniedFor(code, cluster string) string {
	return of(fmt.Sprintf(`decisions_total{code=%q,decision="denied"}`, code), cluster)
}

// passes tells whether there are single passes, which nobody asks how they are.
func (h history) passes() bool {
	return slices.ContainsFunc(h.lives(), func(p *life) bool { return p.program == passes.name })
}

// counted are the numbers of all processes of a cluster whose names begin so, by name and cluster.
func (h history) counted(names ...string) map[string]float64 {
	all := map[string]float64{}
	for _, s := range h.lastScrapes() {
		for name, n := range s.numbers {
			if slices.ContainsFunc(names, func(begin string) bool { return strings.HasPrefix(name, begin) }) {
				all[of(name, s.cluster)] += n
			}
		}
	}
	return all
}

// lastScrapes are the last ones of each process.
func (h history) lastScrapes() map[string]*scrape {
	last := map[string]*scrape{}
	for _, e := range h {
		if e.scrape != nil {
			last[e.scrape.process] = e.scrape
		}
	}
	return last
}

// shownStops: what keeps an agent from working is shown while it does, and no longer.
func shownStops(h history) []string {
	down := remembered(func(system string) []span {
		if system == github && h.trusts() { // nobody asks it
			return nil
		}
		return h.downs(system)
	})
	wrong, told, terms := h.wrongs(), h.told(), remembered(h.terms)
	return h.scraped(func(at time.Time, s *scrape) string {
		since := func(stage string) time.Duration {
			shown := s.numbers[fmt.Sprintf("last_error_timestamp_seconds{stage=%q}", stage)]
			return at.Sub(told.when(s.cluster, replicaOf(s.process), time.Unix(int64(shown), 0), at))
		}
		through := func(all []span) bool {
			return covered(all, 0, at.Add(-outageShown), at) == outageShown
		}
		// one that stood still learned nothing then
		slept := covered(down(of(sleeping, s.process)), 0, at.Add(-outageShown), at) > 0
		// what it counted was of a term before
		anew := slices.ContainsFunc(terms(s.cluster), func(t term) bool {
			return t.process == s.process && t.from.After(at.Add(-outageShown)) && !t.from.After(at)
		})
		switch leads := s.numbers["leader"] == 1 && !slept; {
		case leads && through(down(of(kubernetes, s.cluster))):
			return "it leads, and Kubernetes does not answer"
		case leads && s.passing() && !anew && through(down(git)) && since("git") > outageShown:
			return "git does not answer, and it does not show that"
		case leads && s.passing() && !anew && through(down(github)) && !through(down(git)) &&
			since("apply") > outageShown && since("git") > outageShown:
			return "GitHub does not answer, and it does not show that"
		}
		if wrong.in(s.cluster, at.Add(-s.reasonFor()-outageShown), at) {
			return ""
		}
		for name, n := range s.numbers {
			if n != 0 && strings.HasPrefix(name, "granting_stopped{") {
				return name + " is shown, and nothing is wrong"
			}
		}
		if since("git") < reasonFor || s.numbers["sync_age_seconds"] > faultyShown.Seconds() &&
			s.numbers["leader"] == 1 {
			return "trouble is shown, and nothing is wrong"
		}
		return ""
	})
}

// when is when a clock of a cluster said a time last, to the second; zero: it never did before at.
func (h history) when(cluster, of string, said, at time.Time) (was time.Time) {
	var since time.Time
	ahead := time.Duration(0)
	look := func(until time.Time) {
		if now := said.Add(-ahead); now.After(since.Add(-time.Second)) && !now.After(until) {
			was = now
		}
	}
	for _, e := range h {
		if c := e.clock; c != nil && c.cluster == cluster && c.of == of && !e.at.After(at) {
			look(e.at)
			since, ahead = e.at, c.ahead
		}
	}
	look(at)
	return was
}

// reasonFor is how long after something was wrong that may be what the process shows. Of a change of
// policies that nobody asked for GitHub has to say for ten minutes that it has no pull request; it is
// asked first, and last, after a pause.
func (s *scrape) reasonFor() time.Duration {
	if strings.Contains(s.says, string(monitor.StagePolicies)) {
		return reasonFor + 2*toldAgain
	}
	return reasonFor
}

// passing tells whether the process has led for long enough to have taken passes.
func (s *scrape) passing() bool {
	return s.numbers[`passes_total{result="complete"}`]+s.numbers[`passes_total{result="incomplete"}`] > 2*
		outageShown.Minutes()
}

// shownHealth: no trouble is a reason to restart a process; one is ready where nothing is wrong, and is
// not while it never had an answer of Kubernetes.
func shownHealth(h history) []string {
	down := remembered(func(system string) []span { return h.downs(system) })
	began, wrong := map[string]time.Time{}, h.wrongs()
	for _, p := range h.lives() {
		began[p.process] = p.from
	}
	return h.scraped(func(at time.Time, s *scrape) string {
		from := began[s.process]
		switch silent := down(of(kubernetes, s.cluster)); {
		case !s.healthy:
			return "it says that only a restart helps"
		case s.ready && covered(silent, 0, from, at) == at.Sub(from):
			return "it is ready, and Kubernetes never answered it"
		case !s.ready && at.Sub(from) > faultyShown && !wrong.in(s.cluster, at.Add(-s.reasonFor()), at):
			return fmt.Sprintf("it is not ready, and nothing is wrong: %q", s.says)
		}
		return ""
	})
}

// trusts tells whether agents ask nobody about what is on main.
func (h history) trusts() bool {
	return slices.ContainsFunc(h, func(e event) bool { return e.trusted })
}
