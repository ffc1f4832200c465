package simulation

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// rules say what is wrong with a history, each in sentences for people; none: nothing is. G1 to G8
// are those of docs/guarantees.md.
var rules = map[string]func(history) []string{
	"G1 approved":        approvedOnly,
	"G1 as asked":        asAsked,
	"G2 on time":         onTime,
	"G2 prompt":          prompt,
	"G2 not early":       endsNothingEarly,
	"G3 armed":           armed,
	"G4 once":            once,
	"G4 names":           names,
	"G6 may write":       mayWrite,
	"G6 leads":           leads,
	"G6 passes":          passMay,
	"aws-auth others":    othersStay,
	"aws-auth in step":   inStep,
	"G6 this very one":   thisVeryOne,
	"G7 quiet":           nothingInQuiet,
	"G8 no words":        noWords,
	"ledger continues":   ledgerContinues,
	"ledger true":        ledgerTrue,
	"nothing is left":    nothingLeft,
	"granted in time":    grantedInTime,
	"recorded after end": recordedAfter,
}

// check applies every rule: what is wrong, with the rule's name before it, in a stable order.
func (h history) check() (wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		for _, what := range rules[name](h) {
			wrong = append(wrong, name+": "+what)
		}
	}
	return wrong
}

// account is what a history has about one request.
type account struct {
	*request
	approved, merged time.Time // zero: it never was
	end              time.Time // of the window that follows from them
	left             time.Time // when its file left main; zero: it did not
	leftBy           string
	deeds            []event
	bound, unbound   []event // versions that made its bindings, and that removed them
	unseen           bool    // no agent saw it go before its end; set by ledgerTrue
	trusted          bool    // nobody asked GitHub about it
}

// granted tells whether it ever had a binding by an agent.
func (a *account) granted() bool { return len(a.bound) > 0 }

// accounts are those of all requests, in the order in which they were asked for.
func (h history) accounts() (all []*account) {
	byPath, byLabel := map[string]*account{}, map[string]*account{}
	trusted := false
	for _, e := range h {
		switch trusted = trusted || e.trusted; {
		case e.did != nil:
			a := byPath[e.did.request.path]
			if a == nil {
				a = &account{request: e.did.request, trusted: trusted}
				all = append(all, a)
				byPath[a.path], byLabel[of(requests.LabelValue(a.name), a.cluster)] = a, a
			}
			a.deeds = append(a.deeds, e)
			switch e.did.what {
			case approves:
				a.approved = e.at
			case merges:
				if trusted {
					continue // what counts is that it comes to main
				}
				a.merged = e.at.Truncate(time.Second)
				a.end = a.merged.Add(a.length)
			}
		case e.push != nil:
			for _, a := range all {
				if e.push.changed[a.path] == "D" && a.left.IsZero() {
					a.left, a.leftBy = e.at, e.push.who
				}
				if trusted && e.push.changed[a.path] == "A" && !a.granted() {
					a.onMain(e.at)
				}
			}
		case e.version != nil && e.version.Resource == "rolebindings":
			a := byLabel[of(e.version.object().GetLabels()[render.LabelRequest], e.version.cluster)]
			switch {
			case a == nil:
			case e.version.Old == nil:
				a.bound = append(a.bound, e)
			case e.version.New == nil:
				a.unbound = append(a.unbound, e)
			}
		}
	}
	return all
}

// object is the version, or the last one of what was deleted.
func (v *version) object() cluster.Object {
	if v.New == nil {
		return v.Old
	}
	return v.New
}

// kind is the resource and what became of an object of it.
func (v *version) kind() string {
	switch {
	case v.Old == nil:
		return v.Resource + " create"
	case v.New == nil:
		return v.Resource + " delete"
	}
	return v.Resource + " update"
}

// withdrawalBound is how long after a file left main its binding may still be made: a call is slow
// for that long, and the next look at the branch comes within the poll.
const withdrawalBound = 60 * time.Second

// approvedOnly: no binding without a request that was approved, merged, and still on main.
func approvedOnly(h history) (wrong []string) {
	known := map[string]bool{}
	for _, a := range h.accounts() {
		for _, e := range a.bound {
			known[e.version.object().GetName()] = true
			switch {
			case a.approved.IsZero() || a.approved.After(e.at):
				wrong = append(wrong, fmt.Sprintf("%s was bound at %s, and nobody had approved it",
					a.name, e.at))
			case a.merged.IsZero() || a.merged.After(e.at):
				wrong = append(wrong, fmt.Sprintf("%s was bound at %s, and was not merged", a.name, e.at))
			case !a.left.IsZero() && e.at.Sub(a.left) > withdrawalBound:
				wrong = append(wrong, fmt.Sprintf("%s was bound at %s, %s after it left main", a.name,
					e.at, e.at.Sub(a.left)))
			}
		}
	}
	for _, e := range h {
		if v := e.version; v != nil && v.process != "" && v.kind() == "rolebindings create" &&
			!known[v.New.GetName()] {
			wrong = append(wrong, fmt.Sprintf("%s made %s, which nobody asked for", v.process,
				v.New.GetName()))
		}
	}
	return wrong
}

