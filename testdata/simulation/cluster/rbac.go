package cluster

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// user is who calls.
type user struct {
	name   string
	groups []string
}

// account is what the name of a ServiceAccount begins with, before its namespace.
const account = "system:serviceaccount:"

// userOf is a user in the groups that follow from the name, and in more.
func userOf(name string, more ...string) user {
	groups := []string{"system:authenticated"}
	if rest, is := strings.CutPrefix(name, account); is {
		namespace, _, _ := strings.Cut(rest, ":")
		groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace,
			"system:authenticated"}
	}
	if name == Admin {
		groups = []string{"system:masters", "system:authenticated"}
	}
	return user{name, slices.Concat(more, groups)}
}

// attributes are what authorization decides by.
type attributes struct {
	verb, group, resource, sub, namespace, name string
	url                                         string // of what is no resource
}

// cannot is the refusal of a call.
func (u user) cannot(a attributes) error {
	what := strings.TrimSuffix(a.resource+"/"+a.sub, "/")
	where := "at the cluster scope"
	if a.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", a.namespace)
	}
	return errors.New(fmt.Sprintf("User %q cannot %s resource %q in API group %q ", u.name, a.verb, what,
		a.group) + where)
}

// may tells whether a user may do something. The controllers of Kubernetes, which have roles of
// their own there, may do everything here.
func (c *Cluster) may(u user, a attributes) bool {
	if slices.Contains(u.groups, "system:masters") || strings.HasPrefix(u.name, account+"kube-system:") {
		return true
	}
	return slices.ContainsFunc(c.rulesOf(u, a.namespace), func(r rbacv1.PolicyRule) bool {
		return gives(r, a)
	})
}

// gives tells whether a rule gives a right.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
func gives(r rbacv1.PolicyRule, a attributes) bool {
	in := func(given []string, value string) bool {
		return slices.Contains(given, "*") || slices.Contains(given, value)
	}
	if !in(r.Verbs, a.verb) {
		return false
	}
	if a.url != "" {
		return slices.ContainsFunc(r.NonResourceURLs, func(given string) bool {
			return given == a.url || strings.HasSuffix(given, "*") &&
				strings.HasPrefix(a.url, strings.TrimSuffix(given, "*"))
		})
	}
	what := a.resource
	if a.sub != "" {
		what += "/" + a.sub
	}
	return in(r.APIGroups, a.group) &&
		(in(r.Resources, what) || a.sub != "" && slices.Contains(r.Resources, "*/"+a.sub)) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, a.name))
}

// rulesOf are the rules that bindings give a user in a namespace; "" is the whole cluster.
func (c *Cluster) rulesOf(u user, namespace string) (rules []rbacv1.PolicyRule) {
	who := strings.Join(append([]string{namespace, u.name}, u.groups...), "\x00")
	if held, known := c.held[who]; known {
		return held
	}
	defer func() { c.held[who] = rules }()
	for _, o := range c.list(byName(rbacv1.GroupName, "clusterrolebindings")) {
		rules = append(rules, c.given(u, o)...)
	}
	if namespace == "" {
		return rules
	}
	for _, o := range c.list(byName(rbacv1.GroupName, "rolebindings")) {
		if o.GetNamespace() == namespace {
			rules = append(rules, c.given(u, o)...)
		}
	}
	return rules
}

// given are the rules that a binding gives a user.
func (c *Cluster) given(u user, binding Object) []rbacv1.PolicyRule {
	subjects, _ := binding.Object["subjects"].([]any)
	if !slices.ContainsFunc(subjects, func(s any) bool {
		subject, _ := s.(map[string]any)
		name, _ := subject["name"].(string)
		switch subject["kind"] {
		case rbacv1.UserKind:
			return name == u.name
		case rbacv1.GroupKind:
			return slices.Contains(u.groups, name)
		case rbacv1.ServiceAccountKind:
			namespace, _ := subject["namespace"].(string)
			return account+namespace+":"+name == u.name
		}
		return false
	}) {
		return nil
	}
	if role := c.get(refers(binding)); role != nil {
		return c.written(role)
	}
	return nil // nobody can give what is not there
}

// refers is where the role stands that a binding names.
func refers(binding Object) place {
	ref, _ := binding.Object["roleRef"].(map[string]any)
	at := place{res: byName(rbacv1.GroupName, "clusterroles")}
	if at.name, _ = ref["name"].(string); ref["kind"] == "Role" {
		at.res, at.namespace = byName(rbacv1.GroupName, "roles"), binding.GetNamespace()
	}
	return at
}

// written are the rules of a stored role.
func (c *Cluster) written(role Object) []rbacv1.PolicyRule {
	version := string(role.GetUID()) + " " + role.GetResourceVersion()
	rules, known := c.rules[version]
	if !known {
		rules = rulesIn(role)
		c.rules[version] = rules
	}
	return rules
}

func rulesIn(role Object) []rbacv1.PolicyRule {
	var typed rbacv1.ClusterRole
	convert(role, &typed)
	return typed.Rules
}

