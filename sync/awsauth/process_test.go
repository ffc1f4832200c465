package awsauth

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

func TestMain(m *testing.M) { controlplane.Main(m) }

const (
	alice = "arn:aws:iam::111122223333:user/alice"
	first = "20261123-alice-inc-1"
)

// world is a scene on EKS with the records of an agent that is not there.
type world struct {
	*scene.Scene
	config *rest.Config
	agent  *kube.Cluster
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := scene.New(t)
	w := &world{Scene: s, config: s.AWS()}
	var err error
	w.agent, err = kube.NewCluster(s.Agent, s.Cluster, 0, nil)
	s.Must(err)
	t.Cleanup(func() {
		_ = s.Admin.CoreV1().ConfigMaps(requests.AgentNamespace).DeleteCollection(
			context.WithoutCancel(t.Context()), metav1.DeleteOptions{},
			metav1.ListOptions{LabelSelector: "pullgrant.dev/request"})
	})
	return w
}

// record is one of a grant that begins at noon, as the agent saves it.
func (w *world) record(name, arn, user string, lasts time.Duration) *plan.Record {
	w.Helper()
	g := requests.Grant{Name: name, Path: requests.Path(w.Cluster, "payments-debug", name),
		Cluster: w.Cluster, Policy: "payments-debug", Requester: "alice", ARN: arn,
		Subject: requests.Subject{Kind: requests.KindUser, Name: user},
		Window:  requests.NewWindow(scene.Noon, requests.Duration(lasts)),
		Items: []requests.Item{{Kind: requests.KubernetesRoleBinding, Namespace: w.Namespace,
			Name: requests.ObjectName(name, 0),
			Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}}}
	r := &plan.Record{Phase: plan.Granted, Grant: g, Objects: plan.ObjectsOf(g, true)}
	for i := range r.Objects {
		r.Objects[i].UID, r.Objects[i].Content = "1", "sha256:1"
	}
	w.save(r)
	return r
}

func (w *world) save(r *plan.Record) {
	w.Helper()
	w.Must(w.agent.Save(w.Context(), r))
}

// process is one that nobody runs, with wire around its calls unless that is nil.
func (w *world) process(wire func(http.RoundTripper) http.RoundTripper) *Process {
	w.Helper()
	config := rest.CopyConfig(w.config)
	if wire != nil {
		config.Wrap(wire)
	}
	p, err := NewProcess(Config{Cluster: w.Cluster, Kubernetes: config, Clock: w.Clock,
		Version: "v1", Logger: slog.New(slog.NewJSONHandler(w.Log, nil))})
	w.Must(err)
	p.limits(w.Context())
	return p
}

// looks has a process look once, and it must work.
func (w *world) looks(p *Process) {
	w.Helper()
	if _, err := p.look(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// run runs a process until the test ends and returns the address that it serves on.
func (w *world) run() (address string) {
	w.Helper()
	p := w.process(nil)
	var err error
	p.server.Listener, err = (&net.ListenConfig{}).Listen(w.Context(), "tcp", "127.0.0.1:0")
	w.Must(err)
	address = "http://" + p.server.Listener.Addr().String()
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		w.Must(<-ended)
	})
	return address
}

func (w *world) get(url string) (status int, body string) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, http.NoBody)
	w.Must(err)
	response, err := http.DefaultClient.Do(request)
	w.Must(err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	w.Must(err)
	return response.StatusCode, string(data)
}

// shows waits until a metric has a value.
func (w *world) shows(address, metric, value string) {
	w.Helper()
	name, labels, _ := strings.Cut(metric, "{")
	if labels != "" {
		labels = "," + strings.TrimSuffix(labels, "}")
	}
	want := fmt.Sprintf("pullgrant_%s{cluster=%q%s} %s\n", name, w.Cluster, labels, value)
	w.Until(want, func() bool {
		_, body := w.get(address + "/metrics")
		return strings.Contains(body, want)
	})
}

// entry is that of somebody for a request.
func entry(arn, user, request string) string {
	return "- userarn: " + arn + " # pullgrant " + request + "\n  username: \"" + user + "\"\n"
}

