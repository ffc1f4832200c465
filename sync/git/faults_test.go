package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

const onPurpose = "broken on purpose"

var errOnPurpose = errors.New(onPurpose)

// wire gives again what git said to the same question before, so that many trials cost no more than
// one, and breaks one answer.
type wire struct {
	said   map[string][]byte // by question
	live   bool              // git is asked every time
	seen   int
	broken int    // which answer is another one, counted from one
	pack   []byte // in it; nil: it is an error
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	question, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	key := r.Method + " " + r.URL.String() + "\n" + string(question)
	said, known := w.said[key]
	if !known || w.live {
		r.Body = io.NopCloser(bytes.NewReader(question))
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if said, err = io.ReadAll(response.Body); err != nil {
			return nil, err
		}
		w.said[key] = said
	}
	w.seen++
	status, kind := http.StatusOK, r.Header.Get("Accept")
	switch {
	case w.seen != w.broken:
	case w.pack == nil:
		status, kind, said = http.StatusInternalServerError, "text/plain", []byte(onPurpose)
	case bytes.Contains(said, []byte("packfile\n")):
		said = []byte(pktLine("packfile\n") + pktLine("\x01"+string(w.pack)) + "0000")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}},
		Body: io.NopCloser(bytes.NewReader(said)), Request: r}, nil
}

// copyOf is a repository like another one, with a memory and a wire of its own.
func copyOf(r *Repository, w *wire, cred Credential) *Repository {
	mode := *r.mode
	c := &Repository{remote: &remote{url: r.remote.url, client: &http.Client{Transport: w},
		cred: cred}, branch: r.branch, limits: r.limits, op: make(chan struct{}, 1),
		random: r.random, mode: &mode, store: newStore(),
		tip: r.tip, kept: r.kept, large: maps.Clone(r.large), beside: map[string]beside{}}
	for _, o := range r.store.objects.Objects {
		_, _ = c.store.SetEncodedObject(o)
	}
	return c
}

// unreadable is an object whose content cannot be had.
type unreadable struct{ plumbing.EncodedObject }

func (unreadable) Reader() (io.ReadCloser, error) { return nil, errOnPurpose }

// instead puts another object in place of one; nil: none.
func instead(s *memory.Storage, h plumbing.Hash, o plumbing.EncodedObject) {
	kinds := map[plumbing.ObjectType]map[plumbing.Hash]plumbing.EncodedObject{
		plumbing.CommitObject: s.Commits, plumbing.TreeObject: s.Trees,
		plumbing.BlobObject: s.Blobs}
	kind := s.Objects[h].Type()
	delete(s.Objects, h)
	delete(kinds[kind], h)
	if o != nil {
		s.Objects[h], kinds[kind][h] = o, o
	}
}

// history is a branch whose last commits are in memory, and one more that is not yet.
type history struct {
	*gitserver.Server
	first, old, tip, next, blob string
}

func newHistory(t *testing.T, env ...string) (history, *Repository) {
	s := gitserver.New(t, env...)
	h := history{Server: s}
	h.first = s.Commit("zero", "requests/a/p/zero", "0", "policies/p", "0")
	h.old = s.Commit("one", "requests/a/p/one", "1", "policies/p", "1")
	s.Work("branch", "side")
	s.Commit("two", "requests/b/q/two", "2", "README", "2")
	s.Work("checkout", "-q", "side")
	s.Write("requests/a/p/three", "3")
	s.Work("add", "-A")
	s.Work("commit", "-q", "-m", "side")
	s.Work("checkout", "-q", "main")
	s.Work("merge", "-q", "--no-ff", "-m", "merge", "side")
	h.tip = s.Push()
	h.blob = s.Work("rev-parse", "HEAD:requests/b/q/two")
	r := open(t, s)
	if err := r.Resume(h.old); err != nil {
		t.Fatal(err)
	}
	mustFetch(t, r)
	s.Commit("four", "requests/a/p/four", "4", "policies/p", "4")
	h.next = s.Commit("five", "requests/a/p/five", "5")
	return h, r
}

var errIncomplete = errors.New("the new tip is not whole")

