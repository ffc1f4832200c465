package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Limits tells what is wrong with the fence, and what the agent may do beyond what it needs.
func (c *Cluster) Limits(ctx context.Context) (stops []plan.Stop, err error) {
	problem, err := c.fenceProblem(ctx)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		stops = append(stops, plan.Stop{Code: policies.Unfenced,
			Message: problem + "; apply what pullgrant install prints"})
	}
	excess, err := c.Excess(ctx, Namespace)
	if excess != "" && err == nil {
		stops = append(stops, plan.Stop{Code: policies.OverPrivileged,
			Message: "the agent may " + excess +
				"; take that right from it, pullgrant install --diff shows what is too much"})
	}
	return stops, err
}

// fenceProblem compares the live fence with the one that this program renders.
func (c *Cluster) fenceProblem(ctx context.Context) (string, error) {
	api := c.admission
	for _, want := range render.FencePolicies() {
		live, err := api.ValidatingAdmissionPolicies().Get(ctx, want.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil &&
			!equality.Semantic.DeepEqual(live.Spec, want.Spec) {
			return fmt.Sprintf("ValidatingAdmissionPolicy %s is missing or another than this program's",
				want.Name), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading ValidatingAdmissionPolicy %s: %w", want.Name, err)
		}
	}
	for _, want := range render.FenceBindings() {
		live, err := api.ValidatingAdmissionPolicyBindings().Get(ctx, want.Name,
			metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil &&
			!equality.Semantic.DeepEqual(live.Spec, want.Spec) {
			return fmt.Sprintf("ValidatingAdmissionPolicyBinding %s is missing or another than "+
				"this program's",
				want.Name), nil
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

// tooMuch are rights that the agent must not have anywhere. With any of them somebody who holds its
// token gets around the fence, or gets access without a binding.
var tooMuch = []right{
	{"", "secrets", []string{"get", "list", "watch"}},
	{"", "pods", []string{"create", "update", "patch"}},
	{"", "pods/exec", []string{"create", "get"}},
	{"", "pods/attach", []string{"create", "get"}},
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
	{"rbac.authorization.k8s.io", "roles",
		[]string{"create", "update", "patch", "escalate", "bind"}},
	{"rbac.authorization.k8s.io", "clusterroles",
		[]string{"create", "update", "patch", "escalate", "bind"}},
	{"admissionregistration.k8s.io", "validatingadmissionpolicies",
		[]string{"create", "update", "patch", "delete"}},
	{"admissionregistration.k8s.io", "validatingadmissionpolicybindings",
		[]string{"create", "update", "patch", "delete"}},
	{"admissionregistration.k8s.io", "mutatingadmissionpolicies",
		[]string{"create", "update", "patch"}},
	{"admissionregistration.k8s.io", "mutatingwebhookconfigurations",
		[]string{"create", "update", "patch"}},
	{"admissionregistration.k8s.io", "mutatingadmissionpolicybindings",
		[]string{"create", "update", "patch"}},
	{"apiregistration.k8s.io", "apiservices", []string{"create", "update", "patch"}},
	{"certificates.k8s.io", "certificatesigningrequests/approval", []string{"update", "patch"}},
	{"certificates.k8s.io", "signers", []string{"approve", "sign"}},
}

// onOne are rights of tooMuch on single objects, which an authorizer that cannot list rights is
// asked for by name: whoever may not on all may still on these.
var onOne = []struct{ group, resource, name, verb string }{
	{"", "secrets", render.Agent, "get"},
	{"", "serviceaccounts/token", render.Agent, "create"},
	{"", "serviceaccounts/token", render.Expirer, "create"},
	{"", "groups", "system:masters", "impersonate"},
	{"rbac.authorization.k8s.io", "clusterroles", "cluster-admin", "bind"},
}

// Excess names the first of these rights that the agent has in a namespace, of its own or for all
// namespaces; empty when it has none. The API server lists the rights; an authorizer that cannot is
// asked for one after the other.
func (c *Cluster) Excess(ctx context.Context, namespace string) (string, error) {
	return c.excess(ctx, namespace, tooMuch)
}

func (c *Cluster) excess(ctx context.Context, namespace string, rights []right) (string, error) {
	review, err := c.authorization.SelfSubjectRulesReviews().Create(ctx,
		&authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}},
		metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking what the agent may do in namespace %s: %w", namespace, err)
	}
	for _, right := range rights {
		for _, verb := range right.verbs {
			allowed := slices.ContainsFunc(review.Status.ResourceRules,
				func(r authorizationv1.ResourceRule) bool {
					// What is rendered has none of them on single objects but in namespaces of
					// policies, and our own is none.
					return (len(r.ResourceNames) == 0 || namespace == Namespace) &&
						right.in(r, verb)
				})
			if !allowed && review.Status.Incomplete {
				allowed, err = c.may(ctx, namespace, verb, right.group, right.resource, "")
			}
			if err != nil || allowed {
				return fmt.Sprintf("%s %s in namespace %s", verb, right.resource, namespace), err
			}
		}
	}
	for _, one := range onOne {
		if !review.Status.Incomplete || namespace != Namespace {
			break
		}
		allowed, err := c.may(ctx, namespace, one.verb, one.group, one.resource, one.name)
		if err != nil || allowed {
			return fmt.Sprintf("%s %s named %s in namespace %s", one.verb, one.resource, one.name,
				namespace), err
		}
	}
	return "", nil
}

// in tells whether a rule gives the verb on the resource, on however few objects.
func (r right) in(rule authorizationv1.ResourceRule, verb string) bool {
	has := func(list []string, value string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, value)
	}
	_, sub, _ := strings.Cut(r.resource, "/")
	return has(rule.Verbs, verb) && has(rule.APIGroups, r.group) &&
		(has(rule.Resources, r.resource) || sub != "" && slices.Contains(rule.Resources, "*/"+sub))
}

// may asks for one right, on the object of a name or, where that is empty, on all.
func (c *Cluster) may(ctx context.Context, namespace, verb, group, resource, object string) (bool,
	error) {
	name, sub, _ := strings.Cut(resource, "/")
	review, err := c.authorization.SelfSubjectAccessReviews().Create(ctx,
		&authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: verb, Group: group, Resource: name,
					Subresource: sub, Name: object}}},
		metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("asking whether the agent may %s %s in namespace %s: %w", verb,
			resource, namespace, err)
	}
	return review.Status.Allowed, nil
}
