package policies_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies"
)

// TestWeaknesses reads each file's rules as GitHub lists them and compares what they lack with its
// last section.
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
			got := ""
			for _, weak := range policies.Weaknesses(rules) {
				got += weak + "\n"
			}
			if want := string(archive.Files[1].Data); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}
