package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func token(context.Context) (string, error) { return "secret-token", nil }

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		words string
	}{
		"plain http": {Config{APIURL: "http://example.com", Owner: "a", Repo: "b", Token: token},
			"only https"},
		"other scheme": {Config{APIURL: "file://localhost/x", Owner: "a", Repo: "b", Token: token},
			"only https"},
		"no host": {Config{APIURL: "api.github.com", Owner: "a", Repo: "b", Token: token},
			"scheme://host/path"},
		"password": {Config{APIURL: "https://u:hunter2@x", Owner: "a", Repo: "b",
			Token: token}, "nothing else"},
		"query": {Config{APIURL: "https://x/?a=b", Owner: "a", Repo: "b", Token: token},
			"nothing else"},
		"not a URL": {Config{APIURL: "https://x:hunter2", Owner: "a", Repo: "b", Token: token},
			"not a URL"},
		"owner":           {Config{Owner: "a/..", Repo: "b", Token: token}, "a GitHub login"},
		"repository":      {Config{Owner: "a", Repo: "b/c", Token: token}, "OWNER/NAME"},
		"repository dots": {Config{Owner: "a", Repo: "..", Token: token}, "OWNER/NAME"},
		"token":           {Config{Owner: "a", Repo: "b"}, "set GITHUB_TOKEN"},
	} {
		_, err := New(c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(),
			"hunter2") {
			t.Errorf("%s: error %v; want %q", name, err, c.words)
		}
	}
}

func TestGraphQLURL(t *testing.T) {
	for api, want := range map[string]string{
		"":                              "https://api.github.com/graphql",
		"https://api.github.com/":       "https://api.github.com/graphql",
		"https://ghes.example/api/v3":   "https://ghes.example/api/graphql",
		"https://api.acme.ghe.com":      "https://api.acme.ghe.com/graphql",
		"http://127.0.0.1:8080":         "http://127.0.0.1:8080/graphql",
		"http://localhost:8080/api/v3/": "http://localhost:8080/api/graphql",
	} {
		c, err := New(Config{APIURL: api, Owner: "a", Repo: "b", Token: token})
		if err != nil || c.wire.graphQL != want {
			t.Errorf("%q: error %v, %s; want %s", api, err, c.wire.graphQL, want)
		}
	}
}

// The token reaches the API's host only, also when that host sends the client elsewhere.
func TestTheTokenStaysWithItsHost(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s was called elsewhere with %q", r.URL, r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	var agent atomic.Value // calls come beside each other
	api := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		agent.Store(r.UserAgent())
		http.Redirect(rw, r, elsewhere.URL, http.StatusMovedPermanently)
	}))
	defer api.Close()
	c, err := New(Config{APIURL: api.URL, Owner: "a", Repo: "b", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Facts(t.Context(), 1, noon); err == nil || !strings.Contains(err.Error(),
		"moved") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	if _, err := c.call(t.Context(), http.MethodGet, elsewhere.URL+"/x", nil, nil); err == nil ||
		!strings.Contains(err.Error(), "the call would leave") {
		t.Errorf("error %v", err)
	}
	if agent.Load() != "pullgrant" {
		t.Errorf("user agent %q", agent.Load())
	}
}

func TestTokensThatCannotBeHad(t *testing.T) {
	for words, source := range map[string]func(context.Context) (string, error){
		"get a GitHub token: no key": func(context.Context) (string, error) {
			return "",
				errors.New("no key")
		},
		"the GitHub token is empty": func(context.Context) (string, error) { return "", nil },
		"invalid header field value": func(context.Context) (string, error) {
			return "secret\n",
				nil
		},
	} {
		c, err := New(Config{APIURL: "http://127.0.0.1:1", Owner: "a", Repo: "b", Token: source})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Facts(t.Context(), 1, noon); err == nil || !strings.Contains(err.Error(),
			words) || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v; want %q", err, words)
		}
	}
}

// nobody answers no call, and counts them.
type nobody struct{ calls int }

func (n *nobody) RoundTrip(*http.Request) (*http.Response, error) {
	n.calls++
	return nil, errors.New("nobody is there")
}

// busy answers no call before as many are under way as it waits for.
type busy struct {
	left atomic.Int32
	all  chan struct{}
}

var errEnough = errors.New("all are under way")

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.left.Add(-1) == 0 {
		close(b.all)
	}
	select {
	case <-b.all:
		return nil, errEnough
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// TestTogether: as many calls are under way at a time as whoever makes the client says.
func TestTogether(t *testing.T) {
	const n = 2 * maxTogether
	wire := &busy{all: make(chan struct{})}
	wire.left.Store(n)
	c, err := New(Config{Owner: "a", Repo: "b", Token: token, Transport: wire, Together: n})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := together(ctx, slices.Repeat([]func(context.Context) error{func(context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api.BaseURL.String(),
			http.NoBody)
		if err != nil {
			return err
		}
		if _, err = c.wire.RoundTrip(request); errors.Is(err, errEnough) {
			return nil
		}
		return fmt.Errorf("not all are under way: %w", err)
	}}, n)...); err != nil {
		t.Error(err)
	}
}

// TestTransport: whoever hands one in sees every call, those that are tried again too.
func TestTransport(t *testing.T) {
	seen := &nobody{}
	c, err := New(Config{Owner: "a", Repo: "b", Token: token, Transport: seen})
	if err != nil {
		t.Fatal(err)
	}
	c.wire.pause = 0
	if _, _, err := c.User(t.Context()); err == nil || seen.calls != attempts {
		t.Errorf("%d calls, error %v; want %d", seen.calls, err, attempts)
	}
}