// whole is all that a commit has, from memory alone.
func whole(r *Repository, tip string) (string, error) {
	r.remote = &remote{cred: func(context.Context) (string, string, error) {
		return "", "", errIncomplete
	}}
	entries, err := r.Entries(context.Background(), tip)
	if err != nil {
		return "", err
	}
	said := tip
	for _, e := range entries {
		content, err := r.Blob(context.Background(), e.Hash)
		if err != nil {
			return "", err
		}
		said += fmt.Sprintf("\n%+v %q", e, content)
	}
	return said, nil
}

// questions are what a repository is asked, each with its whole answer as text.
var questions = map[string]func(context.Context, history, *Repository) (string, error){
	"Entries": func(ctx context.Context, h history, r *Repository) (string, error) {
		entries, err := r.Entries(ctx, h.tip)
		return fmt.Sprint(entries), err
	},
	"Blob": func(ctx context.Context, h history, r *Repository) (string, error) {
		content, err := r.Blob(ctx, h.blob)
		return string(content), err
	},
	"Commits": func(ctx context.Context, h history, r *Repository) (string, error) {
		commits, err := r.Commits(ctx, h.old, h.tip)
		return fmt.Sprint(commits), err
	},
	"Complete": func(ctx context.Context, h history, r *Repository) (string, error) {
		commits, err := r.Commits(ctx, h.old, h.tip, "policies")
		if err != nil {
			return "", err
		}
		c, err := r.Complete(ctx, commits[len(commits)-1])
		return fmt.Sprint(c), err
	},
	"History": func(ctx context.Context, h history, r *Repository) (string, error) {
		first, commits, err := r.History(ctx, h.tip, "", "requests")
		return fmt.Sprint(first, commits), err
	},
	"Added": func(ctx context.Context, h history, r *Repository) (string, error) {
		c, err := r.Added(ctx, h.tip, "requests/a/p/three", time.Time{})
		return fmt.Sprint(c), err
	},
	"Added before": func(ctx context.Context, h history, r *Repository) (string, error) {
		c, err := r.Added(ctx, h.tip, "requests/a/p/zero", time.Time{})
		return fmt.Sprint(c), err
	},
	"Trace": func(ctx context.Context, h history, r *Repository) (string, error) {
		paths := []string{"requests/a/p/three", "requests/a/p/zero", "requests/b/q/two"}
		if err := r.Trace(ctx, h.tip, paths, time.Time{}); err != nil {
			return "", err
		}
		return fmt.Sprint(r.origins), nil
	},
	"Find": func(ctx context.Context, h history, r *Repository) (string, error) {
		found, err := r.Find(ctx, h.tip, "requests/*/q/two", "requests/a/p/*", "policies/p",
			"requests/a")
		return fmt.Sprint(found), err
	},
	"After": func(ctx context.Context, h history, r *Repository) (string, error) {
		after, err := r.After(ctx, h.tip, h.old)
		return fmt.Sprint(slices.Sorted(maps.Keys(after))), err
	},
	"Forget": func(ctx context.Context, h history, r *Repository) (string, error) {
		r.kept = 1
		if err := r.Forget(h.old); err != nil {
			return "", err
		}
		commits, err := r.Commits(ctx, h.old, h.tip)
		return fmt.Sprint(commits), err
	},
	"Fetch": func(ctx context.Context, h history, r *Repository) (string, error) {
		tip, err := r.Fetch(ctx)
		if err != nil {
			if r.Tip() != h.tip && r.Tip() != "" { // it begins anew to ask in another way
				return "", fmt.Errorf("the tip became %s", r.Tip())
			}
			return "", err
		}
		return whole(r, tip)
	},
	"Fetch anew": func(ctx context.Context, h history, r *Repository) (string, error) {
		r.mode = nil
		if err := r.Resume(h.old); err != nil {
			return "", err
		}
		tip, err := r.Fetch(ctx)
		if err != nil {
			if r.Tip() != "" && r.Tip() != h.old {
				return "", fmt.Errorf("the tip became %s", r.Tip())
			}
			return "", err
		}
		return whole(r, tip)
	},
	"Commit": func(ctx context.Context, h history, r *Repository) (string, error) {
		defer h.Git("update-ref", "refs/heads/main", h.next)
		commit, err := r.Commit(ctx, func(string) (Change, error) {
			return change(Change{Put: map[string][]byte{"revocations/a/x": []byte("x")},
				Remove: []string{"requests/b/q/two"}}), nil
		})
		if err != nil {
			if main := h.Git("rev-parse", "main"); main != h.next {
				return "", fmt.Errorf("main became %s", main)
			}
			return "", err
		}
		all := h.Git("log", "--format=%T %P", "-1", "main")
		if at := h.Git("rev-parse", "main"); at != commit || r.Tip() != commit {
			return "", fmt.Errorf("main is %s, the tip %s, and it was said to be %s", at, r.Tip(),
				commit)
		}
		return all, nil
	},
}

