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

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// TestSleeperLeavesTheLease: a replica that slept while another one took over leaves the Lease to that
// one when it wakes; one that ends gives its own up at once.
func TestSleeperLeavesTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := cluster.New(time.Now)
		defer api.Close()
		if err := api.Apply([]byte(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + Namespace +
			`}}`)); err != nil {
			t.Fatal(err)
		}
		var mu gosync.Mutex
		awake := make(chan struct{}) // closed while the replica a does not sleep
		close(awake)
		lead := func(name string) (stop func()) {
			c, err := NewCluster(&rest.Config{Host: "http://api.invalid", ContentConfig: rest.ContentConfig{
				ContentType: "application/json", AcceptContentTypes: "application/json"},
				Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if name == "a" {
						mu.Lock()
						now := awake
						mu.Unlock()
						<-now
					}
					if r.Body == nil {
						r.Body = http.NoBody
					}
					r.Header.Set(cluster.UserHeader, cluster.Admin)
					answer := httptest.NewRecorder()
					api.ServeHTTP(answer, r)
					return answer.Result(), nil
				})}, "prod-eu", 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				if err := c.Lead(ctx, name, slog.New(slog.DiscardHandler), func(term context.Context) {
					<-term.Done()
				}); err != nil {
					t.Error(err)
				}
			}()
			return func() { cancel(); <-done }
		}
		var holders []string
		api.Watch(func(e cluster.Event) {
			if e.Resource != "leases" {
				return
			}
			spec, _ := e.New.Object["spec"].(map[string]any)
			holder, _ := spec["holderIdentity"].(string)
			if len(holders) == 0 || holders[len(holders)-1] != holder {
				holders = append(holders, holder)
			}
		})
		stopA := lead("a")
		time.Sleep(10 * time.Second)
		mu.Lock()
		awake = make(chan struct{})
		mu.Unlock()
		stopB := lead("b")
		time.Sleep(5 * time.Minute)
		close(awake)
		time.Sleep(5 * time.Minute)
		stopA()
		stopB()
		if want := []string{"a", "b", ""}; !slices.Equal(holders, want) {
			t.Errorf("the Lease was held by %q, want %q", holders, want)
		}
	})
}
