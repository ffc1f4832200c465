package forge

import (
	"bytes"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/storage/memory"
)

// TestFetchedWithoutGit: what is answered without git is what git answers, and the rest is left to it.
func TestFetchedWithoutGit(t *testing.T) {
	f := start(t, Options{InProcess: true})
	opened(t, f, "alice", "main-too")
	must(f.Push(Change{User: "root", Branch: "main", Files: map[string]string{"a/b/c": "deep\n"},
		Message: "Deep"}))(t)
	main := f.Branch("main")
	deep := must(f.git.below(main, "a/b"))(t)
	root, _ := f.git.entries(main)
	large := must(f.git.writeBlob(strings.Repeat("0123456789", 20000)))(t)
	wants := map[string]string{"commit": "want " + main, "large": "want " + large,
		"tree": "want " + must(f.git.commit(main))(t).Tree}
	for _, e := range root {
		wants[e.Path] = "want " + e.SHA
	}
	for _, q := range []struct {
		name, command string
		arguments     []string
		answered      bool
	}{
		{"branches that begin alike", "ls-refs", []string{"ref-prefix refs/heads/main"}, true},
		{"no such branch", "ls-refs", []string{"ref-prefix refs/heads/none"}, true},
		{"all there is", "ls-refs", []string{"peel", "symrefs"}, false},
		{"tags", "ls-refs", []string{"ref-prefix refs/tags/"}, false},
		{"a tree", "fetch", []string{wants["tree"], "filter tree:0"}, true},
		{"trees", "fetch", []string{wants["policies"], wants["docs"], "filter tree:0"}, true},
		{"a tree and one below", "fetch", []string{wants["docs"], wants["tree"], "filter tree:0"}, false},
		{"a tree and one two below", "fetch", []string{"want " + deep, wants["tree"], "filter tree:0"}, true},
		{"a tree with what it leads to", "fetch", []string{wants["tree"]}, false},
		{"a tree with those below", "fetch", []string{wants["tree"], "filter blob:none"}, false},
		{"a file", "fetch", []string{wants["README.md"], "filter blob:none"}, true},
		{"a large file", "fetch", []string{wants["large"], wants["README.md"], "filter tree:0"}, true},
		{"a history", "fetch", []string{wants["commit"], "filter tree:0"}, false},
		{"a part of one", "fetch", []string{wants["commit"], "deepen 1", "filter tree:0"}, false},
		{"beside what is had", "fetch", []string{wants["tree"], "have " + main, "filter tree:0"}, false},
		{"what is not there", "fetch", []string{"want " + strings.Repeat("1", 40), "filter tree:0"}, false},
	} {
		t.Run(q.name, func(t *testing.T) {
			if q.command == "fetch" {
				q.arguments = append(q.arguments, "no-progress", "ofs-delta", "done")
			}
			question := asked(q.command, q.arguments)
			said := f.git.fetched(question)
			if (said != nil) != q.answered {
				t.Fatalf("it is answered: %v", said != nil)
			}
			if said == nil {
				return
			}
			r := httptest.NewRequest("POST", "/acme/access.git/git-upload-pack", bytes.NewReader(question))
			r.Header.Set("Git-Protocol", "version=2")
			w := httptest.NewRecorder()
			f.smart.ServeHTTP(w, r)
			if q.command == "ls-refs" {
				if w.Body.String() != string(said) {
					t.Errorf("%q, and git says %q", said, w.Body)
				}
				return
			}
			got, want := unpacked(t, said), unpacked(t, w.Body.Bytes())
			if len(got) == 0 || !slices.Equal(got, want) {
				t.Errorf("%q, and git gives %q", got, want)
			}
		})
	}
}

// asked is a question in protocol version 2.
func asked(command string, arguments []string) []byte {
	var out bytes.Buffer
	e := pktline.NewEncoder(&out)
	e.EncodeString("command="+command+"\n", "agent=test\n")
	out.WriteString("0001")
	for _, a := range arguments {
		e.EncodeString(a + "\n")
	}
	e.Flush()
	return out.Bytes()
}

// unpacked are the objects of an answer, in order.
func unpacked(t *testing.T, answer []byte) (objects []string) {
	t.Helper()
	rest, found := bytes.CutPrefix(answer, []byte("000dpackfile\n"))
	if !found {
		t.Fatalf("the answer begins with %q", answer[:min(len(answer), 50)])
	}
	store := memory.NewStorage()
	pack := sideband.NewDemuxer(sideband.Sideband64k, bytes.NewReader(rest))
	if err := packfile.UpdateObjectStorage(store, pack); err != nil {
		t.Fatal(err)
	}
	for name, o := range maps.All(store.Objects) {
		objects = append(objects, fmt.Sprint(o.Type(), " ", name, " ", o.Size()))
	}
	slices.Sort(objects)
	return objects
}
