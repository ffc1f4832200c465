package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// How long names of what matches may be behind.
const (
	calmNames   = 2 * time.Second // where nothing breaks
	faultyNames = 3 * time.Minute // a name that is added: calls are slow, and lists old
)

// namesOf are those of each rule of a Role whose names are kept current.
func namesOf(role cluster.Object) (all [][]string) {
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		names, _, _ := unstructured.NestedStringSlice(rule, "resourceNames")
		if slices.Contains(names, requests.Placeholder) {
			all = append(all, slices.DeleteFunc(names, func(n string) bool { return n == requests.Placeholder }))
		}
	}
	return all
}

// changesNames tells whether a version changed nothing of a Role but names that are kept current.
func (v *version) changesNames() bool {
	if v.kind() != "roles update" {
		return false
	}
	plain := func(o cluster.Object) map[string]any {
		o = o.DeepCopy()
		o.SetResourceVersion("")
		rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
		for _, r := range rules {
			rule, _ := r.(map[string]any)
			names, _, _ := unstructured.NestedStringSlice(rule, "resourceNames")
			if slices.Contains(names, requests.Placeholder) {
				rule["resourceNames"] = []any{requests.Placeholder}
			}
		}
		o.Object["rules"] = rules
		return o.Object
	}
	return equality.Semantic.DeepEqual(plain(v.Old), plain(v.New))
}

// following is what a Role has, and what matches, at one time of a history.
type following struct {
	*account
	matches map[string]time.Time // pods, and until when they did; zero: they do
	names   []string             // in the first rule; nil: there is no Role
	behind  time.Time            // since when names are other than what matches; zero: they are the same
}

// namesFollow: a Role names pods that match, as they come and go, and no other.
func namesFollow(h history) (wrong []string) {
	calm := !h.faulty()
	for _, a := range h.accounts() {
		if a.matches == nil {
			continue
		}
		f := &following{account: a, matches: map[string]time.Time{}}
		for _, e := range h {
			if calm && !f.behind.IsZero() && e.at.Sub(f.behind) > calmNames {
				wrong = append(wrong, fmt.Sprintf("%s names %q since %s, and %q match", a.name, f.names,
					f.behind, f.now()))
				break
			}
			if v := e.version; v != nil && v.cluster == a.cluster {
				wrong = append(wrong, f.see(v, e.at)...)
			}
		}
	}
	return wrong
}

// see has a version be the newest.
func (f *following) see(v *version, at time.Time) (wrong []string) {
	name := v.object().GetName()
	switch {
	case v.Resource == "pods" && v.object().GetNamespace() == runsIn:
		_, known := f.matches[name]
		switch {
		case v.New != nil && f.account.matches(v.New):
			f.matches[name] = time.Time{}
		case known && f.matches[name].IsZero():
			f.matches[name] = at
		}
	case v.place() == "roles "+runsIn+"/"+requests.ObjectName(f.name, 0):
		before := f.names
		if f.names = nil; v.New != nil {
			rules := namesOf(v.New)
			f.names = append([]string{}, podsOf(rules[0])...)
			for _, other := range rules[1:] {
				if !slices.Equal(podsOf(other), f.names) {
					wrong = append(wrong, fmt.Sprintf("%s names %q at %s", f.name, rules, at))
				}
			}
		}
		for _, pod := range f.names {
			until, known := f.matches[pod]
			if !slices.Contains(before, pod) && (!known || !until.IsZero() && at.Sub(until) > faultyNames) {
				wrong = append(wrong, fmt.Sprintf("%s names %s at %s, which does not match", f.name, pod, at))
			}
		}
	}
	switch {
	case f.names == nil || slices.Equal(f.names, f.now()):
		f.behind = time.Time{}
	case f.behind.IsZero():
		f.behind = at
	}
	return wrong
}

// now are the pods that match, in order.
func (f *following) now() (pods []string) {
	for _, pod := range slices.Sorted(maps.Keys(f.matches)) {
		if f.matches[pod].IsZero() {
			pods = append(pods, pod)
		}
	}
	return pods
}

// podsOf are the pods of names, of which those of commands have more after a slash.
func podsOf(names []string) (pods []string) {
	for _, name := range names {
		pod, _, _ := strings.Cut(name, "/")
		pods = append(pods, pod)
	}
	return pods
}
