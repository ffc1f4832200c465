package github

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

func TestEntriesThatAreNoPlainFile(t *testing.T) {
	for name, c := range map[string]struct {
		mode, content string
		words         string // in Unreadable
	}{
		"symlink":    {"120000", "../../secret", ""},
		"executable": {"100755", requestFile, ""},
		"not UTF-8":  {"100644", "\xff\xfe", "not UTF-8"},
		"too large":  {"100644", strings.Repeat("a", policies.MaxFileSize+1), "3145729 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.push(forge.Change{Branch: "ask", Files: map[string]string{requestPath: c.content},
				Modes: map[string]string{requestPath: c.mode}})
			f := w.facts(w.open("ask"))
			file := f.Head.Files[requestPath]
			if file.Mode != c.mode || file.Content != "" || !strings.Contains(file.Unreadable,
				c.words) || (file.Unreadable == "") != (c.words == "") {
				t.Errorf("mode %s, %d bytes, unreadable %q", file.Mode, len(file.Content),
					file.Unreadable)
			}
			if file.Blob != blobName([]byte(c.content)) {
				t.Errorf("blob %s", file.Blob)
			}
			if d := policies.Evaluate(f.Base, f, noon); d.Code != policies.FileRejected {
				t.Errorf("code %s: %s", d.Code, d.Message)
			}
			if slices.ContainsFunc(w.Requests(),
				func(r forge.Request) bool {
					return name == "too large" && strings.HasSuffix(r.Path,
						file.Blob)
				}) {
				t.Error("the large blob was fetched")
			}
			roundTrip(t, f)
		})
	}
}

func TestASubmoduleInThePlaceOfARequest(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{Branch: "ask", Files: map[string]string{requestPath: requestFile}})
	path := "/git/trees/" + w.git("rev-parse", "ask:requests/prod-eu/payments-debug")
	n := w.open("ask")
	w.client = w.edited(path, func(body any) any {
		maps.Copy(body.(map[string]any)["tree"].([]any)[0].(map[string]any),
			map[string]any{"mode": "160000", "type": "commit"})
		return body
	})
	if file := w.facts(n).Head.Files[requestPath]; file.Mode != "160000" || file.Content != "" {
		t.Errorf("file %+v", file)
	}
}

// git runs git in the forge's repository.
func (w world) git(args ...string) string {
	w.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = w.GitDir()
	out, err := cmd.Output()
	w.check(err)
	return strings.TrimSpace(string(out))
}

func TestAChangeToThePolicies(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root",
		Files: map[string]string{"docs/old.md": "some text\nof several\nlines\n",
			"policies/more/deep.yaml": "x", "tests/t.yaml": "t"}})
	w.push(forge.Change{Branch: "change", Files: map[string]string{"policies/new.yaml": "new",
		policyPath: forge.Removed, "CODEOWNERS": "* @root\n",
		"docs/old.md": forge.Removed, "docs/new.md": "some text\nof several\nlines\n"}})
	f := w.facts(w.open("change"))
	if got := slices.Sorted(maps.Keys(f.Base.Files)); !slices.Equal(got,
		[]string{".github/CODEOWNERS", "catalog/prod-eu/payments-debug.yaml",
			"policies/identities.yaml", "policies/more/deep.yaml", policyPath, "tests/t.yaml"}) {
		t.Errorf("base %q", got)
	}
	if got := slices.Sorted(maps.Keys(f.Head.Files)); !slices.Equal(got, []string{"CODEOWNERS",
		"policies/new.yaml"}) {
		t.Errorf("head %q", got)
	}
	renamed := policies.File{Path: "docs/new.md", PreviousPath: "docs/old.md", Status: "renamed"}
	if !slices.Contains(f.Files, renamed) {
		t.Errorf("files %+v lack the rename", f.Files)
	}
	if f.UsedNames != nil {
		t.Errorf("used names %q", f.UsedNames)
	}
	roundTrip(t, f)
}

