package sync

import (
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

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/roles"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

func TestMain(m *testing.M) { controlplane.Main(m) }

// noon is when these tests begin.
var noon = scene.Noon

// stage is a scene with a GitHub that has an access repository.
type stage struct {
	*scene.Scene
	*forge.Forge

	mu       gosync.Mutex
	hubAhead time.Duration // what GitHub's clock is ahead of the others
}

var replicas atomic.Int32

func newStage(t *testing.T, change ...func(*forge.Options)) *stage {
	t.Helper()
	s := &stage{Scene: scene.New(t)}
	o := forge.Options{Contract: true,
		Now: func() time.Time { return s.Clock().Add(s.githubAhead()) }}
	for _, change := range change {
		change(&o)
	}
	var err error
	s.Forge, err = forge.Start(t.TempDir(), o)
	s.Must(err)
	t.Cleanup(func() {
		s.Forge.Close()
		for _, v := range s.Violations() {
			t.Errorf("contract: %s", v)
		}
	})
	s.furnish()
	return s
}

func (s *stage) githubAhead() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hubAhead
}

func (s *stage) setGitHubAhead(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hubAhead = by
}

// furnish fills the repository.
func (s *stage) furnish() {
	for i, login := range []string{"alice", "bob", "root"} {
		s.AddUser(login, int64(101+i), login+"@example.com")
		s.SetPermission(login, []string{"write", "write", "admin"}[i])
	}
	s.AddApp("pullgrant", 7001)
	s.AddApp("agent", 7002, "contents:write", "pull_requests:write", "members:read",
		"checks:read", "issues:write") // docs/setup.md
	s.Protect(s.protection())
	_, err := s.Seed(roles.Catalogue(roles.Debug(s.Cluster, s.Namespace), listsPods), "Start", "root")
	s.Must(err)
}

// protection is what docs/setup.md asks for, which only the agent's App and administrators bypass.
func (s *stage) protection() forge.Rules {
	rules := forge.DefaultRules()
	rules.Bypass = []string{"agent[bot]"}
	return rules
}

// allowed waits until alice may, or may not, list pods: the authorizer learns of bindings by a
// watch.
func (s *stage) allowed(want bool) {
	s.Helper()
	s.Until(fmt.Sprintf("alice may list pods: %t", want),
		func() bool { return s.May("alice@example.com", "", "list", "pods") == want })
}

func (s *stage) requestFile(slug string) (name, path, content string) {
	name = "20261123-alice-" + slug + "-" + strings.TrimPrefix(s.Cluster, "prod-")
	return name, requests.Path(s.Cluster, "payments-debug", name), fmt.Sprintf(
		`apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: %s}
spec:
  cluster: %s
  policy: payments-debug
  requester: alice
  reason: INC-123, checkout is slow
`, name, s.Cluster)
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
	s.Must(err)
	return sha
}

// pull opens a pull request of alice's with the files, has bob approve it when he is to, and merges
// it.
func (s *stage) pull(branch string, approved bool, files map[string]string) (number int) {
	s.Helper()
	_, err := s.Push(forge.Change{User: "alice", Branch: branch, Message: "Ask", Files: files})
	s.Must(err)
	number, err = s.Open("alice", branch, "Ask")
	s.Must(err)
	if approved {
		_, err = s.Review("bob", number, "APPROVE")
		s.Must(err)
	}
	_, err = s.Merge("root", number)
	s.Must(err)
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
	// of --repository-id
	repository int64
	awsAuth    bool // --aws-auth
	// of the API server's audit webhook
	audit net.Listener
	token string
	// of whom challenges ask
	answerers inquire.Answerers
	channels  *notify.Channels
}

