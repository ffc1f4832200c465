package forge

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/storage/memory"
)

// What an agent asks git for most is where a branch is, and objects by their names. In process both are
// answered without git, as gitprotocol-v2(5) and gitformat-pack(5) have it; all else is for git to say.

// fetched answers a question to git-upload-pack, or returns nil where git is to be asked.
func (g repository) fetched(question []byte) []byte {
	command, arguments, ok := lines(question)
	if !ok {
		return nil
	}
	switch command {
	case "command=ls-refs":
		return g.listedRefs(arguments)
	case "command=fetch":
		return g.given(arguments)
	}
	return nil
}

// lines are the command and the arguments of a question in protocol version 2.
func lines(question []byte) (command string, arguments []string, ok bool) {
	before, after, ok := bytes.Cut(question, []byte("0001"))
	if !ok || !bytes.HasSuffix(after, []byte("0000")) {
		return "", nil, false
	}
	scanner := pktline.NewScanner(bytes.NewReader(after))
	for scanner.Scan() && len(scanner.Bytes()) > 0 {
		arguments = append(arguments, strings.TrimSuffix(string(scanner.Bytes()), "\n"))
	}
	scanner = pktline.NewScanner(bytes.NewReader(before))
	if !scanner.Scan() {
		return "", nil, false
	}
	return strings.TrimSuffix(string(scanner.Bytes()), "\n"), arguments, true
}

// listedRefs answers a question for the refs whose names begin alike.
func (g repository) listedRefs(arguments []string) []byte {
	if len(arguments) != 1 {
		return nil
	}
	prefix, ok := strings.CutPrefix(arguments[0], "ref-prefix ")
	if !ok || !strings.HasPrefix(prefix, "refs/heads/") {
		return nil
	}
	refs, names, err := g.refs("refs/heads/")
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	answer := pktline.NewEncoder(&out)
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			answer.Encodef("%s %s\n", refs[name], name)
		}
	}
	answer.Flush()
	return out.Bytes()
}

// given answers a question for trees alone, or for blobs alone, without what they lead to.
func (g repository) given(arguments []string) []byte {
	var wants []string
	filter := ""
	for _, a := range arguments {
		key, value, _ := strings.Cut(a, " ")
		switch key {
		case "want":
			wants = append(wants, value)
		case "filter":
			filter = value
		case "done", "no-progress", "ofs-delta":
		default:
			return nil
		}
	}
	store := memory.NewStorage()
	var names []plumbing.Hash
	for _, sha := range wants {
		kind, _, ok := g.looseKind(sha)
		content, err := g.content(sha, kind)
		o := store.NewEncodedObject()
		switch {
		case !ok || err != nil:
			return nil
		case kind == "blob" && filter != "":
			o.SetType(plumbing.BlobObject)
		case kind == "tree" && filter == "tree:0":
			o.SetType(plumbing.TreeObject)
			below, ok := g.entries(sha)
			if !ok || slices.ContainsFunc(below, func(e entry) bool { return slices.Contains(wants, e.SHA) }) {
				return nil // git leaves out what stands in another one, until it is asked for alone
			}
		default:
			return nil
		}
		w, _ := o.Writer()
		io.WriteString(w, content)
		name, _ := store.SetEncodedObject(o)
		names = append(names, name)
	}
	var pack, out bytes.Buffer
	if _, err := packfile.NewEncoder(&pack, store, false).Encode(names, 0); err != nil {
		return nil
	}
	answer := pktline.NewEncoder(&out)
	answer.EncodeString("packfile\n")
	sideband.NewMuxer(sideband.Sideband64k, &out).Write(pack.Bytes())
	answer.Flush()
	return out.Bytes()
}

// serveFetch answers what is read of the repository.
func (f *Forge) serveFetch(w http.ResponseWriter, r *http.Request) {
	if !f.opts.InProcess || r.Method != http.MethodPost || r.Header.Get("Content-Encoding") != "" {
		f.smart.ServeHTTP(w, r)
		return
	}
	question, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if said := f.git.fetched(question); said != nil {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		w.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
		w.Write(said)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(question))
	f.smart.ServeHTTP(w, r)
}