func TestAWithdrawalHasTheRequestInItsBase(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile}})
	w.push(forge.Change{Branch: "drop", Files: map[string]string{requestPath: forge.Removed}})
	f := w.facts(w.open("drop"))
	if f.Base.Files[requestPath].Content != requestFile || len(f.Head.Files) != 0 {
		t.Errorf("base %q, head %v", f.Base.Files[requestPath].Content, f.Head.Files)
	}
	if d := policies.Evaluate(f.Base, f, noon); d.Outcome != policies.Allowed {
		t.Errorf("decision %s: %s", d.Outcome, d.Message)
	}
}

// TestNamesThatWereUsed: a name is used by what any cluster has under it (R48); a request that was merged
// keeps it from those that came later.
func TestNamesThatWereUsed(t *testing.T) {
	w := newWorld(t)
	used := []string{"requests/prod-eu/other/" + requestName + ".yaml",
		"requests/prod-us/payments-debug/" + requestName + ".yaml",
		"revocations/prod-eu/20261123/" + requestName + ".yaml",
		"revocations/staging/20261123/" + requestName + ".yaml"}
	files := map[string]string{"requests/prod-eu/payments-debug/another.yaml": "x",
		"requests/README.md": "x", "requests/prod-us/" + requestName + ".yaml": "x",
		"revocations/prod-us/20261122/" + requestName + ".yaml": "x"}
	for _, path := range used {
		files[path] = "x"
	}
	w.push(forge.Change{User: "root", Files: files})
	n := w.ask()
	f := w.facts(n)
	if !slices.Equal(f.UsedNames, used) {
		t.Errorf("used names %q", f.UsedNames)
	}
	roundTrip(t, f)

	w = newWorld(t)
	n = w.asked(true)
	w.push(forge.Change{User: "root", Files: files})
	want := append([]string{requestPath}, used[2:]...)
	if f := w.facts(n); !slices.Equal(f.UsedNames, want) {
		t.Errorf("used names of a merged one %q", f.UsedNames)
	}
}

// TestNamesOfManyClusters: what is read at once does not cost more with each cluster.
func TestNamesOfManyClusters(t *testing.T) {
	w := newWorld(t, func(o *forge.Options) { o.PageSize = 100 })
	files := map[string]string{}
	for i := range 30 {
		cluster := fmt.Sprintf("prod-%d", i)
		files[requests.Path(cluster, "payments-debug", "20261123-eve-other")] = cluster
		files[requests.RevocationPath(cluster, "20261123-eve-before")] = cluster
	}
	w.push(forge.Change{User: "root", Files: files})
	n := w.ask()
	before := len(w.Requests())
	facts, err := w.ahead().Facts(t.Context(), n, noon)
	w.check(err)
	if calls := w.Requests()[before:]; len(calls) > 14 || len(facts.UsedNames) > 0 {
		t.Errorf("%d calls: %v; used %q", len(calls), calls, facts.UsedNames)
	}
}

func TestTreesThatProveNothing(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	entries := func(body any) []any { return body.(map[string]any)["tree"].([]any) }
	for name, c := range map[string]struct {
		edit  func(any) any
		words string
	}{
		"twice": {func(body any) any {
			return with(map[string]any{"tree": append(entries(body),
				entries(body)[0])})(body)
		}, "twice"},
		"truncated": {with(map[string]any{"truncated": true}), "GitHub cut it short"},
		"no truncated": {func(body any) any {
			delete(body.(map[string]any),
				"truncated")
			return body
		},
			"lacks a field"},
		"another tree": {with(map[string]any{"sha": strings.Repeat("1", 40)}), "lacks a field"},
		"no entries": {func(body any) any { delete(body.(map[string]any), "tree"); return body },
			"lacks a field"},
		"deep name": {func(body any) any {
			entries(body)[0].(map[string]any)["path"] =
				"a/b"
			return body
		}, "lacks a field"},
		"no size": {func(body any) any {
			delete(entries(body)[0].(map[string]any),
				"size")
			return body
		}, "lacks a field"},
		"no type": {func(body any) any {
			delete(entries(body)[0].(map[string]any), "type")
			return body
		}, "lacks a field"},
		"another type": {func(body any) any {
			entries(body)[0].(map[string]any)["type"] = "tree"
			return body
		}, "lacks a field"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{Forge: w.Forge, T: t, token: w.token}
			w.client = w.edited("/git/trees/"+w.git("rev-parse", "main:policies"), c.edit)
			w.refused(n, c.words)
		})
	}
}

