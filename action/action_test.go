package action_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/action"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

const requestPath = "requests/prod-eu/payments-debug/20261122-alice-inc-123.yaml"

const request = `apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: 20261122-alice-inc-123}
spec:
  cluster: prod-eu
  policy: payments-debug
  requester: alice
  duration: %s
  reason: %q
`

// world is a forge with the example access repository and one pull request by alice.
type world struct {
	t      *testing.T
	forge  *forge.Forge
	now    time.Time
	number int
	moves  int // of the default branch
	out    bytes.Buffer
	files  map[string]string // GITHUB_OUTPUT and GITHUB_STEP_SUMMARY
}

func newWorld(t *testing.T, change ...func(*forge.Options)) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	options := forge.Options{Contract: true, Now: func() time.Time { return w.now }}
	for _, c := range change {
		c(&options)
	}
	f, err := forge.Start(t.TempDir(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		for _, v := range f.Violations() {
			t.Errorf("not GitHub's API: %s", v)
		}
	})
	w.forge = f
	for i, login := range []string{"alice", "bob", "carol", "dave"} {
		f.AddUser(login, int64(101+i))
		f.SetPermission(login, "write")
	}
	f.AddTeam("squad-a", 1, "", "alice")
	f.AddTeam("squad-b", 2, "", "bob")
	f.SetTeamPermission("squad-b", "write")
	f.AddApp("pullgrant", 7001)
	if _, err := f.Seed(accessRepository(t), "Start", "dave"); err != nil {
		t.Fatal(err)
	}
	return w
}

func accessRepository(t *testing.T) map[string]string {
	t.Helper()
	root := "../testdata/accessrepo"
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		files[strings.TrimPrefix(filepath.ToSlash(name), root+"/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (w *world) open(files map[string]string) {
	w.t.Helper()
	if _, err := w.forge.Push(forge.Change{User: "alice", Branch: "ask", Files: files,
		Message: "Ask"}); err != nil {
		w.t.Fatal(err)
	}
	number, err := w.forge.Open("alice", "ask", "Access")
	if err != nil {
		w.t.Fatal(err)
	}
	w.number = number
}

func (w *world) approve(login string) {
	w.t.Helper()
	if _, err := w.forge.Review(login, w.number, "APPROVE"); err != nil {
		w.t.Fatal(err)
	}
}

// run plays the runner for one event.
func (w *world) run(event string, payload any, inputs ...string) (action.Result, error) {
	w.t.Helper()
	dir := w.t.TempDir()
	data, err := json.Marshal(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, content := range map[string][]byte{"event": data, "output": nil, "summary": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	env := map[string]string{
		"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": filepath.Join(dir, "event"),
		"GITHUB_REPOSITORY": "acme/access",
		"GITHUB_OUTPUT":     filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir,
			"summary"),
		"GITHUB_API_URL": w.forge.URL, "INPUT_TOKEN": w.forge.AppToken("pullgrant"),
	}
	for i := 0; i+1 < len(inputs); i += 2 {
		env[inputs[i]] = inputs[i+1]
	}
	w.out.Reset()
	result, err := action.Run(w.t.Context(), func(name string) string { return env[name] },
		&w.out, func() time.Time { return w.now })
	w.files = map[string]string{}
	for _, name := range []string{"output", "summary"} {
		content, readErr := os.ReadFile(filepath.Join(dir, name))
		if readErr != nil {
			w.t.Fatal(readErr)
		}
		w.files[name] = string(content)
	}
	return result, err
}

func (w *world) judge(inputs ...string) (action.Result, error) {
	w.t.Helper()
	return w.run("pull_request_target", map[string]any{"action": "opened",
		"pull_request": map[string]any{"number": w.number}}, inputs...)
}

func (w *world) lastCheck() forge.Check {
	w.t.Helper()
	checks := w.forge.Checks()
	if len(checks) == 0 {
		w.t.Fatal("no check run was posted")
	}
	return checks[len(checks)-1]
}

func (w *world) expect(result action.Result, outcome policies.Outcome, conclusion, title string) {
	w.t.Helper()
	if result.Outcome != outcome {
		w.t.Errorf("outcome %s, want %s\n%s", result.Outcome, outcome, w.out.String())
	}
	if c := w.lastCheck(); c.Conclusion != conclusion || c.Title != title || c.App != "pullgrant" ||
		c.Name != policies.CheckName {
		w.t.Errorf("check run %+v, want %s %q", c, conclusion, title)
	}
	if !strings.Contains(w.files["output"], outcome.String()) {
		w.t.Errorf("outputs do not say %s:\n%s", outcome, w.files["output"])
	}
}

func TestRequestBecomesGreenOnlyWhenApproved(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	result, err := w.judge()
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Pending, "action_required", "Pending: InsufficientApprovals")
	w.approve("dave")
	if result, err = w.judge(); err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Pending, "action_required", "Pending: ApproverNotAllowed")
	w.approve("bob")
	if result, err = w.judge(); err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Allowed, "success", "Allowed")
	if !strings.Contains(w.lastCheck().Summary, "alice<!-- -->&#64;example&#46;com") {
		t.Errorf("the summary does not tell who receives access:\n%s", w.lastCheck().Summary)
	}
}

