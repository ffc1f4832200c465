package action_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composite is what action.yml holds.
type composite struct {
	Inputs map[string]struct {
		Required bool
		Default  string
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			Name, ID, Shell, Run, Uses string
			Env, With                  map[string]string
		}
	}
}

func readComposite(t *testing.T) composite {
	t.Helper()
	data, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c composite
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// An expression in a script is text that a pull request could choose becoming code; expressions
// belong into env, and only those that no pull request can choose.
func TestActionExpressionsStayOutOfScripts(t *testing.T) {
	c := readComposite(t)
	expression := regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)
	trusted := []string{"github.action_path", "runner.temp", "inputs.token", "inputs.exit-code",
		"inputs.webhook-hosts", "inputs.webhook-secret", "inputs.webhook-tokens", "inputs.webhook-ca",
		"inputs.pagerduty-token", "inputs.pagerduty-url", "inputs.opsgenie-key", "inputs.opsgenie-url",
		"inputs.channels"}
	for _, step := range c.Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("the script of %q holds an expression:\n%s", step.Name, step.Run)
		}
		if step.Uses != "" && !regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`).MatchString(
			step.Uses) {
			t.Errorf("%s is not pinned by its commit", step.Uses)
		}
		for _, values := range []map[string]string{step.Env, step.With} {
			for name, value := range values {
				for _, m := range expression.FindAllStringSubmatch(value, -1) {
					if !slices.Contains(trusted, m[1]) {
						t.Errorf("%s: %s is not one of %s", name, value, trusted)
					}
				}
			}
		}
	}
}

// Bash must hand INPUT_EXIT-CODE on, which is no name of a shell variable.
func TestActionHandsItsInputsToTheProgram(t *testing.T) {
	c := readComposite(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("needs bash")
	}
	step := c.Runs.Steps[len(c.Runs.Steps)-1]
	// In bash too: other shells keep such a name from what they start.
	program := t.TempDir() + "/program with a space"
	if err := os.WriteFile(program, []byte("#!"+bash+"\necho \"$@\"\nenv\nexit 8\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bash, "--noprofile", "--norc", "-e", "-o", "pipefail",
		"-c", step.Run)
	for name := range step.Env {
		cmd.Env = append(cmd.Env, name+"=$(id)")
	}
	cmd.Env = append(cmd.Env, "PROGRAM="+program, "PATH="+os.Getenv("PATH"))
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != 8 {
		t.Errorf("the program's exit code became %v", err)
	}
	lines := strings.Split(string(out), "\n")
	if lines[0] != "action" {
		t.Errorf("arguments %q", lines[0])
	}
	for name := range c.Inputs {
		if want := "INPUT_" + strings.ToUpper(name) + "=$(id)"; !slices.Contains(lines, want) {
			t.Errorf("the program does not see %s in\n%s", want, out)
		}
	}
	for name, output := range c.Outputs {
		if want := "${{ steps." + step.ID + ".outputs." + name + " }}"; output.Value != want {
			t.Errorf("the output %s is %s, want %s", name, output.Value, want)
		}
	}
}

// TestActionSaysThatItCompiles: the log of a run whose pinned commit has no binary says so, and what to
// do, before it takes its time.
func TestActionSaysThatItCompiles(t *testing.T) {
	for _, step := range readComposite(t).Runs.Steps {
		if step.Name != "Build" {
			continue
		}
		said, _, compiles := strings.Cut(step.Run, "go build")
		for _, words := range []string{"::notice title=", "has no binary", "release/checksums", "minutes",
			"make release"} {
			if !compiles || !strings.Contains(said, words) {
				t.Errorf("before it compiles it does not say %q:\n%s", words, step.Run)
			}
		}
		return
	}
	t.Error("no step builds")
}
