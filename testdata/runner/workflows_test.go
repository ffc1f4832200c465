package runner_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/internal/github"
)

// Whatever can change a verdict starts the workflow that judges, and each file listens to what it
// may be trusted with.
func TestWhatStartsTheWorkflows(t *testing.T) {
	needPrograms(t)
	files := scaffold(t)
	judge, review := parseWorkflow(t, files[judging]), parseWorkflow(t, files[reviewing])
	for _, kind := range []string{"opened", "synchronize", "reopened", "edited", "ready_for_review",
		"converted_to_draft"} {
		if !judge.listens("pull_request_target", kind, nil) {
			t.Errorf("nothing judges a pull request that is %s", kind)
		}
	}
	for event, kinds := range map[string][]string{"pull_request_review": {"submitted", "edited",
		"dismissed"}, "merge_group": {"checks_requested"}} {
		for _, kind := range kinds {
			if !review.listens(event, kind, nil) || judge.listens(event, kind, nil) {
				t.Errorf("%s %s must start the review workflow and no other", event, kind)
			}
		}
	}
	if !judge.listens("workflow_run", "completed",
		map[string]any{"workflow_run": map[string]any{"name": review.Name}}) {
		t.Errorf("nothing judges when %s has ended", review.Name)
	}
	if !judge.listens("issue_comment", "created", nil) {
		t.Error("nothing has channels told of a call for a review")
	}
	if only := judge.Jobs["judge"].If; !strings.Contains(only, github.EscalatedMarker) {
		t.Errorf("of comments, others than a call for a review start the judging: %s", only)
	}
	for kind, want := range map[string]bool{"pullgrant-due": true, "another": false} {
		if got := judge.listens("repository_dispatch", kind, nil); got != want {
			t.Errorf("the event %s of others starts the judging: %t, want %t", kind, got, want)
		}
	}
	for name, want := range map[string]bool{"policies/payments-debug.yaml": true,
		"policies/groups.yaml": true, "catalog/prod-eu/view.yaml": true,
		"CODEOWNERS": true, ".github/CODEOWNERS": true, "docs/CODEOWNERS": true, requestFile: false,
		"README.md": false} {
		for branch, want := range map[string]bool{"refs/heads/main": want,
			"refs/heads/other": false} {
			commit := map[string]any{"added": []any{}, "removed": []any{name}, "modified": []any{}}
			if got := judge.listens("push", "", map[string]any{"ref": branch,
				"commits": []any{commit}}); got != want {
				t.Errorf("a push of %s to %s starts the judging: %t, want %t", name,
					branch, got, want)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(judge.On)); !slices.Equal(got, []string{"issue_comment",
		"pull_request_target", "push", "repository_dispatch", "schedule", "workflow_run"}) {
		t.Errorf("the workflow with the key listens to %s: the file of any other event is not main's",
			got)
	}
}

// The workflow that takes its file from a pull request gets no right, and neither checks anything
// out.
func TestWorkflowsHoldLittle(t *testing.T) {
	needPrograms(t)
	files := scaffold(t)
	judge, review := parseWorkflow(t, files[judging]), parseWorkflow(t, files[reviewing])
	if job := review.Jobs["trigger"]; len(review.Permissions) > 0 || len(job.Permissions) > 0 ||
		job.Environment != "" || strings.Contains(files[reviewing], "secrets.") {
		t.Errorf("the review workflow holds rights, an environment or secrets:\n%s",
			files[reviewing])
	}
	if job := judge.Jobs["judge"]; len(judge.Permissions) > 0 || job.Environment != "pullgrant" ||
		!maps.Equal(job.Permissions, map[string]string{"contents": "read"}) {
		t.Errorf("the judging workflow's rights are %v, %v and its environment is %q",
			judge.Permissions, job.Permissions, job.Environment)
	}
	token := slices.Sorted(slices.Values((&world{t: t}).rights(files[judging])))
	if want := []string{"checks:write", "contents:read", "members:read", "metadata:read",
		"pull_requests:write"}; !slices.Equal(token, want) {
		t.Errorf("the App's token may %s, want %s", token, want)
	}
	for name, text := range files {
		if strings.HasPrefix(name, workflows) && strings.Contains(text, "checkout@") {
			t.Errorf("%s checks something out", name)
		}
	}
	for _, sha := range []string{"github.event.pull_request.head.sha",
		"github.event.workflow_run.head_sha", "github.event.comment.id"} {
		if !strings.Contains(judge.Concurrency.Group, sha) {
			t.Errorf("the concurrency group %q does not tell apart by %s", judge.Concurrency.Group,
				sha)
		}
	}
}

func TestActionlintAcceptsWhatInitWrites(t *testing.T) {
	needPrograms(t)
	dir := t.TempDir()
	files := scaffold(t)
	manifest, err := os.ReadFile(filepath.Join(programs.source, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	files["action.yml"] = string(manifest)
	// As a local action, so that what the workflow hands it is compared with its inputs.
	files[judging] = strings.ReplaceAll(files[judging], action, "./")
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{t: t, dir: dir}
	w.git("init", "--quiet", dir) // actionlint finds local actions from the repository's root
	lint := exec.CommandContext(t.Context(), programs.actionlint, "-no-color", "-oneline")
	lint.Dir = dir
	if out, err := lint.CombinedOutput(); err != nil {
		t.Errorf("actionlint: %v\n%s", err, out)
	}
}
