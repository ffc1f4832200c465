package runner_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	// actionCommit is what the workflows pin the action to; it stands for this checkout.
	actionCommit = "0123456789012345678901234567890123456789"
	action       = "pullgrant/pullgrant@" + actionCommit
)

// The programs and the copy of this checkout that all tests use.
var programs struct{ act, actionlint, pullgrant, source, standins string }

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "pullgrant-runner-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = setUp(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func setUp(dir string) error {
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	tools := filepath.Join(root, ".cache", "tools")
	for _, name := range []string{"act", "actionlint"} {
		if _, err := os.Stat(filepath.Join(tools, name)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	programs.act, programs.actionlint = filepath.Join(tools, "act"), filepath.Join(tools,
		"actionlint")
	programs.pullgrant, programs.source = filepath.Join(dir, "pullgrant"),
		filepath.Join(dir, "source")
	programs.standins = filepath.Join(root, "testdata", "runner", "standins")
	if err := copyCheckout(root, programs.source); err != nil {
		return fmt.Errorf("copy the checkout: %w", err)
	}
	// With the flags of action.yml: its own builds find everything compiled.
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", programs.pullgrant,
		"./cmd/pullgrant")
	build.Dir, build.Env = programs.source, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build pullgrant: %w\n%s", err, out)
	}
	return nil
}

// copyCheckout copies what git knows of the checkout, or would: what GitHub's runner downloads for
// a `uses:`. The folder testdata is left out: no build reads it, and act copies the tree several
// times a run.
func copyCheckout(root, to string) error {
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
		"--", ".", ":!testdata")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not committed yet
		}
		target := filepath.Join(to, name)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target,
			data, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// needPrograms skips a test where act or actionlint is not built; in CI a skipped test would be a
// hole nobody sees.
func needPrograms(t *testing.T) {
	t.Helper()
	if programs.act != "" {
		return
	}
	const missing = "act or actionlint is not built: run `make test`, which builds them once"
	if os.Getenv("CI") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// line is one line of act's log.
type line struct {
	Message string `json:"msg"`
	Level   string
	StepID  []string
	Job     string `json:"jobResult"` // of the last line: success or failure
	Step    string `json:"stepResult"`

	// A line that the runner took for a command, and what it made of it.
	Command string
	Name    string
	Arg     string
	Raw     string

	Output bool `json:"raw_output"` // a line that a step printed and that is no command
}

// log is what one run of a workflow came to.
type log []line

func (l log) result() string {
	for _, line := range l {
		if line.Job != "" {
			return line.Job
		}
	}
	return ""
}

func (l log) String() string {
	var b strings.Builder
	for _, line := range l {
		fmt.Fprintf(&b, "%v %s\n", line.StepID, strings.TrimSuffix(line.Message, "\n"))
	}
	return b.String()
}

// run is one workflow that GitHub would start.
type run struct {
	event, payload string // name and file
	dir            string // checkout of the commit that GitHub takes the workflow from
	workflow       string // file name
	trusted        bool   // of the default branch: environment secrets are there
}

// act runs a workflow file in its checkout, as GitHub's runner would, and returns its log.
func (w *world) act(r run) log {
	w.t.Helper()
	args := []string{r.event, "--json", "-W", filepath.Join(".github", "workflows", r.workflow),
		"-e", r.payload,
		"-P", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--pull=false",
		"--action-offline-mode",
		"--action-cache-path", filepath.Join(w.dir, "actions"), "--actor", "alice",
		"--env", "GITHUB_API_URL=" + w.forge.URL, "--env", "GITHUB_GRAPHQL_URL=" + w.forge.URL + "/graphql",
		"--env", "GITHUB_REPOSITORY=acme/access",
		"-s", "GITHUB_TOKEN=" + w.forge.ActionsToken(), "--var", "PULLGRANT_APP_ID=7001",
		"--local-repository", action + "=" + w.source}
	for _, uses := range w.standins {
		name, _, _ := strings.Cut(strings.TrimPrefix(uses, "actions/"), "@")
		args = append(args, "--local-repository", uses+"="+filepath.Join(programs.standins, name))
	}
	if r.event == "pull_request_review" {
		args = append(args, "--env", fmt.Sprintf("GITHUB_REF=refs/pull/%d/merge", w.number))
	}
	if r.trusted { // the environment that holds the key may be deployed to from main only
		args = append(args, "-s", "PULLGRANT_APP_KEY="+w.forge.AppToken("pullgrant"))
	}
	var out, talk bytes.Buffer
	cmd := exec.CommandContext(w.t.Context(), programs.act, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, w.environment(), &out, &talk
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("run act: %v", err)
	}
	var all log
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one line
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			w.t.Fatalf("act's log has the line %q: %v", lines.Text(), err)
		}
		all = append(all, one)
	}
	if all.result() == "" {
		w.t.Fatalf("act ended without a result: %v\n%s\n%s", err, all, talk.String())
	}
	return all
}

// environment is what a step may see of this machine: act hands all of its own on. Go builds from
// what is on disk.
func (w *world) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.home(), "ACT_DISABLE_VERSION_CHECK=1",
		"GOPROXY=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly"}
	names := []string{"GOCACHE", "GOMODCACHE", "GOROOT"}
	out, err := exec.CommandContext(w.t.Context(), "go", append([]string{"env"},
		names...)...).Output()
	if err != nil {
		w.t.Fatal(err)
	}
	for i, value := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		env = append(env, names[i]+"="+value)
	}
	return env
}
