package forge

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// activities reads the whole feed of a ref through its cursors: "type actor".
func activities(t *testing.T, f *Forge, ref string) []string {
	t.Helper()
	c := client(t, f, f.AppToken("pullgrant"))
	var out []string
	after := ""
	for {
		request, err := c.NewRequest("GET", "repos/acme/access/activity?per_page=100&ref="+ref+
			"&after="+after, nil)
		if err != nil {
			t.Fatal(err)
		}
		var entries []struct {
			ActivityType string `json:"activity_type"`
			Actor        struct{ Login string }
		}
		response, err := c.Do(t.Context(), request, &entries)
		if err != nil || len(entries) > 2 {
			t.Fatal(len(entries), err)
		}
		for _, e := range entries {
			out = append(out, e.ActivityType+" "+e.Actor.Login)
		}
		if after = response.After; after == "" {
			return out
		}
	}
}

// clone clones as login into a new folder.
func clone(t *testing.T, f *Forge, login string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	if out, ok := git(t, ".", "clone", "-q", as(f, login), dir); !ok {
		t.Fatal(out)
	}
	return dir
}

// committed writes a file and commits it.
func committed(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"add", "."}, {"commit", "-q", "-m", "Change " + name}} {
		if out, ok := git(t, dir, args...); !ok {
			t.Fatal(out)
		}
	}
}

