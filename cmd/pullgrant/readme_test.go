package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pullgrant/pullgrant/policies"
)

// TestREADME runs every command that README shows, in its order, and compares what those of a block
// print with what README shows below it. What README asks the reader to do in words, to put the new
// repository on GitHub, happens before the first command that needs it, and what the agent enters
// before the first that reads it. Targets of make are run by CI and by the demo's own test; here
// they must exist.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := txtar.ParseFile("../../testdata/script/audit.txtar")
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Archive{Files: ledger.Files}
	var script strings.Builder
	published, entered, commands, shown := false, false, 0, 0
	for i, block := range readmeBlocks(string(readme)) {
		for _, command := range block.commands {
			commands++
			if target, ok := strings.CutPrefix(command, "make "); ok {
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).Match(makefile) {
					t.Errorf("README shows %q, which is no target of the Makefile", command)
				}
				continue
			}
			if !published && needsGitHub(command) {
				published = true
				script.WriteString("forge access\nexec git init -q access\n" + commitAll("Start"))
			}
			if !entered && strings.Contains(command, " audit ") {
				entered = true
				script.WriteString(enter + commitAll("Revoke"))
			}
			if strings.HasPrefix(command, "pullgrant init") {
				// a test binary does not know its commit
				command += " --action pullgrant/pullgrant@" + strings.Repeat("0123456789", 4)
			}
			want := 0
			if strings.Contains(command, " evaluate ") || strings.Contains(command, " show ") {
				want = exitPending // nobody has reviewed
			}
			fmt.Fprintf(&script, "exits %d sh -c '{ %s; } >>printed-%d 2>&1'\n", want,
				strings.ReplaceAll(command, "'", "''"), i)
		}
		if block.shows != "" {
			shown++
			name := fmt.Sprintf("shown-%d", i)
			archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(block.shows)})
			fmt.Fprintf(&script, "prints printed-%d %s\n", i, name)
		}
	}
	if commands < 8 || shown < 5 || shown != strings.Count(string(readme), "```text\n") {
		t.Fatalf("README shows %d commands, and below them what %d blocks print; the blocks are "+
			"not found", commands, shown)
	}
	archive.Comment = []byte(script.String())
	file := filepath.Join(t.TempDir(), "readme.txtar")
	if err := os.WriteFile(file, txtar.Format(&archive), 0o644); err != nil {
		t.Fatal(err)
	}
	runScripts(t, file)
}

// enter puts a grant that is over into the ledger.
const enter = `mkdir access/revocations/prod-eu/20261122
cp ended.yaml access/revocations/prod-eu/20261122/20261122-alice-inc-123.yaml
cp facts.json access/revocations/prod-eu/20261122/20261122-alice-inc-123.facts.json
`

func commitAll(message string) string {
	return "exec git -C access add -A\nexec git -C access -c user.name=root " +
		"-c user.email=root@example.com commit -q -m " + message + "\n"
}

// prints compares what was printed into a file with what a document shows: prints FILE SHOWN. A
// line … stands for any lines. What is another one in each run has only to look alike.
func prints(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: prints FILE SHOWN")
	}
	printed, shown := alike(ts.ReadFile(args[0])), alike(ts.ReadFile(args[1]))
	pattern := strings.ReplaceAll(regexp.QuoteMeta(shown), "…\n", "(?:.*\n)*")
	if !regexp.MustCompile("^" + pattern + "$").MatchString(printed) {
		ts.Fatalf("shown is\n%s\nand printed\n%s", shown, printed)
	}
}

// alike has text without what is another one in each run: addresses on loopback, times, days in
// names of requests, names of objects of git.
func alike(text string) string {
	for _, mask := range [][2]string{{`http://127\.0\.0\.1:\d+/`, "https://github.com/"},
		{`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`, "TIME"}, {`\b20\d{6}-`, "DAY-"},
		{`\b[0-9a-f]{12}(?:[0-9a-f]{28})?\b`, "OBJECT"}} {
		text = regexp.MustCompile(mask[0]).ReplaceAllString(text, mask[1])
	}
	return text
}

// TestREADMEPolicy holds the policy that README shows to the loader, and to what init writes.
func TestREADMEPolicy(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 1 {
		t.Fatalf("README shows %d policies, want 1", len(blocks))
	}
	path := policies.Path("payments-debug")
	shown, findings := policies.ParsePolicy(path, []byte(blocks[0][1]))
	if len(findings) > 0 {
		t.Error(findings)
	}
	files, err := initOptions{Org: "acme", Cluster: "prod-eu", Approver: "bob"}.render()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.path != path {
			continue
		}
		if written, _ := policies.ParsePolicy(path, f.content); !reflect.DeepEqual(shown, written) {
			t.Errorf("README shows %+v and init writes %+v", shown, written)
		}
	}
}

func needsGitHub(command string) bool {
	for _, word := range []string{" request ", " show ", " facts ", " audit "} {
		if strings.Contains(command, word) {
			return true
		}
	}
	return false
}

// readmeBlock is a block marked sh: its lines without their comments, and the block marked text
// right below it, if there is one.
type readmeBlock struct {
	commands []string
	shows    string
}

func readmeBlocks(text string) (blocks []readmeBlock) {
	pattern := regexp.MustCompile("(?s)```sh\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")
	for _, found := range pattern.FindAllStringSubmatch(text, -1) {
		block := readmeBlock{shows: found[2]}
		for line := range strings.Lines(found[1]) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" {
				block.commands = append(block.commands, line)
			}
		}
		blocks = append(blocks, block)
	}
	return blocks
}
