package sync

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

// TestDrift: a grant whose role, policy or subject is not what it was granted for ends, and the
// ledger says why.
func TestDrift(t *testing.T) {
	const role = "drifting"
	policy := policies.Path("payments-debug")
	for cause, change := range map[string]func(s *stage){
		requests.CauseRoleChanged: func(s *stage) {
			_, err := s.Admin.RbacV1().ClusterRoles().Patch(t.Context(), role,
				"application/merge-patch+json",
				[]byte(`{"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}]}`),
				metav1.PatchOptions{})
			s.Must(err)
		},
		requests.CausePolicyChanged: func(s *stage) {
			s.pushFiles("root", "Remove", map[string]string{policy: "\x00removed"})
		},
		requests.CauseSubjectRemoved: func(s *stage) {
			s.edit(policies.IdentitiesPath, "username: alice@example.com",
				"username: alice2@example.com")
		},
	} {
		t.Run(cause, func(t *testing.T) {
			s := newStage(t)
			s.edit(policy, "kind: ClusterRole, name: payments-debug", "kind: ClusterRole, name: "+
				role)
			s.pushFiles("root", "Show", s.catalog(role, false, listsPods))
			s.role(role)
			name := s.ask(strings.ToLower(cause))
			agent := s.agent(options{})
			s.Must(agent.Once(t.Context()))
			s.Must(agent.Once(t.Context()))
			s.allowed(true)
			change(s)
			s.Must(agent.Once(t.Context()))
			s.over(name, cause, "")
		})
	}
}

// TestDriftIsSomebodys: the ledger names the author of the pull request since which the branch
// contradicts a grant, and not of a later one.
func TestDriftIsSomebodys(t *testing.T) {
	for cause, files := range map[string]func(s *stage) map[string]string{
		requests.CausePolicyChanged: func(*stage) map[string]string {
			return map[string]string{policyPath: forge.Removed}
		},
		requests.CauseSubjectRemoved: func(s *stage) map[string]string {
			return s.edited(policies.IdentitiesPath, "username: alice@example.com",
				"username: alice2@example.com")
		},
	} {
		t.Run(cause, func(t *testing.T) {
			s := newStage(t)
			name := s.request(strings.ToLower(cause))
			agent := s.agent(githubOnly)
			s.Must(agent.Once(t.Context()))
			s.granted(name)
			number := s.change("contradicts", "root", files(s))
			s.change("later", "root", s.edited(policies.IdentitiesPath, "users:",
				"users: # of all"))
			s.Must(agent.Once(t.Context()))
			s.endedBy(s.over(name, cause, ""), "alice", number)
		})
	}
}

// TestWhatCannotBeReadEndsNothing: a policy that broke, and a role that cannot be read, leave what
// is granted alone.
func TestWhatCannotBeReadEndsNothing(t *testing.T) {
	s := newStage(t)
	s.ask("kept")
	s.once(options{})
	s.edit(policies.Path("payments-debug"), "maxDuration: 2h", "maxDuration: soon")
	s.once(options{})
	s.allowed(true)
}

// TestRecordAloneGrantsNothing: whoever can write the agent's records cannot have it grant what
// nobody approved.
func TestRecordAloneGrantsNothing(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("forged")
	s.pull("b", false, map[string]string{path: content})
	g := requests.Grant{Name: name, Path: path, Cluster: s.Cluster, Policy: "payments-debug",
		Requester: "alice",
		Subject:   requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Window:    requests.NewWindow(noon, requests.Duration(2*3600e9)),
		Items: []requests.Item{{Kind: requests.KubernetesRoleBinding,
			Name:      requests.ObjectName(name, 0),
			Namespace: s.Namespace, Role: requests.Role{Kind: requests.KindClusterRole,
				Name: "payments-debug"}}},
		Evidence: requests.Evidence{Source: requests.EvidenceGitHub, Blob: s.git("rev-parse",
			"main:"+path),
			MergeCommit: s.Branch("main")}}
	s.Must(s.agent(options{}).cluster.Save(t.Context(), &plan.Record{Phase: plan.Granting, Grant: g,
		Objects: plan.ObjectsOf(g, true), Request: []byte(content)}))
	s.once(options{github: true})
	if r := s.over(name, requests.CauseDenied, "InsufficientApprovals"); r.Status.GrantedAt != nil {
		t.Errorf("the entry: %+v", r)
	}
}

// role makes a ClusterRole, and gives the agent what it needs to grant it.
func (s *stage) role(name string) {
	s.Helper()
	err := s.Admin.RbacV1().ClusterRoles().Delete(s.Context(), name, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		s.Must(err)
	}
	_, err = s.Admin.RbacV1().ClusterRoles().Create(s.Context(),
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name},
			Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"},
				Verbs: []string{"list"}}}}, metav1.CreateOptions{})
	s.Must(err)
	roles := []string{"payments-debug", name}
	if !strings.Contains(s.read(policyPath), "kind: ClusterRole, name: payments-debug") {
		roles = roles[1:]
	}
	s.Must(kube.ForTest(s.T).Apply(s.Context(), kube.AgentManifests([]string{s.Namespace}, roles)))
	s.Until("the agent may bind it", func() bool {
		const agent = "system:serviceaccount:pullgrant-system:pullgrant-agent"
		return s.May(agent, rbacv1.GroupName, "bind", "clusterroles", name) &&
			s.May(agent, rbacv1.GroupName,
				"get", "clusterroles", name)
	})
}

// edit replaces a text in a file on main by another.
func (s *stage) edit(path, old, text string) {
	s.Helper()
	before := s.git("show", "main:"+path) + "\n"
	after := strings.Replace(before, old, text, 1)
	if after == before {
		s.Fatalf("%s has no %q", path, old)
	}
	s.pushFiles("root", "Edit", map[string]string{path: after})
}