const rbacGroup = `"apiGroup":"rbac.authorization.k8s.io",`

// asAsked: a binding gives what was asked for to who asked, until the end of the window.
func asAsked(h history) (wrong []string) {
	for _, a := range h.accounts() {
		for _, e := range a.bound {
			o := e.version.New
			subjects, err := json.Marshal(o.Object["subjects"])
			role, errRole := json.Marshal(o.Object["roleRef"])
			if err != nil || errRole != nil ||
				string(subjects) != `[{`+rbacGroup+`"kind":"User","name":"alice@example.com"}]` ||
				string(role) != `{`+rbacGroup+`"kind":"ClusterRole","name":"`+policy+`"}` ||
				o.GetNamespace() != namespace {
				wrong = append(wrong, fmt.Sprintf("%s gives %s to %s in %s", a.name, role, subjects,
					o.GetNamespace()))
			}
			if got, want := o.GetAnnotations()[render.AnnotationExpiresAt],
				a.end.Format(time.RFC3339); got != want {
				wrong = append(wrong, fmt.Sprintf("%s says that it ends at %s; its window does at %s",
					a.name, got, want))
			}
		}
	}
	return wrong
}

// once: one binding a request, for ever.
func once(h history) (wrong []string) {
	for _, a := range h.accounts() {
		if len(a.bound) > 1 {
			wrong = append(wrong, fmt.Sprintf("%s was bound %d times, last at %s", a.name,
				len(a.bound), a.bound[len(a.bound)-1].at))
		}
	}
	return wrong
}

// armed: a binding is owned by a Job that is complete already, so that Kubernetes ends both by
// itself: not before the window's end, and not long after it.
func armed(h history) (wrong []string) {
	jobs := map[types.UID]cluster.Object{}
	ends := map[string]time.Time{}
	for _, a := range h.accounts() {
		ends[of(requests.LabelValue(a.name), a.cluster)] = a.end
	}
	for _, e := range h {
		switch {
		case e.version == nil:
		case e.version.Resource == "jobs":
			if jobs[e.version.object().GetUID()] = e.version.New; e.version.New == nil {
				delete(jobs, e.version.object().GetUID())
			}
		case e.version.kind() == "rolebindings create" && e.version.process != "":
			o := e.version.New
			end := ends[of(o.GetLabels()[render.LabelRequest], e.version.cluster)]
			if what := unarmed(jobs, o.GetOwnerReferences(), end); what != "" {
				wrong = append(wrong, o.GetName()+" "+what)
			}
		}
	}
	return wrong
}

// latestBackstop is how long after the end of a window its Job may end it: the grace, that a TTL is
// of whole seconds, and how long before its arrival a call was made.
const latestBackstop = render.Grace + time.Second + 40*time.Second

func unarmed(jobs map[types.UID]cluster.Object, owners []metav1.OwnerReference,
	end time.Time) string {
	if len(owners) != 1 || jobs[owners[0].UID] == nil {
		return "was made without a Job that owns it"
	}
	var job batchv1.Job
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(jobs[owners[0].UID].Object,
		&job); err != nil {
		return "is owned by a Job that cannot be read: " + err.Error()
	}
	if job.Status.CompletionTime == nil || job.Spec.TTLSecondsAfterFinished == nil {
		return "was made before its Job was complete"
	}
	acts := job.Status.CompletionTime.Add(
		time.Duration(*job.Spec.TTLSecondsAfterFinished) * time.Second)
	if acts.Before(end) || acts.After(end.Add(latestBackstop)) {
		return fmt.Sprintf("has a backstop that acts at %s; the window ends at %s", acts, end)
	}
	return ""
}

// nothingLeft: of what agents make nothing is left at the end, and no request on main.
func nothingLeft(h history) (wrong []string) {
	there := map[types.UID]*version{}
	for _, e := range h {
		if e.version == nil || e.version.object().GetLabels()[render.LabelRequest] == "" {
			continue
		}
		if there[e.version.object().GetUID()] = e.version; e.version.New == nil {
			delete(there, e.version.object().GetUID())
		}
	}
	for _, v := range there {
		wrong = append(wrong, fmt.Sprintf("%s %s is left", v.Resource, v.object().GetName()))
	}
	for _, e := range h {
		for path := range e.main {
			if strings.HasPrefix(path, requests.Folder+"/") {
				wrong = append(wrong, path+" is left on main")
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// nothingInQuiet: planning again after all is done gives nothing to do.
func nothingInQuiet(h history) (wrong []string) {
	quiet := false
	for _, e := range h {
		switch quiet = quiet || e.quiet; {
		case e.end:
			return wrong
		case !quiet:
		case e.push != nil:
			wrong = append(wrong, fmt.Sprintf("%s moved main at %s", e.push.who, e.at))
		case e.version != nil && e.version.process != "" && e.version.Resource != "leases":
			wrong = append(wrong, fmt.Sprintf("%s of %s at %s", e.version.kind(),
				e.version.object().GetName(), e.at))
		}
	}
	return append(wrong, "the history has no end")
}
