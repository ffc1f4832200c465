package simulation

import (
	"strings"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// What people do by a pull request that takes a request from main, which nobody merges: agents do what it
// says where its author may end access without anybody's word.
const (
	offersBack = "return in the open" // access, as its requester
	endsOpenly = "end in the open"    // access, as its approver
	endsInVain = "end in vain"        // access, as a reader, from a fork
)

// withdrawals are these, of a request that people asked for lately.
var withdrawals = []beside{withdrawal(offersBack, "alice", ""), withdrawal(endsOpenly, "bob", ""),
	withdrawal(endsInVain, "eve", "eve:")}

func withdrawal(what, who, fork string) beside {
	return beside{what, 4000, true, func(w *world, _ *site, occasion string) func() {
		if len(w.asked) == 0 || w.trusted { // where nobody asks GitHub
			return nil
		}
		r := w.asked[max(0, len(w.asked)-1-w.below(6, what+" of which "+occasion))]
		if w.hub.file(r.path) == "" {
			return nil // it is over, or was never there
		}
		branch := fork + strings.ReplaceAll(what+" "+occasion, " ", "-")
		number, err := w.openBy(who, branch, "Not needed", map[string]string{r.path: forge.Removed})
		if err != nil {
			w.note("people fail: %v", err)
			return nil
		}
		w.note("people %s %s by #%d", what, r.name, number)
		w.add(event{did: &deed{what, r}, pull: number})
		w.hub.moved("people")
		return nil
	}}
}

// withdraws is why a deed ends access by itself; empty: it does not.
func (a *account) withdraws(e event) (cause string) {
	switch {
	case e.did.what == offersBack:
		return requests.CauseRelinquished
	case e.did.what == endsOpenly && a.allowed == "": // else nobody is its approver
		return requests.CauseRevoked
	}
	return ""
}
