package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/testdata/kube"
)

// replica is `pullgrant sync` as a process that can be ended and started again. Its way to the API
// server and that to GitHub, for API and git, lead over lines of its own.
type replica struct {
	s        *stage
	api, hub *line
	dir      string
	shell    string // run in a shell that runs this first

	mu    sync.Mutex
	child *kube.Child // nil before the first start
}

var replicas atomic.Int32

// newReplica prepares a replica; it is not running yet.
func (s *stage) newReplica() *replica {
	s.Helper()
	r := &replica{s: s, dir: filepath.Join(s.dir, fmt.Sprintf("replica-%d", replicas.Add(1)))}
	s.must(os.Mkdir(r.dir, 0o700))
	transport, err := rest.TransportFor(s.agentRest)
	s.must(err)
	r.api, r.hub = newLine(s, s.kube.URL, transport), newLine(s, s.forge.URL, http.DefaultTransport)
	s.must(s.kube.Kubeconfig(r.path("kubeconfig"), &rest.Config{Host: r.api.URL}))
	s.Cleanup(r.kill)
	return r
}

// startReplica runs a new replica.
func (s *stage) startReplica() *replica {
	s.Helper()
	r := s.newReplica()
	r.start()
	return r
}

// directly has the replica speak to the API server without a line between, for what is measured.
func (r *replica) directly() *replica {
	r.s.must(r.s.kube.Kubeconfig(r.path("kubeconfig"), r.s.agentRest))
	return r
}

func (r *replica) path(name string) string { return filepath.Join(r.dir, name) }

// command is the agent's command line.
func (r *replica) command(flags ...string) *exec.Cmd {
	args := append([]string{binary, "sync", "--cluster", cluster, "--evidence", r.s.evidence,
		"--repo-url", r.hub.URL + "/acme/access.git",
		"--kubeconfig", r.path("kubeconfig"), "--signing-key-file", filepath.Join(r.s.dir,
			"agent.key"), "--poll", "1s"}, append(slices.Clone(r.s.flags), flags...)...)
	if r.shell != "" {
		args = append([]string{"sh", "-c", r.shell + ` && exec "$0" "$@"`}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GITHUB_TOKEN="+r.s.forge.AppToken("pullgrant-agent"),
		"KUBECONFIG=", "GITHUB_API_URL=")
	if r.s.evidence == "github" {
		cmd.Env = append(cmd.Env, "GITHUB_API_URL="+r.hub.URL)
	}
	return cmd
}

func (r *replica) start() {
	r.s.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	cmd := r.command()
	cmd.Stderr = r.s.log // over a pipe: it has no file of its own
	var err error
	r.child, err = kube.StartChild(cmd)
	r.s.must(err)
}

func (r *replica) signal(signal syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.child.Signal(signal); err != nil {
		r.s.Error(err)
	}
}

// kill ends the process at once, as the kernel would.
func (r *replica) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.child == nil {
		return
	}
	if err := r.child.End(syscall.SIGKILL); err != nil {
		r.s.Error(err)
	}
}

// leads tells whether the process is the one that holds the Lease: whose identity ends with its
// number.
func (r *replica) leads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.child != nil && r.child.Running() && strings.HasSuffix(r.s.leader(), fmt.Sprintf("_%d",
		r.child.Pid()))
}

// killAt kills the process at its nth call of those that count: before it is sent, or after it was
// done and before the answer. The channel then has the call.
func (r *replica) killAt(n int32, after bool, counts func(*http.Request) bool) <-chan string {
	struck := make(chan string, 1)
	var calls atomic.Int32
	f := func(w http.ResponseWriter, call *http.Request, next http.Handler) {
		if !counts(call) || calls.Add(1) != n {
			next.ServeHTTP(w, call)
			return
		}
		if after && !call.URL.Query().Has("watch") {
			next.ServeHTTP(httptest.NewRecorder(), call)
		}
		r.kill()
		struck <- call.Method + " " + call.URL.Path
		panic(http.ErrAbortHandler)
	}
	r.api.harm(f)
	r.hub.harm(f)
	return struck
}

// heal ends the faults of both lines.
func (r *replica) heal() {
	r.api.heal()
	r.hub.heal()
}
