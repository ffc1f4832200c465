package policies_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies"
)

const (
	casesDir    = "../testdata/cases"
	casesNow    = "2026-11-23T10:00:00Z"
	casesPath   = "requests/prod-eu/payments-debug/20261123-alice-inc-123.yaml"
	wantSection = "want"
)

// scenario is one file under testdata/cases; testdata/cases/README.md tells the format.
type scenario struct {
	facts  policies.Facts
	now    time.Time
	merged bool
	trust  bool              // the pull request is judged as one that changed files that decide
	tree   policies.Tree     // of a trust scenario: what it is judged under
	diff   map[string]string // of a trust scenario: what git says the merge changed
	path   string            // of the file a merged scenario asks about
	blob   string
	want   string
}

// TestCases judges every scenario and compares everything the decision says with the scenario's want section.
func TestCases(t *testing.T) {
	codes := map[policies.Code]bool{}
	n := 0
	for _, file := range caseFiles(t) {
		n++
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c := readScenario(t, archive)
			d := c.judge(c.facts)
			codes[d.Code] = true
			got := describe(d, c.want)
			if *update {
				writeWant(t, file, archive, got)
			} else if got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if name := filepath.Base(file); !strings.HasPrefix(name, prefixOf(d.Outcome)) {
				t.Errorf("the outcome is %s, so the file's name must start with %s", d.Outcome, prefixOf(d.Outcome))
			}
			if again := c.judge(roundTrip(t, c.facts)); !reflect.DeepEqual(again, d) {
				t.Errorf("after a round trip through JSON the decision is %+v, before it was %+v", again, d)
			}
		})
	}
	if n < 60 {
		t.Errorf("found %d scenarios; the walk must have gone wrong", n)
	}
	if !*update {
		checkCoverage(t, codes)
	}
}

// checkCoverage fails for a code that judging can give and no scenario shows.
func checkCoverage(t *testing.T, seen map[policies.Code]bool) {
	for _, code := range []policies.Code{
		policies.EvaluationError, policies.NotARequestPR, policies.FileRejected, policies.ParseError, policies.SchemaError,
		policies.PolicyInvalid, policies.CodeownersInvalid, policies.NoPolicy, policies.RoleNotAllowed, policies.NamespaceNotAllowed,
		policies.SubjectNotAllowed, policies.DurationOutOfRange, policies.RequesterNotAllowed, policies.RequestIDReused,
		policies.DraftPullRequest, policies.WrongBase, policies.UnattributableCommit, policies.ChangesRequested,
		policies.ApprovalStale, policies.SelfApproval, policies.ContributorApproval, policies.BotApproval,
		policies.ApproverNotAllowed, policies.InsufficientApprovals, policies.NoPullRequest, policies.PullRequestNotMerged,
		policies.BlobMismatch, policies.ExpiredBeforeGrant,
	} {
		if !seen[code] {
			t.Errorf("no scenario ends in %s", code)
		}
	}
}

func prefixOf(o policies.Outcome) string {
	return map[policies.Outcome]string{policies.Allowed: "allow_", policies.Pending: "pending_", policies.Denied: "deny_", policies.Failed: "error_"}[o]
}