func TestBadFileIsAnnotatedWhereItIsWrong(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "-1h", "INC-123, checkout is slow")})
	result, err := w.judge()
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Denied, "failure", "Denied: SchemaError")
	found := w.lastCheck().Annotations
	if len(found) != 1 || found[0].Path != requestPath || found[0].StartLine != 8 ||
		!strings.Contains(found[0].Message, "-1h") {
		t.Errorf("annotations %+v", found)
	}
}

func TestEventsFindTheirPullRequests(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	head := w.forge.Branch("ask")
	for _, c := range []struct {
		event   string
		payload any
	}{
		{"pull_request", map[string]any{"pull_request": map[string]any{"number": w.number}}},
		{"pull_request_review", map[string]any{"pull_request": map[string]any{"number": w.number}}},
		{"workflow_run", map[string]any{"workflow_run": map[string]any{"head_sha": head}}},
		{"workflow_run", reviewed(head, w.number)},
		{"push", map[string]any{"ref": "refs/heads/main"}},
	} {
		before := len(w.forge.Checks())
		result, err := w.run(c.event, c.payload)
		if err != nil || result.Outcome != policies.Pending || len(w.forge.Checks()) != before+1 {
			t.Errorf("%s: %v, %v, %d checks more", c.event, result, err,
				len(w.forge.Checks())-before)
		}
	}
	for event, want := range map[string]string{"merge_group": "merge queues are refused",
		"issues": "not one of", "pull_request": "names no pull request"} {
		if _, err := w.run(event, map[string]any{}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", event, err, want)
		}
	}
}

// A queue waits for the check on a commit of its own, which is in no pull request: it is told why
// that never turns green (R42).
func TestMergeQueueGetsARedCheck(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	head := w.forge.Branch("ask")
	result, err := w.run("workflow_run", map[string]any{"workflow_run": map[string]any{
		"head_sha": head,
		"event":    "merge_group"}})
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Denied, "failure", "Denied: NotARequestPR")
	if c := w.lastCheck(); c.HeadSHA != head || !strings.Contains(c.Summary,
		"merge queues are refused") {
		t.Errorf("check run %+v", c)
	}
}

func TestFactsThatCannotBeHadAreARedCheck(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	w.forge.Fail("GET", ".*/reviews", -1, 403, `{"message": "Forbidden"}`)
	payload := map[string]any{"pull_request": map[string]any{"number": w.number,
		"head": map[string]any{"sha": w.forge.Branch("ask")}}}
	result, err := w.run("pull_request_target", payload)
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
}

