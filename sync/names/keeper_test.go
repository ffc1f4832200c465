package names_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/names"
	"github.com/pullgrant/pullgrant/sync/plan"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
)

func TestMain(m *testing.M) { controlplane.Main(m) }

const namespace = "names-kept"

// kept is the record of a grant of pods named nginx-*, as made has it.
func kept(tb testing.TB, cp *controlplane.ControlPlane, slug string) (*kube.Cluster, plan.Record) {
	tb.Helper()
	return made(tb, cp, slug, requests.Item{Kind: requests.KubernetesResourceRole,
		Resources: []string{"pods/nginx-*"},
		Role:      requests.Role{Kind: requests.KindClusterRole, Name: "view"},
		Allows: []requests.Rule{{Resource: "pods", Verbs: []string{"get"},
			Match: []requests.Match{{Pattern: "nginx-*", Within: []string{"*"}}}}}})
}

// made is the record of a grant whose Role the agent made, under its own rights and its fence.
func made(tb testing.TB, cp *controlplane.ControlPlane, slug string,
	item requests.Item) (*kube.Cluster, plan.Record) {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	name := "20261123-alice-" + slug
	item.Namespace, item.Name = namespace, requests.ObjectName(name, 0)
	grant := requests.Grant{Name: name, Path: requests.Path("prod-eu", "pods", name),
		Cluster: "prod-eu", Policy: "pods", Requester: "alice",
		Subject: requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Window:  requests.NewWindow(time.Now(), requests.Duration(time.Hour)),
		Evidence: requests.Evidence{Source: requests.EvidenceBranch,
			MergeCommit: "1111111111111111111111111111111111111111"},
		Items: []requests.Item{item}}
	must(cp.Apply(tb.Context(), slices.Concat([]byte("apiVersion: v1\nkind: "+
		"Namespace\nmetadata: {name: "+
		namespace+"}\n---\n"), render.YAML(render.Fence()), []byte("---\n"),
		render.YAML(render.Rights(render.Footprint{Grants: grant.Items})))))
	must(cp.AwaitFence(tb.Context()))
	agent, err := cp.ServiceAccount(tb.Context(), "pullgrant-system", render.Agent)
	must(err)
	cluster, err := kube.NewCluster(agent, "prod-eu", 0, nil)
	must(err)
	r := plan.Record{Phase: plan.Granted, Grant: grant, Objects: plan.ObjectsOf(grant, true)}
	objects, err := render.Render(grant)
	must(err)
	job, err := render.Backstop(grant, namespace, time.Now())
	must(err)
	create := func(o render.Object) (uid string) {
		tb.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if uid, err = cluster.Create(tb.Context(), o); err == nil ||
				time.Now().After(deadline) {
				must(err) // until its rights are in force
				return uid
			}
		}
	}
	r.Objects[0].UID = create(&job)
	for i, o := range objects {
		render.Own(o, requests.ObjectName(name, 0), r.Objects[0].UID)
		r.Made(i).UID, r.Made(i).Content = create(o), kube.Content(o)
	}
	return cluster, r
}

