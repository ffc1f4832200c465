package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/expiry"
	"github.com/pullgrant/pullgrant/sync/kube"
)

const ours = "system:serviceaccount:pullgrant-system:"

func (b bench) config(user string) *rest.Config {
	return &rest.Config{Host: "https://cluster.invalid", Transport: door{b.c, user},
		ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
}

// A grant lasts so long, and one is made so often.
const lasts, every = 10 * time.Minute, 20 * time.Minute

// grantOf is one that begins now.
func grantOf(name string) requests.Grant {
	return requests.Grant{Name: name, Path: requests.Path("prod-eu", "payments-debug", name),
		Cluster: "prod-eu", Policy: "payments-debug", Requester: "alice",
		Subject:  requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Duration: requests.Duration(lasts),
		Window:   requests.NewWindow(time.Now(), requests.Duration(lasts)),
		Evidence: requests.Evidence{Source: requests.EvidenceBranch,
			MergeCommit: "1111111111111111111111111111111111111111"},
		Items: []requests.Item{{Kind: requests.KubernetesRoleBinding,
			Name: requests.ObjectName(name, 0), Namespace: "payments",
			Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}}}
}

// give makes the Job and the binding of a grant as the agent does.
func give(b bench, agent *kube.Cluster, name string) {
	b.Helper()
	g := grantOf(name)
	job, err := render.Backstop(g, "payments", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	uid, err := agent.Create(b.Context(), &job)
	if err != nil {
		b.Fatal(err)
	}
	objects, err := render.Render(g)
	if err != nil {
		b.Fatal(err)
	}
	render.Own(objects[0], job.Name, uid)
	if _, err := agent.Create(b.Context(), objects[0]); err != nil {
		b.Fatal(err)
	}
}

// fiveGrants runs two replicas that lead, and two expirers, of the product's own code over a cluster
// with faults, and returns what came of bindings and Jobs.
func fiveGrants(b bench) (trace []string) {
	var mu sync.Mutex
	began := time.Now()
	b.c.Watch(func(e Event) {
		if e.Resource == "rolebindings" || e.Resource == "jobs" {
			what := e.Verb
			if e.New == nil {
				what = "gone"
			}
			mu.Lock()
			defer mu.Unlock()
			trace = append(trace, fmt.Sprintf("%s %s of %s %s by %s", e.At.Sub(began).Truncate(time.Second),
				what, e.Resource, nameOf(e), e.User[strings.LastIndex(e.User, ":")+1:]))
		}
	})
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	log := slog.New(slog.DiscardHandler)
	for n := range 2 { // one after the other: what happens at one moment has no order
		time.Sleep(time.Millisecond)
		process, err := expiry.NewProcess(expiry.Config{Cluster: "prod-eu", Clock: time.Now,
			Kubernetes: b.config(ours + render.Expirer), Version: "v1", Logger: log})
		if err != nil {
			b.Fatal(err)
		}
		running.Go(func() {
			if err := process.Run(ctx); err != nil {
				b.Error(err)
			}
		})
		agent, err := kube.NewCluster(b.config(ours+render.Agent), "prod-eu", kube.CallTimeout, nil)
		if err != nil {
			b.Fatal(err)
		}
		running.Go(func() {
			_ = agent.Lead(ctx, fmt.Sprint("replica-", n), log, func(term context.Context) {
				for i := 0; term.Err() == nil; i++ {
					give(b, agent, fmt.Sprintf("20261123-alice-inc-%d-%d", n, i))
					select {
					case <-term.Done():
					case <-time.After(every):
					}
				}
			})
		})
	}
	for _, wrong := range []func(){
		b.c.CutWatches,
		func() { b.c.Compact(); b.c.CutWatches() },
		func() { b.c.SetFaults(func(f *Faults) { f.NoGC, f.NoTTL = true, true }) },
		func() { b.c.SetFaults(func(f *Faults) { *f = Faults{WatchDelay: 10 * time.Second, StaleBy: 50} }) },
	} {
		time.Sleep(every - time.Minute)
		wrong()
		time.Sleep(time.Minute)
	}
	time.Sleep(every - time.Minute)
	stop()
	running.Wait()
	return trace
}

// TestProduct runs what the product has of Kubernetes against the cluster, in virtual time: every
// binding ends with its window, and two runs are alike.
func TestProduct(t *testing.T) {
	var runs [2][]string
	for i := range runs {
		synctest.Test(t, func(t *testing.T) {
			c := New(time.Now)
			defer c.Close()
			setUp(t, c.Apply)
			runs[i] = fiveGrants(bench{t, c, nil})
		})
	}
	given, ended := 0, 0
	for _, line := range runs[0] {
		if strings.Contains(line, " create of rolebindings ") {
			given++
		}
		due := time.Duration(ended)*every + lasts
		if strings.HasPrefix(line, due.String()+" gone of rolebindings ") {
			ended++
		}
	}
	if given != 5 || ended != given || !slices.Equal(runs[0], runs[1]) {
		t.Errorf("%d were made, %d ended in time; one run\n%s\nthe other\n%s", given, ended,
			strings.Join(runs[0], "\n"), strings.Join(runs[1], "\n"))
	}
}

// TestInstalled: what pullgrant install prints stands in the cluster as it is printed, so the agent
// finds its fence, and no right too many.
func TestInstalled(t *testing.T) {
	c := New(time.Now)
	defer c.Close()
	b := bench{t, c, nil}
	setUp(t, c.Apply)
	grants := grantOf("20261123-alice-inc-1").Items
	wanted := render.Install(render.Footprint{Cluster: "prod-eu", Image: "example.com/pullgrant:v1",
		Grants: grants})
	if err := c.Apply(render.YAML(wanted)); err != nil {
		t.Fatal(err)
	}
	live, err := kube.LiveFootprint(t.Context(), b.config(Admin), wanted)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range render.Compare(wanted, live) {
		t.Errorf("%s differs in %q", d, d.Fields)
	}
	agent, err := kube.NewCluster(b.config(ours+render.Agent), "prod-eu", kube.CallTimeout, nil)
	if err != nil {
		t.Fatal(err)
	}
	if stops, err := agent.Fence(t.Context()); len(stops) > 0 || err != nil {
		t.Errorf("the fence: %v, %v", stops, err)
	}
	if excess, stale, err := agent.Surplus(t.Context(), grants, grants); len(excess)+len(stale) > 0 ||
		err != nil {
		t.Errorf("rights too many: %v, stale: %v, %v", excess, stale, err)
	}
	if excess, _, err := agent.Surplus(t.Context(), nil, nil); len(excess) == 0 || err != nil {
		t.Errorf("rights that no policy gives: %v, %v", excess, err)
	}
}
