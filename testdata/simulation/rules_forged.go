package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// forgeries are the requests that nobody asked for and that have a forged record. What an agent makes
// of that is true of no request.
func (h history) forgeries() (all []requests.Place) {
	for _, e := range h {
		if e.did != nil && e.did.what == forges {
			r := e.did.request
			all = append(all, requests.Place{Cluster: r.cluster, Name: forged(r.name)})
		}
	}
	return all
}

// unforged is a history without the comments that say that a forgery is in the ledger.
func (h history) unforged() history {
	all := h.forgeries()
	if len(all) == 0 {
		return h
	}
	return slices.DeleteFunc(slices.Clone(h), func(e event) bool {
		if e.comment == nil {
			return false
		}
		_, text := e.comment.shown()
		return slices.ContainsFunc(all, func(f requests.Place) bool {
			return strings.Contains(text, requests.RevocationPath(f.Cluster, f.Name))
		})
	})
}

// countForged adds to what may be counted the ends of what forgeries say that there was.
func (h history) countForged(may map[string]float64) {
	for _, f := range h.forgeries() {
		entry, _ := h.entryOf(f.Cluster, f.Name)
		for _, ref := range entry.Status.GrantRefs {
			if strings.HasSuffix(ref.Kind, "Binding") {
				may[endedBy(entry.Status.Cause, f.Cluster)]++
			}
		}
	}
}

// saidEnds are what may be told of the end of a window: that, and later ones where an administrator
// prolonged the record, which prolongs no access.
func (a *account) saidEnds() []time.Time {
	all := []time.Time{a.end}
	for _, e := range a.deeds {
		if e.did.what == prolongs {
			all = append(all, all[len(all)-1].Add(prolongedBy))
		}
	}
	return all
}
