package ledger

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// TestTitles: the first line of a commit tells a refusal from an end and from a name that is used.
func TestTitles(t *testing.T) {
	g := grants.Of("a", 1, 1)
	of := func(cause, code string) Entry {
		return Entry{Record: plan.Record{Phase: plan.Ended, Grant: g, Cause: cause, Code: code,
			EndedAt: g.Window.End}}
	}
	discard := of("", "")
	discard.Discard, discard.Holder = true, "revocations/x.yaml"
	for want, e := range map[string]Entry{
		"Refuse " + g.Name + ": NoPolicy":          of(requests.CauseDenied, "NoPolicy"),
		"Revoke " + g.Name + ": Expired":           of(requests.CauseExpired, ""),
		"Discard " + g.Path + ": the name is used": discard,
	} {
		if got, _, _ := strings.Cut(Message("prod-eu", []Entry{e}), "\n"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
