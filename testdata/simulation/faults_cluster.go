package simulation

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// Faults of Kubernetes. But for etcdBack each is in force from its beginning to its end, and the
// history says so.
const (
	staleLists  = "stale lists"    // a list that any version will do for is an old one
	lateWatches = "late watches"   // each tells up to two minutes late
	noWatches   = "no new watches" // only lists tell anything
	noJobs      = "quota of Jobs"
	noBindings  = "quota of RoleBindings"
	noRecords   = "quota of ConfigMaps"
	marked      = "admission marks"             // whatever the agent makes, with a label of somebody's
	putOff      = "admission puts ends off"     // of bindings, by their annotation
	prolonged   = "admission prolongs Jobs"     // by an hour
	added       = "admission adds a subject"    // to bindings
	refusing    = "admission refuses the agent" // to delete bindings; Kubernetes may
	keeping     = "admission refuses deletions" // of bindings, to everybody
	etcdBack    = "etcd set back"               // to what it held before one of the last doings
)

var clusterFaults = []beside{
	{staleLists, 1000, false, func(w *world, s *site, occasion string) func() {
		by := 1 + w.below(300, staleLists+" by "+occasion)
		return s.inForce(staleLists, func(f *cluster.Faults) { f.StaleBy = uint64(by) },
			func(f *cluster.Faults) { f.StaleBy = 0 })
	}},
	{lateWatches, 1000, false, func(w *world, s *site, occasion string) func() {
		by := w.span(time.Second, 2*time.Minute, lateWatches+" by "+occasion)
		return s.inForce(lateWatches, func(f *cluster.Faults) { f.WatchDelay = by },
			func(f *cluster.Faults) { f.WatchDelay = 0 })
	}},
	{noWatches, 1000, false, func(w *world, s *site, _ string) func() {
		end := s.inForce(noWatches, func(f *cluster.Faults) { f.NoWatches = true },
			func(f *cluster.Faults) { f.NoWatches = false })
		w.cut(s)
		return end
	}},
	{noJobs, 500, false, limited(noJobs, "jobs")},
	{noBindings, 500, false, limited(noBindings, "rolebindings")},
	{noRecords, 500, false, limited(noRecords, "configmaps")},
	{marked, 500, false, changing(marked, func(_ string, o cluster.Object) {
		set(o, "yes", "metadata", "labels", "example.com/seen")
	})},
	{putOff, 500, false, changing(putOff, func(resource string, o cluster.Object) {
		notes := o.GetAnnotations()
		end, err := time.Parse(time.RFC3339, notes[render.AnnotationExpiresAt])
		if resource == "rolebindings" && err == nil {
			set(o, end.Add(time.Hour).Format(time.RFC3339), "metadata", "annotations",
				render.AnnotationExpiresAt)
		}
	})},
	{prolonged, 500, false, changing(prolonged, func(resource string, o cluster.Object) {
		if ttl, there, _ := unstructured.NestedInt64(o.Object, "spec", "ttlSecondsAfterFinished"); there {
			set(o, ttl+3600, "spec", "ttlSecondsAfterFinished")
		}
	})},
	{added, 500, false, changing(added, func(resource string, o cluster.Object) {
		if all, there, _ := unstructured.NestedSlice(o.Object, "subjects"); there {
			set(o, append(all, mallory), "subjects")
		}
	})},
	{refusing, 500, false, refused(refusing, func(user string) bool { return user == agent })},
	{keeping, 500, false, refused(keeping, func(string) bool { return true })},
	{etcdBack, 700, false, func(w *world, s *site, occasion string) func() {
		to := s.backups[w.below(len(s.backups), etcdBack+" to "+occasion)]
		over := w.stops(of(etcdBack, s.name))
		s.calling.Lock()
		s.Restore(to)
		s.calling.Unlock()
		time.Sleep(w.span(time.Second, time.Minute, etcdBack+" put right "+occasion))
		s.putRight()
		over()
		return nil
	}},
}

// agent is how Kubernetes knows the agent.
const agent = "system:serviceaccount:pullgrant-system:" + render.Agent

// mallory is a subject that nobody asked for.
var mallory = map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
	"name": "mallory@example.com"}

// set writes one field of an object, whose other fields stay.
func set(o cluster.Object, value any, fields ...string) {
	if err := unstructured.SetNestedField(o.Object, value, fields...); err != nil {
		panic(err) // the API server would have refused the object
	}
}

// hooks are what watches over writes, each by its name and asked in the order of these.
type hooks struct {
	quota  map[string]string // a resource of which there may be no more
	change map[string]func(resource string, o cluster.Object)
	refuse map[string]func(user, verb, resource string) bool
}

func limited(name, resource string) func(*world, *site, string) func() {
	return func(_ *world, s *site, _ string) func() {
		return s.hooked(name, func(h *hooks) { h.quota[name] = resource },
			func(h *hooks) { delete(h.quota, name) })
	}
}

func changing(name string, change func(resource string, o cluster.Object)) func(*world, *site,
	string) func() {
	return func(_ *world, s *site, _ string) func() {
		return s.hooked(name, func(h *hooks) { h.change[name] = change },
			func(h *hooks) { delete(h.change, name) })
	}
}

func refused(name string, whom func(user string) bool) func(*world, *site, string) func() {
	return func(_ *world, s *site, _ string) func() {
		return s.hooked(name, func(h *hooks) {
			h.refuse[name] = func(user, verb, resource string) bool {
				return verb == "delete" && slices.Contains(access, resource) && whom(user)
			}
		}, func(h *hooks) { delete(h.refuse, name) })
	}
}

// hooked has a hook of admission in force, until what is returned is called.
func (s *site) hooked(name string, begin, end func(*hooks)) func() {
	return s.inForce(name, func(f *cluster.Faults) {
		if s.hooks.quota == nil {
			s.hooks = hooks{map[string]string{}, map[string]func(string, cluster.Object){},
				map[string]func(string, string, string) bool{}}
			f.Quota, f.Mutate, f.Refuse = s.hooks.over, s.hooks.changed, s.hooks.refused
		}
		begin(&s.hooks)
	}, func(*cluster.Faults) { end(&s.hooks) })
}

func (h *hooks) over(resource, _ string) bool {
	return slices.Contains(slices.Collect(maps.Values(h.quota)), resource)
}

func (h *hooks) changed(user, resource string, o cluster.Object) {
	for _, name := range slices.Sorted(maps.Keys(h.change)) {
		if user == agent && (resource == "rolebindings" || resource == "jobs") {
			h.change[name](resource, o)
		}
	}
}

func (h *hooks) refused(user, verb, resource string, _ cluster.Object) string {
	for name, refuses := range h.refuse {
		if refuses(user, verb, resource) {
			return name
		}
	}
	return ""
}

// inForce has a fault of the cluster begin, until what is returned is called.
func (s *site) inForce(name string, begin, end func(*cluster.Faults)) func() {
	over := s.w.stops(of(name, s.name))
	s.SetFaults(begin)
	return func() {
		s.SetFaults(end)
		over()
	}
}

// backUp keeps what etcd holds, as it was before each of the last doings.
func (s *site) backUp() {
	const kept = 4
	s.backups = append(s.backups, s.Backup())
	s.backups = s.backups[max(0, len(s.backups)-kept):]
}
