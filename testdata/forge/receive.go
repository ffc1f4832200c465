package forge

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// serveGit serves git over HTTP to those who may: readers fetch, writers push. Pushes run one at a
// time, under the forge's lock, so what they move is known exactly.
func (f *Forge) serveGit(w http.ResponseWriter, r *http.Request, who identity) {
	push := strings.HasSuffix(r.URL.Path, "/git-receive-pack") ||
		r.URL.Query().Get("service") == "git-receive-pack"
	if who.user == nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Invalid username or token. Password authentication is not supported for "+
			"Git operations.", http.StatusUnauthorized)
		return
	}
	if push && !f.gitAllowed(who, "write") {
		http.Error(w, "Permission to "+f.fullName()+".git denied to "+who.login()+".",
			http.StatusForbidden)
		return
	}
	if !f.gitAllowed(who, "read") {
		http.Error(w, "Repository not found.", http.StatusNotFound)
		return
	}
	r.SetBasicAuth(who.login(), "") // becomes REMOTE_USER, which the update hook reads
	if !push {
		f.serveFetch(w, r)
		return
	}
	if r.Method != http.MethodPost {
		f.smart.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body) // whole: CGI takes no chunked bodies, and the lock must not wait for a slow sender
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)),
		int64(len(body)), nil
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.receive(w, r, who.user); err != nil {
		f.contract.Violation("push of %s: %v", who.login(), err)
	}
}

// gitAllowed: Apps by their contents permission, users by their role.
func (f *Forge) gitAllowed(who identity, role string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if who.app != nil {
		return who.app.may("contents:" + role)
	}
	return atLeast(f.role(who.user), role)
}

// receive lets git take the push and lets everything follow from the refs it moved.
func (f *Forge) receive(w http.ResponseWriter, r *http.Request, u *user) error {
	old, _, err := f.git.refs("refs/")
	if err != nil {
		return err
	}
	if err := f.writeBypass(); err != nil {
		return err
	}
	f.smart.ServeHTTP(w, r)
	now, names, err := f.git.refs("refs/")
	if err != nil {
		return err
	}
	for ref := range old {
		if now[ref] == "" {
			names = append(names, ref)
		}
	}
	for _, ref := range names {
		if err := f.refMoved(u, ref, old[ref], now[ref], ""); err != nil {
			return err
		}
	}
	f.autoMerge()
	return nil
}