// escalates holds that nobody writes or binds rules beyond their own without the right to:
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
func (c *Cluster) escalates(q *request, o Object) error {
	if q.res.Group != rbacv1.GroupName {
		return nil
	}
	var rules []rbacv1.PolicyRule
	asked := attributes{group: rbacv1.GroupName, namespace: q.namespace}
	switch q.res.Resource {
	case "roles", "clusterroles":
		rules = rulesIn(o)
		if o.Object["aggregationRule"] != nil && !c.may(q.user, attributes{verb: "*", group: "*",
			resource: "*"}) {
			return apierrors.NewForbidden(q.groupResource(), o.GetName(), errors.New(
				"must have cluster-admin privileges to use an aggregationRule"))
		}
		asked.verb, asked.resource, asked.name = "escalate", q.res.Resource, o.GetName()
		if old := c.get(q.place()); q.verb != "create" && old != nil &&
			fmt.Sprint(rulesIn(old)) == fmt.Sprint(rules) {
			return nil
		}
	default:
		role := refers(o)
		asked.verb, asked.resource, asked.name = "bind", role.res.Resource, role.name
		if given := c.get(role); given != nil {
			rules = c.written(given)
		} else if !c.may(q.user, asked) {
			return apierrors.NewNotFound(role.res.GroupResource(), role.name)
		}
	}
	if c.may(q.user, asked) {
		return nil
	}
	held := c.rulesOf(q.user, q.namespace)
	var missing []string
	for _, r := range rules {
		for _, one := range apart(r) {
			if !slices.ContainsFunc(held, func(h rbacv1.PolicyRule) bool { return covers(h, one) }) {
				missing = append(missing, worded(one))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return apierrors.NewForbidden(q.groupResource(), o.GetName(), fmt.Errorf("user %q (groups=%q) is "+
		"attempting to grant RBAC permissions not currently held:\n%s", q.user.name, q.user.groups,
		strings.Join(slices.Compact(missing), "\n")))
}

// apart takes a rule apart into those of one verb, resource and name each.
func apart(r rbacv1.PolicyRule) (all []rbacv1.PolicyRule) {
	names := [][]string{nil}
	if len(r.ResourceNames) > 0 {
		names = nil
		for _, name := range r.ResourceNames {
			names = append(names, []string{name})
		}
	}
	for _, verb := range r.Verbs {
		for _, url := range r.NonResourceURLs {
			all = append(all, rbacv1.PolicyRule{Verbs: []string{verb}, NonResourceURLs: []string{url}})
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, name := range names {
					all = append(all, rbacv1.PolicyRule{Verbs: []string{verb},
						APIGroups: []string{group}, Resources: []string{resource},
						ResourceNames: name})
				}
			}
		}
	}
	return all
}

// covers tells whether a rule gives all of one that was taken apart.
func covers(held, one rbacv1.PolicyRule) bool {
	a := attributes{verb: one.Verbs[0]}
	if len(one.NonResourceURLs) > 0 {
		a.url = one.NonResourceURLs[0]
		return gives(held, a)
	}
	a.group = one.APIGroups[0]
	a.resource, a.sub, _ = strings.Cut(one.Resources[0], "/")
	if len(one.ResourceNames) > 0 {
		a.name = one.ResourceNames[0]
	} else if len(held.ResourceNames) > 0 {
		return false
	}
	return gives(held, a)
}

// worded is a rule as the API server prints it.
func worded(r rbacv1.PolicyRule) string {
	var parts []string
	for _, f := range []struct {
		name   string
		values []string
	}{{"APIGroups", r.APIGroups}, {"Resources", r.Resources}, {"ResourceNames", r.ResourceNames},
		{"NonResourceURLs", r.NonResourceURLs}, {"Verbs", r.Verbs}} {
		if len(f.values) > 0 {
			parts = append(parts, fmt.Sprintf("%s:%q", f.name, f.values))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// impersonate has a call be that of whom its headers name, where its user may act as them:
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
func (c *Cluster) impersonate(q *request, header http.Header) error {
	name, groups := header.Get("Impersonate-User"), header.Values("Impersonate-Group")
	if name == "" {
		if len(groups) > 0 {
			return apierrors.NewInternalError(errors.New("requested groups without impersonating a user"))
		}
		return nil
	}
	asked := []attributes{{verb: "impersonate", resource: "users", name: name}}
	as := user{name: name, groups: groups}
	if rest, is := strings.CutPrefix(name, account); is {
		namespace, of, _ := strings.Cut(rest, ":")
		asked[0] = attributes{verb: "impersonate", resource: "serviceaccounts", namespace: namespace,
			name: of}
		if len(groups) == 0 {
			as = userOf(name)
		}
	}
	for _, group := range groups {
		asked = append(asked, attributes{verb: "impersonate", resource: "groups", name: group})
	}
	for _, a := range asked {
		if !c.may(q.user, a) {
			return apierrors.NewForbidden(schema.GroupResource{Resource: a.resource}, a.name,
				q.user.cannot(a))
		}
	}
	if !slices.Contains(as.groups, "system:authenticated") {
		as.groups = append(slices.Clone(as.groups), "system:authenticated")
	}
	q.user = as
	return nil
}
