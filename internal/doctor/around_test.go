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
	dave := user("dave")
	guards := rule(admission, "validatingadmissionpolicies", "update")
	makes := rule("", "serviceaccounts/token", "create")
	for name, test := range map[string]struct {
		namespace string // of the binding; empty: a ClusterRoleBinding
		role      string
		rule      rbacv1.PolicyRule
		subject   rbacv1.Subject
		managed   bool
		who       string // empty: no way
		can       string
	}{
		"impersonates users":         {"", "r", impersonates, dave, false, somebody, acts},
		"impersonates groups":        {"", "r", rule("", "groups", "impersonate"), group("sre"), false, somebody, acts},
		"impersonates accounts":      {"payments", "r", rule("", "serviceaccounts", "impersonate"), dave, false, somebody, acts},
		"users need the cluster":     {"payments", "r", impersonates, dave, false, "", ""},
		"escalates":                  {"", "r", rule(rbacGroup, "clusterroles", "escalate"), dave, false, somebody, escalates},
		"binds":                      {"payments", "r", rule(rbacGroup, "roles", "bind"), dave, false, somebody, binding},
		"writes bindings":            {"payments", "r", binds, dave, false, somebody, writing},
		"in the agent's namespace":   {"pullgrant-system", "r", binds, dave, false, somebody, writing},
		"in another namespace":       {"elsewhere", "r", binds, dave, false, "", ""},
		"only reads":                 {"", "r", rule(rbacGroup, "rolebindings", "get", "list"), dave, false, "", ""},
		"writes the fence":           {"", "r", guards, dave, false, somebody, unfences},
		"the fence is no namespace":  {"payments", "r", guards, dave, false, "", ""},
		"reads the agent's secrets":  {"pullgrant-system", "r", rule("", "secrets", "get"), dave, false, somebody, becomes},
		"reads other secrets":        {"payments", "r", rule("", "secrets", "get"), dave, false, "", ""},
		"tokens where it is granted": {"payments", "r", makes, dave, false, "", ""},
		"tokens of the agent":        {"pullgrant-system", "r", makes, dave, false, somebody, tokens},
		"all users":                  {"", "r", impersonates, group("system:authenticated"), false, everybody, acts},
		"all accounts":               {"", "r", everything, group("system:serviceaccounts"), false, everybody, writing},
		"nobody in particular":       {"", "cluster-admin", everything, user("system:anonymous"), false, everybody, writing},
		"accounts of a namespace":    {"", "r", everything, group("system:serviceaccounts:payments"), false, somebody, writing},
		"an administrator":           {"", "cluster-admin", everything, dave, false, administrator, writing},
		"another name for one":       {"", "all", everything, dave, false, somebody, writing},
		"masters":                    {"", "cluster-admin", everything, group("system:masters"), false, administrator, writing},
		"a controller":               {"", "r", everything, account("kube-system", "gc"), false, ofKubernetes, writing},
		"a controller by its name":   {"", "r", everything, user("system:serviceaccount:kube-system:gc"), false, ofKubernetes, writing},
		"a scheduler":                {"", "r", everything, user("system:kube-scheduler"), false, ofKubernetes, writing},
		"an account":                 {"", "r", everything, user("system:serviceaccount:ci:deployer"), false, somebody, writing},
		"the agent":                  {"", "r", everything, account("pullgrant-system", "pullgrant-agent"), false, "", ""},
		"a namesake of the agent":    {"", "r", everything, account("payments", "pullgrant-agent"), false, somebody, writing},
		"what pullgrant gave":        {"", "r", everything, dave, true, "", ""},
	} {
		meta := metav1.ObjectMeta{Name: "b", Namespace: test.namespace}
		if test.managed {
			meta.Labels = map[string]string{render.LabelManagedBy: render.ManagedBy}
		}
		s := kube.Survey{ClusterRoles: []rbacv1.ClusterRole{{ObjectMeta: metav1.ObjectMeta{Name: test.role},
			Rules: []rbacv1.PolicyRule{test.rule}}}}
		ref := rbacv1.RoleRef{Kind: "ClusterRole", Name: test.role}
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
