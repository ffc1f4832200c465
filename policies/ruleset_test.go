package policies_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies"
)

// TestWeaknesses reads each file's rules as GitHub lists them and compares what they lack with the
// section want; a section app holds the number of the App that is pinned.
func TestWeaknesses(t *testing.T) {
	files, err := filepath.Glob("../testdata/ruleset/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var rules []policies.BranchRule
			if err := json.Unmarshal(archive.Files[0].Data, &rules); err != nil {
				t.Fatal(err)
			}
			app := int64(0)
			for _, f := range archive.Files[2:] {
				if _, err := fmt.Sscan(string(f.Data), &app); f.Name != "app" || err != nil {
					t.Fatalf("section %s: %v", f.Name, err)
				}
			}
			got := ""
			for _, weak := range policies.Weaknesses(rules, app) {
				got += weak + "\n"
			}
			if want := string(archive.Files[1].Data); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}
