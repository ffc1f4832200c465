package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/doctor"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// configure has GitHub set up as docs/setup.md asks for but for what is named: configure [NAME...].
func configure(ts *testscript.TestScript, neg bool, args []string) {
	rules := forge.DefaultRules()
	rules.BindAdmins, rules.Bypass = true, []string{"agent[bot]"}
	var setup forge.Setup
	var manners forge.Manners
	otherwise := map[string]func(){
		"no-rules":        func() { rules = forge.Rules{Off: true} },
		"no-approval":     func() { rules.Approvals = 0 },
		"keeps-approvals": func() { rules.DismissStale = false },
		"any-app":         func() { rules.CheckApp = "" },
		"actions-app":     func() { rules.CheckApp = "github-actions" },
		"admins-bypass":   func() { rules.BindAdmins = false },
		"alice-bypasses":  func() { rules.Bypass = append(rules.Bypass, "alice") },
		"app-bypasses":    func() { rules.Bypass = append(rules.Bypass, "pullgrant[bot]") },
		"nobody-bypasses": func() { rules.Bypass = nil },
		"public":          func() { setup.Public = true },
		"no-auto-merge":   func() { setup.NoAutoMerge = true },
		"any-method":      func() { setup.AnyMethod = true },
		"branches-stay":   func() { setup.KeepBranches = true },
		"actions-approve": func() { setup.ActionsApprove = true },
		"no-environment":  func() { setup.NoEnvironment = true },
		"any-branch":      func() { setup.AnyBranch = true },
		"more-branches":   func() { setup.Branches = []string{"main", "release/*"} },
		"free-plan":       func() { setup.FreePlan = true },
		"no-activity":     func() { manners.NoActivityByDeletedRef = true },
		"associates-late": func() { manners.AssociationLag = 1 << 60 },
		"hides-team":      func() { of(ts).forge.HideTeam("platform") },
	}
	for _, name := range args {
		set := otherwise[name]
		if set == nil || neg {
			ts.Fatalf("there is no %q to configure", name)
		}
		set()
	}
	of(ts).forge.AddApp("pullgrant", 700, "checks:write", "contents:read", "members:read",
		"pull_requests:write")
	of(ts).forge.Protect(rules)
	of(ts).forge.SetUp(setup)
	of(ts).forge.SetManners(manners)
}

// TestDoctorStopped: where somebody stops it, it does not say that all is well.
func TestDoctorStopped(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("KUBECONFIG", "")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	var out, said bytes.Buffer
	o := doctorOptions{remote: remote{checkout: checkout{dir: top + "/testdata/accessrepo"}}}
	o.output = outputFlag(new(cobra.Command), doctorReport{})
	err := examine(stopped, world{out: &out, err: &said, env: func(string) string { return "" }, now: time.Now}, o, nil)
	if exitCode(err) != exitFailed {
		t.Errorf("%v; said %q, printed %q", err, said.String(), out.String())
	}
}

// TestDoctorDocs holds docs/doctor.md to the checks: one row for each, with its severity, and none of
// another.
func TestDoctorDocs(t *testing.T) {
	text, err := os.ReadFile(top + "/docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows, want []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (\\w+) \\|").FindAllStringSubmatch(
		string(text), -1) {
		rows = append(rows, m[1]+" "+m[2])
	}
	for _, c := range doctor.Checks {
		want = append(want, c.ID+" "+string(c.Severity))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("docs/doctor.md has\n%s\nand the checks are\n%s", strings.Join(rows, "\n"),
			strings.Join(want, "\n"))
	}
}
