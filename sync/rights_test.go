package sync

import (
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/forge"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/roles"
)

const viewPath = "policies/payments-view.yaml"

// views is a second policy, which gives another role.
func (s *stage) views() map[string]string {
	s.Helper()
	policy := s.read(policyPath)
	at := strings.Index(policy, "target:")
	return roles.Catalogue(map[string]string{viewPath: strings.Replace(policy[:at],
		"name: payments-debug", "name: payments-view", 1) + strings.ReplaceAll(policy[at:],
		"name: payments-debug", "name: view")}, roles.Harmless)
}

// give has the agent be installed with another role.
func (s *stage) give(roles ...string) {
	s.Helper()
	s.Must(controlplane.ForTest(s.T).Apply(s.Context(),
		controlplane.AgentManifests([]string{s.Namespace}, roles)))
	s.Until("the rights are in force", func() bool {
		const name = "system:serviceaccount:pullgrant-system:pullgrant-agent"
		for _, role := range []string{"payments-debug", "view"} {
			if s.May(name, rbacv1.GroupName, "bind", "clusterroles", role) !=
				slices.Contains(roles, role) {
				return false
			}
		}
		return true
	})
	s.SetClock(s.Clock().Add(longPause)) // another look is due
}

// TestStaleRights: what no policy ever called for keeps the agent from granting, what one called
// for once is told.
func TestStaleRights(t *testing.T) {
	s := newStage(t)
	agent := s.agent(githubOnly)
	s.give("payments-debug", "view")
	early := s.request("early")
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		`the agent may bind clusterroles.rbac.authorization.k8s.io named "view" in namespace `+
			s.Namespace+" (by RoleBinding "+s.Namespace+
			"/pullgrant-agent of Role pullgrant-agent),"+
			" which no policy ever needed") {
		t.Errorf("error: %v", err)
	}
	s.change("view", "root", s.views())
	s.Must(agent.Once(t.Context()))
	s.granted(early)
	if strings.Contains(s.Log.String(), "StaleRights") {
		t.Error("rights that a policy needs are told")
	}

	s.change("no-view", "root", map[string]string{viewPath: forge.Removed})
	later := s.request("later")
	s.Must(agent.Once(t.Context()))
	s.granted(later)
	s.shows(agent, "stale_rights", "", "1")
	s.Must(agent.Once(t.Context()))
	if n := strings.Count(s.Log.String(), `"code":"StaleRights"`); n != 1 || !strings.Contains(
		s.Log.String(), `what no policy needs any more: bind clusterroles`) {
		t.Errorf("told %d times", n)
	}

	// Another run knows it too.
	agent = s.agent(githubOnly)
	last := s.request("last")
	s.Must(agent.Once(t.Context()))
	s.granted(last)
	s.shows(agent, "stale_rights", "", "1")
	s.give("payments-debug")
	s.SetClock(s.Clock().Add(checkedFor))
	s.Must(agent.Once(t.Context()))
	s.shows(agent, "stale_rights", "", "0")
}

// TestOfferedByAnOlderProgram: one that kept nothing of what the policies gave leaves the policies
// that are there, and a right that another one needed is taken for one that none did.
func TestOfferedByAnOlderProgram(t *testing.T) {
	s := newStage(t)
	s.change("view", "root", s.views())
	s.once(githubOnly)
	s.change("no-view", "root", map[string]string{viewPath: forge.Removed})
	s.once(githubOnly)
	maps := s.Admin.CoreV1().ConfigMaps(kube.Namespace)
	kept, err := maps.Get(t.Context(), kube.TrustName, metav1.GetOptions{})
	s.Must(err)
	delete(kept.BinaryData, "offered")
	_, err = maps.Update(t.Context(), kept, metav1.UpdateOptions{})
	s.Must(err)
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	kept, err = maps.Get(t.Context(), kube.TrustName, metav1.GetOptions{})
	if err != nil || len(kept.BinaryData["offered"]) == 0 {
		t.Errorf("nothing is kept though the branch did not move: %v", err)
	}
	one := s.request("one")
	s.Must(agent.Once(t.Context()))
	s.granted(one)
	s.give("payments-debug", "view")
	s.SetClock(s.Clock().Add(checkedFor))
	s.request("two")
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"which no policy ever needed") {
		t.Errorf("error: %v", err)
	}
}

