package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/pipeline"
)

const (
	cluster   = pipeline.Cluster
	namespace = pipeline.Namespace
	policy    = pipeline.Policy
	system    = requests.AgentNamespace
	lease     = "pullgrant-agent"

	window = 5 * time.Minute // of a request; most begin in the past, so that they end soon
)

// stage is a cluster that one test has to itself, with a GitHub of its own.
type stage struct {
	testing.TB
	forge     *forge.Forge
	kube      *kube.ControlPlane
	admin     *kubernetes.Clientset
	agentRest *rest.Config
	evidence  string
	window    time.Duration // of each request
	flags     []string      // of replicas, beside those of all
	from      string        // the commit that the branches of requests begin at; empty: the tip of main
	dir       string
	bindings  *watcher
	log       *log // of all replicas

	mu    sync.Mutex
	clock func() time.Time // GitHub's
}

// newStage makes a stage with an empty cluster. evidence is the agents' --evidence; files stand in
// the access repository in the place of its own.
func newStage(t testing.TB, evidence string, files map[string]string) *stage {
	t.Helper()
	s := &stage{TB: t, kube: takeControlPlane(t), evidence: evidence, window: window,
		dir: t.TempDir(), bindings: &watcher{seen: map[types.UID]*binding{}}, log: &log{},
		clock: time.Now}
	var err error
	s.admin, err = kubernetes.NewForConfig(s.kube.Admin())
	s.must(err)
	s.agentRest, err = pipeline.PrepareCluster(t.Context(), s.kube)
	s.must(err)
	s.clear()
	s.must(pipeline.WriteKey(s.dir))
	s.forge, err = pipeline.StartForge(filepath.Join(s.dir, "forge"), forge.Options{Now: s.hubTime},
		files)
	s.must(err)
	t.Cleanup(s.forge.Close)
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { s.bindings.run(ctx, s.admin) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
		if t.Failed() {
			t.Logf("the agents' log:\n%s", s.log)
		}
	})
	return s
}

// clear removes what the test before left.
func (s *stage) clear() {
	s.Helper()
	background := metav1.DeletePropagationBackground
	gone := metav1.DeleteOptions{PropagationPolicy: &background}
	s.must(s.admin.RbacV1().RoleBindings(namespace).DeleteCollection(s.Context(), gone, managed))
	s.must(s.admin.BatchV1().Jobs(namespace).DeleteCollection(s.Context(), gone, managed))
	s.must(s.admin.CoreV1().ConfigMaps(system).DeleteCollection(s.Context(), gone,
		metav1.ListOptions{}))
	s.must(s.admin.CoordinationV1().Leases(system).DeleteCollection(s.Context(), gone,
		metav1.ListOptions{}))
	s.until("nothing is left of the test before", func() bool { return s.left() == "" })
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// until waits for what other processes do.
func (s *stage) until(what string, done func() bool) {
	s.Helper()
	s.untilAfter(time.Now(), what, done)
}

// patience is how long a test waits for what must happen. It tells what is stuck from what is slow,
// and is no bound for anything.
const patience = 3 * time.Minute

// untilAfter is until for what need not happen before begin.
func (s *stage) untilAfter(begin time.Time, what string, done func() bool) {
	s.Helper()
	deadline := time.Now().Add(patience)
	if late := begin.Add(patience); late.After(deadline) {
		deadline = late
	}
	for !done() {
		if time.Now().After(deadline) {
			s.Fatalf("not so after %s: %s", patience, what)
		}
		s.wait(20 * time.Millisecond)
	}
}

// wait lets time pass.
func (s *stage) wait(d time.Duration) {
	select {
	case <-s.Context().Done():
	case <-time.After(d):
	}
}

func (s *stage) hubTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock()
}

// setHubTime has GitHub's clock be that one.
func (s *stage) setHubTime(clock func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = clock
}

// log is what processes write.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// has tells whether that text was written since the last reset.
func (l *log) has(text string) bool { return strings.Contains(l.String(), text) }

func (l *log) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// asked is one request.
type asked struct {
	name string
	end  time.Time // of its window
}

// ask merges a request of alice's whose window ends after about life, a whole second. On
// --evidence=github bob approves it.
func (s *stage) ask(slug string, life time.Duration) asked {
	s.Helper()
	return s.askAll(life, slug)[0]
}

// askAll merges several requests at once, whose windows end in the same second; with a pull request
// there can be only one.
func (s *stage) askAll(life time.Duration, slugs ...string) (all []asked) {
	s.Helper()
	end := time.Now().Add(life).Truncate(time.Second)
	start := end.Add(-s.window)
	change := forge.Change{User: "alice", Message: "Ask", Files: map[string]string{}}
	for _, slug := range slugs {
		a := asked{name: "20261122-alice-" + slug, end: end}
		change.Files[requests.Path(cluster, policy, a.name)] = fmt.Sprintf(
			`apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: %s}
spec:
  cluster: %s
  policy: %s
  requester: alice
  duration: %s
  reason: INC-123, checkout is slow
`, a.name, cluster, policy, requests.Duration(s.window))
		all = append(all, a)
	}
	if s.evidence == "branch" {
		change.Committer = &forge.Identity{Name: "alice", Email: "alice@example.com", When: start}
		_, err := s.forge.Push(change)
		s.must(err)
		return all
	}
	s.setHubTime(func() time.Time { return start })
	defer s.setHubTime(time.Now)
	change.Branch, change.From = slugs[0], s.from
	_, err := s.forge.Push(change)
	s.must(err)
	number, err := s.forge.Open("alice", change.Branch, "Ask")
	s.must(err)
	_, err = s.forge.Review("bob", number, "APPROVE")
	s.must(err)
	_, err = s.forge.Merge("dave", number)
	s.must(err)
	return all
}

