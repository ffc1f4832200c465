package kube

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
)

// Surplus is what the agent may do beyond what is rendered for it.
type Surplus struct {
	Right     rbac.Permission
	Namespace string   // empty: everywhere
	From      []string // bindings with their roles; none: an authorizer that is not RBAC
}

// Told is a list of what is too much for one message, as in "the agent may …": what gets around the
// fence first, and by place and source the others.
func Told(all []Surplus) string {
	const most = 6
	groups := map[string][]rbac.Permission{}
	var order []string
	for _, s := range all {
		where := s.where()
		if _, known := groups[where]; !known {
			order = append(order, where)
		}
		groups[where] = append(groups[where], s.Right)
	}
	var words []string
	for _, where := range order[:min(len(order), most)] {
		words = append(words, listed(groups[where])+" "+where)
	}
	if more := len(order) - most; more > 0 {
		words = append(words, fmt.Sprintf("what is in %d more places", more))
	}
	return strings.Join(words, "; and ")
}

// where says where it holds and why.
func (s Surplus) where() string {
	where := "in namespace " + s.Namespace
	if s.Namespace == "" {
		where = "in every namespace"
	}
	from := strings.Join(s.From, " and ")
	if from == "" {
		from = "an authorizer that is not RBAC"
	}
	return where + " (by " + from + ")"
}

// listed names some rights, the worst first.
func listed(rights []rbac.Permission) string {
	const most = 5
	worse, others := apart(rules(rights), never)
	rights = slices.Concat(rbac.Permissions(worse), rbac.Permissions(others))
	var words []string
	for _, p := range rights[:min(len(rights), most)] {
		words = append(words, p.Does()+" "+p.What())
	}
	if more := len(rights) - most; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, "; ")
}

// rules are those that give the rights.
func rules(rights []rbac.Permission) (all []rbac.RoleRule) {
	for _, p := range rights {
		all = append(all, p.Rule())
	}
	return all
}

// Surplus compares what the agent may do with what is rendered for it: in its own namespace, in
// those of policies, and wherever a binding names it. needed is what the policies give now, once
// what a proven one ever gave. excess is what none of these ever needed; stale is what one needed
// once and none needs now. What every ServiceAccount may do is neither, but for what never may be.
func (c *Cluster) Surplus(ctx context.Context, needed, once []requests.Item) (excess,
	stale []Surplus, err error) {
	all, err := c.bounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	namespaces := []string{Namespace}
	for _, i := range slices.Concat(needed, once) {
		if i.Namespace != "" {
			namespaces = append(namespaces, i.Namespace)
		}
		if i.Impersonates() {
			namespaces = append(namespaces, requests.GrantsNamespace)
		}
	}
	ours := slices.Clone(namespaces)
	for _, b := range all {
		if b.namespace != "" && !b.everybody {
			namespaces = append(namespaces, b.namespace)
		}
	}
	slices.Sort(namespaces[1:]) // the own one is told of first
	namespaces = slices.Compact(namespaces)
	if err := c.fill(ctx, all, namespaces); err != nil {
		return nil, nil, err
	}
	for _, namespace := range namespaces {
		over, old, err := c.surplusIn(ctx, namespace, all, needed, once,
			slices.Contains(ours, namespace))
		if err != nil {
			return nil, nil, err
		}
		excess, stale = tell(excess, over, namespace, all), tell(stale, old, namespace, all)
	}
	return excess, stale, nil
}

// surplusIn is that of one namespace. Where ask says so, the API server is asked for what
// authorizers give that are not RBAC.
func (c *Cluster) surplusIn(ctx context.Context, namespace string, all []bound, needed,
	once []requests.Item, ask bool) (over, old []rbac.Permission, err error) {
	if slices.ContainsFunc(all, func(b bound) bool { return b.uncounted && b.namespace == namespace }) {
		return rbac.Permissions(everything), nil, nil
	}
	var held []rbac.RoleRule
	incomplete := false
	if ask {
		if held, incomplete, err = c.held(ctx, namespace); err != nil {
			return nil, nil, err
		}
	}
	var everybody []rbac.RoleRule
	for _, b := range all {
		switch {
		case !b.in(namespace):
		case b.everybody:
			everybody = append(everybody, b.rules...)
		default:
			held = append(held, b.rules...)
		}
	}
	worse, common := apart(everybody, never)
	held = append(held, worse...)
	rendered := func(items []requests.Item) []rbac.RoleRule {
		return slices.Concat(common, roleRules(render.Allowed(render.Footprint{Grants: items,
			AWSAuth: c.AWSAuthKept}, render.Agent, namespace)))
	}
	if incomplete {
		more, err := c.asked(ctx, namespace, never, slices.Concat(held, rendered(once)))
		if err != nil {
			return nil, nil, err
		}
		held = append(held, more...)
	}
	over = rbac.Beyond(held, rendered(once))
	return over, rbac.Beyond(held, slices.Concat(rendered(needed), rules(over))), nil
}

// held is what the API server says that the caller may do in a namespace. incomplete: an authorizer
// could not say, as those that are webhooks cannot, or something could not be read.
func (c *Cluster) held(ctx context.Context, namespace string) (rules []rbac.RoleRule,
	incomplete bool, err error) {
	review, err := c.authorization.SelfSubjectRulesReviews().Create(ctx,
		&authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}},
		metav1.CreateOptions{})
	if err != nil {
		return nil, false, fmt.Errorf("asking for all rights in namespace %s: %w", namespace, err)
	}
	for _, r := range review.Status.ResourceRules {
		rules = append(rules, rbac.RoleRule{APIGroups: r.APIGroups, Resources: r.Resources,
			ResourceNames: r.ResourceNames, Verbs: r.Verbs})
	}
	for _, r := range review.Status.NonResourceRules {
		rules = append(rules, rbac.RoleRule{NonResourceURLs: r.NonResourceURLs, Verbs: r.Verbs})
	}
	return rules, review.Status.Incomplete || review.Status.EvaluationError != "", nil
}

// tell adds what was found in a namespace to a list, with where it comes from. What holds
// everywhere is told once.
func tell(told []Surplus, found []rbac.Permission, namespace string, all []bound) []Surplus {
	for _, p := range found {
		s, right := Surplus{Right: p, Namespace: namespace}, []rbac.RoleRule{p.Rule()}
		whole := rbac.Permissions(right)
		for _, b := range all {
			if !b.in(namespace) || reflect.DeepEqual(rbac.Beyond(right, b.rules), whole) {
				continue
			}
			s.From = append(s.From, b.String())
			if b.namespace == "" {
				s.Namespace = ""
			}
		}
		if !slices.ContainsFunc(told, func(t Surplus) bool { return reflect.DeepEqual(t, s) }) {
			told = append(told, s)
		}
	}
	return told
}
