package sync

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/forge"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

func TestMain(m *testing.M) { controlplane.Main(m) }

// noon is when these tests begin; nothing in them waits for a real clock.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// stage is a GitHub with an access repository, a namespace in a real cluster and a clock that all of them share.
type stage struct {
	*testing.T
	*forge.Forge
	admin     *kubernetes.Clientset
	agentRest *rest.Config
	cluster   string
	namespace string
	log       bytes.Buffer

	mu       gosync.Mutex
	now      time.Time
	apiAhead time.Duration // what the API server's clock is ahead of it
	hubAhead time.Duration // and what GitHub's is
}

var stages, replicas atomic.Int32

func newStage(t *testing.T) *stage {
	t.Helper()
	cp := controlplane.ForTest(t)
	n := stages.Add(1)
	s := &stage{T: t, now: noon, cluster: fmt.Sprintf("prod-%d", n), namespace: fmt.Sprintf("payments-%d", n)}
	var err error
	s.admin, err = kubernetes.NewForConfig(cp.Admin())
	s.must(err)
	s.makeNamespace()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "payments-debug"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}}
	if _, err := s.admin.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		s.must(err)
	}
	s.must(cp.Apply(t.Context(), controlplane.AgentManifests([]string{s.namespace}, []string{"payments-debug"})))
	err = s.admin.CoordinationV1().Leases(kube.Namespace).Delete(t.Context(), kube.LeaseName, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		s.must(err)
	}
	err = s.admin.CoreV1().ConfigMaps(kube.Namespace).Delete(t.Context(), kube.TrustName, metav1.DeleteOptions{})
	if !apierrors.IsNotFound(err) {
		s.must(err)
	}
	s.agentRest, err = cp.ServiceAccount(t.Context(), kube.Namespace, "pullgrant-agent")
	s.must(err)
	s.must(cp.AwaitFence(t.Context()))
	s.until("the agent's rights are in force", func() bool {
		const agent = "system:serviceaccount:pullgrant-system:pullgrant-agent"
		return s.may(agent, "rbac.authorization.k8s.io", "create", "rolebindings") && s.may(agent, "batch", "create", "jobs")
	})
	s.Forge, err = forge.Start(t.TempDir(), forge.Options{Contract: true, Now: func() time.Time { return s.clock().Add(s.ahead(&s.hubAhead)) }})
	s.must(err)
	t.Cleanup(func() {
		s.Forge.Close()
		for _, v := range s.Violations() {
			t.Errorf("contract: %s", v)
		}
		if t.Failed() {
			t.Logf("the agent's log:\n%s", s.log.String())
		}
	})
	s.furnish()
	return s
}

