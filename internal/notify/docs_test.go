package notify

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// TestDocs holds docs/messages.md to what there is: each address that it shows opens, each service has
// one, what it has a policy say is valid, and every event is explained.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var c Config
	if err := c.Hosts.Set("chat.example.com,mail.example.com:587,hooks.example.com"); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, m := range regexp.MustCompile("`(([a-z]+)://[^`]+)`").FindAllStringSubmatch(text, -1) {
		if m[2] == "https" {
			continue
		}
		shown[m[2]] = true
		if _, err := Open(map[string]string{"shown": m[1]}, c); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	for name := range services {
		if !shown[name] {
			t.Errorf("no address of %s is shown", name)
		}
	}
	for _, event := range policies.NotifyEvents() {
		if !strings.Contains(text, "\n| `"+event+"` |") {
			t.Errorf("%s is not explained", event)
		}
	}
	snippet := regexp.MustCompile("(?s)```yaml\n(  notifications:.*?)```").FindStringSubmatch(text)
	policy, err := os.ReadFile("../../testdata/accessrepo/policies/payments-debug.yaml")
	if err != nil || snippet == nil {
		t.Fatal(snippet, err)
	}
	told := strings.Replace(string(policy), "\n  target:", "\n"+snippet[1]+"  target:", 1)
	p, findings := policies.ParsePolicy(policies.Path("payments-debug"), []byte(told))
	if len(findings) > 0 || len(p.Spec.Told(policies.NotifyEnding)) != 1 {
		t.Errorf("%v, %+v", findings, p.Spec.Notifications)
	}
}

// TestLinked: of the library's services none is linked that is not among those here.
func TestLinked(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(out)) {
		_, name, is := strings.Cut(strings.TrimSpace(name), "shoutrrr/pkg/services/")
		if _, known := services[path.Base(name)]; is && name != "standard" && !known {
			t.Errorf("%s is linked", name)
		}
	}
}