var gitBehaviours = []behaviour{
	{"pushes to branches are made by the token's user and feed the activity", docActivity,
		func(t *testing.T, f *Forge) {
			dir := clone(t, f, "alice")
			committed(t, dir, "a", "1")
			if out, ok := git(t, dir, "push", "-q", "origin", "HEAD:ask"); !ok {
				t.Fatal(out)
			}
			n := must(f.Open("alice", "ask", "Ask"))(t)
			committed(t, dir, "a", "2")
			if out, ok := git(t, dir, "push", "-q", as(f, "bob"), "HEAD:ask"); !ok {
				t.Fatal(out)
			}
			if out, ok := git(t, dir, "push", "-q", "-f", "origin", "HEAD~1:ask"); !ok {
				t.Fatal(out)
			}
			if got := getPull(t, f, n).GetHead().GetSHA(); got != f.Branch("ask") {
				t.Errorf("head is %s", got)
			}
			if out, ok := git(t, dir, "push", "-q", "origin", ":ask"); !ok {
				t.Fatal(out)
			}
			want := []string{"branch_deletion alice", "force_push alice", "push bob",
				"branch_creation alice"}
			if got := activities(t, f, "refs/heads/ask"); !slices.Equal(got, want) {
				t.Errorf("got %q", got)
			}
			if got := getPull(t, f, n).GetState(); got != "closed" {
				t.Errorf("without its branch the pull request is %s", got)
			}
		}},
	{"ref updates through the API and merges feed the activity too", docActivity, func(t *testing.T,
		f *Forge) {
		n := opened(t, f, "alice", "ask")
		c := client(t, f, f.Token("bob"))
		ref := &github.Reference{Ref: github.String("refs/heads/ask"),
			Object: &github.GitObject{SHA: github.String(f.Branch("main"))}}
		_, _, err := c.Git.UpdateRef(t.Context(), "acme", "access", ref, false)
		refused(t, err, 422, "Update is not a fast forward")
		head := f.Branch("ask")
		if _, _, err := c.Git.UpdateRef(t.Context(), "acme", "access", ref, true); err != nil {
			t.Fatal(err)
		}
		ref.Object.SHA = &head
		if _, _, err := c.Git.UpdateRef(t.Context(), "acme", "access", ref, false); err != nil {
			t.Fatal(err)
		}
		ready(t, f, n)
		must(f.Merge("alice", n))(t)
		if got, want := activities(t, f, "ask"), []string{"branch_deletion alice", "push bob",
			"force_push bob", "branch_creation alice"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if got, want := activities(t, f, "main"), []string{"pr_merge alice",
			"branch_creation root"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	}},
	{"a push to main is remotely rejected unless the pusher bypasses the rules", docRulesets,
		func(t *testing.T, f *Forge) {
			dir := clone(t, f, "alice")
			committed(t, dir, "a", "1")
			before := f.Branch("main")
			out, ok := git(t, dir, "push", "origin", "HEAD:main")
			if ok || !strings.Contains(out, "remote rejected") || !strings.Contains(out, "GH013") ||
				f.Branch("main") != before {
				t.Errorf("main %s -> %s: %s", before, f.Branch("main"), out)
			}
			agent := strings.Replace(f.CloneURL(), "http://", "http://x-access-token:"+
				f.AppToken("agent")+"@", 1)
			if out, ok := git(t, dir, "push", agent, "HEAD:main"); !ok {
				t.Fatal(out)
			}
			if got := activities(t, f, "main"); got[0] != "push agent[bot]" {
				t.Error(got)
			}
			_, err := client(t, f, f.Token("alice")).Git.DeleteRef(t.Context(), "acme", "access",
				"heads/main")
			refused(t, err, 422, "Changes must be made through a pull request")
		}},
	{"git needs a token, and write to push", docHTTPS, func(t *testing.T, f *Forge) {
		for address, words := range map[string]string{
			strings.Replace(f.CloneURL(), "http://", "http://x:wrong@", 1): "Authentication failed",
			as(f, "eve"): "not found"} {
			if out, ok := git(t, ".", "ls-remote", address); ok || !strings.Contains(out, words) {
				t.Error(out)
			}
		}
		dir := clone(t, f, "rita")
		committed(t, dir, "a", "1")
		if out, ok := git(t, dir, "push", "origin", "HEAD:x"); ok || !strings.Contains(out, "403") {
			t.Error(out)
		}
		if out, ok := git(t, dir, "push", as(f, "alice"), "HEAD:refs/pull/1/head"); ok ||
			!strings.Contains(out, "hidden ref") {
			t.Error(out)
		}
	}},
	{"a push that loses the race is rejected", docHTTPS, func(t *testing.T, f *Forge) {
		f.Protect(Rules{Off: true})
		dir := clone(t, f, "alice")
		committed(t, dir, "a", "1")
		var won string
		f.BeforeReceive(func() {
			won = must(f.Push(Change{User: "bob", Files: map[string]string{"b": "2"},
				Message: "First"}))(t)
		})
		if out, ok := git(t, dir, "push", "origin", "HEAD:main"); ok || !strings.Contains(out,
			"rejected") || f.Branch("main") != won {
			t.Errorf("main %s, won %s: %s", f.Branch("main"), won, out)
		}
		if out, ok := git(t, dir, "pull", "-q", "--rebase", "origin", "main"); !ok {
			t.Fatal(out)
		}
		if out, ok := git(t, dir, "push", "origin", "HEAD:main"); !ok {
			t.Error(out)
		}
	}},
	{"commits are attributed by e-mail: noreply, registered, or to nobody", docEmail,
		func(t *testing.T, f *Forge) {
			for email, want := range map[string]string{"101+alice@users.noreply.github.com": "alice",
				"Bob@Example.com": "bob", "carol@users.noreply.github.com": "carol",
				"who@example.org": ""} {
				sha := must(f.Push(Change{User: "alice", Branch: "ask",
					Files: map[string]string{"x": email}, Message: "x",
					Committer: &Identity{Name: "any", Email: email}}))(t)
				commit, _, err := client(t, f, f.Token("rita")).Repositories.GetCommit(t.Context(),
					"acme", "access", sha, nil)
				if err != nil || commit.GetCommitter().GetLogin() != want ||
					commit.GetAuthor().GetLogin() != "alice" {
					t.Error(email, commit, err)
				}
			}
		}},
	{"commits are listed by branch and path, newest first", docCommits, func(t *testing.T,
		f *Forge) {
		first := f.Branch("main")
		second := must(f.Push(Change{User: "root", Files: map[string]string{"policies/p.yaml": "new\n"},
			Message: "Policy"}))(t)
		must(f.Push(Change{User: "root", Files: map[string]string{"README.md": "new\n"},
			Message: "Words"}))(t)
		commits, response, err := client(t, f, f.Token("rita")).Repositories.ListCommits(
			t.Context(),
			"acme", "access", &github.CommitsListOptions{SHA: "main", Path: "policies/p.yaml"})
		if err != nil || len(commits) != 2 || commits[0].GetSHA() != second ||
			commits[1].GetSHA() != first || response.NextPage != 0 {
			t.Error(commits, err)
		}
	}},
	{"trees keep modes, remove by null, and walk recursively", docTrees, func(t *testing.T,
		f *Forge) {
		c := client(t, f, f.Token("alice"))
		tree, _, err := c.Git.CreateTree(t.Context(), "acme", "access", f.Branch("main"),
			[]*github.TreeEntry{
				{Path: github.String("README.md"), Mode: github.String("100644"),
					Type: github.String("blob")},
				{Path: github.String("link"), Mode: github.String("120000"),
					Type:    github.String("blob"),
					Content: github.String("docs/a.txt")}})
		if err != nil {
			t.Fatal(err)
		}
		all, _, err := c.Git.GetTree(t.Context(), "acme", "access", tree.GetSHA(), true)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all.Entries {
			got = append(got, e.GetMode()+" "+e.GetPath())
		}
		if want := []string{"040000 docs", "100644 docs/a.txt", "120000 link", "040000 policies",
			"100644 policies/p.yaml"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	}},
	{"blobs come back in base64, bytes untouched", docTrees, func(t *testing.T, f *Forge) {
		c := client(t, f, f.Token("alice"))
		content := strings.Repeat("ü\x00\r\n", 50)
		blob, _, err := c.Git.CreateBlob(t.Context(), "acme", "access",
			&github.Blob{Content: github.String(content), Encoding: github.String("utf-8")})
		if err != nil {
			t.Fatal(err)
		}
		raw, _, err := c.Git.GetBlobRaw(t.Context(), "acme", "access", blob.GetSHA())
		if err != nil || string(raw) != content {
			t.Errorf("%q %v", raw, err)
		}
		got, _, err := c.Git.GetBlob(t.Context(), "acme", "access", blob.GetSHA())
		if err != nil || got.GetEncoding() != "base64" || got.GetSize() != len(content) {
			t.Error(got, err)
		}
	}},
	{"a commit through the API is the token's user's; an App's is signed by GitHub", docGitCommits,
		func(t *testing.T, f *Forge) {
			main := f.Branch("main")
			tree := must(f.git.resolve(main, "tree"))(t)
			for token, want := range map[string]string{f.Token(
				"alice"): "101+alice@users.noreply.github.com false",
				f.AppToken("agent"): "107002+agent[bot]@users.noreply.github.com true"} {
				commit, _, err := client(t, f, token).Git.CreateCommit(t.Context(),
					"acme", "access",
					&github.Commit{Message: github.String("x"),
						Tree: &github.Tree{SHA: &tree}, Parents: []*github.Commit{{SHA: &main}}},
					nil)
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprint(commit.GetCommitter().GetEmail(), " ",
					commit.GetVerification().GetVerified())
				if got != want || commit.GetAuthor().GetDate().Format("15:04:05") != "08:00:00" {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		}},
	{"refs are found exactly, or by prefix; a taken name is 422", docRefs, func(t *testing.T,
		f *Forge) {
		opened(t, f, "alice", "ask")
		opened(t, f, "alice", "ask-2")
		c := client(t, f, f.Token("alice"))
		refs, _, err := c.Git.ListMatchingRefs(t.Context(), "acme", "access",
			&github.ReferenceListOptions{Ref: "heads/ask"})
		if err != nil || len(refs) != 2 {
			t.Error(refs, err)
		}
		_, _, err = c.Git.GetRef(t.Context(), "acme", "access", "heads/as")
		refused(t, err, 404, "")
		_, _, err = c.Git.CreateRef(t.Context(), "acme", "access",
			&github.Reference{Ref: github.String("refs/heads/ask"),
				Object: &github.GitObject{SHA: github.String(f.Branch("main"))}})
		refused(t, err, 422, "Reference already exists")
	}},
}
