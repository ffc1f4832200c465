package sync

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/forge"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// listsPods are the rules of the ClusterRole payments-debug that every stage has.
var listsPods = []rbac.RoleRule{{APIGroups: []string{""}, Resources: []string{"pods"},
	Verbs: []string{"list"}}}

// manage has root approve a change of files that root owns, and lets a minute pass.
func (s *stage) manage(branch string, files map[string]string) {
	s.Helper()
	_, err := s.Push(forge.Change{User: "alice", Branch: branch, From: "main", Message: "Change",
		Files: files})
	s.Must(err)
	number, err := s.Open("alice", branch, "Change")
	s.Must(err)
	_, err = s.Review("root", number, "APPROVE")
	s.Must(err)
	_, err = s.Merge("root", number)
	s.Must(err)
	s.SetClock(s.Clock().Add(time.Minute))
}

// catalog is the catalogue with one role of this cluster.
func (s *stage) catalog(role string, aggregated bool, rules []rbac.RoleRule) map[string]string {
	s.Helper()
	data, err := rbac.NewCatalog(s.Cluster, role, aggregated, rules).Encode()
	s.Must(err)
	return map[string]string{rbac.CatalogPath(s.Cluster, role): string(data)}
}

// naming is the policy with dangers of its role that it names.
func (s *stage) naming(dangers ...string) string {
	s.Helper()
	return strings.Replace(s.git("show", "main:policies/payments-debug.yaml")+"\n", "    grants:",
		"    allowDangerous: [{role: payments-debug, dangers: ["+strings.Join(dangers, ", ")+
			"]}]\n    grants:", 1)
}

// mayRead waits until the agent may read the roles; it returns those that are missing.
func (s *stage) mayRead(names ...string) (missing []string) {
	s.Helper()
	s.Until("the agent may read the roles "+strings.Join(names, ", "), func() (done bool) {
		var err error
		_, missing, err = kube.LiveRoles(s.Context(), s.Agent, s.Cluster, names)
		return err == nil
	})
	return missing
}

func TestRoleIsWhatTheCatalogueShows(t *testing.T) {
	for _, o := range []options{{github: true}, {}} {
		s := newStage(t)
		s.mayRead("payments-debug")
		s.manage("catalog", s.catalog("payments-debug", false, listsPods))
		_, path, content := s.requestFile("same")
		s.pull("b", true, map[string]string{path: content})
		s.once(o)
		s.allowed(true)
	}
}

func TestRoleChanged(t *testing.T) {
	more := []rbac.RoleRule{{APIGroups: []string{""}, Resources: []string{"pods"},
		Verbs: []string{"get", "list"}}}
	for slug, test := range map[string]struct {
		before, after func(s *stage) map[string]string // the catalogue before and after the request is merged
		branch        bool
	}{
		"rules": {before: func(s *stage) map[string]string {
			return s.catalog("payments-debug",
				false, more)
		}},
		"branch": {before: func(s *stage) map[string]string {
			return s.catalog("payments-debug", false,
				more)
		}, branch: true},
		"aggregated": {before: func(s *stage) map[string]string {
			return s.catalog("payments-debug",
				true, listsPods)
		}},
		// What bob saw counts, though the catalogue has been brought up to date since.
		"shown": {before: func(s *stage) map[string]string {
			return s.catalog("payments-debug",
				false, more)
		},
			after: func(s *stage) map[string]string {
				return s.catalog("payments-debug", false,
					listsPods)
			}},
		// A role that nobody knows may be given only where its policy names every danger.
		"taken": {before: func(s *stage) map[string]string {
			files := s.catalog("payments-debug", false, more)
			files["policies/payments-debug.yaml"] = s.naming(rbac.DangersAt(rbac.InNamespace)...)
			return files
		},
			after: func(s *stage) map[string]string {
				return map[string]string{rbac.CatalogPath(s.Cluster,
					"payments-debug"): forge.Removed}
			}},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.mayRead("payments-debug")
			s.manage("catalog", test.before(s))
			name, path, content := s.requestFile(slug)
			s.pull("b", true, map[string]string{path: content})
			if test.after != nil {
				s.manage("later", test.after(s))
			}
			s.once(options{github: !test.branch})
			s.over(name, requests.CauseDenied, string(policies.RoleChanged))
		})
	}
}

