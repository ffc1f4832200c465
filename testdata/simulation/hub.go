package simulation

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
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
	packs map[string]*httptest.ResponseRecorder // of git, which stay as they are
	tip   string                                // of main, as the history has it
	lines map[string]string                     // of first parents, by each tip that main ever had
	lags  []time.Duration                       // until what is written shows, in one place or another
	shows []time.Time                           // when what was written will
}

func newHub(w *world) *hub {
	h := &hub{w: w, lines: map[string]string{}}
	h.forgetAll()
	return h
}

// serve answers a call, and enters into the history what it put on main.
func (h *hub) serve(n *wire, r *http.Request, body []byte) *http.Response {
	h.mu.Lock()
	defer h.mu.Unlock()
	fetches := strings.HasSuffix(r.URL.Path, "/git-upload-pack")
	reads := r.Method == http.MethodGet || fetches ||
		strings.HasSuffix(r.URL.Path, "/graphql") && !bytes.Contains(body, []byte("mutation"))
	key := strings.Join([]string{r.Method, r.URL.String(), r.Header.Get("Authorization"),
		r.Header.Get("If-None-Match"), r.Header.Get("Accept"), r.Header.Get("Git-Protocol"),
		string(body)}, "\x00")
	refs := fetches && bytes.Contains(body, []byte("command=ls-refs"))
	if refs { // the agents ask for main, and hear the same until that moves
		key += h.w.forge.Branch("main")
	}
	h.show()
	said := h.known[key]
	if fetches && said == nil {
		said = h.packs[key]
	}
	if said == nil || !reads {
		in := r.Clone(context.WithoutCancel(r.Context()))
		in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		in.RequestURI = r.URL.RequestURI()
		said = httptest.NewRecorder()
		h.w.forge.ServeHTTP(said, in)
		switch {
		case !reads:
			h.forget()
			h.written()
			h.look(n.site.name, n.process)
			h.commented(n, r, said)
		case refs || fetches && bytes.Contains(said.Body.Bytes(), []byte("packfile\n")):
			h.packs[key] = said
		default:
			h.known[key] = said
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
	h.forget()
	h.written()
	h.look("", who)
}

// lag has what is written show that much later from now on, in one place or another.
func (h *hub) lag(by ...time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget()
	h.lags = by
}

// written notes when what is remembered is another one because of what was written now.
func (h *hub) written() {
	for _, by := range h.lags {
		h.shows = append(h.shows, time.Now().Add(by))
	}
}

// show forgets what was read before something that was written came to show.
func (h *hub) show() {
	before := len(h.shows)
	h.shows = slices.DeleteFunc(h.shows, func(at time.Time) bool { return !time.Now().Before(at) })
	if len(h.shows) < before {
		h.forget()
	}
}

// forget is called when something may be otherwise; objects that git gave out are not.
func (h *hub) forget() { h.known = map[string]*httptest.ResponseRecorder{} }

// forgetAll is called when somebody may read more than before, or less.
func (h *hub) forgetAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget()
	h.packs = map[string]*httptest.ResponseRecorder{}
}

// look enters a move of main into the history.
func (h *hub) look(cluster, who string) {
	tip := h.w.forge.Branch("main")
	if tip == h.tip {
		return
	}
	p := &push{cluster: cluster, who: who, old: h.tip, tip: tip, changed: map[string]string{},
		again: h.lines[tip] != ""}
	one := false // a commit came, and no more
	if p.old != "" {
		parent, rest, _ := strings.Cut(h.git("log", "-1", "-m", "--first-parent", "--no-renames",
			"--name-status", "--format=%P%n%an %cn%n%B%x00", tip), "\n")
		message, changes, _ := strings.Cut(rest, "\x00")
		p.message, one = strings.TrimSpace(message), strings.HasPrefix(parent, p.old)
		if one {
			p.line = tip + "\n" + h.lines[p.old]
		} else { // several came, or others
			p.line = h.git("rev-list", "--first-parent", tip)
			changes = h.git("diff", "--no-renames", "--name-status", p.old, tip)
		}
		p.continues = strings.Contains(p.line, p.old)
		for line := range strings.SplitSeq(changes, "\n") {
			if status, path, found := strings.Cut(line, "\t"); found {
				p.changed[path] = status
			}
		}
	}
	if p.line == "" {
		p.line = h.git("rev-list", "--first-parent", tip)
	}
	h.tip, h.lines[tip] = tip, p.line
	h.decides(p, one)
	h.w.note("%s moved main to %s", who, tip)
	h.w.add(event{push: p})
}

// decides notes what a push did to files that decide, of one commit or of more; the first one made
// them all.
func (h *hub) decides(p *push, one bool) {
	paths := sorted(p.changed)
	if p.old == "" {
		paths = strings.Fields(h.git("ls-tree", "-r", "--name-only", "main"))
	}
	for _, path := range paths {
		if !slices.ContainsFunc([]string{"policies/", ownersFile, "catalog/"}, func(start string) bool {
			return strings.HasPrefix(path, start)
		}) {
			continue
		}
		if p.decides == nil {
			p.decides = map[string]root{}
		}
		commit := p.tip
		if !one {
			commit = strings.TrimSpace(h.git("log", "-1", "--first-parent", "--format=%H", p.tip, "--", path))
		}
		p.decides[path] = root{h.content(path), commit}
	}
}

// file is one of main's; empty: there is none.
func (h *hub) file(path string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.content(path)
}

func (h *hub) content(path string) string {
	if h.git("ls-tree", "--name-only", "main", path) == "" {
		return ""
	}
	return h.git("show", "main:"+path)
}

// files are those of requests and of the ledger on main.
func (h *hub) files() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	files := map[string]string{}
	all := tar.NewReader(strings.NewReader(h.git("archive", "--format=tar", "main")))
	for {
		file, err := all.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			panic(err)
		}
		top, _, _ := strings.Cut(file.Name, "/")
		if file.Typeflag != tar.TypeReg || top != "requests" && top != "revocations" {
			continue
		}
		content, err := io.ReadAll(all)
		if err != nil {
			panic(err)
		}
		files[file.Name] = strings.TrimSpace(string(content))
	}
}

func (h *hub) git(args ...string) string {
	out, err := exec.Command("git", append([]string{"--git-dir", h.w.forge.GitDir()},
		args...)...).CombinedOutput()
	if err != nil {
		panic(string(out) + err.Error())
	}
	return string(out)
}
