package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// tampering is what an administrator of a cluster, who passes every fence, does by hand to what there
// is of one of the last requests.
type tampering struct {
	name string
	what string // it is done to: a resource of the request's
	// causes are those that the end of what was granted may have by that.
	causes []string
	// forgets tells that the agent cannot know any more what it granted.
	forgets bool
	// do does it. What is returned undoes it after a while; nil: it stays.
	do func(s *site, r *request, o cluster.Object, occasion string) (undo func())
}

// table are tamperings, all of which are as often.
type table []tampering

// unlabelled is a binding of which whoever lists what agents made is not told any more.
const unlabelled = "label taken off"

var (
	revoked = []string{requests.CauseRevoked}
	gone    = []string{requests.CauseBindingDeleted}
)

var tamperings = table{
	{unlabelled, bindings, revoked, false, patched(func(cluster.Object) string {
		return `{"metadata":{"labels":{"` + render.LabelManagedBy + `":null}}}`
	})},
	{"end put off", bindings, revoked, false, patched(func(o cluster.Object) string {
		return ends(o, time.Hour)
	})},
	{"end brought forward", bindings, append(revoked, requests.CauseExpired), false,
		patched(func(o cluster.Object) string { return ends(o, -10*time.Minute) })},
	{"subject added", bindings, revoked, false, patched(func(o cluster.Object) string {
		all, _, _ := unstructured.NestedSlice(o.Object, "subjects")
		return `{"subjects":` + text(append(all, mallory)) + `}`
	})},
	{"owner taken off", bindings, revoked, false, patched(func(cluster.Object) string {
		return `{"metadata":{"ownerReferences":null}}`
	})},
	{"binding held", bindings, revoked, false, hold},
	{"binding copied", bindings, nil, false, func(s *site, _ *request, o cluster.Object,
		occasion string) func() {
		again := o.DeepCopy()
		again.SetName(o.GetName() + "-copy")
		again.SetResourceVersion("")
		if s.w.below(2, "copy without owner "+occasion) == 0 {
			again.SetOwnerReferences(nil)
		}
		s.hand(http.MethodPost, servedAt(o, ""), text(again.Object))
		return nil
	}},
	{"Job prolonged", jobs, revoked, false, patched(func(o cluster.Object) string {
		ttl, _, _ := unstructured.NestedInt64(o.Object, "spec", "ttlSecondsAfterFinished")
		return fmt.Sprintf(`{"spec":{"ttlSecondsAfterFinished":%d}}`, ttl+3600)
	})},
	{"Job without an end", jobs, revoked, false, patched(func(cluster.Object) string {
		return `{"spec":{"ttlSecondsAfterFinished":null}}`
	})},
	{"Job held", jobs, revoked, false, hold},
	{"Job deleted in the foreground", jobs, gone, false, remove(metav1.DeletePropagationForeground)},
	// which takes the owner off its binding
	{"Job deleted without its binding", jobs, append(gone, revoked...), false,
		remove(metav1.DeletePropagationOrphan)},
	{"record deleted", records, nil, true, remove(metav1.DeletePropagationBackground)},
	{"record emptied", records, nil, true, func(s *site, _ *request, o cluster.Object,
		_ string) func() {
		s.hand(http.MethodPatch, servedAt(o, o.GetName()), `{"data":null,"binaryData":null}`)
		return func() { s.hand(http.MethodDelete, servedAt(o, o.GetName()), "") }
	}},
	{prolongs, records, nil, false, patched(func(o cluster.Object) string {
		grant, _, _ := unstructured.NestedString(o.Object, "data", "grant")
		var fields map[string]any
		if err := json.Unmarshal([]byte(grant), &fields); err != nil {
			return "{}" // the record was emptied
		}
		end, _, _ := unstructured.NestedString(fields, "window", "end")
		at, err := time.Parse(time.RFC3339, end)
		if err != nil {
			return "{}"
		}
		fields["window"].(map[string]any)["end"] = at.Add(prolongedBy).Format(time.RFC3339)
		return `{"data":{"grant":` + text(text(fields)) + `}}`
	})},
	{recordBack, records, nil, true, func(s *site, _ *request, o cluster.Object, _ string) func() {
		at := servedAt(o, o.GetName())
		s.hand(http.MethodPatch, at, `{"data":{"phase":"Granting"}}`)
		if len(remembers(o)) > 0 {
			return nil
		}
		return func() { s.hand(http.MethodDelete, at, "") } // none can be read that never had objects
	}},
	{forges, records, nil, false, func(s *site, r *request, o cluster.Object,
		_ string) func() {
		changed := strings.ReplaceAll(text(o.Object), r.name, forged(r.name))
		var again map[string]any
		if err := json.Unmarshal([]byte(changed), &again); err != nil {
			panic(err) // a name is a name
		}
		unstructured.RemoveNestedField(again, "metadata", "resourceVersion")
		s.hand(http.MethodPost, servedAt(o, ""), text(again))
		// who ended what nobody ever asked for is looked for for a day
		return func() { s.hand(http.MethodDelete, servedAt(o, forged(o.GetName())), "") }
	}},
}

