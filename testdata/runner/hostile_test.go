package runner_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// injected makes a file in the home folder when a shell runs it; no blank, slash or colon, so that
// names may hold it.
const injected = "$(cd;touch${IFS}pwned)"

const hostile = "`touch $HOME/pwned` " + injected + " ${{ secrets.PULLGRANT_APP_KEY }} " +
	"::add-mask::pullgrant ##[add-mask]main " +
	"_GitHubActionsFileCommandDelimeter_ </details> @acme/everyone"

// Text that a requester chooses changes nothing that the runner does: not a command, not an output,
// not a file.
func TestHostileTextChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("ask", "Access", map[string]string{requestFile: request("INC-123, checkout is slow")})
	plain := w.pullEvent("opened", "opened")
	w.expect(plain, "action_required", "Pending: InsufficientApprovals")

	w.open("a;"+injected+"&&`id`|<b>", "x\n::set-output name=decision::allowed\n"+hostile,
		map[string]string{
			requestFile: request("'" + hostile + "'")})
	l := w.pullEvent("opened", "opened")
	check := w.expect(l, "action_required", "Pending: InsufficientApprovals")
	if got, want := l.shape(), plain.shape(); !slices.Equal(got, want) {
		t.Errorf("the runner did\n%q\nwant, as for harmless text,\n%q\n%s", got, want, l)
	}
	if !strings.Contains(check.Summary, "GitHubActionsFileCommandDelimeter") ||
		strings.Contains(check.Summary, " </details>") {
		t.Errorf("the reason is missing or raw in the summary:\n%s", check.Summary)
	}
	if comments := w.comments(); len(comments) != 1 || !strings.Contains(comments[0],
		"GitHubActionsFileCommandDelimeter") ||
		strings.Contains(comments[0], " </details>") || strings.Contains(comments[0],
		"@acme/everyone") {
		t.Errorf("the reason is missing or raw in the comment:\n%q", comments)
	}
	w.expectUntouched(l)

	w.review("bob", "APPROVE")
	_, l = w.reviewEvent("submitted")
	w.expect(l, "success", "Allowed")
	w.expectUntouched(l)

	// Names of files, and what a file that is none of ours says.
	files := map[string]string{requestFile: forge.Removed, "requests/prod-eu/payments-debug/" +
		injected + "\n::add-mask::pullgrant.yaml": "reason: |\n  a\n  ::error::b\n"}
	if _, err := w.forge.Push(forge.Change{User: "alice", Branch: "a;" + injected + "&&`id`|<b>",
		Files: files, Message: hostile}); err != nil {
		t.Fatal(err)
	}
	l = w.pullEvent("synchronize", "synchronize")
	w.expect(l, "failure", "Denied: FileRejected")
	w.expectUntouched(l)
}

// command is what GitHub's runner would take the line for: its command ends at the first "::",
// act's at the last.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func (l line) command() string {
	if rest, ok := strings.CutPrefix(l.Raw, "::"); ok {
		command, _, _ := strings.Cut(rest, "::")
		name, _, _ := strings.Cut(command, " ") // properties follow
		return name
	}
	return l.Command
}

// shape is what the runner did in each step, without the texts: the outputs it took, the commands
// it obeyed.
func (l log) shape() (shape []string) {
	for _, line := range l {
		value := ""
		if line.command() == "set-output" && line.Name != "head-sha" {
			value = line.Name + "=" + line.Arg
		}
		if line.Command != "" || line.Output || line.Step != "" {
			shape = append(shape, fmt.Sprint(line.StepID, line.Step, line.command(), value))
		}
	}
	slices.Sort(shape) // the runner reports outputs in no order
	return shape
}

