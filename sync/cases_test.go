package sync

import (
	"cmp"
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/storage/memory"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/answers"
	"github.com/pullgrant/pullgrant/testdata/cases"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// clusterOfScenarios is a cluster with the role that the scenarios ask for, in which no agent has
// been yet.
func clusterOfScenarios(t *testing.T) *rest.Config {
	t.Helper()
	config := controlplane.ForTest(t).Admin()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	roles := client.RbacV1().ClusterRoles()
	for _, role := range rolesOfScenarios(t) {
		drop := func() {
			if err := roles.Delete(context.WithoutCancel(t.Context()), role.Name,
				metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
		drop() // another test's, with other rules than the scenarios' catalogue
		if _, err := roles.Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(drop)
	}
	if err := client.CoreV1().ConfigMaps(kube.Namespace).Delete(t.Context(), kube.TrustName,
		metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return config
}

// rolesOfScenarios are the role of the base scenario, and those that others have beside it under
// names of their own.
func rolesOfScenarios(t *testing.T) (all []*rbacv1.ClusterRole) {
	t.Helper()
	add := func(name, content string) {
		shown, findings := rbac.ParseCatalog(name, []byte(content))
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: shown.Spec.Role.Name}}
		for _, r := range shown.Spec.Rules {
			role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: r.APIGroups,
				Resources: r.Resources, ResourceNames: r.ResourceNames, Verbs: r.Verbs})
		}
		all = append(all, role)
	}
	base := rbac.CatalogPath("prod-eu", "payments-debug")
	add(base, cases.Base(t).Facts.Base.Files[base].Content)
	made := map[string]bool{}
	for _, c := range cases.All(t) {
		for name, file := range c.Facts.Base.Files {
			own := strings.HasPrefix(name, rbac.CatalogFolder+"/prod-eu/danger-") ||
				name == rbac.CatalogPath("prod-eu", "shop-debug")
			if own && !made[name] {
				made[name] = true
				add(name, file.Content)
			}
		}
	}
	return all
}

// hear has GitHub tell a scenario, and gives an agent that has fetched the branch: up to the commit
// that changed what decides, or up to its tip, with all policies given.
func hear(t *testing.T, cluster *rest.Config, scenario cases.Scenario) (s *answers.Server,
	agent *Agent, tip string) {
	t.Helper()
	s = answers.Start(t, scenario, memory.NewStorage())
	tip, root := s.Scenario.Facts.Base.Commit, s.Scenario.Facts.Base.Commit
	if scenario.Trust {
		tip, root = s.Brought, ""
	}
	repository, err := git.NewRepository(s.CloneURL(t, tip), "main", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return scenario.Now }
	hub, err := github.New(github.Config{APIURL: s.URL, Owner: s.Scenario.Facts.Repository.Owner,
		Repo:  s.Scenario.Facts.Repository.Name,
		Token: func(context.Context) (string, error) { return "token", nil }, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(cluster)
	config.Wrap(scene.Dated(clock))
	agent, err = NewAgent(Config{Cluster: "prod-eu", Repository: repository, GitHub: hub,
		TrustRoot: root, Kubernetes: config, Clock: clock,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	agent.gate.rules, agent.gate.limits = "", nil // nothing else keeps it from granting
	agent.gate.repository.read("")
	// as the scenario has them answer
	for _, kind := range []string{policies.RBACAuthorization, policies.OnCall, policies.Webhook,
		policies.Ticket} {
		agent.prover.answerers[kind] = func(_ context.Context, a policies.Asking) policies.Reply {
			return s.Scenario.Facts.Replies[a.Inquiry]
		}
	}
	return s, agent, tip
}

// TestAgentJudgesTheScenarios has the agent judge each request that was merged, and each open one
// as if it had been, from git and from GitHub.
func TestAgentJudgesTheScenarios(t *testing.T) {
	each(t, func(c cases.Scenario) bool { return c.Merged }, func(t *testing.T, c cases.Scenario,
		s *answers.Server, agent *Agent, tip string) {
		main, problems, err := agent.branch.read(t.Context(), tip)
		if err != nil {
			t.Fatal(err)
		}
		if err := agent.prover.follow(t.Context(), tip, false); err != nil {
			t.Fatal(err)
		}
		path := s.Scenario.Path
		blob, isRequest := main.Requests[path]
		if !isRequest {
			if got := "left alone: " + strings.Join(problems,
				"\n"); got != strings.TrimSpace(c.Agent) {
				t.Errorf("got %s, want %s", got, c.Agent)
			}
			return
		}
		agrees(t, c, s, agent.prover.judge(t.Context(), tip, path, blob).Decision)
	})
}

// TestAgentJudgesTheScenariosOfTrust has the agent find the pull request behind each commit that
// changed what decides, also where the change was open, and keep what it found.
func TestAgentJudgesTheScenariosOfTrust(t *testing.T) {
	each(t, func(c cases.Scenario) bool { return c.Trust },
		func(t *testing.T, c cases.Scenario, s *answers.Server, agent *Agent, tip string) {
			_, line, err := agent.branch.repository.History(t.Context(), tip, "")
			if err != nil || len(line) != 1 {
				t.Fatalf("%d commits, %v", len(line), err)
			}
			agent.prover.trust = &trust{}
			_, d := agent.prover.proveChange(t.Context(), line[0])
			agrees(t, c, s, d)
			agent.prover.trust = nil
			agent.prover.silent.since = map[string]time.Time{
				line[0].Hash: c.Now.Add(-patience)}
			err = agent.prover.follow(t.Context(), tip, false)
			if d.Outcome == policies.Failed {
				if err == nil || !strings.Contains(err.Error(), d.Message) {
					t.Errorf("followed with the error %v, want %s", err, d.Message)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range line[0].Changes {
				noted := agent.prover.trust.files[change.Path]
				forgotten := change.After.Hash == "" && d.Outcome == policies.Allowed
				if policies.IsTrustRoot(change.Path) && !forgotten && (len(noted) == 0 ||
					noted[0].Commit != tip || noted[0].Code != d.Code) {
					t.Errorf("%s is noted as %+v, want %s", change.Path, noted, d.Code)
				}
			}
		})
}

// each judges the scenarios that are of a kind, or would be after a merge, all at once.
func each(t *testing.T, kind func(cases.Scenario) bool, judge func(*testing.T, cases.Scenario,
	*answers.Server, *Agent, string)) {
	t.Helper()
	cluster := clusterOfScenarios(t)
	for _, c := range cases.All(t) {
		if landed, ok := c.Landed(t); ok {
			c = landed
		}
		if !c.Merged && !c.Trust && c.Agent != "" {
			t.Errorf("%s: the agent does not judge it; remove the agent section", c.Name)
		}
		if kind(c) {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				s, agent, tip := hear(t, cluster, c)
				judge(t, c, s, agent, tip)
			})
		}
	}
}

// agrees holds the agent's decision to the scenario: the same to the last word, or what it says of
// the agent or of the wire.
func agrees(t *testing.T, c cases.Scenario, s *answers.Server, d policies.Decision) {
	t.Helper()
	others := cmp.Or(c.Wire, c.Want)
	want := cmp.Or(c.Agent, others)
	if got := s.Describe(d, want); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if pure := s.Scenario.Judge(s.Scenario.Facts); c.Agent+c.Wire == "" &&
		!reflect.DeepEqual(d, pure) {
		t.Errorf("the agent judges %+v\nthe facts are      %+v", d, pure)
	}
	if c.Agent != "" && s.Describe(d, others) == others {
		t.Error("the agent says the same as everybody; remove the agent section")
	}
}
