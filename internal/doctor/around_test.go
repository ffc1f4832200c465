package doctor

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/kube"
)

func TestWays(t *testing.T) {
	rule := func(group, resource string, verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
	}
	user := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: "User", Name: name} }
	group := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: "Group", Name: name} }
	account := func(namespace, name string) rbacv1.Subject {
		return rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: name}
	}
	const rbacGroup, admission = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
	everything := rule("*", "*", "*")
	impersonates, binds := rule("", "users", "impersonate"), rule(rbacGroup, "rolebindings", "create")
	const (
		acts      = "impersonate others, and so act with what they may do"
		escalates = "give roles any right at all"
		binding   = "bind roles that it does not hold"
		writing   = "write roles or bindings, which stay"
		unfences  = "write admission policies or webhooks, and so take away the cluster's guards"
		becomes   = "write what pullgrant itself goes by, or act as its agent"
		tokens    = "make tokens, by serviceaccounts/token or a Secret, which outlive the access"
	)
	// the first are bound to cluster-admin, the others by pullgrant
	admins, managed := []string{"an administrator", "masters", "nobody in particular"},
		[]string{"what pullgrant gave"}
	dave := user("dave")
	guards := rule(admission, "validatingadmissionpolicies", "update")
	makes := rule("", "serviceaccounts/token", "create")
	for name, test := range map[string]struct {
		namespace string // of the binding; empty: a ClusterRoleBinding
		rule      rbacv1.PolicyRule
		subject   rbacv1.Subject
		who       string // empty: no way
		can       string
	}{
		"users":                {"", impersonates, dave, somebody, acts},
		"groups":               {"", rule("", "groups", "impersonate"), group("sre"), somebody, acts},
		"accounts":             {"payments", rule("", "serviceaccounts", "impersonate"), dave, somebody, acts},
		"users, locally":       {"payments", impersonates, dave, "", ""},
		"escalates":            {"", rule(rbacGroup, "clusterroles", "escalate"), dave, somebody, escalates},
		"binds":                {"payments", rule(rbacGroup, "roles", "bind"), dave, somebody, binding},
		"writes bindings":      {"payments", binds, dave, somebody, writing},
		"in the agent's own":   {"pullgrant-system", binds, dave, somebody, writing},
		"in another namespace": {"elsewhere", binds, dave, "", ""},
		"only reads":           {"", rule(rbacGroup, "rolebindings", "get", "list"), dave, "", ""},
		"writes the fence":     {"", guards, dave, somebody, unfences},
		"the fence, locally":   {"payments", guards, dave, "", ""},
		"reads the agent's":    {"pullgrant-system", rule("", "secrets", "get"), dave, somebody, becomes},
		"reads other secrets":  {"payments", rule("", "secrets", "get"), dave, "", ""},
		"tokens where granted": {"payments", makes, dave, "", ""},
		"tokens of the agent":  {"pullgrant-system", makes, dave, somebody, tokens},
		"all users":            {"", impersonates, group("system:authenticated"), everybody, acts},
		"all accounts":         {"", everything, group("system:serviceaccounts"), everybody, writing},
		"nobody in particular": {"", everything, user("system:anonymous"), everybody, writing},
		"one namespace's":      {"", everything, group("system:serviceaccounts:payments"), somebody, writing},
		"an administrator":     {"", everything, dave, administrator, writing},
		"another name for one": {"", everything, dave, somebody, writing},
		"masters":              {"", everything, group("system:masters"), administrator, writing},
		"a controller":         {"", everything, account("kube-system", "gc"), ofKubernetes, writing},
		"one by its name":      {"", everything, user("system:serviceaccount:kube-system:x"), ofKubernetes, writing},
		"a scheduler":          {"", everything, user("system:kube-scheduler"), ofKubernetes, writing},
		"an account":           {"", everything, user("system:serviceaccount:ci:deployer"), somebody, writing},
		"the agent":            {"", everything, account("pullgrant-system", "pullgrant-agent"), "", ""},
		"its namesake":         {"", everything, account("payments", "pullgrant-agent"), somebody, writing},
		"what pullgrant gave":  {"", everything, dave, "", ""},
	} {
		meta := metav1.ObjectMeta{Name: "b", Namespace: test.namespace}
		role := "another"
		if slices.Contains(admins, name) {
			role = "cluster-admin"
		}
		if slices.Contains(managed, name) {
			meta.Labels = map[string]string{render.LabelManagedBy: render.ManagedBy}
		}
		s := kube.Survey{ClusterRoles: []rbacv1.ClusterRole{{ObjectMeta: metav1.ObjectMeta{Name: role},
			Rules: []rbacv1.PolicyRule{test.rule}}}}
		ref := rbacv1.RoleRef{Kind: "ClusterRole", Name: role}
		if test.namespace == "" {
			s.ClusterBindings = []rbacv1.ClusterRoleBinding{{ObjectMeta: meta, RoleRef: ref,
				Subjects: []rbacv1.Subject{test.subject}}}
		} else {
			s.Bindings = []rbacv1.RoleBinding{{ObjectMeta: meta, RoleRef: ref,
				Subjects: []rbacv1.Subject{test.subject}}}
		}
		var who, can string
		if ways := Ways(s, []string{"payments"}); len(ways) > 0 {
			who, can = ways[0].Who, ways[0].Can
		}
		if who != test.who || can != test.can {
			t.Errorf("%s: %q can %q, want %q %q", name, who, can, test.who, test.can)
		}
	}
}

// TestWaysOfLocalRoles: a Role is that of the namespace of its binding, and one that is not there
// gives nothing.
func TestWaysOfLocalRoles(t *testing.T) {
	s := kube.Survey{
		Roles: []rbacv1.Role{{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "writer"},
			Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"rolebindings"},
				Verbs: []string{"patch"}}}}},
	}
	for _, namespace := range []string{"payments", "checkout"} {
		s.Bindings = append(s.Bindings, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "writer"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "dave"}}})
	}
	var told []string
	for _, way := range Ways(s, []string{"payments", "checkout"}) {
		told = append(told, way.String())
	}
	want := []string{"User dave can write roles or bindings, which stay: patch on rolebindings in every " +
		"API group in namespace payments, by RoleBinding payments/b"}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