// A push names no pull request: their heads come from the list, so that an old green check does not
// outlive the error.
func TestFactsThatCannotBeHadAfterAPushAreARedCheck(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.forge.Fail("GET", ".*/reviews", -1, 500, `{}`)
	result, err := w.run("push", map[string]any{"ref": "refs/heads/main"})
	if err != nil {
		t.Fatal(err)
	}
	w.expect(result, policies.Failed, "failure", "Error: EvaluationError")
	if c := w.lastCheck(); c.HeadSHA != w.forge.Branch("ask") {
		t.Errorf("the check run is on %s", c.HeadSHA)
	}
}

// A check run belongs to a commit, so pull requests with the same head must not turn each other
// green.
func TestPullRequestsWithOneHeadShareTheWorstVerdict(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	head := w.forge.Branch("ask")
	if err := w.forge.SetBranch("dave", "twin", head); err != nil {
		t.Fatal(err)
	}
	if _, err := w.forge.Open("dave", "twin", "The same commit by somebody else"); err != nil {
		t.Fatal(err)
	}
	for event, payload := range map[string]any{
		"pull_request_target": map[string]any{"pull_request": map[string]any{"number": w.number,
			"head": map[string]any{"sha": head}}},
		"workflow_run": map[string]any{"workflow_run": map[string]any{"head_sha": head}},
		"push":         map[string]any{},
	} {
		before := len(w.forge.Checks())
		result, err := w.run(event, payload)
		if err != nil || len(w.forge.Checks()) != before+1 {
			t.Errorf("%s: %v, %d check runs more", event, err, len(w.forge.Checks())-before)
		}
		w.expect(result, policies.Denied, "failure", "Denied: RequesterNotAllowed")
		if s := w.lastCheck().Summary; !strings.Contains(s, "### #1 ") || !strings.Contains(s,
			"### #2 Refused") {
			t.Errorf("%s: the summary does not tell both:\n%s", event, s)
		}
	}
}

func TestReportedModeAndBadInputs(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	result, err := w.judge("INPUT_EXIT-CODE", "reported")
	if err != nil || !result.Reported || result.Outcome != policies.Pending {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := w.judge("INPUT_EXIT-CODE", "maybe"); err == nil {
		t.Error("an unknown exit-code was accepted")
	}
	if _, err := w.judge("INPUT_TOKEN", ""); err == nil || !strings.Contains(err.Error(),
		"no token") {
		t.Errorf("without a token: %v", err)
	}
	w.forge.Fail("POST", ".*/check-runs", -1, 403,
		`{"message": "Resource not accessible by integration"}`)
	if _, err := w.judge(); err == nil || !strings.Contains(err.Error(), "Checks") {
		t.Errorf("a check run that could not be posted: %v", err)
	}
}

// TestOtherRepositoryUnderTheName: the runner says which repository it works for, and nothing that
// GitHub tells of another one is judged.
func TestOtherRepositoryUnderTheName(t *testing.T) {
	w := newWorld(t)
	w.open(map[string]string{requestPath: fmt.Sprintf(request, "1h", "INC-123, checkout is slow")})
	w.approve("bob")
	w.forge.Recreate(9002)
	for id, words := range map[string]string{
		"9001": "acme/access is the repository with number 9002, and not the one with number 9001",
		"0":    `GITHUB_REPOSITORY_ID is "0", which is no number of a repository`,
		"it":   `GITHUB_REPOSITORY_ID is "it"`,
	} {
		result, err := w.judge("GITHUB_REPOSITORY_ID", id)
		if result.Outcome != policies.Failed || !strings.Contains(w.out.String()+
			w.files["summary"], words) {
			t.Errorf("%s: %v, %v\n%s%s", id, result, err, w.out.String(), w.files["summary"])
		}
	}
	if result, err := w.judge("GITHUB_REPOSITORY_ID", "9002"); err != nil ||
		result.Outcome != policies.Allowed {
		t.Errorf("%v, %v", result, err)
	}
}
