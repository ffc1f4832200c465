package sync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	gosync "sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// selfTest is what the agent found out about its own limits.
type selfTest struct {
	stops  []plan.Stop
	next   time.Time // when it is repeated
	pause  time.Duration
	fenced *gosync.Map // by namespace, until when the fence is taken to hold there
}

const testedFor = time.Hour // how long the limits are taken as they were found

func untested() selfTest {
	return selfTest{stops: []plan.Stop{{Code: policies.Unfenced, Message: "whether the fence stands is not known yet"}}, fenced: &gosync.Map{}}
}

// testSelf finds out, at start and every hour, whether the API server still limits the agent as it should: the fence is
// the one that this program renders, and the agent may do nothing that would make up for a fence. While something is
// wrong, or cannot be found out, it is repeated sooner. It never keeps access from being taken back (G5).
func (a *Agent) testSelf(ctx context.Context) error {
	now := a.clocks.own()
	if wait := a.self.next.Sub(now); wait > 0 && wait <= testedFor { // longer: the clock was set back
		return nil
	}
	stops, err := a.cluster.limits(ctx)
	if err != nil {
		err = fmt.Errorf("testing the agent's limits: %w", err)
		stops = []plan.Stop{{Code: policies.Unfenced, Message: err.Error()}}
	}
	a.self.stops = stops
	a.self.fenced.Clear()
	if len(stops) == 0 {
		a.self.pause, a.self.next = 0, now.Add(testedFor)
		return nil
	}
	a.self.pause = min(max(2*a.self.pause, firstPause), longPause)
	a.self.next = now.Add(a.self.pause)
	return err
}

// limits tells what is wrong with the fence, and what the agent may do beyond what it needs.
func (c *cluster) limits(ctx context.Context) (stops []plan.Stop, err error) {
	problem, err := c.fenceProblem(ctx)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		stops = append(stops, plan.Stop{Code: policies.Unfenced, Message: problem + "; apply what pullgrant install prints"})
	}
	excess, err := c.excess(ctx, Namespace)
	if excess != "" && err == nil {
		stops = append(stops, plan.Stop{Code: policies.OverPrivileged, Message: "the agent may " + excess + "; take that right from it, pullgrant install --diff shows what is too much"})
	}
	return stops, err
}

