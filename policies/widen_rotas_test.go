package policies_test

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// TestRotasWiden: whoever comes to be on call by a change, or may, is told of (R88).
func TestRotasWiden(t *testing.T) {
	const rota, people, policy = "policies/rotas/checkout.yaml", policies.IdentitiesPath,
		"policies/checkout-oncall.yaml"
	before := exampleTree(t)
	for _, c := range []struct{ path, old, text, want string }{
		{rota, "[dave]", "[dave, bob]", "rota checkout: on call is @dave and @bob on Mon, Tue, Wed, Thu, Fri from " +
			"09:00 to 17:00"},
		{rota, "[alice, bob, carol]", "[alice, carol]", "rota checkout: on call is @alice, @carol in turn, a week " +
			"each from 2026-11-02 on, on Mon, Tue, Wed, Thu, Fri, Sat, Sun from 09:00 to 09:00"},
		{rota, "Europe/Stockholm", "UTC", "rota checkout: its times are those of UTC instead of Europe/Stockholm"},
		{rota, "    - {person: carol", "    - {person: alice, from: 2026-12-01T08:00:00Z, to: 2026-12-02T08:00:00Z, " +
			"by: bob}\n    - {person: carol", "rota checkout: on call is @alice in place of the others from " +
			"2026-12-01T08:00:00Z to 2026-12-02T08:00:00Z, as @bob says"},
		{rota, "  overrides:\n    - {person: carol, from: 2026-12-24T08:00:00Z, to: 2026-12-26T08:00:00Z, by: dave}\n",
			"", "rota checkout: it does not say any more that on call is @carol in place of the others from " +
				"2026-12-24T08:00:00Z to 2026-12-26T08:00:00Z, as @dave says"},
		{rota, "description: Who runs", "description: Who cares for", ""},
		{rota, "Europe/Stockholm", "Nowhere", ""},
		{people, "kubernetes: {username: bob@example.com}", "kubernetes: {username: bob@example.com}\n      " +
			"onCall: {pagerDuty: PBOB}", "bob (102) is on call when the user PBOB of PagerDuty is"},
		{policy, "{kind: OnCall, rota: checkout}", "{kind: OnCall, pagerDutySchedule: PI7DH85}",
			"policy checkout-oncall: on call by the rota checkout is no longer asked for; now it takes on call by " +
				"the PagerDuty schedule PI7DH85"},
		{policy, "    - {kind: OnCall, rota: checkout}", "    - {kind: OnCall, rota: checkout}\n" +
			"    - {kind: CodeOwnerReview}", ""},
	} {
		got := strings.Join(policies.Widened(before, with(t, before, c.path, c.old, c.text)), "\n")
		if got != c.want {
			t.Errorf("%s -> %s: got\n%s\nwant\n%s", c.old, c.text, got, c.want)
		}
	}
}

// TestNumbersOnCallStandOnce: two people with one number would both be on call when one is.
func TestNumbersOnCallStandOnce(t *testing.T) {
	for _, number := range []string{"pagerDuty: PXPGF42", "opsgenie: 4513b7ea-3b91-438f-b7e4-e3e54af9147c"} {
		_, found := policies.ParseIdentities(policies.IdentitiesPath, []byte(
			"apiVersion: pullgrant.dev/v1alpha1\nkind: IdentityMap\nmetadata: {name: identities}\nspec:\n  users:\n"+
				"    - {github: alice, githubID: 101, kubernetes: {username: a}, onCall: {"+number+"}}\n"+
				"    - {github: bob, githubID: 102, kubernetes: {username: b}, onCall: {"+number+"}}\n"))
		if len(found) != 1 || found[0].Line != 7 || found[0].Rule != "duplicate" {
			t.Errorf("%s: %v", number, found)
		}
	}
}
