package sync

import (
	"context"
	"html"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// quota has the namespace take no object of a kind, and returns what takes that back.
func (s *stage) quota(of corev1.ResourceName) (lift func()) {
	s.Helper()
	all := s.Admin.CoreV1().ResourceQuotas(s.Namespace)
	_, err := all.Create(s.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{
		Name: "none"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{of: resource.MustParse("0")}}},
		metav1.CreateOptions{})
	s.Must(err)
	s.Until("the quota is known", func() bool {
		q, err := all.Get(s.Context(), "none", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) == 1
	})
	return func() {
		s.Helper()
		s.Must(all.Delete(s.Context(), "none", metav1.DeleteOptions{}))
	}
}

// here matches what is written in the namespace of the scene.
func (s *stage) here(group, resources string) *admissionv1.MatchResources {
	equivalent := admissionv1.Equivalent
	everything := &metav1.LabelSelector{}
	return &admissionv1.MatchResources{
		NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{"kubernetes.io/metadata.name": s.Namespace}},
		ObjectSelector: everything, MatchPolicy: &equivalent,
		ResourceRules: []admissionv1.NamedRuleWithOperations{
			{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule: admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"},
					Resources: []string{resources}}}}},
	}
}

// forbid has a policy of somebody else refuse what does not meet an expression.
func (s *stage) forbid(group, resources, must string) {
	s.Helper()
	api := s.Admin.AdmissionregistrationV1()
	name := "aaa-" + resources + "-" + s.Namespace
	fail := admissionv1.Fail
	_, err := api.ValidatingAdmissionPolicies().Create(s.Context(),
		&admissionv1.ValidatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionv1.ValidatingAdmissionPolicySpec{FailurePolicy: &fail,
				MatchConstraints: s.here(group, resources),
				Validations: []admissionv1.Validation{{Expression: must,
					Message: "not in this house: cannot create resource"}}},
		}, metav1.CreateOptions{})
	s.Must(err)
	_, err = api.ValidatingAdmissionPolicyBindings().Create(s.Context(),
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name,
				ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}}},
		metav1.CreateOptions{})
	s.Must(err)
}

// past is for what cleans up, after the context of the test has ended.
func (s *stage) past() context.Context { return context.WithoutCancel(s.Context()) }

// settled waits until the admission policies that the test made are in force: some answer of the
// API server shows it, to the words of a refusal or to what is changed.
func (s *stage) settled(words string) {
	s.Helper()
	time.Sleep(1500 * time.Millisecond) // policies are read by watches that tell nobody
}

// plainly is a comment without what keeps GitHub from taking it for markup.
func plainly(comment string) string {
	return html.UnescapeString(strings.ReplaceAll(comment, "<!-- -->", ""))
}

// lateClock has half an hour pass between the judgement and the try that follows it.
type lateClock struct {
	s     *stage
	lists atomic.Int32
}

func (l *lateClock) wrap(next http.RoundTripper) http.RoundTripper {
	return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
		// A pass lists bindings as it begins, to compare the agent's rights, and once it has
		// judged.
		if strings.HasSuffix(r.URL.Path, "/v1/rolebindings") && l.lists.Add(1) == 3 {
			l.s.SetClock(l.s.Clock().Add(time.Minute))
		}
		return next.RoundTrip(r)
	})
}

// mutate has a policy of somebody else change what is made, by a JSON patch in CEL.
func (s *stage) mutate(group, resources, patch string) {
	s.Helper()
	api := s.Admin.AdmissionregistrationV1()
	name := "aaa-" + s.Namespace
	fail := admissionv1.Fail
	_, err := api.MutatingAdmissionPolicies().Create(s.Context(),
		&admissionv1.MutatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionv1.MutatingAdmissionPolicySpec{FailurePolicy: &fail,
				MatchConstraints:   s.here(group, resources),
				ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
				Mutations: []admissionv1.Mutation{{PatchType: admissionv1.PatchTypeJSONPatch,
					JSONPatch: &admissionv1.JSONPatch{Expression: patch}}}},
		}, metav1.CreateOptions{})
	s.Must(err)
	_, err = api.MutatingAdmissionPolicyBindings().Create(s.Context(),
		&admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name}},
		metav1.CreateOptions{})
	s.Must(err)
}