// recordBack has a record say that what it is of is being granted.
const recordBack = "record set back"

// prolongs has a record say a later end of its window.
const (
	prolongs    = "record prolonged"
	prolongedBy = time.Hour
)

// forges makes a record of a request that nobody ever asked for, by that of one that somebody did.
const forges = "record forged"

// forged is the name of that request.
func forged(name string) string { return name + "x" }

// What of a request can be tampered with.
const (
	bindings = "rolebindings"
	jobs     = "jobs"
	records  = "configmaps"
)

// besides are the tamperings as faults that come with doings.
func (t table) besides() (all []beside) {
	for _, one := range t {
		all = append(all, beside{one.name, 300, false, func(w *world, s *site, occasion string) func() {
			time.Sleep(w.span(0, 30*time.Second, one.name+" when "+occasion)) // as nobody is that fast
			for _, r := range w.askedOf(s) {
				all := s.objects(r, one.what)
				if len(all) == 0 || one.what == records && all[0].Object["data"] == nil { // it was emptied
					continue
				}
				w.does(one.name, r)
				return one.do(s, r, all[0], occasion)
			}
			return nil
		}})
	}
	return all
}

// of is the tampering of a name; nil where that is another doing's.
func (t table) of(name string) *tampering {
	for i := range t {
		if t[i].name == name {
			return &t[i]
		}
	}
	return nil
}

// askedOf are the last requests for access to a cluster, the newest first.
func (w *world) askedOf(s *site) (all []*request) {
	for i := len(w.asked) - 1; i >= max(0, len(w.asked)-4); i-- {
		if w.asked[i].cluster == s.name {
			all = append(all, w.asked[i])
		}
	}
	return all
}

// objects are those of a request.
func (s *site) objects(r *request, resource string) (all []cluster.Object) {
	of := map[string]string{bindings: "/apis/rbac.authorization.k8s.io/v1/", jobs: "/apis/batch/v1/",
		records: "/api/v1/namespaces/" + kube.Namespace + "/"}[resource] + resource
	answer, err := s.asked(http.MethodGet, of+"?labelSelector="+url.QueryEscape(render.LabelRequest+"="+
		requests.LabelValue(r.name)), nil)
	if err != nil {
		s.w.note("people fail: %v", err)
		return nil
	}
	var list unstructured.UnstructuredList
	if err := list.UnmarshalJSON(answer); err != nil {
		s.w.note("people fail: %v", err)
	}
	for i := range list.Items {
		if list.Items[i].GetDeletionTimestamp() == nil {
			all = append(all, &list.Items[i])
		}
	}
	return all
}

// servedAt is where an object of a namespace is served, or without a name where all of its kind are.
func servedAt(o cluster.Object, name string) string {
	resource, prefix := strings.ToLower(o.GetKind())+"s", "/apis/"
	if o.GetAPIVersion() == corev1.SchemeGroupVersion.String() {
		prefix = "/api/"
	}
	return strings.TrimSuffix(prefix+o.GetAPIVersion()+"/namespaces/"+o.GetNamespace()+"/"+resource+"/"+name, "/")
}

// text is a value as JSON.
func text(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err) // it came from JSON
	}
	return string(data)
}

// patched is a change by a patch, which is made of the object.
func patched(patch func(o cluster.Object) string) func(*site, *request, cluster.Object, string) func() {
	return func(s *site, _ *request, o cluster.Object, _ string) func() {
		s.hand(http.MethodPatch, servedAt(o, o.GetName()), patch(o))
		return nil
	}
}

// ends is a patch by which a binding says that it ends so much later.
func ends(o cluster.Object, later time.Duration) string {
	end, err := time.Parse(time.RFC3339, o.GetAnnotations()[render.AnnotationExpiresAt])
	if err != nil {
		return "{}"
	}
	return fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, render.AnnotationExpiresAt,
		end.Add(later).Format(time.RFC3339))
}

// remove is a deletion.
func remove(how metav1.DeletionPropagation) func(*site, *request, cluster.Object, string) func() {
	return func(s *site, _ *request, o cluster.Object, _ string) func() {
		s.hand(http.MethodDelete, servedAt(o, o.GetName()), `{"propagationPolicy":"`+string(how)+`"}`)
		return nil
	}
}

// hold has a finalizer keep an object from going, until what is returned is called.
func hold(s *site, _ *request, o cluster.Object, _ string) func() {
	at := servedAt(o, o.GetName())
	s.hand(http.MethodPatch, at, `{"metadata":{"finalizers":["example.com/held"]}}`)
	over := s.w.stops(of(held, string(o.GetUID())))
	return func() {
		s.letGo(at)
		s.w.mu.Lock()
		s.freed = append(s.freed, at)
		s.w.mu.Unlock()
		over()
	}
}

// letGo takes the finalizers off an object.
func (s *site) letGo(at string) { s.hand(http.MethodPatch, at, `{"metadata":{"finalizers":null}}`) }

// held is what a finalizer does to an object, which is named by its UID.
const held = "held"