// furnish fills the repository.
func (s *stage) furnish() {
	for i, login := range []string{"alice", "bob", "root"} {
		s.AddUser(login, int64(101+i), login+"@example.com")
		s.SetPermission(login, []string{"write", "write", "admin"}[i])
	}
	s.AddApp("pullgrant", 7001)
	s.AddApp("agent", 7002, "contents:write", "pull_requests:write", "members:read") // docs/setup.md
	s.Protect(s.protection())
	_, err := s.Seed(map[string]string{
		".github/CODEOWNERS": "* @root\n/requests/ @bob\n",
		"policies/identities.yaml": `apiVersion: pullgrant.dev/v1alpha1
kind: IdentityMap
metadata: {name: identities}
spec:
  users:
    - {github: alice, githubID: 101, kubernetes: {username: alice@example.com}}
    - {github: bob, githubID: 102, kubernetes: {username: bob@example.com}}
`,
		"policies/payments-debug.yaml": fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: payments-debug}
spec:
  description: Debug the payments service
  clusters: [%s]
  subjects: [{kind: User, name: alice}]
  challenges: [{kind: CodeOwnerReview, count: 1}]
  target:
    defaultDuration: 1h
    maxDuration: 2h
    grants:
      - kind: KubernetesRoleBinding
        defaultNamespace: %s
        allowedNamespaces: [%[2]s]
        roleRef: {kind: ClusterRole, name: payments-debug}
`, s.cluster, s.namespace),
	}, "Start", "root")
	s.must(err)
}

// protection is what docs/setup.md asks for, which only the agent's App and administrators bypass.
func (s *stage) protection() forge.Rules {
	rules := forge.DefaultRules()
	rules.Bypass = []string{"agent[bot]"}
	return rules
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stage) setClock(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = at
}

func (s *stage) ahead(of *time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *of
}

func (s *stage) setAhead(of *time.Duration, by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*of = by
}

// until waits for what other processes do.
func (s *stage) until(what string, done func() bool) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			s.Fatalf("not so after 20 s: %s", what)
		}
		select {
		case <-s.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *stage) makeNamespace() {
	s.Helper()
	_, err := s.admin.CoreV1().Namespaces().Create(s.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, metav1.CreateOptions{})
	s.must(err)
}

// may asks the API server what a user may do in the namespace, with one object of that name where one is given.
func (s *stage) may(user, group, verb, resource string, name ...string) bool {
	s.Helper()
	review, err := s.admin.AuthorizationV1().SubjectAccessReviews().Create(s.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: s.namespace, Group: group, Verb: verb, Resource: resource, Name: strings.Join(name, "")}},
	}, metav1.CreateOptions{})
	s.must(err)
	return review.Status.Allowed
}

// allowed waits until alice may, or may not, list pods: the authorizer learns of bindings by a watch.
func (s *stage) allowed(want bool) {
	s.Helper()
	s.until(fmt.Sprintf("alice may list pods: %t", want), func() bool { return s.may("alice@example.com", "", "list", "pods") == want })
}

func (s *stage) requestFile(slug string) (name, path, content string) {
	name = "20261123-alice-" + slug + "-" + strings.TrimPrefix(s.cluster, "prod-")
	return name, requests.Path(s.cluster, "payments-debug", name), fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: %s}
spec:
  cluster: %s
  policy: payments-debug
  requester: alice
  reason: INC-123, checkout is slow
`, name, s.cluster)
}

// ask puts a request on main without a pull request, as far as git knows by alice and now.
func (s *stage) ask(slug string) (name string) {
	s.Helper()
	name, path, content := s.requestFile(slug)
	s.pushFiles("alice", "Ask", map[string]string{path: content})
	return name
}

func (s *stage) pushFiles(user, message string, files map[string]string) string {
	s.Helper()
	sha, err := s.Push(forge.Change{User: user, Message: message, Files: files})
	s.must(err)
	return sha
}

// pull opens a pull request of alice's with the files, has bob approve it when he is to, and merges it.
func (s *stage) pull(branch string, approved bool, files map[string]string) (number int) {
	s.Helper()
	_, err := s.Push(forge.Change{User: "alice", Branch: branch, Message: "Ask", Files: files})
	s.must(err)
	number, err = s.Open("alice", branch, "Ask")
	s.must(err)
	if approved {
		_, err = s.Review("bob", number, "APPROVE")
		s.must(err)
	}
	_, err = s.Merge("root", number)
	s.must(err)
	return number
}

// options of one agent.
type options struct {
	github bool // prove through GitHub; else the branch is the evidence
	signer *git.Signer
	wire   func(http.RoundTripper) http.RoundTripper // around Kubernetes and git
	root   string                                    // --trust-root
	poll   time.Duration                             // short when zero
	listen net.Listener
	secret string // of the webhook
}

