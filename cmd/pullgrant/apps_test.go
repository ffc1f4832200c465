package main

import (
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestApps holds the Apps that init has registered to the permissions that docs/setup.md gives, and
// the Action's to those that its workflow asks for.
func TestApps(t *testing.T) {
	text, err := os.ReadFile("../../docs/setup.md")
	if err != nil {
		t.Fatal(err)
	}
	// A permission with a condition is not for every repository, so init does not ask for it.
	permission := regexp.MustCompile(`([A-Z][a-z]+(?: requests)?) (read|write)(?:, where)?`)
	for name, app := range map[string]appManifest{"Action": checkApp("acme"), "Agent": agentApp("acme")} {
		row := regexp.MustCompile(`(?m)^\| ` + name + ` \| ([^|]*) \|`).FindSubmatch(text)
		if row == nil {
			t.Fatalf("docs/setup.md has no permissions of the App %s", name)
		}
		want := map[string]string{}
		for _, m := range permission.FindAllStringSubmatch(string(row[1]), -1) {
			if !strings.HasSuffix(m[0], "where") {
				want[strings.ReplaceAll(strings.ToLower(m[1]), " ", "_")] = m[2]
			}
		}
		if !maps.Equal(app.Permissions, want) {
			t.Errorf("%s: %v, and docs/setup.md says %v", name, app.Permissions, want)
		}
		page, err := url.Parse(app.page("github.com", "acme"))
		if err != nil || page.Path != "/organizations/acme/settings/apps/new" ||
			page.Query().Get("public") != "false" || page.Query().Get("webhook_active") != "false" {
			t.Errorf("%s: %s, error %v", name, page, err)
		}
		for permission, level := range want {
			if page.Query().Get(permission) != level {
				t.Errorf("%s: the page asks for %s: %q", name, permission,
					page.Query().Get(permission))
			}
		}
	}
	workflow, err := scaffold.ReadFile("init/.github/workflows/pullgrant.yml")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +permission-([a-z-]+): (\w+)$`).FindAllStringSubmatch(
		string(workflow), -1) {
		asked[strings.ReplaceAll(m[1], "-", "_")] = m[2]
	}
	if !maps.Equal(asked, checkApp("acme").Permissions) {
		t.Errorf("the workflow asks for %v, and its App has %v", asked, checkApp("acme").Permissions)
	}
}

// TestAppNames: GitHub takes no name of an App that is longer, and each is another one.
func TestAppNames(t *testing.T) {
	owner := strings.Repeat("a-", 19) + "a"
	names := []string{checkApp(owner).Name, agentApp(owner).Name}
	for _, name := range names {
		if len(name) > maxAppName || strings.HasPrefix(name, "-") {
			t.Errorf("%q has %d characters", name, len(name))
		}
	}
	if slices.Equal(names[:1], names[1:]) {
		t.Errorf("both are %q", names[0])
	}
}