func caseFiles(t testing.TB) []string {
	var files []string
	err := filepath.WalkDir(casesDir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".txtar") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (c scenario) judge(f policies.Facts) policies.Decision {
	if c.trust {
		return policies.EvaluateChange(c.tree, f, "cccccccccccccccc", c.diff, c.now)
	}
	if c.merged {
		return policies.EvaluateMerged(f, c.path, c.blob, c.now)
	}
	return policies.Evaluate(f.Base, f, c.now)
}

// readScenario lays the sections of a case over the base scenario.
func readScenario(t testing.TB, archive *txtar.Archive) scenario {
	c := scenario{path: casesPath}
	facts := readJSON(t, filepath.Join(casesDir, "base", "facts.json"))
	trees := map[string]map[string]any{
		"base":  readTree(t, filepath.Join(casesDir, "base", "tree")),
		"head":  readTree(t, filepath.Join(casesDir, "base", "head")),
		"first": {},
	}
	sections := map[string][]byte{"now": []byte(casesNow), "facts.json": []byte("{}")}
	for _, f := range archive.Files {
		folder, path, isFile := strings.Cut(f.Name, "/")
		if isFile && trees[folder] != nil {
			trees[folder][path] = treeFile(f.Data)
			continue
		}
		if !slices.Contains([]string{"now", "facts.json", "merged", "trust", "path", "blob", wantSection}, f.Name) {
			t.Fatalf("unknown section %s", f.Name)
		}
		sections[f.Name] = f.Data
	}
	first := maps.Clone(trees["base"]) // unless it says otherwise, nothing changed since the merge
	maps.Copy(first, trees["first"])
	patch(facts, map[string]any{"base": map[string]any{"files": trees["base"]}, "head": map[string]any{"files": trees["head"]}})
	_, c.trust = sections["trust"]
	if _, c.merged = sections["merged"]; c.merged || c.trust {
		patch(facts, readJSON(t, filepath.Join(casesDir, "base", "merged.json")))
		patch(facts, map[string]any{"merge": map[string]any{"blob": blobOf(trees["head"], casesPath), "firstParent": map[string]any{"files": first}}})
	}
	var changes map[string]any
	if err := json.Unmarshal(sections["facts.json"], &changes); err != nil {
		t.Fatalf("facts.json: %v", err)
	}
	patch(facts, changes)
	c.facts = decodeFacts(t, facts)
	c.blob = c.facts.Head.Files[casesPath].Blob
	if c.trust {
		c.tree, c.diff = c.facts.Base, readDiff(t, c.facts, string(sections["trust"]))
	}
	if c.trust && c.facts.Merge != nil {
		c.tree = c.facts.Merge.FirstParent
	}
	if path, ok := sections["path"]; ok {
		c.path = strings.TrimSpace(string(path))
	}
	if blob, ok := sections["blob"]; ok {
		c.blob = strings.TrimSpace(string(blob))
	}
	var err error
	if c.now, err = time.Parse(time.RFC3339, strings.TrimSpace(string(sections["now"]))); err != nil {
		t.Fatal(err)
	}
	c.want = string(sections[wantSection])
	return c
}

// readDiff is what git says: what the pull request says, unless the lines of the section give a path another blob ("-" for
// a file that is gone, "same" for one that is as it was).
func readDiff(t testing.TB, f policies.Facts, section string) map[string]string {
	diff := map[string]string{}
	for _, file := range f.Files {
		if diff[file.Path] = f.Head.Files[file.Path].Blob; file.Status == "renamed" {
			diff[file.PreviousPath] = ""
		}
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

func readJSON(t testing.TB, path string) (value map[string]any) {
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return value
}

func readTree(t testing.TB, root string) map[string]any {
	tree := map[string]any{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		tree[filepath.ToSlash(name)] = treeFile(data)
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
	return map[string]any{"mode": "100644", "blob": hex.EncodeToString(sum[:]), "content": string(data)}
}

func blobOf(tree map[string]any, path string) any {
	file, _ := tree[path].(map[string]any)
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

// decodeFacts reads facts strictly, so that a slip in a patch is no silent pass.
func decodeFacts(t testing.TB, value any) (f policies.Facts) {
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

func roundTrip(t testing.TB, f policies.Facts) policies.Facts { return decodeFacts(t, f) }

// describe is the decision as want sections hold it. Of the message, the fragments of want are kept as long as they are
// part of it.
func describe(d policies.Decision, want string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "decision: %s\n", d.Outcome)
	if d.Code != "" {
		fmt.Fprintf(&b, "code: %s\n", d.Code)
	}
	fragments := 0
	for line := range strings.Lines(want) {
		if fragment, ok := strings.CutPrefix(strings.TrimSpace(line), "message: "); ok && strings.Contains(d.Message, fragment) {
			fmt.Fprintf(&b, "message: %s\n", fragment)
			fragments++
		}
	}
	if fragments == 0 {
		fmt.Fprintf(&b, "message: %s\n", d.Message)
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "finding: %s\n", strings.Replace(f.String(), ": "+f.Message+" ", " ", 1))
	}
	for _, r := range d.Ignored {
		fmt.Fprintf(&b, "ignored: review %d by %s, %s\n", r.ReviewID, r.Login, r.Code)
	}
	if d.Outcome != policies.Allowed {
		return b.String()
	}
	for _, c := range d.Challenges {
		fmt.Fprintf(&b, "met: %s %s by %s\n", c.Kind, c.Path, strings.Join(c.Approvers, ", "))
	}
	if g := d.Grant; g != nil {
		for _, binding := range g.Bindings {
			fmt.Fprintf(&b, "grant: %s to %s in %s for %s\n", binding.Role.Name, g.Subject.Name, binding.Namespace, g.Duration)
		}
		if !g.Window.Start.IsZero() {
			fmt.Fprintf(&b, "window: %s to %s\n", g.Window.Start, g.Window.End)
		}
	}
	return b.String()
}

func writeWant(t *testing.T, file string, archive *txtar.Archive, got string) {
	archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == wantSection })
	archive.Files = append(archive.Files, txtar.File{Name: wantSection, Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
