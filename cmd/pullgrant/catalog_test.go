package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

// catalogStage is a cluster, and the example repository in a folder and on a GitHub.
type catalogStage struct {
	*testing.T
	*forge.Forge
	cluster         *kube.ControlPlane
	dir, kubeconfig string
}

func newCatalogStage(t *testing.T) *catalogStage {
	t.Helper()
	cp, err := kube.Start(t.Context(), kube.Options{})
	if errors.Is(err, kube.ErrNotBuilt) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &catalogStage{T: t, cluster: cp, dir: filepath.Join(t.TempDir(), "access"),
		kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	s.must(cp.Kubeconfig(s.kubeconfig, cp.Admin()))
	s.must(os.CopyFS(s.dir, os.DirFS("../../testdata/accessrepo")))
	for _, other := range []string{"policies/app-config.yaml", "policies/node-triage.yaml",
		"policies/office-hours.yaml", "tests/office-hours.yaml", "policies/orders-scale.yaml",
		"policies/orders-incident.yaml", "policies/orders-sudo.yaml", "tests/orders-sudo.yaml",
		"policies/checkout-oncall.yaml", "policies/rotas/checkout.yaml", "tests/checkout-oncall.yaml",
		"catalog/prod-eu/node-triage.yaml",
		"catalog/prod-eu/orders-scaler.yaml"} { // these tests are about one role
		s.must(os.Remove(filepath.Join(s.dir, other)))
	}
	s.Forge, err = forge.Start(t.TempDir(), forge.Options{Contract: true})
	s.must(err)
	t.Cleanup(func() {
		s.Forge.Close()
		for _, v := range s.Violations() {
			t.Errorf("against GitHub's contract: %s", v)
		}
	})
	s.AddUser("root", 100)
	s.SetPermission("root", "admin")
	files := map[string]string{}
	for _, name := range []string{".github/CODEOWNERS", "policies/identities.yaml",
		"policies/groups.yaml", "policies/payments-debug.yaml", "policies/staging-logs.yaml"} {
		files[name] = s.read(name)
	}
	_, err = s.Seed(files, "Start", "root")
	s.must(err)
	return s
}

func (s *catalogStage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *catalogStage) read(name string) string {
	s.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	s.must(err)
	return string(data)
}

// role puts a ClusterRole into the cluster; rest is YAML beside its name.
func (s *catalogStage) role(name, rest string) {
	s.Helper()
	s.must(s.cluster.Apply(s.Context(), []byte("apiVersion: rbac.authorization.k8s.io/v1\nkind: "+
		"ClusterRole\nmetadata: {name: \""+name+"\"}\n"+rest+"\n")))
}

// run runs a command, which must end with that exit code, and returns what it says.
func (s *catalogStage) run(code int, args ...string) (stdout, stderr string) {
	s.Helper()
	var out, talk bytes.Buffer
	env := map[string]string{"GITHUB_API_URL": s.URL, "GITHUB_TOKEN": s.Token("root")}
	w := world{in: strings.NewReader(""), out: &out, err: &talk, env: func(name string) string {
		return env[name]
	}, now: time.Now}
	if got := Main(append([]string{program}, args...), w); got != code {
		s.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, &out, &talk)
	}
	return out.String(), talk.String()
}

