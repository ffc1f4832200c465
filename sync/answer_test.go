package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// sudoers has the policy be k8sudo's rule: whom RBAC lets use the verb sudo on the role may have it, with
// nobody's review. The group of that name may sudo to any role; who is in it the authentication says.
func (s *stage) sudoers(group string) {
	s.Helper()
	meta := metav1.ObjectMeta{Name: "sudoers-" + s.Namespace}
	_, err := s.Admin.RbacV1().ClusterRoles().Create(s.Context(), &rbacv1.ClusterRole{ObjectMeta: meta,
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{rbacv1.GroupName},
			Resources: []string{"clusterroles"}, Verbs: []string{policies.DefaultVerb}}}},
		metav1.CreateOptions{})
	s.Must(err)
	_, err = s.Admin.RbacV1().ClusterRoleBindings().Create(s.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}}},
		metav1.CreateOptions{})
	s.Must(err)
	s.Cleanup(func() {
		s.Must(s.Admin.RbacV1().ClusterRoleBindings().Delete(s.past(), meta.Name, metav1.DeleteOptions{}))
		s.Must(s.Admin.RbacV1().ClusterRoles().Delete(s.past(), meta.Name, metav1.DeleteOptions{}))
	})
	s.edit(identityPath, "{username: alice@example.com}",
		`{username: alice@example.com, groups: ["acme:oncall"]}`)
	s.edit(policyPath, "challenges: [{kind: CodeOwnerReview, count: 1}]",
		"challenges: [{kind: RBACAuthorization}]\n  allowWithoutReview: true")
	s.edit(policyPath, "subjects: [", "subjects: [{kind: User, name: bob}, ")
}

// proving is an agent that trusts main as it stands.
func (s *stage) proving() *Agent {
	s.Helper()
	return s.agent(options{github: true, root: s.git("rev-parse", "main")})
}

// wants merges a request of somebody's that nobody approved.
func (s *stage) wants(login, slug string) (name string, number int) {
	s.Helper()
	name, path, content := s.requestFile(slug)
	number = s.open(login, slug, map[string]string{
		strings.ReplaceAll(path, "alice", login): strings.ReplaceAll(content, "alice", login)})
	_, err := s.Merge("root", number)
	s.Must(err)
	return strings.ReplaceAll(name, "alice", login), number
}

// TestSudoVerb is k8sudo's story: somebody in a group with the verb sudo on the role asks, the agent finds
// that the cluster's RBAC lets them, merges and grants, and the ledger has what the cluster said. A
// stranger gets nothing, though the policy lets them ask.
func TestSudoVerb(t *testing.T) {
	s := newStage(t)
	s.sudoers("acme:oncall")
	agent := s.proving()
	s.Must(agent.Once(t.Context()))
	name, number := s.green("alice", "member")
	s.Must(agent.Once(t.Context()))
	if state := s.pullState(number); state != "merged" {
		t.Fatalf("%s though RBAC lets her:\n%s", state, s.Log)
	}
	stranger, refused := s.wants("bob", "stranger")
	for range 2 { // what is merged in a pass is granted in the next
		s.Must(agent.Once(t.Context()))
	}
	s.granted(name)
	s.allowed(true)
	s.refused(stranger, string(policies.NotAuthorizedInCluster))
	s.says(refused, "### Refused: NotAuthorizedInCluster")
	if said := plainly(s.said(refused)); !strings.Contains(said, fmt.Sprintf("RBACAuthorization is not "+
		"met: sudo on the ClusterRole payments-debug in %s for bob@example.com: no", s.Namespace)) {
		t.Errorf("it does not say why: %s", said)
	}
	s.pause()
	s.Must(agent.Once(t.Context()))
	if names := s.Names(); len(names) != 1 {
		t.Errorf("bindings %v", names)
	}
}

// TestSudoVerbRefused: without the group, with another verb, and of a role that does not exist, of which
// the cluster says what it says of any, nobody gets anything, and the agent merges nothing.
func TestSudoVerbRefused(t *testing.T) {
	for slug, change := range map[string]func(s *stage){
		"group": func(s *stage) { s.edit(identityPath, `"acme:oncall"`, `"acme:offcall"`) },
		"verb": func(s *stage) {
			s.edit(policyPath, "{kind: RBACAuthorization}", "{kind: RBACAuthorization, verb: escalate}")
		},
		"role": func(s *stage) {
			s.Must(s.Admin.RbacV1().ClusterRoles().Delete(s.Context(), "payments-debug",
				metav1.DeleteOptions{})) // the next test makes it again
		},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.sudoers("acme:oncall")
			change(s)
			agent := s.proving()
			s.Must(agent.Once(t.Context()))
			_, open := s.green("alice", "open")
			s.Must(agent.Once(t.Context()))
			if state := s.pullState(open); state != "open" || !strings.Contains(s.Log.String(),
				`"event":"merge"`) || !strings.Contains(s.Log.String(), "NotAuthorizedInCluster") {
				t.Errorf("it is %s, and nothing says why", state)
			}
			name, _ := s.wants("alice", slug)
			_ = agent.Once(t.Context()) // the open one is not judged under what the ledger has just become
			s.refused(name, string(policies.NotAuthorizedInCluster))
			if names := s.Names(); len(names) > 0 {
				t.Errorf("bindings %v", names)
			}
		})
	}
}

// TestMayNotAsk: while the agent may not ask what others may do nobody is refused and nobody gets
// anything, and the pull request says what to do. With the right back it is granted.
func TestMayNotAsk(t *testing.T) {
	s := newStage(t)
	s.sudoers("acme:oncall")
	agent := s.proving()
	roles := s.Admin.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), render.Agent, metav1.GetOptions{})
	s.Must(err)
	role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Resources, "subjectaccessreviews")
	})
	_, err = roles.Update(t.Context(), role, metav1.UpdateOptions{})
	s.Must(err)
	whole := func() {
		s.Must(controlplane.ForTest(t).Apply(s.past(), controlplane.AgentManifests(
			[]string{s.Namespace}, []string{"payments-debug"})))
	}
	s.Cleanup(whole)
	review := policies.AccessReview{User: "alice@example.com", Groups: []string{"acme:oncall"},
		Verb: policies.DefaultVerb, Role: "payments-debug", Namespace: s.Namespace}
	s.Until("it may not ask", func() bool {
		_, err := agent.cluster.Authorized(t.Context(), review)
		return err != nil
	})
	name, number := s.wants("alice", "blind")
	for range 2 {
		if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
			"the agent may not ask what others may do; apply what pullgrant install prints") {
			t.Fatalf("error: %v", err)
		}
		s.pause() // whoever merged is told after a minute
	}
	s.says(number, "### Merged, not granted yet")
	if said := plainly(s.said(number)); !strings.Contains(said, "the agent may not ask what others may "+
		"do") {
		t.Errorf("it does not say why: %s", said)
	}
	if names := s.Names(); len(names) > 0 {
		t.Errorf("bindings %v", names)
	}
	whole()
	s.Until("it may ask", func() bool {
		allowed, err := agent.cluster.Authorized(t.Context(), review)
		return err == nil && allowed
	})
	s.SetClock(s.Clock().Add(longPause))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.allowed(true)
}
