package sync

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

// TestGranted takes the scenarios of testdata/granted from a pull request to their end.
func TestGranted(t *testing.T) {
	files, err := filepath.Glob("../testdata/granted/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v: %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			g := newGiven(t, archive)
			signer := newSigner(t)
			proving := options{github: true, signer: signer}
			defer func() { // an audit finds nothing wrong with what the ledger says of it
				if t.Failed() {
					return
				}
				if rules := g.rules(signersOf(t, signer.AllowedSigner(g.Cluster)),
					g.Clock()); rules != "" {
					t.Errorf("the audit finds %s", rules)
				}
			}()
			name := g.asked()
			if code, message, _ := strings.Cut(g.section("refused"), " "); code != "" {
				g.refusedWith(proving, name, code, strings.TrimSpace(message))
				return
			}
			g.granted(proving)
			g.told()
			g.called(name, false)
			g.moved(name)
			g.SetClock(g.Clock().Add(time.Hour))
			g.once(proving)
			g.called(name, true)
			g.leftNothing(name, requests.CauseExpired)
		})
	}
}

// given is a stage with what a scenario says.
type given struct {
	*stage
	sections map[string]string
	named    map[string]string // pods of Deployments, by what the scenario calls them
	rights   []byte            // of the agent, as manifests
}

func (g *given) section(name string) string { return g.sections[name] }

func newGiven(t *testing.T, archive *txtar.Archive) *given {
	g := &given{stage: newStage(t), sections: map[string]string{}, named: map[string]string{}}
	for _, f := range archive.Files {
		g.sections[f.Name] = strings.ReplaceAll(string(f.Data), "NAMESPACE", g.Namespace)
	}
	for name, rules := range g.sections {
		if role, is := strings.CutPrefix(name, "role/"); is {
			g.role(role, rules)
		}
	}
	cp := controlplane.ForTest(t)
	if objects := g.section("objects"); objects != "" {
		g.Must(cp.Apply(t.Context(), []byte(objects)))
	}
	for line := range strings.Lines(g.section("pods")) {
		g.pods(strings.Fields(line))
	}
	g.AddTeam("squad-a", 11, "", "alice")
	g.AddTeam("squad-b", 12, "", "bob")
	within := func(indent, section string) string {
		return strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n"+indent)
	}
	people := cmp.Or(g.section("people"), "subjects: [{kind: User, name: alice}]\n"+
		"challenges: [{kind: CodeOwnerReview, count: 1}]")
	policy := fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: payments-debug}
spec:
  clusters: [%s]
  %s
  target:
    defaultDuration: 1h
    maxDuration: 2h
    %s