// TestRoleMissing: a role that is gone can be made again by anybody who may, with any rules.
func TestRoleMissing(t *testing.T) {
	s := newStage(t)
	s.Must(controlplane.ForTest(t).Apply(t.Context(),
		controlplane.AgentManifests([]string{s.Namespace},
			[]string{"payments-gone", "payments-debug"})))
	if missing := s.mayRead("payments-gone", "payments-debug"); !slices.Equal(missing,
		[]string{"payments-gone"}) {
		t.Errorf("missing: %v", missing)
	}
	files := s.catalog("payments-gone", false, listsPods)
	policy := s.git("show", "main:policies/payments-debug.yaml")
	files["policies/payments-debug.yaml"] = strings.Replace(policy, "kind: ClusterRole, name: "+
		"payments-debug",
		"kind: ClusterRole, name: payments-gone", 1) + "\n"
	s.manage("gone", files)
	name, path, content := s.requestFile("gone")
	s.pull("b", true, map[string]string{path: content})
	s.once(options{github: true})
	s.over(name, requests.CauseDenied, string(policies.RoleChanged))
}

// TestRoleUnreadable: while a role cannot be compared, nothing is granted and nothing is refused
// for good.
func TestRoleUnreadable(t *testing.T) {
	s := newStage(t)
	s.manage("catalog", s.catalog("payments-debug", false, listsPods))
	_, path, content := s.requestFile("unreadable")
	s.pull("b", true, map[string]string{path: content})
	forbidden := func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/clusterroles/payments-debug") {
				return &http.Response{StatusCode: http.StatusForbidden, Body: http.NoBody,
					Request: r}, nil
			}
			return next.RoundTrip(r)
		})
	}
	err := s.agent(options{github: true, wire: forbidden}).Once(t.Context())
	if err == nil || !strings.Contains(err.Error(),
		`the role "payments-debug" cannot be compared with the catalogue: reading ClusterRole payments-debug`) {
		t.Errorf("error: %v", err)
	}
	if b := s.Bindings(); len(b) != 0 {
		t.Errorf("granted: %v", b)
	}
}

func TestLiveRolesOfAnAggregatedRole(t *testing.T) {
	s := newStage(t)
	names := []string{"payments-parts", "payments-part"}
	for i, role := range []*rbacv1.ClusterRole{
		{AggregationRule: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
			{MatchLabels: map[string]string{"part-of": "payments"}}}}},
		{Rules: []rbacv1.PolicyRule{{APIGroups: []string{"apps", ""},
			Resources: []string{"deployments",
				"pods"}, Verbs: []string{"list", "get"}, ResourceNames: []string{"api"}},
			{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}}},
	} {
		role.Name = names[i]
		if i == 1 {
			role.Labels = map[string]string{"part-of": "payments"}
		}
		_, err := s.Admin.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{})
		s.Must(err)
		t.Cleanup(func() {
			if err := s.Admin.RbacV1().ClusterRoles().Delete(
				context.WithoutCancel(t.Context()), role.Name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	var found []rbac.RoleCatalog
	s.Until("the rules of the part are in the whole", func() bool {
		var err error
		var missing []string
		found, missing, err = kube.LiveRoles(t.Context(), controlplane.ForTest(t).Admin(),
			"prod-eu",
			append(names, "payments-gone"))
		s.Must(err)
		if !slices.Equal(missing, []string{"payments-gone"}) || len(found) != 2 {
			t.Fatalf("missing %v, found %v", missing, found)
		}
		return len(found[0].Spec.Rules) == 2
	})
	if !found[0].Spec.Aggregated || found[1].Spec.Aggregated ||
		found[0].Spec.Hash != found[1].Spec.Hash ||
		found[0].Metadata.Name != names[0] {
		t.Errorf("found %+v", found)
	}
	for _, role := range found {
		data, err := role.Encode()
		s.Must(err)
		if _, findings := rbac.ParseCatalog(
			rbac.CatalogPath("prod-eu", role.Metadata.Name), data); len(findings) > 0 {
			t.Errorf("%v\n%s", findings, data)
		}
	}
}
