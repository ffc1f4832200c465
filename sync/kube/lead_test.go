package kube

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	gosync "sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// replicas are those of an agent, whose API server is in memory.
type replicas struct {
	*testing.T
	api *cluster.Cluster
	mu  gosync.Mutex
	// holders are those of the Lease, one after the other, and ended when each one's term was over last
	holders []string
	ended   map[string]time.Time
}

func newReplicas(t *testing.T) *replicas {
	s := &replicas{T: t, api: cluster.New(time.Now), ended: map[string]time.Time{}}
	if err := s.api.Apply([]byte(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + Namespace +
		`}}`)); err != nil {
		t.Fatal(err)
	}
	s.api.Watch(func(e cluster.Event) {
		if e.Resource != "leases" {
			return
		}
		spec, _ := e.New.Object["spec"].(map[string]any)
		holder, _ := spec["holderIdentity"].(string)
		if len(s.holders) == 0 || s.holders[len(s.holders)-1] != holder {
			s.holders = append(s.holders, holder)
		}
	})
	return s
}

// cluster is how one reaches the API server: a call and its answer wait as these say.
func (s *replicas) cluster(before, after func()) *Cluster {
	c, err := NewCluster(&rest.Config{Host: "http://api.invalid", ContentConfig: rest.ContentConfig{
		ContentType: "application/json", AcceptContentTypes: "application/json"},
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			before()
			if r.Body == nil {
				r.Body = http.NoBody
			}
			r.Header.Set(cluster.UserHeader, cluster.Admin)
			answer := httptest.NewRecorder()
			s.api.ServeHTTP(answer, r)
			after()
			return answer.Result(), nil
		})}, "prod-eu", 0, nil)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// lead has one lead as long as it may, until it is stopped.
func (s *replicas) lead(name string, before, after func()) (stop func()) {
	c := s.cluster(before, after)
	ctx, cancel := context.WithCancel(s.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := c.Lead(ctx, name, slog.New(slog.DiscardHandler), func(term context.Context) {
				<-term.Done()
				s.mu.Lock()
				defer s.mu.Unlock()
				s.ended[name] = time.Now()
			}); err != nil {
				s.Error(err)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// left tells how long after a time a term was over; zero: it is not.
func (s *replicas) left(name string, since time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.ended[name].Sub(since), 0)
}

func atOnce() {}

// sleep is what waits while one sleeps: from fall on, until wake.
func sleep() (wait, fall, wake func()) {
	var mu gosync.Mutex
	awake := make(chan struct{})
	close(awake)
	return func() {
			mu.Lock()
			now := awake
			mu.Unlock()
			<-now
		}, func() {
			mu.Lock()
			defer mu.Unlock()
			awake = make(chan struct{})
		}, func() { close(awake) }
}

// TestSleeperLeavesTheLease: a replica that slept while another one took over leaves the Lease to that
// one when it wakes, and does not lead beside it, also where an answer from before had still to be
// read; one that ends gives its own up at once.
func TestSleeperLeavesTheLease(t *testing.T) {
	for what, answers := range map[string]bool{"as it calls": false, "as it is answered": true} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newReplicas(t)
				defer s.api.Close()
				wait, fall, wake := sleep()
				before, after := wait, atOnce
				if answers {
					before, after = atOnce, wait
				}
				stopA := s.lead("a", before, after)
				time.Sleep(10 * time.Second)
				fall()
				stopB := s.lead("b", atOnce, atOnce)
				time.Sleep(5 * time.Minute)
				woke := time.Now()
				wake()
				time.Sleep(5 * time.Minute)
				if left := s.left("a", woke); left > time.Second {
					t.Errorf("a led beside b for %s", left)
				}
				stopA()
				stopB()
				if want := []string{"a", "b", ""}; !slices.Equal(s.holders, want) {
					t.Errorf("the Lease was held by %q, want %q", s.holders, want)
				}
			})
		})
	}
}

// TestLateCreatedLease: a replica that hears long after that it created the Lease does not lead by it
// beside another.
func TestLateCreatedLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplicas(t)
		defer s.api.Close()
		answers := 0
		stopA := s.lead("a", atOnce, func() {
			if answers++; answers == 2 { // to Get, then to Create
				time.Sleep(5 * time.Minute)
			}
		})
		defer stopA()
		time.Sleep(time.Second)
		defer s.lead("b", atOnce, atOnce)()
		time.Sleep(10 * time.Minute)
		if left := s.left("a", time.Time{}); left != 0 {
			t.Error("a led beside b")
		}
		if want := []string{"a", "b"}; !slices.Equal(s.holders, want) {
			t.Errorf("the Lease was held by %q, want %q", s.holders, want)
		}
	})
}

// TestTakenLease: a replica from which somebody took the Lease stops as soon as it finds that out.
func TestTakenLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newReplicas(t)
		defer s.api.Close()
		stop := s.lead("a", atOnce, atOnce)
		defer stop()
		time.Sleep(10*time.Second + retryPeriod/2)
		if _, err := s.cluster(atOnce, atOnce).coordination.Leases(Namespace).Patch(t.Context(), LeaseName,
			types.MergePatchType, []byte(`{"spec": {"holderIdentity": "b"}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		taken := time.Now()
		time.Sleep(time.Minute)
		if left := s.left("a", taken); left == 0 || left > retryPeriod {
			t.Errorf("a led on for %s, and looks every %s", left, retryPeriod)
		}
	})
}