// agent is a new process, as far as memory goes.
func (s *stage) agent(o options) *Agent {
	s.Helper()
	config := rest.CopyConfig(s.agentRest)
	client := &http.Client{}
	config.Wrap(dated(func() time.Time { return s.clock().Add(s.ahead(&s.apiAhead)) }))
	if o.wire != nil {
		config.Wrap(o.wire)
		client.Transport = o.wire(http.DefaultTransport)
	}
	repository, err := git.NewRepository(s.CloneURL(), "main", func(context.Context) (string, string, error) {
		return "x-access-token", s.AppToken("agent"), nil
	}, client)
	s.must(err)
	c := Config{Cluster: s.cluster, Identity: fmt.Sprintf("replica-%d", replicas.Add(1)), Repository: repository, Kubernetes: config, Poll: cmp.Or(o.poll, 50*time.Millisecond), Clock: s.clock, Signer: o.signer, TrustRoot: o.root,
		Version: "v1.2.3", Listener: o.listen, WebhookSecret: []byte(o.secret),
		Logger: slog.New(slog.NewJSONHandler(lockedWriter{s}, nil))}
	if o.github {
		c.GitHub, err = github.New(github.Config{APIURL: s.URL, Owner: "acme", Repo: "access",
			Token: func(context.Context) (string, error) { return s.AppToken("agent"), nil }, Clock: s.clock})
		s.must(err)
	}
	agent, err := NewAgent(c)
	s.must(err)
	return agent
}

// dated has answers tell the time of a clock.
func dated(clock func() time.Time) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil {
				response.Header.Set("Date", clock().UTC().Format(http.TimeFormat))
			}
			return response, err
		})
	}
}

type lockedWriter struct{ s *stage }

func (w lockedWriter) Write(p []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.log.Write(p)
}

// once runs one pass of a new agent.
func (s *stage) once(o options) {
	s.Helper()
	s.must(s.agent(o).Once(s.Context()))
}

// bindings lists what the agent has made in this cluster.
func (s *stage) bindings() []rbacv1.RoleBinding {
	s.Helper()
	list, err := s.admin.RbacV1().RoleBindings(s.namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"})
	s.must(err)
	return list.Items
}

// jobs lists the backstops that are left, but for those that are being deleted.
func (s *stage) jobs() []batchv1.Job {
	s.Helper()
	list, err := s.admin.BatchV1().Jobs(s.namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"})
	s.must(err)
	return slices.DeleteFunc(list.Items, func(j batchv1.Job) bool { return j.DeletionTimestamp != nil })
}

func (s *stage) records() []corev1.ConfigMap {
	s.Helper()
	list, err := s.admin.CoreV1().ConfigMaps(kube.Namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "pullgrant.dev/cluster=" + s.cluster})
	s.must(err)
	return list.Items
}

// git runs git in the bare repository.
func (s *stage) git(args ...string) string {
	s.Helper()
	out, err := exec.Command("git", append([]string{"--git-dir", s.GitDir()}, args...)...).CombinedOutput()
	if err != nil {
		s.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// entry reads a ledger entry from main, and fails when it is not there, is malformed, or the request file still is.
func (s *stage) entry(name string) requests.Revocation {
	s.Helper()
	path := requests.RevocationPath(s.cluster, name)
	r, findings := requests.ParseRevocation(path, []byte(s.git("show", "main:"+path)+"\n"))
	if len(findings) > 0 {
		s.Fatal(findings)
	}
	if left := s.git("ls-tree", "-r", "--name-only", "main", "requests/"+s.cluster); strings.Contains(left, name) {
		s.Errorf("still on main: %s", left)
	}
	if n := s.git("rev-list", "--count", "main", "--", path); n != "1" {
		s.Errorf("%s commits touch the ledger entry of %s", n, name)
	}
	return r
}

// over is what must be true of a grant after its end: no access, no object, no state, one entry with that cause and code.
func (s *stage) over(name, cause, code string) requests.Revocation {
	s.Helper()
	s.allowed(false)
	if b := s.bindings(); len(b) != 0 {
		s.Errorf("still there: %v", b)
	}
	if j := s.jobs(); len(j) != 0 {
		s.Errorf("Jobs left: %v", j)
	}
	if r := s.records(); len(r) != 0 {
		s.Errorf("records left: %v", r)
	}
	r := s.entry(name)
	if r.Status.Cause != cause || r.Status.Code != code {
		s.Errorf("the entry says %s %s, want %s %s", r.Status.Cause, r.Status.Code, cause, code)
	}
	return r
}