// withdraw takes the request file off main; with --evidence=github alice asks for that, which is
// enough.
func (s *stage) withdraw(a asked) {
	s.Helper()
	change := forge.Change{User: "alice", Message: "Give back",
		Files: map[string]string{requests.Path(cluster, policy, a.name): forge.Removed}}
	if s.evidence == "github" {
		change.Branch, change.From = "back-"+a.name, "main"
	}
	_, err := s.forge.Push(change)
	s.must(err)
	if s.evidence == "github" {
		_, err = s.forge.Open("alice", change.Branch, "Give back")
		s.must(err)
	}
}

// live is a request that is granted, with half of about life left. Where the machine is too slow for
// that, another one is asked for, with twice the life.
func (s *stage) live(slug string, life time.Duration) asked {
	s.Helper()
	for {
		a := s.ask(slug, life)
		s.until(a.name+" is granted or over", func() bool {
			return len(s.bindings.of(a.name)) > 0 || s.entered(a)
		})
		if len(s.bindings.of(a.name)) > 0 && time.Until(a.end) > life/2-time.Second {
			return a
		}
		s.over(a)
		slug, life = slug+"-again", 2*life
	}
}

// granted waits until the request's binding is there.
func (s *stage) granted(a asked) {
	s.Helper()
	s.until(a.name+" is granted", func() bool { return len(s.bindings.of(a.name)) > 0 })
}

// gone waits until the request's binding is there no more.
func (s *stage) gone(a asked) {
	s.Helper()
	s.untilAfter(a.end, a.name+" has ended", func() bool {
		all := s.bindings.of(a.name)
		return len(all) > 0 && !all[0].went.IsZero()
	})
}

// ungranted fails when the request was given access.
func (s *stage) ungranted(a asked) {
	s.Helper()
	if all := s.bindings.of(a.name); len(all) > 0 {
		s.Errorf("%s was granted at %s", a.name, all[0].came)
	}
}

// late is how long after its end access went.
func (s *stage) late(a asked) time.Duration {
	s.Helper()
	all := s.bindings.of(a.name)
	if len(all) != 1 || all[0].went.IsZero() {
		s.Fatalf("%s had these bindings: %+v", a.name, all)
	}
	return all[0].went.Sub(a.end).Round(time.Millisecond)
}

// may asks the API server whether alice may list pods.
func (s *stage) may() bool {
	s.Helper()
	review, err := s.admin.AuthorizationV1().SubjectAccessReviews().Create(s.Context(),
		&authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: pipeline.Alice,
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: "list", Resource: "pods"}},
		}, metav1.CreateOptions{})
	s.must(err)
	return review.Status.Allowed
}

// git runs git in GitHub's repository.
func (s *stage) git(args ...string) string {
	s.Helper()
	out, err := exec.Command("git", append([]string{"--git-dir", s.forge.GitDir()},
		args...)...).CombinedOutput()
	if err != nil {
		s.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// entered tells whether the ledger has the request.
func (s *stage) entered(a asked) bool {
	s.Helper()
	return s.git("ls-tree", "--name-only", "main", requests.RevocationPath(cluster, a.name)) != ""
}

func (s *stage) leader() string {
	s.Helper()
	l, err := s.admin.CoordinationV1().Leases(system).Get(s.Context(), lease, metav1.GetOptions{})
	if err != nil || l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

// freeLease does what the fifteen seconds do after which others take over from a leader that was
// killed.
func (s *stage) freeLease() {
	s.Helper()
	_, err := s.admin.CoordinationV1().Leases(system).Patch(s.Context(), lease,
		types.MergePatchType,
		[]byte(`{"spec":{"holderIdentity":""}}`), metav1.PatchOptions{})
	if err != nil && s.leader() != "" {
		s.Fatal(err)
	}
}

// left lists what agents have in the cluster.
func (s *stage) left() string {
	s.Helper()
	var all []string
	bindings, err := s.admin.RbacV1().RoleBindings("").List(s.Context(), managed)
	s.must(err)
	for _, b := range bindings.Items {
		all = append(all, "RoleBinding "+b.Name)
	}
	jobs, err := s.admin.BatchV1().Jobs("").List(s.Context(), managed)
	s.must(err)
	for _, j := range jobs.Items {
		all = append(all, "Job "+j.Name)
	}
	records, err := s.admin.CoreV1().ConfigMaps(system).List(s.Context(),
		metav1.ListOptions{LabelSelector: "pullgrant.dev/request"})
	s.must(err)
	for _, m := range records.Items {
		if !s.holdsName(m) {
			all = append(all, "record "+m.Name)
		}
	}
	return strings.Join(all, ", ")
}

// holdsName tells a record that has nothing to do any more but to hold the name of what is over and in
// the ledger, until the window of that ends.
func (s *stage) holdsName(m corev1.ConfigMap) bool {
	s.Helper()
	var grant requests.Grant
	s.must(json.Unmarshal([]byte(m.Data["grant"]), &grant))
	return m.Data["phase"] == string(plan.Ended) && s.entered(asked{name: grant.Name})
}

// latest is how long after its end the last of those went that were granted.
func (s *stage) latest(all []asked) (most time.Duration) {
	s.Helper()
	for _, a := range all {
		if len(s.bindings.of(a.name)) > 0 {
			most = max(most, s.late(a))
		}
	}
	return most
}
