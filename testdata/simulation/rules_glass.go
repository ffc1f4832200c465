package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// debtOf is the file of what is owed for a request, and answerOf that of the answer.
func (r *request) debtOf() string { return "revocations/" + r.cluster + "/debts/" + r.name + ".yaml" }

func (r *request) answerOf() string { return "reviews/" + r.name + ".yaml" }

// entryOf is its entry in the ledger.
func (r *request) entryOf() string { return requests.RevocationPath(r.cluster, r.name) }

// owed: what was given before anybody looked at it is owed from the end of that on, until an answer
// that somebody approved is on main, and no longer. None can be approved while nobody approved who owns
// what decides: an answer that is merged then pays nothing, ever; nor does one that came along with
// something else, once main was set back. What the cluster forgot is owed for by nobody.
func owed(h history) (wrong []string) {
	main, k := map[string]string{}, h.knowledge()
	for _, e := range h {
		if e.end {
			main = e.main
		}
	}
	for _, a := range h.accounts() {
		if a.allowed != glass {
			continue
		}
		entry, _ := h.entry(a)
		var d debt
		for _, e := range h {
			if d.see(e, a, k); e.push == nil {
				continue
			}
			entered, changed := e.push.changed[a.entryOf()] == "A", e.push.changed[a.debtOf()]
			setBack := e.push.cluster == "" // or what was set back is put there again
			switch {
			case setBack || changed == "A":
			case entered && a.granted() && !d.paid && !a.anew(entry.Status):
				wrong = append(wrong, fmt.Sprintf("%s is over since %s, and nothing is owed for it", a.name, e.at))
			case changed == "D" && !d.paid:
				wrong = append(wrong, fmt.Sprintf("nothing is owed for %s any more since %s, and nobody "+
					"answered for it", a.name, e.at))
			}
		}
		if _, there := main[a.debtOf()]; there != (d.owes && !d.paid) {
			wrong = append(wrong, fmt.Sprintf("in the end something is owed for %s: %t; paid: %t", a.name, there,
				d.paid))
		}
	}
	return wrong
}

// debt is what is owed for access, as far as a history goes.
type debt struct {
	answered bool // somebody did, by a pull request
	owes     bool // the ledger says so
	paid     bool // by the answer that is on main
	brought  bool // that one is there
}

// see goes on with one more event.
func (d *debt) see(e event, a *account, k *knowledge) {
	d.answered = d.answered || e.did != nil && e.did.request.path == a.path && e.did.what == answers
	if e.push == nil {
		return
	}
	switch e.push.changed[a.answerOf()] {
	case "A":
		owners := k.during(e.at, e.at)[0].files[ownersFile].commit
		// before anything is owed it is an answer to nothing
		d.brought, d.paid = true, d.answered && d.owes && len(k.facts[unapproved+owners]) == 0 &&
			len(e.push.changed) == 1
	case "D":
		d.brought, d.paid = false, false
	}
	switch e.push.changed[a.debtOf()] {
	case "A":
		d.owes = true
	case "D":
		d.owes = false
	}
}

// paysNothing tells whether an answer for some access is on main at a time, and something is owed all the same:
// for ever, or as who approved it may not write just then, and is nobody whom CODEOWNERS may name.
func (h history) paysNothing(all []*account, k *knowledge, at time.Time) bool {
	may := k.was("bob", "", at.Add(-news), at) || k.was("bob", "write", at.Add(-news), at)
	return slices.ContainsFunc(all, func(a *account) bool {
		var d debt
		for _, e := range h {
			if !e.at.After(at) {
				d.see(e, a, k)
			}
		}
		return a.allowed == glass && d.brought && d.owes && (!d.paid || !may)
	})
}

// owesNothing: nobody has access by breaking the glass that came to main while an answer was owed for such
// access before; its own is not before it, should it come back with a main that was set back. For what a
// cluster forgot nobody owes any.
func owesNothing(h history) (wrong []string) {
	all, owing := h.accounts(), map[*account]bool{}
	for _, e := range h {
		if e.push == nil || e.push.again {
			continue
		}
		for _, a := range all {
			arrives := e.push.changed[a.path] == "A"
			switch {
			case a.allowed != glass || a.trusted || !a.granted():
			case arrives:
				for _, b := range all {
					if b != a && owing[b] && len(b.forgot) == 0 {
						wrong = append(wrong, fmt.Sprintf("%s got %s, and came to main at %s while %s was owed for",
							a.name, a.made[0].version.place(), e.at, b.name))
					}
				}
				owing[a] = true
			case e.push.changed[a.debtOf()] == "D", e.push.changed[a.entryOf()] == "A" &&
				e.push.changed[a.debtOf()] == "":
				delete(owing, a)
			}
		}
	}
	return wrong
}

// fallsDue tells whether an agent tells that something which is owed in the end became overdue just then.
func (h history) fallsDue(e event) bool {
	if e.version.kind() != "events create" || e.version.New.Object["reason"] != "BreakGlassOverdue" {
		return false
	}
	name, _ := e.version.New.Object["message"].(string)
	at := requests.DebtPath(e.version.cluster, name)
	debt, findings := policies.ParseDebt(at, []byte(h[len(h)-1].main[at]+"\n"))
	since := e.at.Sub(debt.Spec.DueAt.Time)
	return len(findings) == 0 && since > -tolerated && since < time.Minute
}

// settles tells whether an agent's change of a file is about access that broke the glass. A request
// it merges once.
func (h history) settles(p *push, path string) bool {
	if strings.HasPrefix(path, "revocations/"+p.cluster+"/debts/") {
		return true
	}
	for _, e := range h {
		if e.push != nil && e.push.changed[path] == "A" {
			return e.push == p && strings.HasPrefix(path, "requests/"+p.cluster+"/") &&
				strings.Contains(path, "-breakglass-")
		}
	}
	return false
}