func TestABlobMustHaveItsName(t *testing.T) {
	w := newWorld(t)
	n := w.ask()
	path := "/git/blobs/" + blobName([]byte(requestFile))
	w.client = w.edited(path, with(map[string]any{"content": "aGVsbG8="}))
	w.refused(n, "does not have this name")
	w.client = w.edited(path, with(map[string]any{"content": "", "encoding": "none"}))
	w.refused(n, "lacks a field")
}

func TestCodeownersErrors(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{".github/CODEOWNERS": "* @root @nobody\n"}})
	n := w.ask()
	if f := w.facts(n); len(f.CodeownersErrors) != 1 ||
		f.CodeownersErrors[0] != ".github/CODEOWNERS:1:9: Unknown owner" {
		t.Errorf("errors %q", f.CodeownersErrors)
	}
	w.push(forge.Change{User: "root", Files: map[string]string{".github/CODEOWNERS": forge.Removed}})
	if f := w.facts(n); f.CodeownersErrors != nil {
		t.Errorf("errors %q without a file", f.CodeownersErrors)
	}
}

func TestTreeAndFiles(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{requestPath: requestFile,
		"requests/link": "x", "requests/a.bin": "\xff"},
		Modes: map[string]string{"requests/link": "120000"}})
	tree, err := w.client.Tree(t.Context(), "", policies.Wanted(policies.KindChange, ""))
	w.check(err)
	if tree.Commit != w.Branch("main") || len(tree.Files) != 4 || len(tree.Check()) != 0 {
		t.Errorf("tree %v, findings %v", tree, tree.Check())
	}
	files, err := w.client.Files(t.Context(), "", "requests")
	w.check(err)
	if len(files) != 1 || string(files[requestPath]) != requestFile {
		t.Errorf("files %q", files)
	}
	if files, err := w.client.Files(t.Context(), tree.Commit, "revocations"); err != nil ||
		len(files) != 0 {
		t.Errorf("files %q, error %v of a folder that is not there", files, err)
	}
}

const cataloguePath = "catalog/prod-eu/payments-debug.yaml"

