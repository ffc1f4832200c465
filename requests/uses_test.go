package requests

import (
	"fmt"
	"strings"
	"testing"
)

// TestUses: each use is counted, and the first are kept; what was refused, which costs nobody
// anything, never crowds out what was allowed.
func TestUses(t *testing.T) {
	var u Uses
	use := func(n int, allowed bool) Use {
		return Use{AuditID: fmt.Sprint(n), Command: "run payments/api-1/app date", Allowed: allowed}
	}
	for n := range 100 {
		if !u.Add(use(n, false)) || n < MaxUses/2 && u.Add(use(n, false)) {
			t.Fatalf("refused use %d is not new, or new twice", n)
		}
	}
	for n := range 100 {
		u.Add(use(100+n, true))
	}
	if u.Allowed != 100 || u.Refused != 100 || len(u.First) != MaxUses || !u.First[MaxUses/2].Allowed {
		t.Errorf("kept are %+v", u)
	}
	if err := u.Check(); err != nil {
		t.Error(err)
	}
	u.First[0].Command = "a\nb"
	if err := u.Check(); err == nil || !strings.Contains(err.Error(), `"a\nb"`) {
		t.Errorf("what no command is passes: %v", err)
	}
}

// TestCommandText: whatever somebody ran stands on one line that hides nothing, and no longer than
// its bound.
func TestCommandText(t *testing.T) {
	long := strings.Repeat("é", maxUsed)
	for text, want := range map[string]string{
		`run payments/api-1/app sh -c a\ b`: `run payments/api-1/app sh -c a\ b`,
		"a\nb\x1b[2J\u202e":                 `a\nb\x1b[2J\u202e`,
		"'":                                 "'",
		long:                                long[:maxUsed] + "…",
	} {
		got := CommandText(text)
		if got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if problem := checkUsed(got); problem != "" {
			t.Errorf("%q is refused: %s", got, problem)
		}
	}
	if checkUsed("") == "" || checkUsed("a\tb") == "" || checkUsed(long) == "" {
		t.Error("what CommandText never gives passes")
	}
}

// TestNamesPodOf: pods of a Deployment begin with its name, of which Kubernetes cuts what is too long.
func TestNamesPodOf(t *testing.T) {
	long := strings.Repeat("a", 60)
	for _, c := range []struct {
		e    Exec
		name string
		want bool
	}{
		{Exec{Pod: "api-1"}, "api-1/app date", true},
		{Exec{Pod: "api-1"}, "api-10/app date", false},
		{Exec{Deployment: "api"}, "api-7f9c-x2z4q/app date", true},
		{Exec{Deployment: "api"}, "apis-7f9c-x2z4q/app date", false},
		{Exec{Deployment: long}, long[:58] + "x2z4q/app date", true},
	} {
		if got := c.e.NamesPodOf(c.name); got != c.want {
			t.Errorf("%+v, %s: %t, want %t", c.e, c.name, got, c.want)
		}
	}
}
