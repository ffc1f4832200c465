// Package cases reads the scenarios of this folder: pull requests as facts, and what is decided of
// each. README.md tells their format.
package cases

import (
	"bytes"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies"
)

// Files is this folder.
//
//go:embed all:base approval change merged request review trust withdrawal
var Files embed.FS

// Now is when a scenario is judged that says nothing else, Path the request of the base scenario.
const (
	Now  = "2026-11-23T10:00:00Z"
	Path = "requests/prod-eu/payments-debug/20261123-alice-inc-123.yaml"
)

// Scenario is one file of this folder.
type Scenario struct {
	Name   string // folder/file, without the ending
	Facts  policies.Facts
	Now    time.Time
	Merged bool              // it is judged as the agent does: the file at Path with Blob stands on the default branch
	Trust  bool              // it is judged as one that changed files that decide
	Tree   policies.Tree     // of a trust scenario: what it is judged under
	Commit string            // of a trust scenario: the commit of the branch that is asked about
	Diff   map[string]string // of a trust scenario: what git says the commit changed
	Path   string            // of the file a merged scenario asks about
	Blob   string

	Want  string // what the decision says, as Describe does
	Wire  string // what it says instead when GitHub is asked for the facts; empty: the same
	Agent string // what the agent says instead, which asks git as well; empty: the same

	Archive *txtar.Archive // the file as it is
}

// All reads every scenario, in the order of their names.
func All(t testing.TB) []Scenario {
	t.Helper()
	var all []Scenario
	err := fs.WalkDir(Files, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".txtar" {
			return err
		}
		data, err := Files.ReadFile(name)
		all = append(all, read(t, strings.TrimSuffix(name, ".txtar"), txtar.Parse(data)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 60 {
		t.Fatalf("found %d scenarios; the walk must have gone wrong", len(all))
	}
	return all
}

// Base is the scenario that every other one starts from.
func Base(t testing.TB) Scenario {
	t.Helper()
	return read(t, "base", &txtar.Archive{})
}

// Judge decides the scenario from other facts about it.
func (c Scenario) Judge(f policies.Facts) policies.Decision {
	switch {
	case c.Trust:
		return policies.EvaluateChange(c.Tree, f, c.Commit, c.Diff, c.Now)
	case c.Merged:
		return policies.EvaluateMerged(f, c.Path, c.Blob, c.Now)
	}
	return policies.Evaluate(f.Base, f, c.Now)
}

// read lays the sections of a scenario over the base scenario.
func read(t testing.TB, name string, archive *txtar.Archive) Scenario {
	t.Helper()
	c := Scenario{Name: name, Path: Path, Commit: "cccccccccccccccc", Archive: archive}
	facts := readJSON(t, "base/facts.json")
	trees := map[string]map[string]any{"base": readTree(t, "base/tree"), "head": readTree(t,
		"base/head"), "first": {}}
	sections := map[string][]byte{"now": []byte(Now), "facts.json": []byte("{}")}
	for _, f := range archive.Files {
		folder, file, isFile := strings.Cut(f.Name, "/")
		if isFile && trees[folder] != nil {
			trees[folder][file] = treeFile(f.Data)
			continue
		}
		if !slices.Contains([]string{"now", "facts.json", "merged", "trust", "path", "blob", "wire",
			"agent", "want"}, f.Name) {
			t.Fatalf("%s: unknown section %s", name, f.Name)
		}
		sections[f.Name] = f.Data
	}
	first := maps.Clone(trees["base"]) // unless it says otherwise, nothing changed since the merge
	maps.Copy(first, trees["first"])
	patch(facts, map[string]any{"base": map[string]any{"files": trees["base"]},
		"head": map[string]any{"files": trees["head"]}})
	_, c.Trust = sections["trust"]
	if _, c.Merged = sections["merged"]; c.Merged || c.Trust {
		patch(facts, readJSON(t, "base/merged.json"))
		patch(facts, map[string]any{"merge": map[string]any{"blob": blobOf(trees["head"], Path),
			"firstParent": map[string]any{"files": first}}})
	}
	var changes map[string]any
	if err := json.Unmarshal(sections["facts.json"], &changes); err != nil {
		t.Fatalf("%s: facts.json: %v", name, err)
	}
	patch(facts, changes)
	c.Facts = decode(t, facts)
	c.Blob = c.Facts.Head.Files[Path].Blob
	if c.Trust {
		c.Tree, c.Diff = c.Facts.Base, readDiff(t, c.Facts, string(sections["trust"]))
	}
	if c.Trust && c.Facts.Merge != nil {
		c.Tree = c.Facts.Merge.FirstParent
	}
	if at, ok := sections["path"]; ok {
		c.Path = strings.TrimSpace(string(at))
	}
	if blob, ok := sections["blob"]; ok {
		c.Blob = strings.TrimSpace(string(blob))
	}
	var err error
	if c.Now, err = time.Parse(time.RFC3339,
		strings.TrimSpace(string(sections["now"]))); err != nil {
		t.Fatal(err)
	}
	c.Want, c.Wire, c.Agent = string(sections["want"]), string(sections["wire"]),
		string(sections["agent"])
	return c
}

// readDiff is what git says: what the pull request says, unless the lines of the section give a
// path another blob ("-" for a file that is gone, "same" for one that is as it was).
func readDiff(t testing.TB, f policies.Facts, section string) map[string]string {
	t.Helper()
	diff := map[string]string{}
	for _, file := range f.Files {
		if file.Status == "renamed" {
			diff[file.PreviousPath] = ""
		}
	}
	for _, file := range f.Files { // after every rename: two files may have changed places
		diff[file.Path] = f.Head.Files[file.Path].Blob
	}
	for line := range strings.Lines(section) {
		switch words := strings.Fields(line); {
		case len(words) != 2:
			t.Fatalf("trust: %q is no path and blob", line)
		case words[1] == "same":
			delete(diff, words[0])
		default:
			diff[words[0]] = strings.TrimPrefix(words[1], "-")
		}
	}
	return diff
}

func readJSON(t testing.TB, name string) (value map[string]any) {
	t.Helper()
	data, err := Files.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

func readTree(t testing.TB, root string) map[string]any {
	t.Helper()
	tree := map[string]any{}
	err := fs.WalkDir(Files, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := Files.ReadFile(name)
		tree[strings.TrimPrefix(name, root+"/")] = treeFile(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// treeFile is the file as facts hold it, under the name that git gives its content.
func treeFile(data []byte) map[string]any {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return map[string]any{"mode": policies.PlainFile, "blob": hex.EncodeToString(sum[:]),
		"content": string(data)}
}

func blobOf(tree map[string]any, name string) any {
	file, _ := tree[name].(map[string]any)
	return file["blob"]
}

// patch applies a JSON merge patch (RFC 7386) in place.
func patch(target, changes map[string]any) {
	for key, change := range changes {
		object, isObject := change.(map[string]any)
		old, wasObject := target[key].(map[string]any)
		switch {
		case change == nil:
			delete(target, key)
		case isObject && wasObject:
			patch(old, object)
		case isObject:
			fresh := map[string]any{}
			patch(fresh, object)
			target[key] = fresh
		default:
			target[key] = change
		}
	}
}

// Copy gives the facts after a round trip through JSON, with nothing shared.
func Copy(t testing.TB, f policies.Facts) policies.Facts {
	t.Helper()
	return decode(t, f)
}

// decode reads facts strictly, so that a slip in a patch is no silent pass.
func decode(t testing.TB, value any) (f policies.Facts) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		t.Fatalf("facts: %v", err)
	}
	return f
}