`, g.Cluster, within("  ", people), within("    ", g.section("target")))
	files := map[string]string{policies.Path("payments-debug"): policy}
	parsed, findings := policies.ParsePolicy(policies.Path("payments-debug"), []byte(policy))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	if roles := parsed.Roles(); len(roles) > 0 { // as pullgrant catalog does
		found, missing, err := kube.LiveRoles(t.Context(), cp.Admin(), g.Cluster, roles)
		g.Must(err)
		if len(missing) > 0 {
			t.Fatalf("missing roles: %v", missing)
		}
		for _, role := range found {
			data, err := role.Encode()
			g.Must(err)
			files[rbac.CatalogPath(g.Cluster, role.Spec.Role.Name)] = string(data)
		}
	}
	tree := policies.Tree{Files: map[string]policies.TreeFile{}}
	for path, content := range files {
		tree.Files[path] = policies.NewTreeFile(policies.PlainFile, "", []byte(content),
			int64(len(content)))
	}
	items, findings := tree.Grantable(g.Cluster) // as pullgrant install does
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	g.rights = render.YAML(render.Rights(render.Footprint{Grants: items}))
	g.Must(cp.Apply(t.Context(), g.rights))
	g.once(options{github: true}) // whose root these files follow
	g.manage("policy", files)
	g.Until("the agent's rights are in force", func() bool {
		const agent = "system:serviceaccount:pullgrant-system:pullgrant-agent"
		return g.May(agent, "batch", "create", "jobs")
	})
	return g
}

// role makes a ClusterRole.
func (g *given) role(name, text string) {
	g.Helper()
	var rules []rbac.RoleRule
	g.Must(yaml.Unmarshal([]byte(text), &rules))
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, r := range rules {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: r.APIGroups,
			Resources: r.Resources, ResourceNames: r.ResourceNames, Verbs: r.Verbs})
	}
	if _, err := g.Admin.RbacV1().ClusterRoles().Create(g.Context(), role,
		metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		g.Must(err)
	}
}

// asked opens, approves and merges the request.
func (g *given) asked() (name string) {
	g.Helper()
	name, path, content := g.requestFile("given")
	for line := range strings.Lines(g.section("request")) {
		content += "  " + line
	}
	g.pull(name, true, map[string]string{path: content})
	return name
}

// told is what the record of the only grant says that it gives.
func (g *given) told() {
	g.Helper()
	want := strings.TrimSpace(g.section("gives"))
	if want == "" {
		return
	}
	var grant requests.Grant
	g.Must(json.Unmarshal([]byte(g.Records()[0].Data["grant"]), &grant))
	var got []string
	for _, i := range grant.Items {
		got = append(got, i.String())
	}
	if strings.Join(got, "\n") != g.plain(want) {
		g.Errorf("it gives %q, want %q", got, want)
	}
}

// called makes the calls, while access lasts or after its end.
func (g *given) called(name string, ended bool) {
	g.Helper()
	for line := range strings.Lines(g.section("calls")) {
		g.expect(name, g.plain(line), ended)
	}
}

// expect makes one call, and waits for its answer.
func (g *given) expect(name, line string, ended bool) {
	g.Helper()
	fields := strings.Fields(line)
	as := fields[0] == "as"
	if as {
		fields = fields[1:]
	}
	want, err := strconv.Atoi(fields[2])
	g.Must(err)
	if ended {
		want = http.StatusForbidden
	}
	got, answer := 0, ""
	g.Until(fmt.Sprintf("%s is answered with %d", line, want), func() bool {
		got, answer = g.call(name, as, fields[0], fields[1])
		return got == want || got != http.StatusForbidden && want != http.StatusForbidden
	})
	if got != want {
		g.Errorf("%s: %d %s", line, got, answer)
	}
}

// call asks the API server as alice, or as the identity of a grant.
func (g *given) call(name string, as bool, method, path string) (int, string) {
	g.Helper()
	config := controlplane.ForTest(g.T).User("alice@example.com")
	if as {
		config.Impersonate.UserName = requests.Grant{Name: name}.User()
	}
	client, err := rest.HTTPClientFor(config)
	g.Must(err)
	body := ""
	if method == http.MethodPatch {
		body = `{"metadata": {"annotations": {"seen": "yes"}}}`
	}
	r, err := http.NewRequestWithContext(g.Context(), method, config.Host+path,
		strings.NewReader(body))
	g.Must(err)
	r.Header.Set("Content-Type", "application/merge-patch+json")
	response, err := client.Do(r)
	g.Must(err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	g.Must(err)
	return response.StatusCode, string(answer)
}

// refusedWith has the agent refuse the request, at once or after it was tried for a while.
func (g *given) refusedWith(o options, name, code, message string) {
	g.Helper()
	agent := g.agent(o)
	for range 2 {
		_ = agent.Once(g.Context()) // an error says what waits
		g.SetClock(g.Clock().Add(refusedFor))
	}
	if !strings.Contains(g.Log.String(), message) {
		g.Errorf("nothing says %q", message)
	}
	if r := g.leftNothing(name, requests.CauseDenied); r.Status.Code != code {
		g.Errorf("refused with %s, want %s", r.Status.Code, code)
	}
}

// leftNothing is what must be so after the end.
func (g *given) leftNothing(name, cause string) requests.Revocation {
	g.Helper()
	managed := metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"}
	g.Until("nothing is left in the cluster", func() bool {
		bindings, err := g.Admin.RbacV1().RoleBindings("").List(g.Context(), managed)
		g.Must(err)
		roles, err := g.Admin.RbacV1().Roles("").List(g.Context(), managed)
		g.Must(err)
		wide, err := g.Admin.RbacV1().ClusterRoleBindings().List(g.Context(), managed)
		g.Must(err)
		jobs, err := g.Admin.BatchV1().Jobs("").List(g.Context(), managed)
		g.Must(err)
		return len(bindings.Items)+len(roles.Items)+len(wide.Items)+len(jobs.Items) == 0
	})
	if records := g.Records(); len(records) != 0 {
		g.Errorf("records left: %v", records)
	}
	r := g.entry(name)
	if r.Status.Cause != cause {
		g.Errorf("the entry says %s, want %s", r.Status.Cause, cause)
	}
	return r
}
