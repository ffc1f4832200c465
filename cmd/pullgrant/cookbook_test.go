package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestCookbook runs what the cookbook shows how to ask, under the policies of the example repository
// that it shows. What is run beside that needs a cluster, and other tests do it.
func TestCookbook(t *testing.T) {
	var archive txtar.Archive
	root := os.DirFS(filepath.Join(top, "testdata/accessrepo"))
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		archive.Files = append(archive.Files, txtar.File{Name: "access/" + name, Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(top, "docs/cookbook/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	script, asked := "forge access\n", 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range readmeBlocks(string(text)) {
			for _, command := range block.commands {
				switch {
				case strings.HasPrefix(command, "pullgrant request "):
					asked++
					script += fmt.Sprintf("exec sh -c '%s'\nstdout pull/%d\n", command, asked)
				case strings.HasPrefix(command, "pullgrant exec "),
					strings.HasPrefix(command, "kubectl label "), command == "pullgrant policy recertify":
				default:
					t.Errorf("%s shows %q, which is not run", page, command)
				}
			}
		}
	}
	// README, what nobody gets, limits, under which one asks as ever, and what is asked of owners
	if asked != len(pages)-4 {
		t.Fatalf("%d pages show how to ask %d times", len(pages), asked)
	}
	archive.Comment = []byte(script)
	file := filepath.Join(t.TempDir(), "cookbook.txtar")
	if err := os.WriteFile(file, txtar.Format(&archive), 0o644); err != nil {
		t.Fatal(err)
	}
	runScripts(t, file)
}