// TestShapesInTheCluster: every shape of testdata/awsauth as the list of a cluster, whose fence
// lets through what is written: alice comes in with her grant and goes with it, and no other byte
// changes; where that cannot be, nothing is written and it is told.
func TestShapesInTheCluster(t *testing.T) {
	files, err := filepath.Glob("../../testdata/awsauth/*.yaml")
	if err != nil || len(files) < 16 {
		t.Fatalf("found %d shapes: %v", len(files), err)
	}
	w := newWorld(t)
	for _, file := range files {
		data, err := os.ReadFile(file)
		w.Must(err)
		var shape struct {
			MapUsers string `yaml:"mapUsers"`
			MapRoles string `yaml:"mapRoles"`
			Adds     string
			Refuses  string
		}
		w.Must(yaml.Unmarshal(data, &shape))
		others := strings.Contains(shape.MapUsers, "# pullgrant ")
		w.SetAWSAuth(shape.MapUsers, shape.MapRoles)
		r := w.record("20261127-alice-inc-1", alice, "alice@example.com", time.Hour)
		p := w.process(nil)
		_, err = p.look(t.Context())
		switch got := w.MapUsers(); {
		case shape.Refuses != "":
			if told := w.Log.String() + fmt.Sprint(err); got != shape.MapUsers ||
				!strings.Contains(strings.ReplaceAll(told, `\"`, `"`), shape.Refuses) {
				t.Errorf("%s: %v\n%s", file, err, got)
			}
		case err != nil:
			t.Errorf("%s: %v", file, err)
		case !others && got != shape.MapUsers+shape.Adds:
			t.Errorf("%s: %q, want %q", file, got, shape.MapUsers+shape.Adds)
		case others && !strings.Contains(got, shape.Adds):
			t.Errorf("%s: %q", file, got)
		}
		w.Must(w.agent.Forget(t.Context(), *r))
		if shape.Refuses != "" {
			continue
		}
		w.looks(p)
		if got := w.MapUsers(); !others && strings.TrimSuffix(got, "\n") !=
			strings.TrimSuffix(shape.MapUsers, "\n") ||
			strings.Contains(got, "# pullgrant ") {
			t.Errorf("%s: taken out it is %q", file, got)
		}
	}
}

// TestOverlap: one entry a person, for the grant that ends last, until the last of them is over,
// whichever way that ends.
func TestOverlap(t *testing.T) {
	w := newWorld(t)
	const foreign = "- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob\n"
	w.SetAWSAuth(foreign, "")
	address := w.run()
	w.Until("it is ready", func() bool {
		code, _ := w.get(address +
			"/readyz")
		return code == 200
	})
	is := func(what, want string) {
		t.Helper()
		w.Until(what, func() bool { return w.MapUsers() == want })
	}
	w.record(first, alice, "alice@example.com", time.Hour)
	is("alice is in", foreign+entry(alice, "alice@example.com", first))
	const second, third = "20261123-alice-inc-2", "20261123-alice-inc-3"
	longer := w.record(second, alice, "alice@example.com", 2*time.Hour)
	is("she is in for the longer one", foreign+entry(alice, "alice@example.com", second))
	longer.Phase, longer.Cause, longer.EndedAt = plan.Ended, requests.CauseRevoked,
		requests.At(w.Clock())
	w.save(longer)
	is("she is in for the other one again", foreign+entry(alice, "alice@example.com", first))
	w.record(third, alice, "alice@example.com", 90*time.Minute)
	is("she is in for the third", foreign+entry(alice, "alice@example.com", third))
	w.shows(address, "aws_auth_entries", "1")
	w.SetClock(scene.Noon.Add(time.Hour))
	w.SetClock(scene.Noon.Add(90*time.Minute - time.Second))
	select { // longer than it sleeps
	case <-t.Context().Done():
	case <-time.After(1500 * time.Millisecond):
	}
	is("she is in a second before her last end", foreign+entry(alice, "alice@example.com", third))
	w.SetClock(scene.Noon.Add(90 * time.Minute))
	is("nobody is left of hers", foreign)
	w.shows(address, "aws_auth_entries", "0")
	w.shows(address, "aws_auth_refused", "0")
	w.shows(address, "aws_auth_left", "0")
	w.shows(address, `last_error_timestamp_seconds{stage="aws-auth"}`, "0")
	w.shows(address, `aws_auth_build_info{version="v1"}`, "1")
	if code, body := w.get(address + "/healthz"); code != 200 ||
		!strings.Contains(body, "the loop that keeps aws-auth is running") {
		t.Errorf("healthz says %d %s", code, body)
	}
	if strings.Contains(w.Log.String(), `"level":"ERROR"`) {
		t.Error("it complains")
	}
}

