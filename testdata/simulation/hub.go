package simulation

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// hub is GitHub with git, in process. What only reads is answered from memory until something is
// written: git's processes are what costs most.
type hub struct {
	w     *world
	mu    sync.Mutex
	known map[string]*httptest.ResponseRecorder
	tip   string // of main, as the history has it
}

// serve answers a call, and enters into the history what it put on main.
func (h *hub) serve(n *wire, r *http.Request, body []byte) *http.Response {
	h.mu.Lock()
	defer h.mu.Unlock()
	reads := r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/git-upload-pack") ||
		strings.HasSuffix(r.URL.Path, "/graphql") && !bytes.Contains(body, []byte("mutation"))
	key := strings.Join([]string{r.Method, r.URL.String(), r.Header.Get("Authorization"),
		r.Header.Get("If-None-Match"), r.Header.Get("Accept"), r.Header.Get("Git-Protocol"),
		string(body)}, "\x00")
	said := h.known[key]
	if said == nil || !reads {
		in := r.Clone(context.WithoutCancel(r.Context()))
		in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		in.RequestURI = r.URL.RequestURI()
		said = httptest.NewRecorder()
		h.w.forge.ServeHTTP(said, in)
		if h.known == nil || !reads {
			h.known = map[string]*httptest.ResponseRecorder{}
		}
		if reads {
			h.known[key] = said
		} else {
			h.look(n.site.name, n.process)
		}
	}
	answer := *said.Result() // which is read once only
	answer.Request, answer.Header = r, said.Header().Clone()
	answer.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	answer.Body = io.NopCloser(bytes.NewReader(said.Body.Bytes()))
	answer.ContentLength = int64(said.Body.Len())
	return &answer
}

// moved is called after people did something.
func (h *hub) moved(who string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known = nil
	h.look("", who)
}

// look enters a move of main into the history.
func (h *hub) look(cluster, who string) {
	tip := h.w.forge.Branch("main")
	if tip == h.tip {
		return
	}
	p := &push{cluster: cluster, who: who, old: h.tip, tip: tip, changed: map[string]string{}}
	h.tip = tip
	if p.old != "" {
		p.continues = strings.Contains(h.git("rev-list", "--first-parent", tip), p.old)
		p.message = h.git("log", "-1", "--format=%an %cn%n%B", tip)
		for line := range strings.SplitSeq(h.git("diff", "--no-renames", "--name-status", p.old, tip), "\n") {
			if status, path, found := strings.Cut(line, "\t"); found {
				p.changed[path] = status
			}
		}
	}
	h.w.note("%s moved main to %s", who, tip)
	h.w.add(event{push: p})
}

// files are those of requests and of the ledger on main.
func (h *hub) files() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	files := map[string]string{}
	for path := range strings.SplitSeq(h.git("ls-tree", "-r", "--name-only", "main", "requests",
		"revocations"), "\n") {
		if path != "" {
			files[path] = h.git("show", "main:"+path)
		}
	}
	return files
}

func (h *hub) git(args ...string) string {
	out, err := exec.Command("git", append([]string{"--git-dir", h.w.forge.GitDir()},
		args...)...).CombinedOutput()
	if err != nil {
		panic(string(out) + err.Error())
	}
	return strings.TrimSpace(string(out))
}
