package sync

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// TestOnlyAPlainFileIsRead: what has a file's name and is none, such as a link to somewhere else,
// counts as no file, and one that cannot be looked at is an error.
func TestOnlyAPlainFileIsRead(t *testing.T) {
	server := gitserver.New(t)
	for _, name := range []string{"plain", "program", "folder/inside"} {
		server.Write("policies/"+name, "content")
	}
	folder := filepath.Join(server.WorkDir, "policies")
	if err := os.Symlink("plain", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, "program"), 0o755); err != nil {
		t.Fatal(err)
	}
	tip := server.Commit("Add files")
	repository, err := git.NewRepository(server.URL, "main", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repository.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &branch{repository: repository}
	for name, want := range map[string]string{"plain": "content", "folder/inside": "content",
		"program": "", "link": "", "folder": "", "missing": ""} {
		got, err := b.file(t.Context(), tip, "policies/"+name)
		if err != nil || string(got) != want || (got == nil) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	unknown := "0123456789012345678901234567890123456789"
	if got, err := b.file(t.Context(), unknown, "policies/plain"); err == nil || got != nil {
		t.Errorf("of a commit that is not there: %q, %v", got, err)
	}
}
