// Package forge is a GitHub on loopback: one bare repository served by git's own HTTP backend, and
// the REST operations of api.github.com that pullgrant calls, backed by that same repository.
package forge

import (
	"net/http"
	"net/http/cgi"
	"os/exec"
	"path/filepath"
	"strings"
)

// GitHandler serves every bare repository below root through `git http-backend`, with pushes
// allowed. Git-Protocol is passed on, so protocol version 2 works. env is added to the environment
// of git and of its hooks.
func GitHandler(root string, env ...string) (http.Handler, error) {
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return nil, err
	}
	backend := filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		h := &cgi.Handler{Path: backend, Root: "/", Dir: root, Env: append([]string{
			"GIT_PROJECT_ROOT=" + root,
			"GIT_HTTP_EXPORT_ALL=1",
			"GIT_PROTOCOL=" + r.Header.Get("Git-Protocol"),
			"REMOTE_USER=" + user, // http-backend allows receive-pack to an authenticated user
			"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
		}, env...)}
		h.ServeHTTP(w, r)
	}), nil
}
