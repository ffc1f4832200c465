package notify

import (
	"os"
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
	const path = "../../testdata/accessrepo/policies/payments-debug.yaml"
	policy, err := os.ReadFile(path)
	if err != nil || snippet == nil {
		t.Fatal(snippet, err)
	}
	told := strings.Replace(string(policy), "\n  target:", "\n"+snippet[1]+"  target:", 1)
	p, findings := policies.ParsePolicy(policies.Path("payments-debug"), []byte(told))
	if len(findings) > 0 || len(p.Spec.Told(policies.NotifyEnding)) != 1 {
		t.Errorf("%v, %+v", findings, p.Spec.Notifications)
	}
}
