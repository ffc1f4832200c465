package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// session is what one script started. Its zero value is the key it is kept under.
type session struct {
	forge *forge.Forge
	drawn *drawn
}

func of(ts *testscript.TestScript) *session { return ts.Value(session{}).(*session) }

// close stops the forge; a call that GitHub's published contract does not know fails the test.
func (s *session) close(t *testing.T) {
	if s.forge == nil {
		return
	}
	s.forge.Close()
	for _, violation := range s.forge.Violations() {
		t.Errorf("against GitHub's contract: %s", violation)
	}
}

// startForge starts a GitHub on loopback whose repository acme/access holds the files below a
// folder: forge FOLDER [AGO]. alice asks, bob and carol review; the script acts as alice until it
// says otherwise. With AGO all that happens on GitHub happened so long ago.
func startForge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: forge FOLDER [AGO]")
	}
	ago, err := time.ParseDuration(append(args, "0s")[1])
	ts.Check(err)
	f, err := forge.Start(ts.MkAbs("forge.git"), forge.Options{Contract: true,
		Now: func() time.Time { return time.Now().Add(-ago) }})
	ts.Check(err)
	of(ts).forge = f
	for id, login := range map[int64]string{100: "root", 101: "alice", 102: "bob", 103: "carol",
		104: "dave"} {
		f.AddUser(login, id)
		f.SetPermission(login, "write")
	}
	f.SetPermission("root", "admin")
	f.AddTeam("platform", 500, "", "root")
	f.SetTeamPermission("platform", "admin")
	f.AddTeam("squad-b", 501, "", "bob")
	f.SetTeamPermission("squad-b", "write")
	f.AddApp("pullgrant", 700)
	f.AddApp("agent", 701)
	_, err = f.Seed(filesBelow(ts, args[0]), "Start", "root")
	ts.Check(err)
	ts.Setenv("GITHUB_API_URL", f.URL)
	ts.Setenv("GITHUB_REPOSITORY", "acme/access")
	as(ts, false, []string{"alice"})
}

func filesBelow(ts *testscript.TestScript, folder string) map[string]string {
	files := map[string]string{}
	root := ts.MkAbs(folder)
	ts.Check(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	}))
	return files
}

// push commits the files below a folder to a branch, past all rules: push LOGIN BRANCH FOLDER.
func push(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: push LOGIN BRANCH FOLDER")
	}
	_, err := of(ts).forge.Push(forge.Change{User: args[0], Branch: args[1], Files: filesBelow(ts,
		args[2]), Message: "Push"})
	ts.Check(err)
}

// open opens a pull request for a branch: open LOGIN BRANCH.
func open(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: open LOGIN BRANCH")
	}
	_, err := of(ts).forge.Open(args[0], args[1], "Opened by hand")
	ts.Check(err)
}

// as makes a user the one the token belongs to: as LOGIN.
func as(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: as LOGIN")
	}
	ts.Setenv("GITHUB_TOKEN", of(ts).forge.Token(args[0]))
}

// asApp gives the script the token of an App: app NAME.
func asApp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: app NAME")
	}
	ts.Setenv("GITHUB_TOKEN", of(ts).forge.AppToken(args[0]))
}

// review submits a review: review LOGIN NUMBER EVENT.
func review(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: review LOGIN NUMBER EVENT [LINE...]")
	}
	number, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, err = of(ts).forge.Review(args[0], number, args[2], args[3:]...)
	ts.Check(err)
}

// merge presses the button: merge LOGIN NUMBER.
func merge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: merge LOGIN NUMBER")
	}
	number, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, err = of(ts).forge.Merge(args[0], number)
	ts.Check(err)
}

// fails has GitHub answer the next calls on a path with an error: fails METHOD PATTERN TIMES.
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fails METHOD PATTERN TIMES")
	}
	times, err := strconv.Atoi(args[2])
	ts.Check(err)
	of(ts).forge.Fail(args[0], args[1], times, 500, `{"message": "down"}`)
}

// get saves GitHub's answer to a call as indented JSON: get FILE PATH.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get FILE PATH")
	}
	var answer any
	f := of(ts).forge
	ts.Check(f.Do(f.Token("root"), "GET", args[1], nil, &answer))
	data, err := json.MarshalIndent(answer, "", " ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// comment comments on a pull request, as a user or as an App: comment WHO NUMBER FILE.
func comment(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: comment WHO NUMBER FILE")
	}
	f := of(ts).forge
	token := ""
	if args[0] == "agent" || args[0] == "pullgrant" {
		token = f.AppToken(args[0])
	} else {
		token = f.Token(args[0])
	}
	ts.Check(f.Do(token, "POST", "/repos/acme/access/issues/"+args[1]+"/comments",
		map[string]any{"body": ts.ReadFile(args[2])}, nil))
}
