package requests_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
)

// TestMatcher: a pattern is about a whole name, and so is a glob of the policy.
func TestMatcher(t *testing.T) {
	names := []string{"nginx", "nginx-1", "nginx-b2", "my-nginx-1", "api-1", "nginx-1.x",
		"a", "ab", "b"}
	for _, c := range []struct {
		pattern, within string
		want            string
	}{
		{"nginx-*", "*", "nginx-1 nginx-b2 nginx-1.x"},
		{"*", "nginx-*", "nginx-1 nginx-b2 nginx-1.x"},
		{"*-1", "*", "nginx-1 my-nginx-1 api-1"},
		{"^nginx-[a-z0-9-]+$", "*", "nginx-1 nginx-b2"},
		{"^nginx-.$", "*", "nginx-1"},
		{"^a|b$", "*", "a b"},
		{"^(?i)NGINX-1$", "*", "nginx-1"},
		{"nginx-1.x", "*", "nginx-1.x"},
		{"n*1*", "*", "nginx-1 nginx-1.x"},
		{"", "api-*,my-*", "my-nginx-1 api-1"},
		{"^.+$", "nginx,a", "nginx a"},
	} {
		matches, err := requests.Match{Pattern: c.pattern,
			Within: strings.Split(c.within, ",")}.Matcher()
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		got := slices.DeleteFunc(slices.Clone(names),
			func(name string) bool { return !matches(name) })
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s within %s: %s, want %s", c.pattern, c.within, text, c.want)
		}
	}
}

