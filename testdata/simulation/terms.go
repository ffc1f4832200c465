package simulation

import (
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// renewedFor is how long a process surely goes on as the one that leads without renewing the Lease. Then
// it may give up what it had in mind, also where it is the next one that leads.
const renewedFor = 9 * time.Second

// term is a time in which a process held the Lease of its cluster, renewed it, and lived.
type term struct {
	process string
	span
}

// terms are those of a cluster, in the order of time.
func (h history) terms(cluster string) (all []term) {
	open, renewed, at := false, "", time.Time{}
	over := func(at time.Time) {
		if open {
			all[len(all)-1].to, open = at, false
		}
	}
	for _, e := range h {
		switch v := e.version; {
		case open && e.died == all[len(all)-1].process, e.end:
			over(e.at)
		case v == nil || v.Resource != "leases" || v.cluster != cluster || v.New == nil:
		default:
			holder, _, _ := unstructured.NestedString(v.New.Object, "spec", "holderIdentity")
			late := false
			if now, _, _ := unstructured.NestedString(v.New.Object, "spec", "renewTime"); now != renewed {
				late = e.at.Sub(at) > renewedFor
				renewed, at = now, e.at
			}
			if open && holder == all[len(all)-1].process && !late {
				continue
			}
			over(e.at)
			if open = holder != ""; open {
				all = append(all, term{holder, span{e.at, e.at}})
			}
		}
	}
	return all
}

// termEnd is when the term of a process was over that it had at a time; that time when it had none.
func termEnd(terms []term, process string, at time.Time) time.Time {
	for _, t := range terms {
		if t.process == process && !t.from.After(at) && !t.to.Before(at) {
			return t.to
		}
	}
	return at
}
