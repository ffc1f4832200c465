package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// Bounds of what comes of a command that a process is told of while nothing is in its way.
const (
	// noted is until the record has it, and access is over that is for a single use: it is looked at for
	// two seconds whether it is a grant's, of uses that end nothing a record is written once a second, and
	// calls take their time.
	noted = 5 * time.Second
	// toldBy is how old a command may be of which anybody is told.
	toldBy = 10 * time.Minute
)

// of tells whether a command is a use of a request, by who ran it, where and when: what was refused is
// told of each grant of a command there.
func (c *command) of(a *account, k *knowledge) bool {
	as := ""
	if a.impersonates() {
		as = a.identity()
	}
	ends := a.saidEnds()
	return a.lets() != "" && c.text() != "" && c.cluster == a.cluster && c.Namespace == runsIn && c.As == as &&
		c.User == k.usernameAt(a.mergedAt()) && (!c.allowed() || a.letsRun(c)) &&
		!c.At.Before(a.start.Add(-tolerated)) && !c.At.After(ends[len(ends)-1].Add(tolerated))
}

// letsRun tells whether a command is the one that a request lets run. Which pods a Deployment has is not asked
// of who tells of it: no API server lets others through.
func (r *request) letsRun(c *command) bool {
	name := strings.TrimPrefix(c.text(), "run "+runsIn+"/")
	if r.lets() == requests.Placeholder {
		return (c.forged || strings.HasPrefix(name, deployed+"-")) && strings.HasSuffix(name, "/app date")
	}
	return name == strings.ReplaceAll(r.lets(), "*", "some")
}

// usesOf are the commands of which agents of a cluster were told before a time, that are uses of a
// request, by their audit IDs.
func (k *knowledge) usesOf(a *account, before time.Time) map[string]*command {
	all := map[string]*command{}
	for _, e := range k.tales {
		if !e.at.After(before) && e.tale.of.of(a, k) {
			all[e.tale.of.id] = e.tale.of
		}
	}
	return all
}

// usesTrue: what the ledger and people are told of uses of a grant is what somebody did who had it, each
// once, and nothing else.
func usesTrue(h history) (wrong []string) {
	k := h.knowledge()
	for _, a := range h.accounts() {
		entry, there := h.entry(a)
		if !there {
			continue
		}
		uses := requests.Uses{}
		if entry.Status.Uses != nil {
			uses = *entry.Status.Uses
		}
		say := func(what string) { wrong = append(wrong, fmt.Sprintf("%s: %s", a.name, what)) }
		// what main lost is entered once more, with what became known meanwhile
		last := h.inLedger(a, h[len(h)-1].at)
		were, allowed := k.usesOf(a, last), 0
		for _, use := range uses.First {
			c := were[use.AuditID]
			if delete(were, use.AuditID); c == nil {
				say(fmt.Sprintf("%s is no use of it, or is told twice", use))
			} else if use.Command != c.text() || use.Code != c.Code || use.Allowed != c.allowed() ||
				!use.Time.Equal(c.At.Truncate(time.Second)) {
				say(fmt.Sprintf("%s (%d) was %q at %s (%d)", use, use.Code, c.text(), c.At, c.Code))
			}
			if use.Allowed {
				allowed++
			}
		}
		if uses.Allowed != allowed || uses.Allowed+uses.Refused != len(uses.First) {
			say(fmt.Sprintf("%s, and %d are told", uses, len(uses.First)))
		}
		if a.granted() && a.anew(entry.Status) { // people are told what an entry said that main lost
			continue
		}
		for _, e := range h {
			if e.comment == nil || e.comment.pull != a.number || e.at.Before(last) {
				continue
			}
			heading, text := e.comment.shown()
			_, said, told := strings.Cut(text, "\nCommands: ")
			if strings.HasPrefix(heading, saysEnded) && (told != (len(uses.First) > 0) ||
				told && !strings.HasPrefix(said, uses.String())) {
				say(fmt.Sprintf("#%d says %q; the ledger has %s", a.number, said, uses))
			}
		}
	}
	return wrong
}

// use is a command of which a process was told, that is one of a request.
type use struct {
	*account
	*command
	process string
	at      time.Time // when it was told first, with nothing in its way
}