// TestRefusedByCluster: what the cluster refuses is told on the pull request at once, tried for
// five minutes, ever more seldom, and then refused with the cluster's words.
func TestRefusedByCluster(t *testing.T) {
	for slug, c := range map[string]struct {
		begin func(s *stage)
		code  policies.Code
		words string
	}{
		"quota": {func(s *stage) { s.quota("count/rolebindings.rbac.authorization.k8s.io") },
			policies.RefusedByCluster, "exceeded quota"},
		"quota-on-jobs": {func(s *stage) { s.quota("count/jobs.batch") }, policies.NoBackstop,
			"exceeded quota"},
		"policy": {func(s *stage) {
			s.forbid("rbac.authorization.k8s.io", "rolebindings", "object.subjects.all(s, "+
				"s.kind != 'User')")
		}, policies.RefusedByCluster, "not in this house"},
		"both": {func(s *stage) {
			s.forbid("batch", "jobs", "false")
			s.forbid("rbac.authorization.k8s.io", "rolebindings", "false")
		}, policies.NoBackstop, "not in this house"},
		"terminating": {func(s *stage) {
			_, err := s.Admin.CoreV1().ConfigMaps(s.Namespace).Create(t.Context(),
				&corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{Name: "stays",
						Finalizers: []string{"example.com/stay"}}},
				metav1.CreateOptions{})
			s.Must(err)
			s.Must(s.Admin.CoreV1().Namespaces().Delete(t.Context(), s.Namespace,
				metav1.DeleteOptions{}))
			t.Cleanup(func() {
				_, _ = s.Admin.CoreV1().ConfigMaps(s.Namespace).Patch(s.past(), "stays",
					"application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`),
					metav1.PatchOptions{})
			})
		}, policies.RefusedByCluster, "is being terminated"},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			name, path, content := s.requestFile(slug)
			number := s.pull(slug, true, map[string]string{path: content})
			c.begin(s)
			s.settled(c.words)
			agent := s.agent(githubOnly)
			if err := agent.Once(t.Context()); err == nil ||
				!strings.Contains(err.Error(), c.words) {
				t.Fatalf("error: %v", err)
			}
			s.says(number, "### Merged, not granted yet", "until 2026-11-23 12:05:00 UTC")
			if said := plainly(s.said(number)); !strings.Contains(said, c.words) {
				t.Errorf("it does not say %q: %s", c.words, said)
			}
			if n := len(agent.prover.waiting); n != 1 {
				t.Errorf("%d requests wait", n)
			}
			tries := strings.Count(s.Log.String(), `"judged"`)
			for at := 10 * time.Second; at < 5*time.Minute; at += 10 * time.Second {
				s.SetClock(noon.Add(at))
				_ = agent.Once(t.Context())
			}
			if tries = strings.Count(s.Log.String(), `"judged"`) - tries; tries < 3 || tries > 6 {
				t.Errorf("%d more tries in five minutes", tries)
			}
			s.SetClock(noon.Add(5 * time.Minute))
			s.Must(s.agent(githubOnly).Once(t.Context())) // which knows since when from the record
			if r := s.entry(name); r.Status.Cause != requests.CauseDenied ||
				r.Status.Code != string(c.code) ||
				r.Status.GrantedAt != nil || len(s.Bindings())+len(s.Jobs())+len(s.Records()) != 0 {
				t.Errorf("the entry: %+v", r.Status)
			}
			s.says(number, "### Refused: "+string(c.code))
			if said := plainly(s.said(number)); !strings.Contains(said, c.words) {
				t.Errorf("it does not say %q: %s", c.words, said)
			}
		})
	}
}

// TestRefusedForAWhile: what stood in the way is gone in time, and the comment says so.
func TestRefusedForAWhile(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("while")
	number := s.pull("while", true, map[string]string{path: content})
	lift := s.quota("count/rolebindings.rbac.authorization.k8s.io")
	agent := s.agent(githubOnly)
	if agent.Once(t.Context()) == nil {
		t.Fatal("no error")
	}
	lift()
	s.SetClock(noon.Add(time.Minute))
	s.Until("it is granted", func() bool { return agent.Once(t.Context()) == nil })
	s.says(number, "### Access until")
	s.SetClock(noon.Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseExpired, "")
}

// TestProofIsForNow: whoever approved may no longer do so when what held up the grant is gone.
func TestProofIsForNow(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("stale")
	s.pull("stale", true, map[string]string{path: content})
	lift := s.quota("count/rolebindings.rbac.authorization.k8s.io")
	agent := s.agent(githubOnly)
	if agent.Once(t.Context()) == nil {
		t.Fatal("no error")
	}
	s.SetPermission("bob", "read")
	lift()
	s.SetClock(noon.Add(time.Minute))
	s.Must(agent.Once(t.Context()))
	if r := s.entry(name); r.Status.Cause != requests.CauseDenied || r.Status.GrantedAt != nil {
		t.Errorf("the entry: %+v", r.Status)
	}
}

// TestOldProofMakesNothing: a try that comes too long after its judgement makes nothing.
func TestOldProofMakesNothing(t *testing.T) {
	s := newStage(t)
	s.ask("old")
	late := &lateClock{s: s}
	agent := s.agent(options{wire: late.wrap})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"judged again") ||
		len(s.Jobs()) != 0 {
		t.Errorf("Jobs %v, error %v", s.Jobs(), err)
	}
	s.Must(agent.Once(t.Context()))
	if len(s.Bindings()) != 1 {
		t.Errorf("bindings %v", s.Bindings())
	}
}

