package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/clocks"
)

// TestBrokenConfig: what no client can be made of is an error of everything that makes one.
func TestBrokenConfig(t *testing.T) {
	for name, config := range map[string]*rest.Config{
		"no authority": {Host: "https://127.0.0.1:1",
			TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere/ca.crt"}},
		"no address": {Host: "http://127.0.0.1:1/%zz"},
	} {
		for what, use := range map[string]func() error{
			"NewCluster": func() error {
				c, err := NewCluster(config, "prod-eu", 0, nil)
				if c != nil {
					t.Error("there is a cluster")
				}
				return err
			},
			"LiveRoles": func() error {
				_, _, err := LiveRoles(t.Context(), config, "prod-eu", []string{"view"})
				return err
			},
			"LiveFootprint": func() error {
				_, err := LiveFootprint(t.Context(), config, nil)
				return err
			},
			"Pause":  func() error { return Pause(t.Context(), config, "to see") },
			"Resume": func() error { _, _, err := Resume(t.Context(), config); return err },
		} {
			if err := use(); err == nil || !strings.Contains(err.Error(),
				"preparing the Kubernetes client") {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

// TestNobodyAnswers: an election without a name, and lists, watches and clocks without an answer,
// are errors.
func TestNobodyAnswers(t *testing.T) {
	clock := &Clock{Wall: time.Now}
	c, err := NewCluster(&rest.Config{Host: "http://127.0.0.1:1"}, "prod-eu", 0, clock.Watch)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Lead(t.Context(), "", slog.New(slog.DiscardHandler),
		func(context.Context) { t.Error("it leads") }); err == nil || !strings.Contains(err.Error(),
		"electing a leader") {
		t.Errorf("without a name: %v", err)
	}
	for _, source := range c.Sources() {
		all := cache.ToListerWatcherWithContext(source.From)
		_, listed := all.ListWithContext(t.Context(), metav1.ListOptions{})
		_, watched := all.WatchWithContext(t.Context(), metav1.ListOptions{})
		for _, err := range []error{listed, watched} {
			if err == nil || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("%s: %v", source.What, err)
			}
		}
	}
	cut := clock.Watch(roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, errOnPurpose
	}))
	if response, err := cut.RoundTrip(&http.Request{}); !errors.Is(err, errOnPurpose) ||
		response != nil || clock.Ahead() != 0 {
		t.Errorf("%v, %v", response, err)
	}
}

// TestBeyond: half a minute is tolerated, and a second more of another's lag, as others tell whole
// seconds.
func TestBeyond(t *testing.T) {
	for skew, beyond := range map[time.Duration]bool{0: false, plan.MaxSkew: false,
		plan.MaxSkew + 1: true, -plan.MaxSkew - time.Second: false,
		-plan.MaxSkew - time.Second - 1: true} {
		want := time.Duration(0)
		if beyond {
			want = skew
		}
		if got := Beyond(skew); got != want {
			t.Errorf("%s: %s, want %s", skew, got, want)
		}
	}
}

// TestNamesOurs: a ServiceAccount is named in two ways, and only in the agent's namespace is it
// ours.
func TestNamesOurs(t *testing.T) {
	for subject, want := range map[rbacv1.Subject]bool{
		{Kind: "ServiceAccount", Namespace: Namespace, Name: "pullgrant-agent"}:          true,
		{Kind: "ServiceAccount", Namespace: Namespace, Name: "pullgrant-expirer"}:        true,
		{Kind: "User", Name: "system:serviceaccount:pullgrant-system:pullgrant-agent"}:   true,
		{Kind: "User", Name: "system:serviceaccount:pullgrant-system:pullgrant-expirer"}: true,
		{Kind: "User", Name: "system:serviceaccount:shop:pullgrant-agent"}:               false,
		{Kind: "Group", Name: "system:serviceaccount:pullgrant-system:pullgrant-agent"}:  false,
		{Kind: "ServiceAccount", Namespace: "shop", Name: "pullgrant-agent"}:             false,
		{Kind: "ServiceAccount", Namespace: Namespace, Name: "pullgrant"}:                false,
		{Kind: "User", Name: "alice@example.com"}:                                        false,
	} {
		binding := &unstructured.Unstructured{Object: map[string]any{"subjects": []any{
			map[string]any{"kind": "User", "name": "bob@example.com"},
			map[string]any{"kind": subject.Kind, "namespace": subject.Namespace,
				"name": subject.Name}}}}
		if got := namesOurs(binding); got != want {
			t.Errorf("%+v: %t, want %t", subject, got, want)
		}
	}
}

// TestChangedIsTold: what another field has, or what the fence said to it.
func TestChangedIsTold(t *testing.T) {
	for want, err := range map[string]error{
		"Job shop/x is refused by the fence, so something in the cluster changes it: a Job must not " +
			"be suspended": &ChangedError{Object: "Job shop/x", Words: "a Job must not be suspended"},
		"Job shop/x was made with another spec.suspend than was asked for: something in the cluster " +
			"changes it": &ChangedError{Object: "Job shop/x", Field: "spec.suspend"},
	} {
		if err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestWords are those of the API server, else of the error, in one line that is not longer than it
// may be.
func TestWords(t *testing.T) {
	for want, err := range map[string]error{
		"cut":                               errors.New("cut"),
		"no room":                           apierrors.NewBadRequest("no\n\troom"),
		strings.Repeat("é", maxWords):       errors.New(strings.Repeat("é", maxWords)),
		strings.Repeat("é", maxWords) + "…": errors.New(strings.Repeat("é", maxWords+1)),
		"inside": fmt.Errorf("around: %w",
			apierrors.NewBadRequest("inside")),
		"a b": errors.New("a\x00b"),
	} {
		if got := Words(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// TestOwnClockSet: an own clock that somebody sets, even right, does not take the API server's along:
// access would end by a time that no clock ever said.
func TestOwnClockSet(t *testing.T) {
	var ahead time.Duration
	clock := &Clock{Wall: func() time.Time { return clocks.Set(time.Now(), ahead) }}
	answer := clock.Watch(roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}}, nil
	}))
	for _, was := range []time.Duration{-time.Hour, time.Hour, 0} {
		ahead = was
		if _, err := answer.RoundTrip(&http.Request{}); err != nil {
			t.Fatal(err)
		}
		for _, ahead = range []time.Duration{0, time.Hour, -time.Hour} { // and nobody answers
			if off := clock.Ahead() + ahead; off.Abs() > 2*time.Second {
				t.Errorf("set %s ahead when it was %s ahead, it takes the API server's for %s off", ahead, was, off)
			}
			if late := clock.Now().Round(0).Sub(time.Now().Round(0)); late < -2*time.Second ||
				late > max(ahead, 0)+2*time.Second {
				t.Errorf("set %s ahead when it was %s ahead, it goes by a time %s from now", ahead, was, late)
			}
		}
	}
}