// expectUntouched holds that the runner obeyed only our own commands and that nothing hostile was
// run.
func (w *world) expectUntouched(l log) {
	w.t.Helper()
	for _, line := range l {
		ok := true
		switch line.command() {
		case "", "notice", "warning", "error":
		case "summary":
			ok = !strings.Contains(line.Message, " </details>") // as the hostile text has it
		case "add-mask":
			ok = strings.TrimSpace(line.Raw) == "::add-mask::"+w.forge.AppToken("pullgrant")
		case "set-output":
			allowed := map[string][]string{"decision": {"allowed", "pending", "denied"},
				"code":   {"", "InsufficientApprovals", "FileRejected"},
				"policy": {"", "payments-debug"}, "head-sha": {w.head()},
				"token": {w.forge.AppToken("pullgrant")}}
			ok = slices.Contains(allowed[line.Name], line.Arg)
		default:
			ok = false
		}
		if line.Output && !strings.HasPrefix(line.Message, "go 1.") && // by the stand-in of setup-go
			!strings.Contains(line.Message, "::notice title=pullgrant is compiled for this judgement::The ") {
			ok = false
		}
		if !ok {
			w.t.Errorf("the runner took %+v", line)
		}
	}
	if _, err := os.Lstat(filepath.Join(w.home(), "pwned")); err == nil {
		w.t.Error("a hostile text was run")
	}
}

// What the workflows of a pull request become in the hands of its author, who has no key.
const (
	forgedReview = `name: pullgrant-review
on: {pull_request_review: {types: [submitted]}}
permissions: {checks: write}
jobs:
  trigger:
    runs-on: ubuntu-24.04
    environment: pullgrant
    steps:
      - shell: bash
        env:
          KEY: ${{ secrets.PULLGRANT_APP_KEY }}
          TOKEN: ${{ github.token }}
          SHA: ${{ github.event.pull_request.head.sha }}
        run: |
          echo "key=[$KEY]" >"$HOME/loot"
          body='{"name":"pullgrant","status":"completed","conclusion":"success","head_sha":"'$SHA'"}'
          address="${GITHUB_API_URL#http://}"
          exec 3<>"/dev/tcp/${address%:*}/${address#*:}"
          request='POST /repos/%s/check-runs HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n'
          request+='Content-Length: %d\r\nConnection: close\r\n\r\n%s'
          printf "$request" \
            "$GITHUB_REPOSITORY" "$address" "$TOKEN" "${#body}" "$body" >&3
          cat <&3
`
	forgedJudge = `name: pullgrant
on: {pull_request_target: {types: [opened]}, workflow_run: {workflows: [pullgrant-review], types: [completed]}}
jobs:
  judge:
    runs-on: ubuntu-24.04
    environment: pullgrant
    steps:
      - run: touch "$HOME/pwned"
`
)

// The author of a pull request may write what they like into its workflows and onto its head
// commit. The one that has the key is main's, and main takes only the App's check.
func TestEditedWorkflowAndForgedChecksChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open("ask", "Access", map[string]string{requestFile: request("INC-123, checkout is slow"),
		judging: forgedJudge, reviewing: forgedReview})
	l := w.pullEvent("opened", "opened")
	w.expect(l, "failure", "Denied: NotARequestPR")
	w.expectUntouchedHome(l)

	w.review("bob", "APPROVE")
	trigger, l := w.reviewEvent("submitted")
	loot, err := os.ReadFile(filepath.Join(w.home(), "loot"))
	if err != nil || string(loot) != "key=[]\n" {
		t.Errorf("the edited trigger, which does run, found %q, %v\n%s", loot, err, trigger)
	}
	checks := w.forge.Checks()
	if forged := checks[len(checks)-2]; forged.App != "github-actions" ||
		forged.Name != "pullgrant" ||
		forged.Conclusion != "success" {
		t.Errorf("the edited trigger posted %+v, want a forged green check\n%s", forged, trigger)
	}
	w.expect(l, "failure", "Denied: NotARequestPR")
	w.expectUntouchedHome(l)

	if err := w.forge.Pass("other", "pullgrant", w.head()); err != nil {
		t.Fatal(err)
	}
	status := map[string]any{"state": "success", "context": "pullgrant"}
	if err := w.forge.Do(w.forge.Token("alice"), "POST", "/repos/acme/access/statuses/"+w.head(),
		status, nil); err != nil {
		t.Fatal(err)
	}
	if sha, err := w.forge.Merge("bob", w.number); err == nil || !strings.Contains(err.Error(),
		"pullgrant") {
		t.Errorf("merged as %q, %v; want the required check to be missing", sha, err)
	}
}

func (w *world) expectUntouchedHome(l log) {
	w.t.Helper()
	if _, err := os.Lstat(filepath.Join(w.home(), "pwned")); err == nil {
		w.t.Errorf("the pull request's own workflow ran with the key\n%s", l)
	}
}