// agent is a new process, as far as memory goes.
func (s *stage) agent(o options) *Agent {
	s.Helper()
	config := rest.CopyConfig(s.Agent)
	client := &http.Client{}
	if o.wire != nil {
		config.Wrap(o.wire)
		client.Transport = o.wire(http.DefaultTransport)
	}
	repository, err := git.NewRepository(s.CloneURL(), "main", func(context.Context) (
		string, string, error) {
		return "x-access-token", s.AppToken("agent"), nil
	}, client)
	s.Must(err)
	c := Config{Cluster: s.Cluster, Identity: fmt.Sprintf("replica-%d", replicas.Add(1)),
		Repository: repository, Kubernetes: config, Poll: cmp.Or(o.poll, 50*time.Millisecond),
		AWSAuth: o.awsAuth, Clock: s.Clock, Signer: o.signer, TrustRoot: o.root,
		RepositoryID: o.repository, Version: "v1.2.3", Listener: o.listen,
		WebhookSecret: []byte(o.secret), Audit: o.audit, AuditToken: []byte(o.token), Answerers: o.answerers,
		Channels: o.channels,
		Logger:   slog.New(slog.NewJSONHandler(s.Log, nil))}
	if o.github {
		c.GitHub, err = github.New(github.Config{APIURL: s.URL, Owner: "acme", Repo: "access",
			RepositoryID: o.repository, CheckApp: 7001, Clock: s.Clock,
			Token: func(context.Context) (string, error) { return s.AppToken("agent"), nil }})
		s.Must(err)
	}
	agent, err := NewAgent(c)
	s.Must(err)
	return agent
}

// once runs one pass of a new agent.
func (s *stage) once(o options) {
	s.Helper()
	s.Must(s.agent(o).Once(s.Context()))
}

// outlast has GitHub say for ten minutes that it knows of no pull request behind what was pushed:
// only then is that taken for an answer.
func (s *stage) outlast(a *Agent) {
	s.Helper()
	_ = a.Once(s.Context()) // an error says what waits
	s.SetClock(s.Clock().Add(patience))
}

// git runs git in the bare repository.
func (s *stage) git(args ...string) string {
	s.Helper()
	out, err := exec.Command("git",
		append([]string{"--git-dir", s.GitDir()}, args...)...).CombinedOutput()
	if err != nil {
		s.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// entry reads a ledger entry from main, and fails when it is not there, is malformed, or the
// request file still is.
func (s *stage) entry(name string) requests.Revocation {
	s.Helper()
	path := requests.RevocationPath(s.Cluster, name)
	r, findings := requests.ParseRevocation(path, []byte(s.git("show", "main:"+path)+"\n"))
	if len(findings) > 0 {
		s.Fatal(findings)
	}
	if left := s.git("ls-tree", "-r", "--name-only", "main", "requests/"+
		s.Cluster); strings.Contains(left,
		name) {
		s.Errorf("still on main: %s", left)
	}
	if n := s.git("rev-list", "--count", "main", "--", path); n != "1" {
		s.Errorf("%s commits touch the ledger entry of %s", n, name)
	}
	return r
}

// Records are those that matter: what is over and in the ledger only has its name held, until its window
// ends.
func (s *stage) Records() []corev1.ConfigMap {
	s.Helper()
	return slices.DeleteFunc(s.Scene.Records(), func(m corev1.ConfigMap) bool {
		_, named, _ := strings.Cut(m.Data["grant"], `"name":"`)
		name, _, _ := strings.Cut(named, `"`)
		return m.Data["phase"] == string(plan.Ended) && s.entered(name)
	})
}

// over is what must be true of a grant after its end: no access, no object, no state, one entry
// with that cause and code.
func (s *stage) over(name, cause, code string) requests.Revocation {
	s.Helper()
	s.allowed(false)
	if b := s.Bindings(); len(b) != 0 {
		s.Errorf("still there: %v", b)
	}
	if j := s.Jobs(); len(j) != 0 {
		s.Errorf("Jobs left: %v", j)
	}
	if r := s.Records(); len(r) != 0 {
		s.Errorf("records left: %v", r)
	}
	r := s.entry(name)
	if r.Status.Cause != cause || r.Status.Code != code {
		s.Errorf("the entry says %s %s, want %s %s", r.Status.Cause, r.Status.Code, cause, code)
	}
	return r
}