// TestChangedByCluster: what is made otherwise than asked for is taken back at once, and what the fence
// did not let be made is refused when that lasts; the field is told.
func TestChangedByCluster(t *testing.T) {
	const add = `[JSONPatch{op: "add", path: "`
	jobs, bindings := [2]string{"batch", "jobs"}, [2]string{"rbac.authorization.k8s.io",
		"rolebindings"}
	for slug, c := range map[string]struct {
		kind         [2]string
		patch, field string
	}{
		"suspend": {jobs, add + `/spec/suspend", value: true}]`, "not suspended"},
		"ttl": {jobs, `[JSONPatch{op: "replace", path: "/spec/ttlSecondsAfterFinished", value: 90}]`,
			"spec.ttlSecondsAfterFinished"},
		"long-ttl": {jobs, `[JSONPatch{op: "replace", path: "/spec/ttlSecondsAfterFinished", value: 4000}]`,
			"ttlSecondsAfterFinished of a Job"},
		"manager": {jobs, add + `/spec/managedBy", value: "example.com/other"}]`,
			"no managedBy"},
		"job-final": {jobs, add + `/metadata/finalizers", value: ["example.com/stay"]}]`,
			"may have no finalizers"},
		"annotation": {bindings,
			add + `/metadata/annotations/pullgrant.dev~1expires-at", value: "2026-11-23T12:30:00Z"}]`,
			"metadata.annotations[pullgrant.dev/expires-at]"},
		"owner": {bindings, `[JSONPatch{op: "remove", path: "/metadata/ownerReferences"}]`,
			"must be owned by its Job"},
		"own-cluster": {bindings, add + `/metadata/labels/pullgrant.dev~1request", value: "other"}]`,
			"metadata.labels[pullgrant.dev/request]"},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			name, path, content := s.requestFile(slug)
			number := s.pull(slug, true, map[string]string{path: content})
			s.mutate(c.kind[0], c.kind[1], c.patch)
			s.settled("")
			agent := s.agent(githubOnly)
			_ = agent.Once(t.Context())
			if made := strings.Contains(c.field, "."); s.entered(name) != made { // that one is a path
				t.Errorf("made %t, and entered at the first try %t", made, s.entered(name))
			}
			s.SetClock(noon.Add(refusedFor))
			_ = agent.Once(t.Context())
			r := s.entry(name)
			if r.Status.Cause != requests.CauseDenied ||
				r.Status.Code != string(policies.ChangedByCluster) ||
				(r.Status.GrantedAt != nil) != (strings.HasPrefix(c.field, "metadata.")) ||
				len(s.Bindings())+len(s.Records()) != 0 {
				t.Errorf("the entry: %+v, bindings %v", r.Status, s.Bindings())
			}
			if said := plainly(s.said(number)); !strings.Contains(said, c.field) {
				t.Errorf("it does not say %s: %s", c.field, said)
			}
		})
	}
}

// TestChangedBackstopOptional: where the policy can do without a backstop, one that is changed is
// left out.
func TestChangedBackstopOptional(t *testing.T) {
	s := newStage(t)
	s.edit(policies.Path("payments-debug"), "  target:\n", "  target:\n    backstop: optional\n")
	s.ask("without")
	s.mutate("batch", "jobs", `[JSONPatch{op: "add", path: "/spec/suspend", value: true}]`)
	s.settled("")
	s.once(options{})
	if b := s.Bindings(); len(b) != 1 || b[0].Annotations["pullgrant.dev/backstop"] != "none" ||
		len(s.Jobs()) != 0 {
		t.Errorf("bindings %v, Jobs %v", b, s.Jobs())
	}
}

// TestAnotherPolicyIsNoMissingFence: a policy that refuses what the fence is tried with, before the
// fence does, holds up nothing.
func TestAnotherPolicyIsNoMissingFence(t *testing.T) {
	s := newStage(t)
	s.forbid("batch", "jobs", "object.spec.parallelism == 0 && object.metadata.name != "+
		"'pullgrant-probe'")
	s.settled("not in this house")
	s.ask("shadowed")
	s.once(options{})
	if len(s.Bindings()) != 1 {
		t.Errorf("bindings %v", s.Bindings())
	}
}

// TestWaitingRequestsAreAlerted: what the cluster refuses counts as waiting, for longer than the
// alert that waits for it needs.
func TestWaitingRequestsAreAlerted(t *testing.T) {
	rules, err := os.ReadFile("../docs/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`expr: max by \(cluster\) \(pullgrant_requests_waiting\) > 0\n +for: (\w+)\n`).
		FindSubmatch(rules)
	if found == nil {
		t.Fatal("there is no such rule")
	}
	needs, err := time.ParseDuration(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	s.quota("count/rolebindings.rbac.authorization.k8s.io")
	s.ask("alerted")
	a := s.agent(options{})
	s.running(a)
	s.Until("a request waits", func() bool { return s.series(a, "requests_waiting", "") == "1" })
	for at := time.Duration(0); at <= needs; at += 10 * time.Second {
		s.SetClock(noon.Add(at))
		time.Sleep(20 * time.Millisecond)
		s.shows(a, "requests_waiting", "", "1")
		s.shows(a, "grants_active", "", "0")
	}
	s.SetClock(noon.Add(refusedFor))
	s.Until("none waits", func() bool { return s.series(a, "requests_waiting", "") == "0" })
}