func TestCatalog(t *testing.T) {
	s := newCatalogStage(t)
	const file = "catalog/prod-eu/payments-debug.yaml"
	asShown := `rules: [{apiGroups: [""], resources: [pods/log, events, pods], verbs: [watch, list, get]}]`
	catalog := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		return s.run(code, append([]string{"catalog", "--cluster", "prod-eu", "--kubeconfig",
			s.kubeconfig}, args...)...)
	}

	if _, talk := catalog(exitFindings, "--dir", s.dir); !strings.Contains(talk,
		"the cluster has no ClusterRole payments-debug, which a policy gives\n") {
		t.Errorf("of a role that is missing: %s", talk)
	}
	s.role("payments-debug", asShown)
	before := s.read(file)
	for _, check := range [][]string{{}, {"--check"}} {
		if out, talk := catalog(exitDone, append(check, "--dir", s.dir)...); out != "" ||
			!strings.Contains(talk, "the catalogue shows the roles of prod-eu as they are\n") ||
			s.read(file) != before {
			t.Errorf("of a role that is as it was, in another order: %s%s", out, talk)
		}
	}

	s.role("payments-debug", `rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [configmaps], resourceNames: [api], verbs: [get]}`)
	moved := file + ": changed\n  + configmaps named \"api\": get\n  - events: get, list, watch\n"
	if out, _ := catalog(exitFindings, "--check", "--dir", s.dir); out != moved ||
		s.read(file) != before {
		t.Errorf("checked: %s", out)
	}
	if out, _ := catalog(exitDone, "--dir", s.dir); out != moved {
		t.Errorf("written: %s", out)
	}
	s.run(exitDone, "validate", "--dir", s.dir)
	catalog(exitDone, "--check", "--dir", s.dir)

	s.role("payments-debug", `aggregationRule: {clusterRoleSelectors: [{matchLabels: {"no": such}}]}`)
	if out, _ := catalog(exitFindings, "--check", "--dir", s.dir); !strings.HasSuffix(out,
		"  aggregated: true\n") {
		t.Errorf("aggregated: %s", out)
	}

	s.must(os.WriteFile(filepath.Join(s.dir, "catalog/prod-eu/left.yaml"),
		[]byte("kind: RoleCatalog\n"), 0o600))
	if _, talk := catalog(exitFindings, "--check", "--dir", s.dir); !strings.Contains(talk,
		"note: catalog/prod-eu/left.yaml shows a role that no policy for prod-eu gives; remove it\n") {
		t.Errorf("of a file that is left: %s", talk)
	}
}

func TestCatalogOpensAPullRequest(t *testing.T) {
	s := newCatalogStage(t)
	s.role("acme:logs", `rules: [{apiGroups: [""], resources: [pods/log], verbs: [get]}]`)
	s.role("payments-debug", `rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]`)
	policy := strings.Replace(s.read("policies/payments-debug.yaml"), "        roleRef:",
		`        roleRef: {kind: ClusterRole, name: "acme:logs"}
      - kind: KubernetesRoleBinding
        defaultNamespace: payments
        allowedNamespaces: [payments]
        roleRef:`, 1)
	_, err := s.Push(forge.Change{User: "root", Message: "More",
		Files: map[string]string{"policies/payments-debug.yaml": policy}})
	s.must(err)

	args := []string{"catalog", "--cluster", "prod-eu", "--kubeconfig", s.kubeconfig, "--repo",
		"acme/access"}
	if out, _ := s.run(exitFindings, append(args,
		"--check")...); out != "catalog/prod-eu/acme+logs.yaml: new\n  + pods/log: "+
		"get\ncatalog/prod-eu/payments-debug.yaml: new\n  + pods: list\n" {
		t.Errorf("checked: %s", out)
	}
	out, _ := s.run(exitDone, args...)
	if !strings.HasSuffix(out, "/pull/1\n") {
		t.Errorf("opened: %s", out)
	}
	var pull struct{ Title, Body string }
	s.must(s.Do(s.Token("root"), "GET", "/repos/acme/access/pulls/1", nil, &pull))
	if pull.Title != "Catalogue: 2 roles of prod-eu" || !strings.HasPrefix(pull.Body,
		"```text\ncatalog/prod-eu/acme+logs.yaml: new\n") {
		t.Errorf("pull request %+v", pull)
	}
	if _, talk := s.run(exitFailed, args...); !strings.Contains(talk,
		"with the open pull request") {
		t.Errorf("for the second time: %s", talk)
	}
	_, err = s.Merge("root", 1)
	s.must(err)
	s.run(exitDone, append(args, "--check")...)

	s.Fail("GET", ".*/git/.*", -1, 500, "")
	if out, talk := s.run(exitFailed, append(args, "--check")...); out != "" ||
		!strings.Contains(talk, "GitHub is in trouble") {
		t.Errorf("of a repository that cannot be read: %s%s", out, talk)
	}
}
