package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/hook"
)

// distance is how long GitHub takes for a call.
const distance = 80 * time.Millisecond

// poll is the default of --poll.
const poll = 10 * time.Second

// BenchmarkApprovalToAccess measures, with the programs themselves, how long it takes from the last
// approval until Kubernetes lets the requester do what they asked for: the Action's judgement, the
// merge, the agent's judgement and the binding. Each call of the API and of git takes GitHub 80 ms;
// how long a runner is waited for, and a delivery of the webhook is under way, is not counted.
func BenchmarkApprovalToAccess(b *testing.B) {
	b.Run("webhook", func(b *testing.B) { approvals(b, true, 9) })
	b.Run("poll", func(b *testing.B) { approvals(b, false, 15) })
}

func approvals(b *testing.B, webhook bool, n int) {
	b.ReportMetric(0, "ns/op")
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	s, err := start(b.Context(), binary, forge.Manners{})
	must(err)
	defer s.stop()
	must(s.moveAway(b))
	user, err := kubernetes.NewForConfig(s.kube.User(alice))
	must(err)
	var flags []string
	address := ""
	if webhook {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(err)
		address = listener.Addr().String()
		must(listener.Close())
		must(os.WriteFile(s.path("hook"), []byte(hook.Secret), 0o600))
		flags = []string{"--listen", address, "--webhook-secret-file", s.path("hook")}
	}
	must(s.startAgent(flags...))
	var times []time.Duration
	for i := range n + 1 {
		if !webhook { // what came before ended with a look of the agent; approvals come at any time
			time.Sleep(poll * time.Duration(i) / time.Duration(n))
		}
		slug := fmt.Sprintf("n-%d", i)
		number, err := s.asked(b.Context(), "request", "--policy", policy, "--cluster", cluster,
			"--slug", slug, "--reason", "INC-123, checkout is slow")
		must(err)
		_, err = s.forge.Review("bob", number, "APPROVE")
		must(err)
		begin, tip := time.Now(), s.forge.Branch("main")
		delivered := make(chan error, 1)
		go func() { delivered <- s.moved(b.Context(), tip, address) }()
		_, err = s.act(b.Context(), "pull_request_review", "submitted", number)
		must(err)
		must(<-delivered)
		must(awaitAccess(b.Context(), user, true))
		if i > 0 { // the agent proves the policies before the first one
			times = append(times, time.Since(begin))
		}
		r, err := s.pullgrantAs(b.Context(), "drop", s.requestName(slug))
		must(cmp.Or(err, r.failure()))
		must(s.deliver(b.Context(), "pull_request", address))
		must(awaitAccess(b.Context(), user, false))
	}
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2].Seconds(), "s-p50")
	b.ReportMetric(times[len(times)-1].Seconds(), "s-max")
}

func (r result) failure() error {
	if r.code == 0 {
		return nil
	}
	return fmt.Errorf("exit %d: %s", r.code, r.err)
}

// moveAway puts distance between programs and the forge.
func (s *stage) moveAway(b *testing.B) error {
	to, err := url.Parse(s.forge.URL)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(distance)
		proxy.ServeHTTP(w, r)
	}))
	b.Cleanup(far.Close)
	s.hub = far.URL
	return nil
}

// moved waits until main is another commit than tip, and tells the agent of it.
func (s *stage) moved(ctx context.Context, tip, address string) error {
	for s.forge.Branch("main") == tip {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return s.deliver(ctx, "push", address)
}

// deliver tells the agent of an event, where it has a webhook.
func (s *stage) deliver(ctx context.Context, event, address string) error {
	if address == "" {
		return nil
	}
	body := fmt.Sprintf(`{"after": "%s", "number": %d}`, s.forge.Branch("main"), time.Now().UnixNano())
	delivery := hook.Delivery(event, body)
	delivery.RequestURI, delivery.URL.Scheme, delivery.URL.Host = "", "http", address
	answer, err := http.DefaultClient.Do(delivery.WithContext(ctx))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		return fmt.Errorf("the agent answered a delivery with %s", answer.Status)
	}
	return nil
}

// awaitAccess waits until Kubernetes says of what the policy gives that it is allowed, or is not.
func awaitAccess(ctx context.Context, user kubernetes.Interface, allowed bool) error {
	for {
		review, err := user.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
			&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list",
					Resource: "pods"}}}, metav1.CreateOptions{})
		if err != nil || review.Status.Allowed == allowed {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
