package main

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// TestShowBeforeTheStart: what is to begin later is not called open, nor access.
func TestShowBeforeTheStart(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	g := requests.Grant{Window: requests.NewWindow(now.Add(time.Hour),
		requests.Duration(time.Hour))}
	for said, want := range map[string]string{
		"": "allowed; its window opens at 2026-11-23T11:00:00Z",
		"Approved, access begins at 2026-11-23 11:00:00 UTC": "allowed; its agent gives access " +
			"from 2026-11-23T11:00:00Z until 2026-11-23T12:00:00Z",
		"Merged, not granted yet. Since then: a quota": "allowed; its window opens at " +
			"2026-11-23T11:00:00Z; its agent says: Merged, not granted yet. Since then: a quota",
	} {
		d := policies.Decision{Outcome: policies.Allowed, Message: "allowed", Grant: &g}
		if s := stands(policies.Facts{}, d, now, said); s.Message != want ||
			s.State != requests.StateAccepted {
			t.Errorf("%q gives %s, %q", said, s.State, s.Message)
		}
		if s := stands(policies.Facts{}, d, now.Add(time.Hour), said); strings.Contains(s.Message,
			"opens at") {
			t.Errorf("at the start %q gives %q", said, s.Message)
		}
	}
}

// TestShowAfterTheEnd: what its agent gave was not refused, though the ledger has nothing of it yet.
func TestShowAfterTheEnd(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	g := requests.Grant{Cluster: "prod-eu", Window: requests.NewWindow(now.Add(-time.Hour),
		requests.Duration(time.Hour))}
	over := policies.Decision{Grant: &g}.Refused(policies.ExpiredBeforeGrant, "too late")
	for said, want := range map[string]policies.Code{
		"Access until 2026-11-23 10:00:00 UTC": "",
		"Access should be over, and is not":    "",
		"Access ended: Expired":                "",
		"":                                     policies.ExpiredBeforeGrant,
		"Merged, not granted yet. Since: a quota":  policies.ExpiredBeforeGrant,
		"Approved, access begins at 2026-11-23 09": policies.ExpiredBeforeGrant,
	} {
		s := stands(policies.Facts{}, over, now, said)
		if s.State != requests.StateExpired || s.Code != want || len(s.Rules) > 0 != (want != "") ||
			want == "" && !strings.HasSuffix(s.Message, "; its agent says: "+said) {
			t.Errorf("%q gives %s, %s, %q", said, s.State, s.Code, s.Message)
		}
	}
}

// TestDecidedContainerIsShown: what has ended is shown with the container that its entry tells, and
// no other object's.
func TestDecidedContainerIsShown(t *testing.T) {
	items := []requests.Item{{Kind: requests.KubernetesExec, Name: "pullgrant-a", Namespace: "payments",
		Exec: &requests.Exec{Pod: "api-1", Command: []string{"date"}}, Containers: []string{"app", "side"}}}
	for container, ref := range map[string]requests.GrantRef{
		"side": {Kind: "RoleBinding", Namespace: "payments", Name: "pullgrant-a", Container: "side"},
		"":     {Kind: "RoleBinding", Namespace: "shop", Name: "pullgrant-a", Container: "side"},
	} {
		got := decided(items, []requests.GrantRef{{Kind: "Role", Namespace: "payments",
			Name: "pullgrant-a"}, ref})
		if len(got) != 1 || got[0].Exec.Container != container {
			t.Errorf("by %+v it is %v, want %q", ref, got, container)
		}
	}
}
