package main

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestPinOf holds what is pinned by builds of each sort: from a checkout, by make, and by "go
// install", whose build information has no commit.
func TestPinOf(t *testing.T) {
	full := strings.Repeat("0123456789", 4)
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: full}}
	for name, test := range map[string]struct {
		info            *debug.BuildInfo
		version, commit string
		want            pin
		compiles        string
	}{
		"a checkout": {&debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261122080000-0123456789ab+dirty"},
			Settings: revision}, "", "", pin{Commit: full}, "once there is one"},
		"make":         {&debug.BuildInfo{}, "v1.2.3-4-g0123456", full, pin{Commit: full}, "once there is one"},
		"no info":      {nil, "v1.2.3", full, pin{Commit: full}, "commits/v1.2.3 --jq .sha"},
		"a release":    {ofModule("v1.2.3"), "", "", pin{Ref: "v1.2.3"}, ""},
		"a prerelease": {ofModule("v1.2.3-rc.1"), "", "", pin{Ref: "v1.2.3-rc.1"}, "once there is one"},
		"latest": {ofModule("v0.0.0-20261122080000-0123456789ab"), "", "", pin{Ref: "0123456789ab"},
			"once there is one"},
		"after a release": {ofModule("v1.2.4-0.20261122080000-0123456789ab"), "", "",
			pin{Ref: "0123456789ab"}, "once there is one"},
		"a test":      {ofModule("(devel)"), "", "", pin{}, "once there is one"},
		"an archive":  {nil, "unknown", "", pin{}, "once there is one"},
		"half stamps": {nil, "", "0123456", pin{}, "once there is one"},
	} {
		b := buildOf(test.info, test.version, test.commit)
		if got := pinOf(b); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
		if said := compiles(b); !strings.Contains(said, test.compiles) || (said == "") !=
			(test.compiles == "") {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}

func ofModule(version string) *debug.BuildInfo {
	return &debug.BuildInfo{Main: debug.Module{Path: "github.com/pullgrant/pullgrant",
		Version: version}}
}

// TestPinnedCommit has GitHub tell the commit of what "go install" made.
func TestPinnedCommit(t *testing.T) {
	f, err := forge.Start(t.TempDir()+"/forge.git", forge.Options{Contract: true, Owner: "pullgrant",
		Repo: "pullgrant"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.AddUser("alice", 101)
	f.SetPermission("alice", "write")
	defer func() {
		if all := f.Violations(); len(all) > 0 {
			t.Errorf("against GitHub's contract: %q", all)
		}
	}()
	first, err := f.Seed(map[string]string{"a": "1"}, "First", "alice")
	second := ""
	if err == nil {
		second, err = f.Push(forge.Change{User: "alice", Branch: "v1.2.3", Files: map[string]string{"a": "2"},
			Message: "Release"})
	}
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	env := map[string]string{"GITHUB_API_URL": f.URL, "GITHUB_TOKEN": f.Token("alice")}
	w := world{err: &said, env: func(name string) string { return env[name] }}
	digits := first[:12]
	got, err := pinnedCommit(t.Context(), w, build{Version: "v0.0.0-20261122080000-" + digits})
	if err != nil || got != first || !strings.Contains(said.String(), digits+" of pullgrant/pullgrant "+
		"is the commit "+first+", as GitHub says") {
		t.Errorf("%s, error %v, said %q", got, err, said.String())
	}
	if got, err := pinnedCommit(t.Context(), w, build{Version: "v1.2.3"}); err != nil ||
		got != second {
		t.Errorf("%s, error %v; want %s", got, err, second)
	}
	for version, words := range map[string]string{
		"(devel)": "this build knows neither its commit nor its version; give --pin",
		"v9.9.9":  "prints",
		"v0.0.0-20261122080000-000000000000": "which \"gh api repos/pullgrant/pullgrant/commits/" +
			"000000000000 --jq .sha\" prints",
	} {
		if got, err := pinnedCommit(t.Context(), w, build{Version: version}); err == nil ||
			!strings.Contains(err.Error(), words) {
			t.Errorf("%s: %s, error %v; want %q", version, got, err, words)
		}
	}
}
