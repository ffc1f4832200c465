package simulation

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// Faults of those who administer a cluster, for all requests. They are put right in the end.
const (
	namespaceGone = "namespace replaced"
	unfenced      = "fence gone" // one policy of it, or what puts that into force
	otherFence    = "fence of another version"
	tooMuch       = "extra rights" // of the agent
	nameTaken     = "name taken"   // of the binding that the next request would have
)

// The namespace and the role that these are about.
const (
	namespace = "payments"
	policy    = "payments-debug"
)

var adminFaults = []beside{
	{namespaceGone, 500, false, func(w *world, s *site, _ string) func() {
		over := w.stops(of(namespaceGone, s.name))
		s.hand(http.MethodDelete, "/api/v1/namespaces/"+namespace, "")
		return func() {
			s.mend()
			over()
		}
	}},
	{unfenced, 1000, false, func(w *world, s *site, occasion string) func() {
		over := w.stops(of(unfenced, s.name))
		name := []string{render.FenceAgent, render.FenceManaged}[w.below(2, unfenced+" which "+occasion)]
		kind := []string{"policies", "policybindings"}[w.below(2, unfenced+" how "+occasion)]
		s.hand(http.MethodDelete, "/apis/admissionregistration.k8s.io/v1/validatingadmission"+kind+"/"+name, "")
		return func() {
			s.mend()
			over()
		}
	}},
	{otherFence, 700, false, func(w *world, s *site, occasion string) func() {
		over := w.stops(of(unfenced, s.name))
		rules := render.FencePolicies()[0].Spec.Validations
		if w.below(2, otherFence+" newer "+occasion) == 0 {
			rules = rules[:len(rules)-1]
		} else {
			forbidden := metav1.StatusReasonForbidden
			rules = append(rules, admissionv1.Validation{Reason: &forbidden, Message: "pullgrant: not so",
				Expression: "request.operation != 'CREATE' || 'pullgrant.dev/asked-by' in object.metadata.labels"})
		}
		s.hand(http.MethodPatch, "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/"+
			render.FenceAgent, `{"spec":{"validations":`+text(rules)+`}}`)
		return func() {
			s.mend()
			over()
		}
	}},
	{tooMuch, 1000, false, func(w *world, s *site, _ string) func() {
		over := w.stops(of(tooMuch, s.name))
		s.hand(http.MethodPost, clusterBindings, `{"metadata":{"name":"extra"},
			"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},
			"subjects":[{"kind":"ServiceAccount","namespace":"`+requests.AgentNamespace+`","name":"`+
			render.Agent+`"}]}`)
		return func() {
			s.takeBack(clusterBindings + "/extra")
			over()
		}
	}},
	{nameTaken, 500, false, func(_ *world, s *site, occasion string) func() {
		var n int
		if _, err := fmt.Sscanf(occasion, "doing %d", &n); err != nil {
			return nil
		}
		name := requests.ObjectName(requestName(n+1), 0)
		const all = "/apis/rbac.authorization.k8s.io/v1/namespaces/" + namespace + "/rolebindings"
		s.hand(http.MethodPost, all, `{"metadata":{"name":"`+name+`"},
			"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"`+policy+`"},
			"subjects":[`+text(mallory)+`]}`)
		return func() { s.takeBack(all + "/" + name) }
	}},
}

const clusterBindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"

// putRight has a cluster whose etcd was set back be as its administrators had left it: what they put
// right since would be wrong for good otherwise. It ends for all agents what still is in force of that.
func (s *site) putRight() {
	s.mend()
	s.takeBack(clusterBindings + "/extra")
	s.w.mu.Lock()
	freed := slices.Clone(s.freed)
	s.w.mu.Unlock()
	for _, at := range freed {
		s.letGo(at)
	}
	if !s.w.isDown(setBack) { // whose end sees to that
		s.w.acceptLost()
	}
}

// mend makes anew what a cluster was furnished with and lacks.
func (s *site) mend() {
	for {
		err := errors.Join(s.Apply(stands), s.Apply(s.installed))
		if err == nil {
			return
		}
		s.w.note("people fail: %v", err) // the namespace is on its way out
		time.Sleep(10 * time.Second)
	}
}

// takeBack deletes what an administrator made, as soon as the cluster lets that; not what an agent has in
// its place, where it went with its namespace.
func (s *site) takeBack(path string) {
	for {
		there, err := s.asked(http.MethodGet, path, nil)
		if err == nil && strings.Contains(string(there), render.LabelManagedBy) {
			return
		}
		if err == nil {
			err = s.byHand(http.MethodDelete, path, nil)
		}
		if err == nil || strings.Contains(err.Error(), "NotFound") {
			return
		}
		s.w.note("people fail: %v", err)
		time.Sleep(10 * time.Second)
	}
}