// TestFaults: whatever one object in memory, one answer of the server or one credential is like,
// what is asked of the repository is answered as if nothing were amiss, or it is an error that says
// what is. So it is where one answer has room for one object only.
func TestFaults(t *testing.T) {
	for name, server := range map[string]struct {
		env  []string
		room uint32
	}{
		"everything": {withConfig("true", "true"), 1000},
		"in parts":   {withConfig("true", "true"), 1},
		"nothing":    {withConfig("false", "false"), 1000},
	} {
		t.Run(name, func(t *testing.T) {
			h, r := newHistory(t, server.env...)
			r.limits.objects = server.room
			said := map[string][]byte{}
			for question, ask := range questions {
				if question == "Commit" && name != "everything" {
					continue // a push is the same
				}
				try := func(w *wire, cred Credential, spoil func(*Repository)) (string, error) {
					w.said, w.live = said, question == "Commit"
					c := copyOf(r, w, cred)
					if spoil != nil {
						spoil(c)
					}
					return ask(t.Context(), h, c)
				}
				plain := &wire{}
				right, err := try(plain, nil, nil)
				if err != nil {
					t.Errorf("%s: %v", question, err)
					continue
				}
				check := func(fault, answer string, err error, reasons ...error) {
					t.Helper()
					is := func(reason error) bool {
						return errors.Is(err, reason) || strings.Contains(err.Error(),
							reason.Error())
					}
					switch {
					case err == nil && answer != right:
						t.Errorf("%s with %s says\n%s\nwhich without is\n%s", question,
							fault, answer,
							right)
					case err != nil && !slices.ContainsFunc(reasons, is):
						t.Errorf("%s with %s: %v", question, fault, err)
					}
				}
				for hash, o := range r.store.objects.Objects {
					answer, err := try(&wire{}, nil, func(c *Repository) {
						instead(c.store.objects,
							hash, nil)
					})
					check("no "+hash.String(), answer, err, ErrNotInMemory, errIncomplete,
						errors.New(hash.String()))
					if question == "Commit" {
						continue // each costs a push
					}
					answer, err = try(&wire{}, nil, func(c *Repository) {
						instead(c.store.objects, hash, unreadable{o})
					})
					check("an unreadable "+hash.String(), answer, err, errOnPurpose)
				}
				for n := 1; n <= plain.seen; n++ {
					answer, err := try(&wire{broken: n}, nil, nil)
					check(fmt.Sprintf("answer %d refused", n), answer, err, errOnPurpose)
					if err == nil && question != "Commit" { // which tries again
						t.Errorf("%s without answer %d of %d is no error", question, n, plain.seen)
					}
					answer, err = try(&wire{broken: n, pack: packOf(t, "something else")}, nil, nil)
					check(fmt.Sprintf("another pack in answer %d", n), answer, err, ErrNotInMemory,
						ErrTooLarge, ErrLimit, errIgnores, errors.New("lacks"))
				}
				for n := 1; n <= 5; n++ {
					calls := 0
					answer, err := try(&wire{}, func(context.Context) (string, string, error) {
						if calls++; calls == n {
							return "", "", errOnPurpose
						}
						return "", "", nil
					}, nil)
					check(fmt.Sprintf("credential %d missing", n), answer, err, errOnPurpose)
					if err == nil && calls >= n {
						t.Errorf("%s without credential %d is no error", question, n)
					}
				}
			}
		})
	}
}
