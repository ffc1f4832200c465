package runner_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// world is an access repository as `pullgrant init` writes it, on a GitHub of its own.
type world struct {
	t        *testing.T
	dir      string
	forge    *forge.Forge
	source   string   // the tree that stands for the pinned commit of the action
	standins []string // actions of GitHub's own that the workflows use, as owner/name@commit
	number   int      // of the pull request
	runs     int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	needPrograms(t)
	w := &world{t: t, dir: t.TempDir(), source: programs.source}
	for _, name := range []string{"home", "forge"} {
		if err := os.Mkdir(filepath.Join(w.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f, err := forge.Start(filepath.Join(w.dir, "forge"), forge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	w.forge = f
	for i, login := range []string{"alice", "bob", "dave"} {
		f.AddUser(login, int64(101+i))
		f.SetPermission(login, "write")
	}
	f.AddTeam("platform", 1, "", "bob", "dave")
	f.SetTeamPermission("platform", "write")
	files := scaffold(t)
	f.AddApp("pullgrant", 7001, w.rights(files[judging])...)
	f.AddApp("other", 7002)
	if _, err := f.Seed(files, "Start", "dave"); err != nil {
		t.Fatal(err)
	}
	return w
}

// scaffold is what `pullgrant init` writes.
func scaffold(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), programs.pullgrant, "init", dir, "--action",
		action).CombinedOutput()
	if err != nil {
		t.Fatalf("pullgrant init: %v\n%s", err, out)
	}
	files := map[string]string{}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if data, err := os.ReadFile(name); err == nil {
			files[strings.TrimPrefix(filepath.ToSlash(name), filepath.ToSlash(dir)+"/")] =
				string(data)
		}
	}
	return files
}

const (
	workflows = ".github/workflows/"
	judging   = workflows + "pullgrant.yml"
	reviewing = workflows + "pullgrant-review.yml"
)

// rights are what the workflow asks the App's token to be cut to, and notes the actions it needs
// stand-ins for.
func (w *world) rights(text string) (rights []string) {
	w.t.Helper()
	for _, step := range parseWorkflow(w.t, text).Jobs["judge"].Steps {
		if strings.HasPrefix(step.Uses, "actions/") {
			w.standins = append(w.standins, step.Uses)
		}
		for name, value := range step.With {
			if right, ok := strings.CutPrefix(name, "permission-"); ok {
				rights = append(rights, strings.ReplaceAll(right, "-", "_")+":"+value)
			}
		}
	}
	data, err := os.ReadFile("../../action.yml")
	if err != nil {
		w.t.Fatal(err)
	}
	var action struct {
		Runs struct{ Steps []struct{ Uses string } }
	}
	if err := yaml.Unmarshal(data, &action); err != nil {
		w.t.Fatal(err)
	}
	for _, step := range action.Runs.Steps {
		if step.Uses != "" {
			w.standins = append(w.standins, step.Uses)
		}
	}
	return rights
}

const requestFile = "requests/prod-eu/payments-debug/20261122-alice-inc-123.yaml"

func request(reason string) string {
	return fmt.Sprintf(`apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: 20261122-alice-inc-123}
spec:
  cluster: prod-eu
  policy: payments-debug
  requester: alice
  reason: %s
`, reason)
}

// open pushes files to a branch in alice's name and opens its pull request.
func (w *world) open(branch, title string, files map[string]string) {
	w.t.Helper()
	if _, err := w.forge.Push(forge.Change{User: "alice", Branch: branch, Files: files,
		Message: title}); err != nil {
		w.t.Fatal(err)
	}
	number, err := w.forge.Open("alice", branch, title)
	if err != nil {
		w.t.Fatal(err)
	}
	w.number = number
}

func (w *world) review(login, event string) (id int64) {
	w.t.Helper()
	id, err := w.forge.Review(login, w.number, event)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) home() string { return filepath.Join(w.dir, "home") }

func (w *world) do(method, path string, in, out any) {
	w.t.Helper()
	if err := w.forge.Do(w.forge.Token("dave"), method, "/repos/acme/access"+path, in,
		out); err != nil {
		w.t.Fatal(err)
	}
}

// payload is GitHub's example of an event with the forge's repository and values in it.
func (w *world) payload(example string, values map[string]any) map[string]any {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join("payloads", example+".json"))
	if err != nil {
		w.t.Fatal(err)
	}
	var p map[string]any
	if err := json.Unmarshal(data, &p); err != nil {
		w.t.Fatal(err)
	}
	var repository map[string]any
	w.do("GET", "", nil, &repository)
	merge(p, map[string]any{"repository": repository})
	merge(p, values)
	return p
}

func merge(into, from map[string]any) {
	for key, value := range from {
		inner, ok := into[key].(map[string]any)
		if more, isMap := value.(map[string]any); ok && isMap {
			merge(inner, more)
			continue
		}
		into[key] = value
	}
}

