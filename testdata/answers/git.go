package answers

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// CloneURL serves the scenario's repository over git's smart HTTP until the test ends, with tip as
// the commit of main. Every fetch is answered with all there is.
func (s *Server) CloneURL(t testing.TB, tip string) string {
	t.Helper()
	var objects []plumbing.Hash
	for hash := range s.store.Objects {
		objects = append(objects, hash)
	}
	var pack bytes.Buffer
	if _, err := packfile.NewEncoder(&pack, s.store, false).Encode(objects, 0); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /access.git/info/refs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		_, _ = io.WriteString(w, packet("version 2")+packet("ls-refs")+packet(
			"fetch=shallow")+flush)
	})
	mux.HandleFunc("POST /access.git/git-upload-pack",
		func(w http.ResponseWriter, r *http.Request) {
			asked, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			if strings.Contains(string(asked), "command=ls-refs") {
				_, _ = io.WriteString(w, packet(tip+" refs/heads/main")+flush)
				return
			}
			_, _ = io.WriteString(w, packet("packfile"))
			for rest := pack.Bytes(); len(rest) > 0; {
				part := rest[:min(len(rest), 60_000)]
				rest = rest[len(part):]
				_, _ = fmt.Fprintf(w, "%04x\x01%s", len(part)+5, part)
			}
			_, _ = io.WriteString(w, flush)
		})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/access.git"
}

const flush = "0000"

// packet is one line of git's protocol, https://git-scm.com/docs/gitprotocol-common.
func packet(line string) string { return fmt.Sprintf("%04x%s\n", len(line)+5, line) }
