package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// TestEvaluateJudgesTheScenarios judges each scenario of a pull request as the Action does, from a
// file with its facts.
func TestEvaluateJudgesTheScenarios(t *testing.T) {
	exits := map[policies.Outcome]int{policies.Allowed: 0, policies.Denied: 1, policies.Failed: 3,
		policies.Pending: 8}
	for _, c := range cases.All(t) {
		if c.Merged || c.Trust {
			continue // the agent judges these
		}
		t.Run(c.Name, func(t *testing.T) {
			data, err := json.Marshal(c.Facts)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "facts.json")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			var out, talk bytes.Buffer
			exit := Main([]string{"pullgrant", "evaluate", "--facts", file, "-o", "json"},
				world{out: &out, err: &talk, env: func(string) string { return "" },
					now: func() time.Time { return c.Now }})
			var d policies.Decision
			if err := json.Unmarshal(out.Bytes(), &d); err != nil {
				t.Fatalf("%v\n%s%s", err, out.String(), talk.String())
			}
			if got := cases.Describe(d, c.Want); got != c.Want {
				t.Errorf("got:\n%swant:\n%s", got, c.Want)
			}
			if exit != exits[d.Outcome] {
				t.Errorf("the exit code is %d and the decision %s", exit, d.Outcome)
			}
		})
	}
}