// owedUses are those of which something has to come: of access that was there for certain, told soon
// enough, to a process that lived on, knew its record, and could call Kubernetes; hindrances are more
// that may be in the way.
func (h history) owedUses(hindrances ...string) (all []use) {
	k, told := h.knowledge(), h.told()
	ran := map[*command]time.Time{}
	for _, e := range h {
		if e.ran != nil {
			ran[e.ran] = e.at
		}
	}
	for _, a := range h.accounts() {
		tampered := slices.ContainsFunc(a.deeds, func(e event) bool { return tamperings.of(e.did.what) != nil })
		if a.lets() == "" || !a.granted() || tampered || len(a.forgot) > 0 {
			continue
		}
		known := map[*command]bool{}
		for _, e := range k.tales {
			if e.tale.over || known[e.tale.of] || !e.tale.of.of(a, k) {
				continue
			}
			c, at := e.tale.of, ran[e.tale.of]
			age := e.at.Add(told.aheadOf(a.cluster, replicaOf(e.tale.process), e.at)).Sub(c.At)
			if given := a.given(); given.IsZero() || at.Before(given) || !a.hadFrom(at, at) || c.At.Before(a.start) ||
				c.At.After(a.end) || age < time.Second-plan.MaxSkew || age > toldBy-noted ||
				h.hinders(e.tale.process, a.cluster, e.at.Add(-recovery), e.at.Add(noted), hindrances...) {
				continue
			}
			known[c] = true
			all = append(all, use{a, c, e.tale.process, e.at})
		}
	}
	return all
}

// hinders tells whether anything kept a process of a cluster from following the records and from writing
// them: that it ended or stood still, one of its calls about records or to end something, what became of
// Kubernetes itself, or one of more faults in force.
func (h history) hinders(process, name string, from, to time.Time, more ...string) bool {
	systems := []string{of(sleeping, process)}
	for _, system := range append(more, kubernetes, staleLists, lateWatches, noWatches, etcdBack) {
		systems = append(systems, of(system, name))
	}
	return covered(h.downs(systems...), 0, from, to) > 0 || slices.ContainsFunc(h, func(e event) bool {
		kind, call, _ := strings.Cut(e.fault, ": ")
		return !e.at.Before(from) && !e.at.After(to) && (e.died == process || kind == broken ||
			kind == compacted || strings.HasPrefix(call, process+" ") &&
			(strings.Contains(call, "/"+records) || strings.Contains(call, " DELETE ")))
	})
}

// usesKept: of a use that an agent took, the ledger tells in the end, if the grant lasted on for that.
func usesKept(h history) (wrong []string) {
	for _, u := range h.owedUses() {
		entry, there := h.entry(u.account)
		if !there || u.entered.IsZero() || u.entered.Sub(u.at) < noted {
			continue
		}
		if s := entry.Status.Uses; s == nil || !slices.ContainsFunc(s.First, func(one requests.Use) bool {
			return one.AuditID == u.id
		}) {
			wrong = append(wrong, fmt.Sprintf("%s was told at %s that %s was used, %s, and the ledger does not tell",
				u.process, u.at, u.name, u.id))
		}
	}
	return wrong
}

// endsUsed: what is for a single use is over soon after an agent was told of that.
func endsUsed(h history) (wrong []string) {
	for _, u := range h.owedUses(refusing, keeping) {
		if u.policy != onceOnly || !u.allowed() {
			continue
		}
		if by := u.at.Add(noted); u.has(by) {
			wrong = append(wrong, fmt.Sprintf("%s was told at %s that %s was used, and it was there at %s",
				u.process, u.at, u.account.name, by))
		}
	}
	return wrong
}

// shownUses: all processes of a cluster counted no more uses than they were told of; nor fewer, but for
// what is lost with a process.
func shownUses(h history) []string {
	counted, most, least := h.counted("exec_uses_total"), map[string]float64{}, map[string]float64{}
	number := func(c *command) string {
		result := "refused"
		if c.allowed() {
			result = "allowed"
		}
		return of(fmt.Sprintf("exec_uses_total{result=%q}", result), c.cluster)
	}
	k, accounts, told := h.knowledge(), h.accounts(), map[string]bool{}
	for _, e := range k.tales {
		c, once := e.tale.of, e.tale.process+" "+e.tale.of.id
		if !told[once] && slices.ContainsFunc(accounts, func(a *account) bool { return c.of(a, k) }) {
			told[once] = true
			most[number(c)]++
		}
	}
	owed := map[*command]bool{}
	for _, u := range h.owedUses() {
		if !owed[u.command] {
			owed[u.command] = true
			least[number(u.command)]++
		}
	}
	return h.miscounted(counted, most, least)
}

// changesUses tells whether a version is of a record to which uses were added, which whoever is told of
// them may do.
func (v *version) changesUses() bool {
	if v.kind() != records+" update" {
		return false
	}
	plain := func(o cluster.Object) any {
		o = o.DeepCopy()
		o.SetResourceVersion("")
		unstructured.RemoveNestedField(o.Object, "data", "uses")
		return o.Object
	}
	return equality.Semantic.DeepEqual(plain(v.Old), plain(v.New))
}

// usedBy are the causes of an end of what is for a single use, or goes on from that, and of whose use an
// agent was told before a time: it ends it also when it cannot write that down.
func (a *account) usedBy(k *knowledge, at time.Time) (causes []string) {
	for b := a; b != nil; b = b.base {
		if b.policy != onceOnly {
			continue
		}
		for _, c := range k.usesOf(b, at) {
			if c.allowed() {
				return []string{requests.CauseExecUsed, requests.CauseBindingDeleted}
			}
		}
	}
	return nil
}