// BenchmarkNames has pods that match come and go, one at a time, and measures until the one who has
// access can reach each, and cannot any more.
func BenchmarkNames(b *testing.B) {
	const n = 100
	cp := controlplane.ForTest(b)
	cluster, record := kept(b, cp, "bench")
	ctx, cancel := context.WithCancel(b.Context())
	keeper := names.NewKeeper(cluster, time.Now, slog.New(slog.DiscardHandler))
	wait := keeper.Begin(ctx)
	defer func() { cancel(); wait() }()
	keeper.Follow([]plan.Record{record})
	admin, err := kubernetes.NewForConfig(cp.Admin())
	if err != nil {
		b.Fatal(err)
	}
	user := cp.User("alice@example.com")
	user.QPS = -1 // no limit of its own
	alice, err := kubernetes.NewForConfig(user)
	if err != nil {
		b.Fatal(err)
	}
	pods := admin.CoreV1().Pods(namespace)
	until := func(name string, reached bool) time.Duration {
		begin := time.Now()
		for time.Since(begin) < 20*time.Second {
			_, err := alice.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
			if (err == nil) == reached && (reached || apierrors.IsForbidden(err)) {
				return time.Since(begin)
			}
		}
		_, err := alice.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		b.Fatalf("%s is reached: %t is not so: %v %v", name, reached, err, keeper.Problems())
		return 0
	}
	var came, went []time.Duration
	for i := range n {
		name := fmt.Sprintf("nginx-bench-%d", i)
		if _, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}},
			metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
		came = append(came, until(name, true))
		time.Sleep(150 * time.Millisecond) // so that none waits for the round of another
		if err := pods.Delete(ctx, name, *metav1.NewDeleteOptions(0)); err != nil {
			b.Fatal(err)
		}
		went = append(went, until(name, false))
		time.Sleep(150 * time.Millisecond)
	}
	for what, times := range map[string][]time.Duration{"came": came, "went": went} {
		slices.Sort(times)
		for at, i := range map[string]int{"p50": n / 2, "p95": n * 95 / 100, "max": n - 1} {
			b.ReportMetric(float64(times[i].Microseconds())/1000, "ms-"+what+"-"+at)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// TestOnlyWhatWasMade: the keeper changes no Role but those of the grants it follows, as they were
// made.
func TestOnlyWhatWasMade(t *testing.T) {
	cp := controlplane.ForTest(t)
	cluster, record := kept(t, cp, "made")
	keeper := names.NewKeeper(cluster, time.Now, slog.New(slog.DiscardHandler))
	found := names.Found{{Namespace: namespace, Kind: "pods"}: {{Name: "nginx-1"},
		{Name: "api-1"}}}
	for what, spoil := range map[string]func(o *plan.Object){
		"another UID":   func(o *plan.Object) { o.UID = "1" },
		"other content": func(o *plan.Object) { o.Content = "1" },
		"no UID":        func(o *plan.Object) { o.UID = "" },
	} {
		other := record
		other.Objects = slices.Clone(record.Objects)
		spoil(other.Made(0))
		if err := keeper.Fill(t.Context(), other, found); err == nil {
			t.Errorf("%s: it is filled", what)
		}
	}
	if err := keeper.Fill(t.Context(), record, found); err != nil {
		t.Fatal(err)
	}
	if got := roleOf(t, cp, record).Rules[0].ResourceNames; !slices.Equal(got, []string{"-", "nginx-1"}) {
		t.Errorf("the Role has the names %q", got)
	}
	if matched, err := cluster.Matched(t.Context(), record.Grant.Items[0]); err != nil ||
		!slices.Equal(matched, []string{"nginx-1"}) {
		t.Errorf("told is %q: %v", matched, err)
	}
}

// TestReleasedPod: a pod that its ReplicaSet controls no more is none of the Deployment's, though
// nothing comes or goes with that. The ReplicaSet is on its way out here, so that it neither takes
// it back nor makes another one.
func TestReleasedPod(t *testing.T) {
	cp := controlplane.ForTest(t)
	e := requests.Exec{Deployment: "nginx", Container: "app", Command: []string{"date"}}
	cluster, record := made(t, cp, "released", requests.Item{Kind: requests.KubernetesExec, Exec: &e,
		Allows: e.Rules("app")})
	if err := cp.Apply(t.Context(), []byte(nginx)); err != nil {
		t.Fatal(err)
	}
	admin, err := kubernetes.NewForConfig(cp.Admin())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	keeper := names.NewKeeper(cluster, time.Now, slog.New(slog.DiscardHandler))
	wait := keeper.Begin(ctx)
	defer func() { cancel(); wait() }()
	keeper.Follow([]plan.Record{record})
	until := func(what string, within time.Duration, is func() bool) {
		t.Helper()
		for begin := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Since(begin) > within {
				t.Fatalf("not so after %s: %s: %v", within, what, keeper.Problems())
			}
		}
	}
	commands := func() []string { return roleOf(t, cp, record).Rules[2].ResourceNames }
	until("one pod is reached", time.Minute, func() bool { return len(commands()) == 2 })
	sets, err := admin.AppsV1().ReplicaSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(sets.Items) != 1 {
		t.Fatalf("%v, %v", sets, err)
	}
	set := sets.Items[0].Name
	if _, err := admin.AppsV1().ReplicaSets(namespace).Patch(ctx, set, types.MergePatchType,
		[]byte(`{"metadata": {"finalizers": ["example.com/hold"]}}`),
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := admin.AppsV1().ReplicaSets(namespace).Delete(ctx, set,
		metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // until all that comes of it came
	pod, _, _ := strings.Cut(commands()[1], "/")
	if _, err := admin.CoreV1().Pods(namespace).Patch(ctx, pod, types.MergePatchType,
		[]byte(`{"metadata": {"ownerReferences": null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	until("it is reached no more", 5*time.Second, func() bool { return len(commands()) == 1 })
}

const nginx = `apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx, namespace: ` + namespace + `}
spec:
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec: {containers: [{name: app, image: app}]}
`

func roleOf(t *testing.T, cp *controlplane.ControlPlane, r plan.Record) *rbacv1.Role {
	t.Helper()
	admin, err := kubernetes.NewForConfig(cp.Admin())
	if err != nil {
		t.Fatal(err)
	}
	role, err := admin.RbacV1().Roles(namespace).Get(t.Context(), r.Grant.Items[0].Name,
		metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return role
}