// fire plays GitHub for one event: it starts every workflow that listens to it, with the file of
// the commit that GitHub takes it from, and returns their logs by workflow file.
func (w *world) fire(event, kind string, payload map[string]any) map[string]log {
	w.t.Helper()
	// The merge of the pull request for its reviews, so what it changed is what runs; else the
	// default branch.
	// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
	sha, trusted := w.forge.Branch("main"), true
	switch event {
	case "pull_request_review":
		sha, trusted = w.head(), false
	case "merge_group":
		sha, trusted = payload["merge_group"].(map[string]any)["head_sha"].(string), false
	}
	w.runs++
	dir := filepath.Join(w.dir, fmt.Sprint("run-", w.runs))
	w.git("clone", "--quiet", "--shared", "--no-checkout", w.forge.GitDir(), dir)
	w.git("-C", dir, "checkout", "--quiet", sha)
	data, err := json.Marshal(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.dir, fmt.Sprint("event-", w.runs, ".json"))
	if err := os.WriteFile(file, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, workflows))
	if err != nil {
		w.t.Fatal(err)
	}
	logs := map[string]log{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(dir, workflows, entry.Name()))
		if err != nil {
			w.t.Fatal(err)
		}
		if parseWorkflow(w.t, string(text)).listens(event, kind, payload) {
			logs[entry.Name()] = w.act(run{event: event, payload: file, dir: dir,
				workflow: entry.Name(), trusted: trusted})
		}
	}
	return logs
}

func (w *world) git(args ...string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "git", args...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("git %s: %v\n%s", args, err, out)
	}
}

// pull is the pull request as the API gives it.
func (w *world) pull() (pull map[string]any) {
	w.t.Helper()
	w.do("GET", fmt.Sprintf("/pulls/%d", w.number), nil, &pull)
	return pull
}

func (w *world) head() string {
	w.t.Helper()
	return w.pull()["head"].(map[string]any)["sha"].(string)
}

// comments are the App's on the pull request.
func (w *world) comments() (bodies []string) {
	w.t.Helper()
	var all []struct {
		Body string
		User struct{ Login string }
	}
	w.do("GET", fmt.Sprintf("/issues/%d/comments", w.number), nil, &all)
	for _, comment := range all {
		if comment.User.Login == "pullgrant[bot]" {
			bodies = append(bodies, comment.Body)
		}
	}
	return bodies
}

// pullEvent fires pull_request_target; example is the kind of GitHub's example payload, when it has
// none of this kind.
func (w *world) pullEvent(kind, example string) log {
	w.t.Helper()
	payload := w.payload("pull_request."+example, map[string]any{"action": kind, "number": w.number,
		"pull_request": w.pull()})
	return w.only(w.fire("pull_request_target", kind, payload))
}

// reviewEvent fires pull_request_review and then what GitHub does when each workflow of that has
// ended.
func (w *world) reviewEvent(kind string) (trigger, judge log) {
	w.t.Helper()
	payload := w.payload("pull_request_review."+kind, map[string]any{"pull_request": w.pull()})
	trigger = w.only(w.fire("pull_request_review", kind, payload))
	return trigger, w.only(w.runEvent("pull_request_review", w.head()))
}

// runEvent fires workflow_run: a run of pullgrant-review on a commit has ended.
func (w *world) runEvent(cause, sha string) map[string]log {
	w.t.Helper()
	return w.fire("workflow_run", "completed", w.payload("workflow_run.completed",
		map[string]any{"workflow_run": map[string]any{
			"name": "pullgrant-review", "path": reviewing, "event": cause, "head_sha": sha,
			"pull_requests": []any{}}}))
}

// pushEvent fires push for a commit that removed a file of main.
func (w *world) pushEvent(file string) map[string]log {
	w.t.Helper()
	return w.fire("push", "", w.payload("push", map[string]any{"ref": "refs/heads/main",
		"after":   w.forge.Branch("main"),
		"created": false, "commits": []any{map[string]any{"id": w.forge.Branch("main"),
			"removed": []any{file}}}}))
}

func (w *world) only(logs map[string]log) log {
	w.t.Helper()
	if len(logs) != 1 {
		w.t.Fatalf("workflows that ran: %v, want one", slices.Collect(maps.Keys(logs)))
	}
	for _, l := range logs {
		return l
	}
	return nil
}

// expect holds the last check run to be the App's on the head commit, and the run to have succeeded
// in posting it.
func (w *world) expect(l log, conclusion, title string) forge.Check {
	w.t.Helper()
	checks := w.forge.Checks()
	if len(checks) == 0 {
		w.t.Fatalf("no check run was posted\n%s", l)
	}
	last := checks[len(checks)-1]
	if last.App != "pullgrant" || last.Name != "pullgrant" || last.HeadSHA != w.head() ||
		last.Status != "completed" ||
		last.Conclusion != conclusion || last.Title != title {
		w.t.Errorf("check run %+v\nwant %s %q of the App pullgrant on %s\n%s", last, conclusion,
			title, w.head(), l)
	}
	if l.result() != "success" {
		w.t.Errorf("the run ended with %s\n%s", l.result(), l)
	}
	return last
}
