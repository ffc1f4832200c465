package action

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// TestSummaryTellsWhatApproversLeave: who narrowed the request and what they wrote, as text, and how
// others may.
func TestSummaryTellsWhatApproversLeave(t *testing.T) {
	v := verdict{number: 7, at: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), decision: policies.Decision{
		Outcome: policies.Pending, MayNarrow: true,
		Grant: &requests.Grant{Duration: requests.Duration(10 * time.Minute)},
		Approvers: []requests.Approver{{Login: "bob", Narrowed: "at most 10m", Words: "be <b>quick</b> @root"},
			{Login: "carol"}}}}
	got := v.summary()
	for _, want := range []string{"| Narrowed | " + github.Code("@bob narrowed it: at most 10m") + " |",
		"| How long | would last 10m from", github.Code("@bob") + " wrote: " + github.Code("be <b>quick</b> @root"),
		"Who approves may give less", github.Code("pullgrant: at most 30m")} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	v.decision.MayNarrow = false
	if strings.Contains(v.summary(), "may give less") {
		t.Errorf("it offers what the policy does not")
	}
}
