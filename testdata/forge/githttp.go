// Package forge is a GitHub on loopback: one bare repository served by git itself, and the REST
// operations of api.github.com that pullgrant calls, backed by that same repository.
package forge

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// GitHandler serves every bare repository below root by git's own programs, as gitprotocol-http(5)
// has it, with pushes allowed: what `git http-backend` does, with half of its processes. Protocol
// version 2 works. env is added to the environment of git and of its hooks.
func GitHandler(root string, env ...string) (http.Handler, error) {
	if _, err := exec.LookPath("git"); err != nil {
		return nil, err
	}
	return &gitHandler{root: root, env: env}, nil
}

type gitHandler struct {
	root       string
	env        []string
	advertised sync.Map // in version 2 no ref is: it stays as long as the repository's configuration
}

func (g *gitHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	folder, operation, service := r.URL.Path, "", r.URL.Query().Get("service")
	for _, known := range []string{"/info/refs", "/git-upload-pack", "/git-receive-pack"} {
		if before, found := strings.CutSuffix(r.URL.Path, known); found {
			folder, operation = before, known[1:]
		}
	}
	dir := filepath.Join(g.root, filepath.FromSlash(filepath.Clean("/"+folder)))
	config, err := os.ReadFile(filepath.Join(dir, "config"))
	advertising := operation == "info/refs"
	switch {
	case err != nil || operation == "":
		http.NotFound(w, r)
		return
	case !advertising && r.Method == http.MethodPost:
		service = operation
	case !advertising || r.Method != http.MethodGet:
		http.Error(w, "no such operation", http.StatusMethodNotAllowed)
		return
	case service != "git-upload-pack" && service != "git-receive-pack":
		http.Error(w, "unsupported service", http.StatusForbidden)
		return
	}
	w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	args := []string{strings.TrimPrefix(service, "git-"), "--stateless-rpc"}
	if !advertising {
		w.Header().Set("Content-Type", "application/x-"+service+"-result")
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			if body, err = gzip.NewReader(r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		g.run(r, dir, body, w, args)
		return
	}
	w.Header().Set("Content-Type", "application/x-"+service+"-advertisement")
	second := service == "git-upload-pack" && strings.Contains(r.Header.Get("Git-Protocol"), "version=2")
	if !second {
		line := "# service=" + service + "\n"
		fmt.Fprintf(w, "%04x%s0000", len(line)+4, line)
		g.run(r, dir, nil, w, append(args, "--advertise-refs"))
		return
	}
	key := dir + "\x00" + string(config)
	if known, found := g.advertised.Load(key); found {
		io.WriteString(w, known.(string))
		return
	}
	var said strings.Builder
	if g.run(r, dir, nil, io.MultiWriter(w, &said), append(args, "--advertise-refs")) == nil {
		g.advertised.Store(key, said.String())
	}
}

// run has git answer a request; what it refuses it tells in the answer itself.
func (g *gitHandler) run(r *http.Request, dir string, in io.Reader, out io.Writer, args []string) error {
	cmd := exec.CommandContext(r.Context(), "git", append(args, dir)...)
	user, _, _ := r.BasicAuth()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_PROTOCOL=" + r.Header.Get("Git-Protocol"), "REMOTE_USER=" + user}, g.env...)
	cmd.Stdin, cmd.Stdout = in, out
	cmd.Stderr = os.Stderr
	return cmd.Run()
}