// TestRightsOfEverybody: what every ServiceAccount may do is not the agent's own, unless nobody
// should; what it may do where no policy grants is told.
func TestRightsOfEverybody(t *testing.T) {
	s := newStage(t)
	self, err := kubernetes.NewForConfig(s.Scene.Agent)
	s.Must(err)
	clean := func(name string) {
		_ = s.Admin.RbacV1().ClusterRoleBindings().Delete(s.Context(), name,
			metav1.DeleteOptions{})
		_ = s.Admin.RbacV1().ClusterRoles().Delete(s.Context(), name, metav1.DeleteOptions{})
	}
	everybody := func(name, group, resource string) {
		s.Helper()
		meta := metav1.ObjectMeta{Name: name}
		_, err := s.Admin.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
			ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""},
				Resources: []string{resource}, Verbs: []string{"get"}}}}, metav1.CreateOptions{})
		s.Must(err)
		_, err = s.Admin.RbacV1().ClusterRoleBindings().Create(t.Context(),
			&rbacv1.ClusterRoleBinding{ObjectMeta: meta,
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
					Name: name},
				Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group",
					Name: group}}}, metav1.CreateOptions{})
		s.Must(err)
		s.Until("it is in force", func() bool {
			review, err := self.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(),
				&authorizationv1.SelfSubjectAccessReview{
					Spec: authorizationv1.SelfSubjectAccessReviewSpec{
						ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get",
							Namespace: s.Namespace, Resource: resource}}}, metav1.CreateOptions{})
			s.Must(err)
			return review.Status.Allowed
		})
	}
	for i, group := range []string{"system:authenticated", "system:serviceaccounts"} {
		everybody("all-see-"+group, group, []string{"nodes", "limitranges"}[i])
		defer clean("all-see-" + group)
	}
	_, err = s.Admin.RbacV1().RoleBindings("default").Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: kube.Namespace,
			Name: "pullgrant-agent"}}}, metav1.CreateOptions{})
	s.Must(err)
	defer func() {
		s.Must(s.Admin.RbacV1().RoleBindings("default").Delete(s.Context(), "elsewhere",
			metav1.DeleteOptions{}))
	}()
	agent := s.agent(options{})
	s.ask("one")
	s.Must(agent.Once(t.Context()))
	s.allowed(true)
	if log := s.Log.String(); !strings.Contains(log,
		"what no policy ever needed, where none grants: ") ||
		!strings.Contains(log, "in namespace default (by RoleBinding default/elsewhere of "+
			"ClusterRole view)") {
		t.Error("the log does not tell")
	}

	everybody("all-read-secrets", "system:authenticated", "secrets")
	defer clean("all-read-secrets")
	s.SetClock(noon.Add(time.Hour))
	s.ask("two")
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"the agent may get secrets in every namespace (by ClusterRoleBinding "+
			"all-read-secrets of ClusterRole all-read-secrets)") {
		t.Errorf("error: %v", err)
	}
	if len(s.Bindings()) != 0 {
		t.Errorf("bindings: %v", s.Bindings())
	}
}

// TestRightsOnTheBranchsWord: where the branch is the evidence, what it said is remembered, and
// proves nothing to an agent that asks GitHub.
func TestRightsOnTheBranchsWord(t *testing.T) {
	s := newStage(t)
	s.pushFiles("root", "View", s.views())
	s.once(options{})
	s.pushFiles("root", "No view", map[string]string{viewPath: forge.Removed})
	agent := s.agent(options{})
	s.give("payments-debug", "view")
	name := s.ask("one")
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.shows(agent, "stale_rights", "", "1")
	proving := s.agent(githubOnly)
	_ = proving.Once(t.Context())
	if have := proving.prover.trust; have == nil || slices.ContainsFunc(have.offered,
		func(i requests.Item) bool { return i.Role.Name == "view" }) {
		t.Errorf("it knows %+v", have)
	}
}

// TestRightsUnreadable: while it is not known what the agent may do, nothing is granted; with the
// rights that install renders all goes on.
func TestRightsUnreadable(t *testing.T) {
	s := newStage(t)
	roles := s.Admin.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "pullgrant-agent", metav1.GetOptions{})
	s.Must(err)
	whole := role.Rules
	role.Rules = slices.DeleteFunc(slices.Clone(whole), func(r rbacv1.PolicyRule) bool {
		return slices.Contains(r.Resources, "clusterrolebindings")
	})
	role, err = roles.Update(t.Context(), role, metav1.UpdateOptions{})
	s.Must(err)
	defer func() {
		s.Must(controlplane.ForTest(t).Apply(s.Context(), controlplane.AgentManifests(
			[]string{s.Namespace}, []string{"payments-debug"})))
	}()
	agent := s.agent(options{})
	s.ask("blind")
	s.Until("it cannot look", func() bool {
		_, _, err := agent.cluster.Surplus(t.Context(), nil, nil)
		return err != nil
	})
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"finding out what the agent may do: listing ClusterRoleBindings: ") ||
		!strings.Contains(err.Error(), "apply what pullgrant install prints") ||
		len(s.Bindings()) != 0 {
		t.Errorf("bindings %v, error: %v", s.Bindings(), err)
	}
	role.Rules = whole
	_, err = roles.Update(t.Context(), role, metav1.UpdateOptions{})
	s.Must(err)
	s.Until("it can look", func() bool {
		_, _, err := agent.cluster.Surplus(t.Context(), nil, nil)
		return err == nil
	})
	s.SetClock(s.Clock().Add(firstPause))
	s.Must(agent.Once(t.Context()))
	s.allowed(true)
	s.toldBeforeIt()
}