// catalogued is a catalogue file of the role that requests ask for.
func catalogued(t *testing.T, verbs ...string) string {
	t.Helper()
	data, err := rbac.NewCatalog("prod-eu", "payments-debug", false,
		[]rbac.RoleRule{{APIGroups: []string{""}, Resources: []string{"pods"},
			Verbs: verbs}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestARequestIsReadWithItsClustersCatalogue(t *testing.T) {
	w := newWorld(t)
	w.push(forge.Change{User: "root", Files: map[string]string{cataloguePath: catalogued(t, "get"),
		"catalog/staging/logs-reader.yaml": "elsewhere", "catalog/README.md": "beside"}})
	f := w.facts(w.ask())
	if role, ok, findings := f.Base.Role("prod-eu", "payments-debug"); !ok || len(findings) != 0 ||
		len(role.Spec.Rules) != 1 {
		t.Errorf("catalogued %t, findings %v, role %+v", ok, findings, role)
	}
	for path := range f.Base.Files {
		if path == "catalog/staging/logs-reader.yaml" || path == "catalog/README.md" {
			t.Errorf("a request to prod-eu is judged with %s", path)
		}
	}
	w.push(forge.Change{Branch: "role", From: "main",
		Files: map[string]string{cataloguePath: catalogued(t, "list")}})
	change, err := w.Open("alice", "role", "Catalogue")
	w.check(err)
	f = w.facts(change)
	if f.Head.Files[cataloguePath].Content != catalogued(t, "list") ||
		f.Base.Files["catalog/staging/logs-reader.yaml"].Content != "elsewhere" ||
		f.Base.Files["catalog/README.md"].Content == "" {
		t.Errorf("a change is judged with base %v and head %v", f.Base.Files, f.Head.Files)
	}
}

// TestLiveRequestsAreShown: the requester's other requests of the cluster come with their policies;
// other people's do not.
func TestLiveRequestsAreShown(t *testing.T) {
	w := newWorld(t)
	file := func(name string) string {
		return strings.ReplaceAll(requestFile,
			"20261122-alice-inc-123", name)
	}
	const mine, others = "requests/prod-eu/payments-debug/20261121-alice-old.yaml",
		"requests/prod-eu/payments-debug/20261121-alice2-old.yaml"
	w.push(forge.Change{User: "root", Files: map[string]string{mine: file("20261121-alice-old"),
		others: file("20261121-alice2-old"),
		"requests/prod-eu/gone/20261121-alice-older.yaml": file("20261121-alice-older")}})
	f := w.facts(w.ask())
	if len(f.Live) != 1 || f.Live[0].Path != mine ||
		f.Live[0].File.Content != file("20261121-alice-old") ||
		f.Live[0].Policy.Content != repositoryFiles[policyPath] {
		t.Errorf("live: %+v", f.Live)
	}
	roundTrip(t, f)
}

// answer is a GitHub that says the same to every call.
type answer []byte

func (a answer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Request: req,
		Body: io.NopCloser(bytes.NewReader(a))}, nil
}

// FuzzReadObjects: whatever GitHub answers, a tree has one entry a name and no name leads
// elsewhere, a blob is what its name says, and a commit has a tree.
func FuzzReadObjects(f *testing.F) {
	name := blobName([]byte("hello\n"))
	f.Add([]byte(`{"sha": "` + name +
		`", "truncated": false, "tree": [{"path": "a", "mode": "100644", "type": "blob", "size": 1, "sha": "` +
		name + `"},
		{"path": "b", "mode": "040000", "type": "tree", "sha": "` + name + `"}]}`))
	f.Add([]byte(`{"sha": "` + name +
		`", "truncated": false, "tree": [{"path": "..", "mode": "040000", "type": "tree", "sha": "` +
		name + `"}]}`))
	f.Add([]byte(`{"sha": "` + name + `", "encoding": "base64", "size": 6, "content": "aGVs\nbG8K\n"}`))
	f.Add([]byte(`{"sha": "` + name + `", "tree": {"sha": "` + name +
		`"}, "parents": [{"sha": "x"}, null]}`))
	f.Add([]byte(`[null, {"filename": "a", "status": "renamed"}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		client, err := New(Config{Owner: "acme", Repo: "access",
			Token: func(context.Context) (string,
				error) {
				return "token", nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		client.wire.next = answer(body)
		if folder, err := client.folder(t.Context(), name); err == nil {
			for base, e := range folder {
				if slices.Contains([]string{"", ".", ".."}, base) || strings.Contains(base, "/") ||
					!isName(e.name) || e.mode == "" {
					t.Errorf("%q is read as %+v", base, e)
				}
			}
		}
		client.objects = objects{}
		if data, err := client.blob(t.Context(), name); err == nil && string(data) != "hello\n" {
			t.Errorf("read %q", data)
		}
		client.objects = objects{}
		if c, err := client.commit(t.Context(), name); err == nil && !isName(c.tree) {
			t.Errorf("a commit without a tree: %+v", c)
		}
		if files, err := client.filesOf(t.Context(), 1); err == nil && slices.ContainsFunc(files,
			func(f policies.File) bool { return f.Path == "" || f.Status == "" }) {
			t.Errorf("read %+v", files)
		}
	})
}
