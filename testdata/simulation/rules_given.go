package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// asAsked: what is made gives what was asked for to who asked, until the end of the window.
func asAsked(h history) (wrong []string) {
	k, told := h.knowledge(), h.told()
	for _, a := range h.accounts() {
		wanted := a.wanted(k)
		for _, e := range a.made {
			where := e.version.place()
			if told.changedByAdmission(a, e) {
				continue
			}
			if got := gift(e.version.New); got != wanted[where] {
				wrong = append(wrong, fmt.Sprintf("%s: %s gives %q, and %q was asked for", a.name, where, got,
					wanted[where]))
			}
			if got, want := e.version.New.GetAnnotations()[render.AnnotationExpiresAt],
				a.end.Format(time.RFC3339); got != want {
				wrong = append(wrong, fmt.Sprintf("%s: %s says that it ends at %s; its window does at %s",
					a.name, where, got, want))
			}
		}
	}
	return wrong
}

// gift is what an object gives, as wishes have it. Of what they cannot have nothing is left out.
func gift(o cluster.Object) string {
	var read struct {
		RoleRef  rbacv1.RoleRef      `json:"roleRef"`
		Subjects []rbacv1.Subject    `json:"subjects"`
		Rules    []rbacv1.PolicyRule `json:"rules"`
		// what makes a ClusterRole more than its rules
		AggregationRule *rbacv1.AggregationRule `json:"aggregationRule"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &read); err != nil {
		return err.Error()
	}
	if strings.HasSuffix(o.GetKind(), "Binding") {
		var subjects []string
		for _, s := range read.Subjects {
			subjects = append(subjects, s.Kind+" "+strings.TrimPrefix(s.Namespace+"/"+s.Name, "/"))
		}
		return fmt.Sprintf("%s %s to %s", read.RoleRef.Kind, read.RoleRef.Name, strings.Join(subjects, ", "))
	}
	var rules []string
	for _, r := range read.Rules {
		var on []string
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				on = append(on, strings.TrimPrefix(group+"/"+resource, "/"))
			}
		}
		names := r.ResourceNames
		if slices.Contains(names, requests.Placeholder) {
			names = []string{requests.Placeholder} // which others there are, the rule G1 names says
		}
		rules = append(rules, strings.Join(r.Verbs, ",")+" "+strings.Join(append(on, r.NonResourceURLs...), ",")+
			" "+strings.Join(names, ","))
	}
	if read.AggregationRule != nil {
		rules = append(rules, "whatever it is aggregated of")
	}
	return strings.Join(rules, "; ")
}

// armed: what is in a namespace is owned by a Job there that is complete already, so that Kubernetes
// ends both by itself: not before the window's end, and not long after it. What is in the whole
// cluster no Job can own.
func armed(h history) (wrong []string) {
	owners := map[types.UID]*account{}
	for _, a := range h.accounts() {
		for _, e := range a.made {
			owners[e.version.New.GetUID()] = a
		}
	}
	told := h.told()
	jobs, gone := map[types.UID]cluster.Object{}, map[types.UID]time.Time{}
	for _, e := range h {
		switch {
		case e.version == nil:
		case e.version.Resource == "jobs":
			uid := e.version.object().GetUID()
			if delete(gone, uid); e.version.New == nil {
				gone[uid] = e.at
				continue
			}
			jobs[uid] = e.version.New
		case e.version.Old == nil && owners[e.version.New.GetUID()] != nil && e.version.New.GetNamespace() != "":
			v := e.version
			if v.process == "" {
				continue
			}
			maps.DeleteFunc(jobs, func(uid types.UID, _ cluster.Object) bool {
				at, is := gone[uid]
				return is && at.Before(v.made)
			})
			// in the time of who ends Jobs, as that was when the Job was armed, or since; who is told for how
			// long by a clock that may be ahead
			least, most := told.aheadWhile(v.cluster, of(kubernetes, v.cluster), v.made.Add(-clockRead), v.made)
			end := owners[v.New.GetUID()].end
			by := min(told.latest(v.cluster, v.made, replicaOf(v.process)).Sub(v.made), tolerated)
			if what := unarmed(jobs, v.New, span{end.Add(least), end.Add(most)}, by); what != "" {
				wrong = append(wrong, e.version.place()+" "+what)
			}
		}
	}
	return wrong
}

// latestBackstop is how long after the end of a window its Job may end it: the grace, that a TTL is
// of whole seconds, how long it is before the Job is made after that is computed, and how long before its
// arrival a call was made.
const latestBackstop = render.Grace + time.Second + 5*time.Second + 40*time.Second

// unarmed is what is wrong with the Job of an object that is to go at an end, which one clock had at the
// times of a span; early is by how much it may go before.
func unarmed(jobs map[types.UID]cluster.Object, o cluster.Object, end span, early time.Duration) string {
	owners := o.GetOwnerReferences()
	if len(owners) != 1 || jobs[owners[0].UID] == nil ||
		jobs[owners[0].UID].GetNamespace() != o.GetNamespace() {
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
	if acts.Before(end.from.Add(-early)) || acts.After(end.to.Add(latestBackstop)) {
		return fmt.Sprintf("has a backstop that acts at %s; the window ends at %s", acts, end.from)
	}
	return ""
}
