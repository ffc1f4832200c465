package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

func open(t testing.TB, s *gitserver.Server) *Repository {
	t.Helper()
	r, err := NewRepository(s.URL, "main", func(context.Context) (string, string, error) {
		return "x-access-token", "s3cret-token", nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRandom: a pause is half fixed and half drawn, from what the last one was doubled to.
func TestRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, begin := &Repository{}, time.Now()
		var asked []time.Duration
		r.Random(func(n time.Duration) time.Duration {
			asked = append(asked, n)
			return n / 5
		})
		for try := range 3 {
			if err := r.pause(t.Context(), try); err != nil {
				t.Fatal(err)
			}
		}
		if want := []time.Duration{25 * time.Millisecond, 50 * time.Millisecond}; !slices.Equal(asked,
			want) || time.Since(begin) != 90*time.Millisecond {
			t.Errorf("asked for %s, paused %s", asked, time.Since(begin))
		}
	})
}

// TestWaitForAnOperationEnds: who waits while another operation is under way does not wait longer
// than the context.
func TestWaitForAnOperationEnds(t *testing.T) {
	r := &Repository{op: make(chan struct{}, 1)}
	r.op <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, fetched := r.Fetch(ctx)
	_, committed := r.Commit(ctx, nil)
	for _, err := range []error{fetched, committed, r.deepen(ctx, 1)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v; want the cancellation", err)
		}
	}
}

func mustFetch(t testing.TB, r *Repository) string {
	t.Helper()
	tip, err := r.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tip
}

func readFile(t testing.TB, r *Repository, commit, path string) string {
	t.Helper()
	entries, err := r.Entries(t.Context(), commit, path)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Fault != "" {
		t.Fatalf("%s in %s: %+v, want one plain file", path, commit, entries)
	}
	b, err := r.Blob(t.Context(), entries[0].Hash)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func paths(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Path)
	}
	return out
}

func put(path, content string) func(string) (Change, error) {
	return func(string) (Change, error) {
		return change(Change{Put: map[string][]byte{path: []byte(content)}}), nil
	}
}

func change(c Change) Change {
	c.Message = cmp.Or(c.Message, "Record what happened\n\nPullgrant-Event: "+
		"revoked\nPullgrant-Cause: Expired\n")
	c.Author = Person{Name: "pullgrant", Email: "agent@example.com"}
	c.Committer = c.Author
	c.When = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return c
}

func writeHook(t testing.TB, path, script string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// counting counts the bytes of the answers.
type counting struct{ n *int64 }

func (c counting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		*c.n += int64(len(b))
		resp.Body = io.NopCloser(bytes.NewReader(b))
	}
	return resp, err
}
