package simulation

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
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

// countForged adds to what may be counted the ends of what forgeries say that there was: those that an agent
// wrote into a forged record, which may be deleted before any entry tells of them.
func (h history) countForged(may map[string]float64) {
	all := h.forgeries()
	for _, e := range h {
		v := e.version
		if v == nil || v.Resource != records || v.process == "" || v.New == nil ||
			!slices.ContainsFunc(all, func(f requests.Place) bool {
				return f.Cluster == v.cluster && requests.ObjectName(f.Name, 0) == v.New.GetName()
			}) {
			continue
		}
		cause := endCause(v.New)
		if cause == "" || cause == endCause(v.Old) {
			continue
		}
		for _, o := range remembers(v.New) {
			if o.IsBinding() && o.UID != "" {
				may[endedBy(cause, v.cluster)]++
			}
		}
	}
}

// countRefusedAgain adds to what may be counted the refusals that an agent wrote into a record, and that a
// restored etcd, or somebody, set back to before: each once more, whether the ledger has it already or not.
func (h history) countRefusedAgain(may map[string]float64) {
	last := map[string]string{} // the code of the refusal that a record tells of
	for _, e := range h {
		v := e.version
		if v == nil || v.Resource != records || v.New == nil {
			continue
		}
		record, code := of(v.New.GetName(), v.cluster), ""
		if endCause(v.New) == requests.CauseDenied {
			code, _, _ = unstructured.NestedString(v.New.Object, "data", "code")
		}
		if v.process == "" && code == "" && last[record] != "" {
			may[deniedFor(last[record], v.cluster)]++
		}
		last[record] = code
	}
}

// endCause is that of the end which a record tells of; empty: it tells of none.
func endCause(record cluster.Object) string {
	if record == nil {
		return ""
	}
	data, _, _ := unstructured.NestedStringMap(record.Object, "data")
	if data["phase"] != string(plan.Ended) {
		return ""
	}
	return data["cause"]
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

// endBy is the last of these that anything said by a time.
func (a *account) endBy(at time.Time) time.Time {
	end := a.end
	for _, e := range a.deeds {
		if e.did.what == prolongs && !e.at.After(at) {
			end = end.Add(prolongedBy)
		}
	}
	return end
}
