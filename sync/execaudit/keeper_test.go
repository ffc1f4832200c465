package execaudit

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/grants"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestKeeperOutlastsTheAPIServer: a use of a grant for a single one ends it also when Kubernetes answers
// nobody for a minute after the agent was told, and is tried once a second until then.
func TestKeeperOutlastsTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := cluster.New(time.Now)
		defer api.Close()
		if err := api.Apply([]byte(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + kube.Namespace +
			`}}`)); err != nil {
			t.Fatal(err)
		}
		var down atomic.Bool
		var refused atomic.Int32
		c, err := kube.NewCluster(&rest.Config{Host: "http://api.invalid", ContentConfig: rest.ContentConfig{
			ContentType: "application/json", AcceptContentTypes: "application/json"},
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if down.Load() {
					refused.Add(1)
					return nil, errors.New("connection refused")
				}
				if r.Body == nil {
					r.Body = http.NoBody
				}
				r.Header.Set(cluster.UserHeader, cluster.Admin)
				if r.URL.Query().Get("watch") != "" {
					answer, _ := api.Stream(r)
					return answer, nil
				}
				answer := httptest.NewRecorder()
				api.ServeHTTP(answer, r)
				return answer.Result(), nil
			})}, "prod-eu", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		g := grants.Of("once", 1, 1)
		g.Window = requests.NewWindow(time.Now(), requests.Duration(time.Hour))
		g.Items[0] = requests.Item{Kind: requests.KubernetesExec, Name: requests.ObjectName(g.Name, 0),
			Namespace: "payments", Once: true,
			Exec: &requests.Exec{Pod: "api-1", Container: "app", Command: []string{"date"}}}
		objects := plan.ObjectsOf(g, true)
		for i := range objects {
			objects[i].UID = "u"
		}
		if err := c.Save(t.Context(), &plan.Record{Phase: plan.Granted, Grant: g, Objects: objects}); err != nil {
			t.Fatal(err)
		}
		ended := make(chan plan.Live, 10)
		k := NewKeeper(c, time.Now, monitor.NewMetrics("prod-eu", "v1", time.Now),
			slog.New(slog.DiscardHandler), func(l plan.Live) { ended <- l })
		go k.Run(t.Context())
		time.Sleep(time.Second)
		down.Store(true)
		k.take([]Event{{AuditID: "1", At: time.Now(), User: g.Subject.Name, Namespace: "payments",
			Verb: "run", Name: "api-1/app date", Code: http.StatusSwitchingProtocols}})
		time.Sleep(time.Minute)
		if n := refused.Load(); n > 70 {
			t.Errorf("it was tried %d times in a minute", n)
		}
		down.Store(false)
		time.Sleep(2 * time.Second)
		if len(ended) != 2 {
			t.Errorf("%d objects are ended, want the Role and its binding", len(ended))
		}
	})
}