// TestResources: what a request may name, and nothing that looks like it.
func TestResources(t *testing.T) {
	for text, exact := range map[string]bool{"pods/nginx-1": true, "deployments.apps/api": true,
		"pods": false, "pods/nginx-*": false, "pods/*": false, "pods/^nginx-[a-z0-9-]+$": false,
		"widgets.example.com/*-a": false, "pods/^a/b$": false} {
		if problem := requests.CheckResource(text); problem != "" {
			t.Errorf("%s: %s", text, problem)
		}
		r := requests.SplitResource(text)
		if r.IsExact() != exact || r.String() != text {
			t.Errorf("%s is taken for %q, exact: %t", text, r, r.IsExact())
		}
	}
	for _, text := range []string{"", "/", "pods/", "Pods/a", "pods/-", "pods/-*", "pods/ a",
		"pods/a b",
		"pods/^a", "pods/a$", "pods/^$", "pods/^a)|(b$", "pods/^(a$", "pods/^a\\$", "pods/^\\Qa$",
		"pods/^[z-a]$", "pods/^a{1001}$", "pods/^a b$", "pods/^" + strings.Repeat("a", 251) + "$",
		"pods/a/b", "*/a", "pods.*/a", "pods/a\nb", "pods/^(?=a)b$"} {
		if requests.CheckResource(text) == "" {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestCanMatch: a pattern that can never be within the policy's names is refused before review.
func TestCanMatch(t *testing.T) {
	for pattern, want := range map[string]bool{"nginx-*": true, "nginx-a-*": true, "*": true,
		"n*": true, "api-*": false, "^nginx-[0-9]$": true, "^(nginx|api)-1$": true,
		"^api-1$":   false,
		"^nginz.*$": false} {
		if got := requests.CanMatch(pattern, []string{"nginx-*"}); got != want {
			t.Errorf("%s: %t", pattern, got)
		}
	}
}

// TestMatchNamespaces: a pattern is about whole names and gives none but those of the policy, each
// once.
func TestMatchNamespaces(t *testing.T) {
	among := strings.Fields("team-b team-a my-team-a team-ab payments team-a")
	for pattern, want := range map[string]string{
		"*":               "my-team-a payments team-a team-ab team-b",
		"team-*":          "team-a team-ab team-b",
		"*-a":             "my-team-a team-a",
		"^team-[a-z]$":    "team-a team-b",
		"^team-a|pay$":    "team-a",
		"^(?i)PAYMENTS$":  "payments",
		"payments":        "payments",
		"other-*":         "",
		"^team-[$":        "",
		"^a)|(payments.$": "",
	} {
		if got := strings.Join(requests.MatchNamespaces(pattern, among), " "); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
}

// FuzzNamespaces holds the namespace of a request: what its check takes is a name, which stands for
// itself alone, or a pattern that stands for whole names.
func FuzzNamespaces(f *testing.F) {
	for _, text := range []string{"payments", "team-*", "^team-[a-z]+$", "^a|b$", "^a)|(b$", "*", "",
		"^[$", "Team", "^\\Qa$", "-*", "^(?s).$", "^(?m)a$\n^b$"} {
		f.Add(text, "team-a", "b")
	}
	f.Fuzz(func(t *testing.T, text, one, other string) {
		if requests.CheckNamespaces(text) != "" {
			return
		}
		if strings.ContainsAny(text, " \n/"+"\x00") && !strings.HasPrefix(text, "^") {
			t.Fatalf("%q is taken", text)
		}
		for _, name := range requests.MatchNamespaces(text, []string{one, other, one}) {
			if name != one && name != other ||
				requests.CheckName(text) == "" && name != text {
				t.Fatalf("%q stands for %q of %q and %q", text, name, one, other)
			}
		}
		if requests.CheckName(one) == "" && (requests.CheckNamespaces(one) != "" ||
			!slices.Equal(requests.MatchNamespaces(one, []string{other, one}), []string{one}) &&
				one != other) {
			t.Fatalf("the name %q is not taken for itself", one)
		}
	})
}

// TestMatchOfADeployment: a Deployment matches pods, by themselves and as where a command runs, and
// has neither bounds nor another way beside.
func TestMatchOfADeployment(t *testing.T) {
	const commands = "commands.exec.pullgrant.dev"
	for _, c := range []struct {
		kind string
		m    requests.Match
		ok   bool
	}{
		{"pods", requests.Match{Deployment: "nginx"}, true},
		{commands, requests.Match{Deployment: "nginx", Then: "/app date"}, true},
		{commands, requests.Match{Deployment: "nginx"}, false},
		{commands, requests.Match{Deployment: "nginx", Then: "-1/app date"}, false},
		{"pods", requests.Match{Deployment: "nginx", Then: "/app date"}, false},
		{"pods", requests.Match{Deployment: "ngin*"}, false},
		{"pods", requests.Match{Deployment: "nginx", Within: []string{"*"}}, false},
		{"pods", requests.Match{Deployment: "nginx", Selector: "app=nginx"}, false},
		{"pods", requests.Match{Deployment: "nginx", Pattern: "nginx-*"}, false},
		{"pods", requests.Match{Pattern: "nginx-*", Within: []string{"*"}, Then: "/app"}, false},
		{"deployments.apps", requests.Match{Deployment: "nginx"}, false},
		{"secrets", requests.Match{Deployment: "nginx"}, false},
	} {
		if problem := requests.CheckMatch(c.kind, c.m); (problem == "") != c.ok {
			t.Errorf("%s of %+v: %q", c.kind, c.m, problem)
		}
	}
}

// TestDecided: an item whose container is decided still knows what it was asked as.
func TestDecided(t *testing.T) {
	e := requests.Exec{Pod: "api-1", Command: []string{"date"}}
	asked := requests.Item{Kind: requests.KubernetesExec, Exec: &e,
		Containers: []string{"app", "side"}}.Asked()
	if names := asked.Allows[2].Names; !slices.Equal(names, []string{"api-1/app date",
		"api-1/side date"}) || !asked.Undecided() {
		t.Errorf("undecided: %q", names)
	}
	decided := asked.Decided("side")
	if names := decided.Allows[2].Names; !slices.Equal(names, []string{"api-1/side date"}) ||
		decided.Undecided() || decided.Equal(asked) || e.Container != "" {
		t.Errorf("decided: %q, %v", names, decided)
	}
	if !decided.Asked().Equal(asked) {
		t.Errorf("it was asked as %v", decided.Asked())
	}
	broken := requests.Item{Kind: requests.KubernetesExec, Containers: []string{"app"}}
	if broken.Undecided() || !broken.Asked().Equal(broken) {
		t.Error("a record without a command is one whose container is decided later")
	}
}
