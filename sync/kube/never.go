package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
)

// right is verbs on a resource, which may name a subresource after a slash, or on one object of it.
type right struct {
	group, resource, name string
	verbs                 []string
}

// never are rights that neither agent nor expirer may have beyond what is rendered for it, even
// where everybody has them: with any of them somebody who holds its token gets around the fence, or
// gets access without a binding. An authorizer that cannot list what somebody may do is asked for
// each: where it may know one object of a kind and no other, that is named.
var never = []right{
	{"", "secrets", "", []string{"get", "list", "watch", "create", "update", "patch"}},
	{"", "secrets", render.Agent, []string{"get"}}, // which has the keys of App and ledger
	{"", "pods", "", []string{"create", "update", "patch"}},
	{"", "pods/exec", "", []string{"create", "get"}},
	{"", "pods/attach", "", []string{"create", "get"}},
	{"", "pods/ephemeralcontainers", "", []string{"update", "patch"}},
	{"", "replicationcontrollers", "", []string{"create", "update", "patch"}},
	{"", "serviceaccounts/token", "", []string{"create"}},
	{"", "serviceaccounts/token", render.Agent, []string{"create"}},
	{"", "serviceaccounts/token", render.Expirer, []string{"create"}},
	{"", "serviceaccounts/token", render.AWS, []string{"create"}},
	{"", "users", "", []string{"impersonate"}},
	{"", "groups", "", []string{"impersonate"}},
	{"", "groups", "system:masters", []string{"impersonate"}},
	{"", "serviceaccounts", "", []string{"impersonate"}},
	{"", "nodes/proxy", "", []string{"get", "create"}},
	{"apps", "deployments", "", []string{"create", "update", "patch"}},
	{"apps", "daemonsets", "", []string{"create", "update", "patch"}},
	{"apps", "statefulsets", "", []string{"create", "update", "patch"}},
	{"apps", "replicasets", "", []string{"create", "update", "patch"}},
	{"batch", "cronjobs", "", []string{"create", "update", "patch"}},
	{"batch", "jobs", "", []string{"create", "update", "patch"}},
	{rbacGroup, "rolebindings", "", []string{"create", "update", "patch"}},
	{rbacGroup, "clusterrolebindings", "", []string{"create", "update", "patch"}},
	{rbacGroup, "roles", "", []string{"create", "update", "patch", "escalate", "bind"}},
	{rbacGroup, "clusterroles", "", []string{"create", "update", "patch", "escalate", "bind"}},
	{rbacGroup, "clusterroles", "cluster-admin", []string{"escalate", "bind"}},
	{"admissionregistration.k8s.io", "validatingadmissionpolicies", "",
		[]string{"create", "update", "patch", "delete"}},
	{"admissionregistration.k8s.io", "validatingadmissionpolicybindings", "",
		[]string{"create", "update", "patch", "delete"}},
	{"admissionregistration.k8s.io", "mutatingadmissionpolicies", "",
		[]string{"create", "update", "patch"}},
	{"admissionregistration.k8s.io", "mutatingadmissionpolicybindings", "",
		[]string{"create", "update", "patch"}},
	{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", "",
		[]string{"create", "update", "patch"}},
	{"apiregistration.k8s.io", "apiservices", "", []string{"create", "update", "patch"}},
	{"certificates.k8s.io", "certificatesigningrequests/approval", "",
		[]string{"update", "patch"}},
	{"certificates.k8s.io", "signers", "", []string{"approve", "sign"}},
}

const rbacGroup = "rbac.authorization.k8s.io"

// apart takes rules apart into those that give one of the rights, on however few objects, and the
// others.
func apart(rules []rbac.RoleRule, rights []right) (touching, others []rbac.RoleRule) {
	for _, p := range rbac.Permissions(rules) {
		for _, verb := range p.Verbs {
			one := p
			one.Verbs = []string{verb}
			if slices.ContainsFunc(rights, func(r right) bool { return r.in(one) }) {
				touching = append(touching, one.Rule())
			} else {
				others = append(others, one.Rule())
			}
		}
	}
	return touching, others
}

// in tells whether a permission gives some of the right. That of one object is in no permission on
// others.
func (r right) in(p rbac.Permission) bool {
	_, sub, _ := strings.Cut(r.resource, "/")
	is := func(given, value string) bool { return given == "*" || given == value }
	return p.URL == "" && is(p.Group, r.group) &&
		(is(p.Resource, r.resource) || sub != "" && p.Resource == "*/"+sub) &&
		slices.ContainsFunc(r.verbs, func(verb string) bool {
			return slices.ContainsFunc(p.Verbs,
				func(given string) bool { return is(given, verb) })
		}) &&
		(r.name == "" || len(p.Names) == 0 || slices.Contains(p.Names, r.name))
}

// asked are those of the rights that somebody has in a namespace and that no rule of known gives.
// The API server is asked for each.
func (c *Cluster) asked(ctx context.Context, namespace string, rights []right,
	known []rbac.RoleRule) (found []rbac.RoleRule, err error) {
	for _, r := range rights {
		for _, verb := range r.verbs {
			rule := rbac.RoleRule{APIGroups: []string{r.group}, Resources: []string{r.resource},
				Verbs: []string{verb}}
			if r.name != "" {
				rule.ResourceNames = []string{r.name}
			}
			if len(rbac.Beyond([]rbac.RoleRule{rule}, known)) == 0 {
				continue
			}
			allowed, err := c.may(ctx, namespace, verb, r.group, r.resource, r.name)
			if err != nil {
				return nil, err
			}
			if allowed {
				found = append(found, rule)
			}
		}
	}
	return found, nil
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
		return false, fmt.Errorf("asking whether it may %s %s in namespace %s: %w", verb,
			resource, namespace, err)
	}
	return review.Status.Allowed, nil
}