// fenceProblem compares the live fence with the one that this program renders.
func (c *cluster) fenceProblem(ctx context.Context) (string, error) {
	api := c.client.AdmissionregistrationV1()
	for _, want := range render.FencePolicies() {
		live, err := api.ValidatingAdmissionPolicies().Get(ctx, want.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && !equality.Semantic.DeepEqual(live.Spec, want.Spec) {
			return fmt.Sprintf("ValidatingAdmissionPolicy %s is missing or another than this program's", want.Name), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading ValidatingAdmissionPolicy %s: %w", want.Name, err)
		}
	}
	for _, want := range render.FenceBindings() {
		live, err := api.ValidatingAdmissionPolicyBindings().Get(ctx, want.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && !equality.Semantic.DeepEqual(live.Spec, want.Spec) {
			return fmt.Sprintf("ValidatingAdmissionPolicyBinding %s is missing or another than this program's", want.Name), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading ValidatingAdmissionPolicyBinding %s: %w", want.Name, err)
		}
	}
	return "", nil
}

// right is verbs on a resource, which may name a subresource after a slash.
type right struct {
	group, resource string
	verbs           []string
}

// tooMuch are rights that the agent must not have anywhere. With any of them somebody who holds its token gets around the
// fence, or gets access without a binding.
var tooMuch = []right{
	{"", "secrets", []string{"get", "list", "watch"}},
	{"", "pods", []string{"create", "update", "patch"}},
	{"", "pods/exec", []string{"create", "get"}},
	{"", "pods/ephemeralcontainers", []string{"update", "patch"}},
	{"", "serviceaccounts/token", []string{"create"}},
	{"", "users", []string{"impersonate"}},
	{"", "groups", []string{"impersonate"}},
	{"", "serviceaccounts", []string{"impersonate"}},
	{"", "nodes/proxy", []string{"get", "create"}},
	{"apps", "deployments", []string{"create", "update", "patch"}},
	{"apps", "daemonsets", []string{"create", "update", "patch"}},
	{"apps", "statefulsets", []string{"create", "update", "patch"}},
	{"batch", "cronjobs", []string{"create", "update", "patch"}},
	{"batch", "jobs", []string{"update", "patch"}},
	{"rbac.authorization.k8s.io", "rolebindings", []string{"update", "patch"}},
	{"rbac.authorization.k8s.io", "clusterrolebindings", []string{"create", "update", "patch"}},
	{"rbac.authorization.k8s.io", "roles", []string{"create", "update", "patch", "escalate", "bind"}},
	{"rbac.authorization.k8s.io", "clusterroles", []string{"create", "update", "patch", "escalate", "bind"}},
	{"admissionregistration.k8s.io", "validatingadmissionpolicies", []string{"create", "update", "patch", "delete"}},
	{"admissionregistration.k8s.io", "validatingadmissionpolicybindings", []string{"create", "update", "patch", "delete"}},
	{"admissionregistration.k8s.io", "mutatingadmissionpolicies", []string{"create", "update", "patch"}},
	{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", []string{"create", "update", "patch"}},
	{"certificates.k8s.io", "certificatesigningrequests/approval", []string{"update", "patch"}},
}

// excess names the first of these rights that the agent has in a namespace, of its own or for all namespaces; empty when it
// has none. The API server lists the rights; an authorizer that cannot is asked for one after the other.
func (c *cluster) excess(ctx context.Context, namespace string) (string, error) {
	review, err := c.client.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorizationv1.SelfSubjectRulesReview{
		Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking what the agent may do in namespace %s: %w", namespace, err)
	}
	for _, right := range tooMuch {
		for _, verb := range right.verbs {
			allowed := slices.ContainsFunc(review.Status.ResourceRules, func(r authorizationv1.ResourceRule) bool { return right.in(r, verb) })
			if !allowed && review.Status.Incomplete {
				allowed, err = c.may(ctx, namespace, verb, right.group, right.resource)
			}
			if err != nil || allowed {
				return fmt.Sprintf("%s %s in namespace %s", verb, right.resource, namespace), err
			}
		}
	}
	return "", nil
}

// in tells whether a rule gives the verb on every object of the resource.
func (r right) in(rule authorizationv1.ResourceRule, verb string) bool {
	has := func(list []string, value string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, value)
	}
	_, sub, _ := strings.Cut(r.resource, "/")
	return len(rule.ResourceNames) == 0 && has(rule.Verbs, verb) && has(rule.APIGroups, r.group) &&
		(has(rule.Resources, r.resource) || sub != "" && slices.Contains(rule.Resources, "*/"+sub))
}

func (c *cluster) may(ctx context.Context, namespace, verb, group, resource string) (bool, error) {
	name, sub, _ := strings.Cut(resource, "/")
	review, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: verb, Group: group, Resource: name, Subresource: sub}}}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking whether the agent may %s %s in namespace %s: %w", verb, resource, namespace, err)
	}
	return review.Status.Allowed, nil
}

// fencedIn makes sure, once an hour, that the agent is limited in a namespace too before anything is granted in it: the
// API server must refuse, in a dry run, a Job that would run a pod.
func (a *Agent) fencedIn(ctx context.Context, namespace string, g requests.Grant) error {
	now := a.clocks.own()
	if until, ok := a.self.fenced.Load(namespace); ok && now.Before(until.(time.Time)) && until.(time.Time).Sub(now) <= testedFor {
		return nil
	}
	excess, err := a.cluster.excess(ctx, namespace)
	if err != nil {
		return err
	}
	if excess != "" {
		return fmt.Errorf("granting %s (%s): the agent may %s; take that right from it", g.Name, policies.OverPrivileged, excess)
	}
	job, err := render.Backstop(g, namespace, a.now())
	if err != nil {
		return err
	}
	runs := int32(1)
	job.Name, job.Spec.Completions, job.Spec.Parallelism = "pullgrant-probe", &runs, &runs
	_, err = a.cluster.client.BatchV1().Jobs(namespace).Create(ctx, &job, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if !byFence(err) {
		return fmt.Errorf("granting %s (%s): the fence does not refuse a Job with pods in namespace %s, the answer was: %v", g.Name, policies.Unfenced, namespace, err)
	}
	a.self.fenced.Store(namespace, now.Add(testedFor))
	return nil
}

// byFence tells whether a call was refused by the part of the fence that is about the agent.
func byFence(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+render.FenceAgent+"'")
}
