package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// Who somebody is who can get around the pipeline.
const (
	somebody      = "somebody"
	everybody     = "everybody"     // a group that all users, or all ServiceAccounts, are in
	administrator = "administrator" // of the cluster
	ofKubernetes  = "of Kubernetes" // a part of it
)

// Way is what lets somebody around the pipeline.
type Way struct {
	Who     string // one of the above
	Subject string // in words
	Can     string // the first danger, in words
	Right   string // that gives it, in words; empty: everything
	Where   string // in words
	By      string // binding
}

func (w Way) String() string {
	return fmt.Sprintf("%s can %s: %s %s, by %s", w.Subject, w.Can, w.Right, w.Where, w.By)
}

// Ways are all by which RBAC lets anybody around the pipeline: in the whole cluster, in pullgrant's
// own namespaces and in those that policies grant in. What pullgrant gave, and its own accounts,
// are left out. Of each subject in each binding the worst is told, in their order.
func Ways(s kube.Survey, granted []string) (all []Way) {
	add := func(binding, where string, role rbacv1.RoleRef, subjects []rbacv1.Subject,
		dangers []rbac.Dangerous) {
		if len(dangers) == 0 {
			return
		}
		for _, subject := range subjects {
			if isOurs(subject) {
				continue
			}
			can := rbac.Dangers[slices.IndexFunc(rbac.Dangers, func(d rbac.Danger) bool {
				return d.Name == dangers[0].Danger
			})].Text
			all = append(all, Way{Who: whoIs(subject, role), Subject: inWords(subject), Can: can,
				Right: dangers[0].Right, Where: where, By: binding})
		}
	}
	for _, b := range s.ClusterBindings {
		if b.Labels[render.LabelManagedBy] != render.ManagedBy {
			add("ClusterRoleBinding "+b.Name, "everywhere", b.RoleRef, b.Subjects,
				rbac.DangersOf(s.Rules("", b.RoleRef), rbac.InCluster))
		}
	}
	for _, b := range s.Bindings {
		if b.Labels[render.LabelManagedBy] == render.ManagedBy {
			continue
		}
		add("RoleBinding "+b.Namespace+"/"+b.Name, "in namespace "+b.Namespace, b.RoleRef, b.Subjects,
			dangersIn(b.Namespace, granted, s.Rules(b.Namespace, b.RoleRef)))
	}
	slices.SortStableFunc(all, func(a, b Way) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.By, b.By))
	})
	return all
}

// dangersIn are those of rules that are bound in a namespace. In one that policies grant in, tokens
// of its ServiceAccounts give nothing that a grant would: only what gives access counts.
func dangersIn(namespace string, granted []string, rules []rbac.RoleRule) (all []rbac.Dangerous) {
	local := rbac.DangersOf(rules, rbac.InNamespace)
	switch {
	case namespace == requests.AgentNamespace || namespace == requests.GrantsNamespace:
		ours := rbac.DangersOf(rules, rbac.InCluster)
		for _, d := range ours {
			if d.Danger == "pullgrant" {
				local = append(local, d)
			}
		}
		return local
	case slices.Contains(granted, namespace):
		return slices.DeleteFunc(local, func(d rbac.Dangerous) bool { return d.Danger == "tokens" })
	}
	return nil
}

// account is the ServiceAccount that a subject names, in either way of naming it.
func account(s rbacv1.Subject) (namespace, name string, is bool) {
	if s.Kind == rbacv1.ServiceAccountKind {
		return s.Namespace, s.Name, true
	}
	if rest, of := strings.CutPrefix(s.Name, "system:serviceaccount:"); of &&
		s.Kind == rbacv1.UserKind {
		namespace, name, is = strings.Cut(rest, ":")
	}
	return namespace, name, is
}

func isOurs(s rbacv1.Subject) bool {
	namespace, name, is := account(s)
	return is && namespace == requests.AgentNamespace &&
		slices.Contains([]string{render.Agent, render.Expirer, render.AWS}, name)
}

// whoIs tells whose a subject is. Names that begin with system: are Kubernetes' own:
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects
func whoIs(s rbacv1.Subject, role rbacv1.RoleRef) string {
	namespace, _, is := account(s)
	switch {
	case s.Kind == rbacv1.GroupKind && slices.Contains([]string{"system:authenticated",
		"system:unauthenticated", "system:serviceaccounts"}, s.Name),
		s.Kind == rbacv1.UserKind && s.Name == "system:anonymous":
		return everybody
	case is && namespace == "kube-system",
		s.Kind == rbacv1.GroupKind && s.Name == "system:serviceaccounts:kube-system":
		return ofKubernetes
	case role.Kind == "ClusterRole" && role.Name == "cluster-admin":
		return administrator
	case !is && strings.HasPrefix(s.Name, "system:") &&
		!strings.HasPrefix(s.Name, "system:serviceaccounts:"):
		return ofKubernetes
	}
	return somebody
}

func inWords(s rbacv1.Subject) string {
	if namespace, name, is := account(s); is {
		return "ServiceAccount " + namespace + "/" + name
	}
	return s.Kind + " " + s.Name
}