// TestWanted: what has an entry is access that somebody has, or is about to have.
func TestWanted(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*plan.Record)
		in     bool
	}{
		"granted": {func(*plan.Record) {}, true},
		"announced": {func(r *plan.Record) { r.Phase = plan.Granting; r.Objects[1].UID = "" },
			true},
		"not announced yet": {func(r *plan.Record) {
			r.Phase = plan.Granting
			r.Objects[1].UID, r.Objects[1].Content = "", ""
		}, false},
		"ending":             {func(r *plan.Record) { r.Phase = plan.Ending }, false},
		"without ARN":        {func(r *plan.Record) { r.Grant.ARN = "" }, false},
		"of another cluster": {func(r *plan.Record) { r.Grant.Cluster = "another" }, false},
	} {
		r := w.record(first, alice, "alice@example.com", time.Hour)
		c.change(r)
		w.save(r)
		w.looks(w.process(nil))
		if in := w.MapUsers() != ""; in != c.in {
			t.Errorf("%s: in: %t, want %t", name, in, c.in)
		}
		w.Must(w.agent.Forget(t.Context(), *r))
	}
}

// TestWrittenAnew: somebody reads the list and writes it again, as eksctl does. The entry has lost
// its mark, so it is nobody's to take away: that is told, until somebody removes it.
func TestWrittenAnew(t *testing.T) {
	w := newWorld(t)
	address := w.run()
	r := w.record(first, alice, "alice@example.com", time.Hour)
	w.shows(address, "aws_auth_entries", "1")
	const anew = "- groups: []\n  userarn: " + alice + "\n  username: alice@example.com\n"
	w.SetAWSAuth(anew, "")
	r.Phase, r.Cause, r.EndedAt = plan.Ended, requests.CauseRevoked, requests.At(w.Clock())
	w.save(r)
	w.shows(address, "aws_auth_left", "1")
	w.shows(address, "aws_auth_entries", "0")
	if log := w.Log.String(); w.MapUsers() != anew || strings.Count(log,
		"it is a name without rights") != 1 || !strings.Contains(log, alice) {
		t.Errorf("%q", w.MapUsers())
	}
	w.SetAWSAuth("", "")
	w.Must(w.agent.Forget(t.Context(), *r)) // it looks when a record changes
	w.shows(address, "aws_auth_left", "0")
}

// TestRefused: somebody else gave the ARN another name. That is told, and others are let in.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	const theirs = "- userarn: " + alice + "\n  username: admin\n"
	w.SetAWSAuth(theirs, "")
	w.record(first, alice, "alice@example.com", time.Hour)
	w.record("20261123-bob-inc-1", "arn:aws:iam::111122223333:user/bob", "bob@example.com",
		time.Hour)
	address := w.run()
	w.shows(address, "aws_auth_refused", "1")
	w.shows(address, "aws_auth_entries", "1")
	if got, want := w.MapUsers(), theirs+entry("arn:aws:iam::111122223333:user/bob",
		"bob@example.com", "20261123-bob-inc-1"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if strings.Count(w.Log.String(), `to the user \"admin\"`) != 1 {
		t.Error("the log does not tell")
	}
}

// TestHasLittle: what its ServiceAccount may do is to keep that list, and nothing else.
func TestHasLittle(t *testing.T) {
	w := newWorld(t)
	c, err := kube.NewCluster(w.config, w.Cluster, 0, nil)
	w.Must(err)
	w.Until("its rights are in force and no more than rendered", func() bool {
		wrong, err := c.AWSLimits(t.Context())
		return err == nil && len(wrong) == 0
	})
	const account = "system:serviceaccount:pullgrant-system:pullgrant-aws"
	for _, not := range [][4]string{{"", "get", "secrets"}, {"", "create", "pods"},
		{"", "get", "configmaps"}, {"", "update", "configmaps", "aws-auth"},
		{"", "create", "serviceaccounts"}, {"", "impersonate", "users"},
		{"batch", "list", "jobs"},
		{"rbac.authorization.k8s.io", "list", "rolebindings"},
		{"rbac.authorization.k8s.io", "create", "rolebindings"},
		{"rbac.authorization.k8s.io", "bind", "clusterroles"}} {
		if w.May(account, not[0], not[1], not[2], not[3]) {
			t.Errorf("it may %s %s", not[1], not[2])
		}
	}
	for _, c := range []struct {
		namespace, verb, name string
		want                  bool
	}{{"kube-system", "get", "aws-auth", true}, {"kube-system", "update", "aws-auth", true},
		{"kube-system", "patch", "aws-auth", false}, {"kube-system", "delete", "aws-auth", false},
		{"kube-system", "get", "coredns", false}, {"kube-system", "list", "", false},
		{"kube-system", "create", "", false}, {"pullgrant-system", "list", "", true},
		{"pullgrant-system", "update", "", false}, {"pullgrant-system", "create", "", false}} {
		there := w.Namespace
		w.Namespace = c.namespace
		if got := w.May(account, "", c.verb, "configmaps", c.name); got != c.want {
			t.Errorf("it may %s ConfigMap %s in %s: %t", c.verb, c.name, c.namespace, got)
		}
		w.Namespace = there
	}
}
