package action

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/storage/memory"
	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/answers"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// nobody is what the Action is told of who is on call where no token is given.
func nobody(context.Context, policies.Asking) policies.Reply {
	return inquire.Unknown(errors.New("no token of PagerDuty is set up here"))
}

// TestActionJudgesTheScenarios runs the Action on each scenario of a pull request that it judges,
// told by GitHub: the check run, the step summary and the outputs say what is to be decided.
func TestActionJudgesTheScenarios(t *testing.T) {
	for _, c := range cases.All(t) {
		if c.Merged || c.Trust {
			continue // the agent judges these
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			s := answers.Start(t, c, memory.NewStorage())
			out, files := runOn(t, s)
			checks := s.Checks()
			if s.Scenario.Facts.PullRequest.Merged { // the agent tells of it
				if len(checks) != 0 || !strings.Contains(out, "is merged") {
					t.Errorf("check runs %+v\n%s", checks, out)
				}
				return
			}
			if len(checks) != 1 {
				t.Fatalf("%d check runs\n%s", len(checks), out)
			}
			facts := s.Scenario.Facts
			asked := alone(t)
			asked[policies.OnCall] = nobody
			asked.Fill(t.Context(), &facts, func() time.Time { return c.Now })
			d := s.Scenario.Judge(facts)
			d.HeadSHA = s.Scenario.Facts.PullRequest.HeadSHA
			if c.Wire != "" { // the scenario holds only part of what is said
				message := regexp.MustCompile(`(?m)^message: (.*)$`).FindStringSubmatch(c.Wire)[1]
				if !strings.Contains(s.Plain(checks[0].Output.Summary), github.Escape(message)) {
					t.Errorf("the summary does not say %q:\n%s", message, checks[0].Output.Summary)
				}
				d.Outcome, d.Code, d.Policy = policies.Failed, policies.EvaluationError, ""
			} else if want := (verdict{number: s.Scenario.Facts.PullRequest.Number,
				headSHA: d.HeadSHA, decision: d,
				at: c.Now}).summary(); checks[0].Output.Summary != want {
				t.Errorf("got:\n%s\nwant:\n%s", checks[0].Output.Summary, want)
			}
			if checks[0].Conclusion != conclusion(d.Outcome) ||
				checks[0].Output.Title != title(d) ||
				checks[0].HeadSHA != d.HeadSHA {
				t.Errorf("check run %+v; want that of %s %s", checks[0], d.Outcome, d.Code)
			}
			if files["summary"] != checks[0].Output.Summary+"\n" {
				t.Errorf("the step summary is\n%s", files["summary"])
			}
			want := "decision=" + d.Outcome.String() + " code=" + string(d.Code) + " policy=" +
				d.Policy + " head-sha=" + d.HeadSHA
			if got := outputs(files["output"]); got != want {
				t.Errorf("the outputs are %s, want %s", got, want)
			}
		})
	}
}

// alone are the answerers of an Action that may call nobody.
func alone(t *testing.T) inquire.Answerers {
	t.Helper()
	nothing := func(string) string { return "" }
	a := githubactions.New(githubactions.WithGetenv(nothing))
	given, err := checksOf(a, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	all, err := answerers(a, given)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// runOn plays the runner: GitHub's own example of an event, about the pull request of the scenario.
// inputs are names of variables and their values.
func runOn(t *testing.T, s *answers.Server, inputs ...string) (log string, files map[string]string) {
	t.Helper()
	example, err := os.ReadFile("../testdata/runner/payloads/pull_request.opened.json")
	var event map[string]any
	if err == nil {
		err = json.Unmarshal(example, &event)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := s.Scenario.Facts
	pull := event["pull_request"].(map[string]any)
	event["number"], pull["number"], pull["head"].(map[string]any)["sha"] = f.PullRequest.Number,
		f.PullRequest.Number, f.PullRequest.HeadSHA
	payload, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"event": payload, "output": nil, "summary": nil} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{
		"GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_EVENT_PATH": filepath.Join(dir,
			"event"),
		"GITHUB_API_URL":    s.URL,
		"GITHUB_REPOSITORY": f.Repository.Owner + "/" + f.Repository.Name, "INPUT_TOKEN": "token",
		"GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(dir,
			"summary"),
	}
	for pair := range slices.Chunk(inputs, 2) {
		env[pair[0]] = pair[1]
	}
	var out bytes.Buffer
	if _, err := Run(t.Context(), func(name string) string { return env[name] }, &out,
		func() time.Time { return s.Scenario.Now }); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	files = map[string]string{}
	for _, name := range []string{"output", "summary"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(content)
	}
	return out.String(), files
}

// outputs are the four outputs of the file, in the order of the README.
func outputs(file string) string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\S+)<<\S+\n(.*)\n\S+$`).FindAllStringSubmatch(file,
		-1) {
		found[m[1]] = m[2]
	}
	var all []string
	for _, name := range []string{"decision", "code", "policy", "head-sha"} {
		all = append(all, name+"="+found[name])
	}
	return strings.Join(all, " ")
}
