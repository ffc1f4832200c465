package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// TestCommentsTellWhatIs: each end is told with who brought it about, as far as that is anybody's
// doing and known, and only a live grant's comment says that access lasts.
func TestCommentsTellWhatIs(t *testing.T) {
	g := grants.Of("a", 1, 1)
	asked := grants.Of("a", 1, 1)
	asked.Items[0].Mode = requests.ModeImpersonate
	bob := requests.Person{Login: "bob", ID: 102, PullRequest: 9}
	app := requests.PersonOf("robot[bot]", 103, 9)
	over := func(cause, code string, by requests.Person) plan.Record {
		return plan.Record{Phase: plan.Ended, Grant: g, Cause: cause, Code: code, EndedBy: by,
			EndedAt: requests.At(g.Window.Start.Add(time.Minute))}
	}
	refused := plan.Record{Grant: g, Refused: &plan.Refusal{Message: "exceeded quota: bindings",
		Since: g.Window.Start}}
	used := over("ExecUsed", "", requests.Person{})
	used.Uses.Add(requests.Use{Command: "run payments/api-1/app date", Allowed: true})
	ended := func(r plan.Record) string { return endedText(r, "", nil) }
	never := func(r plan.Record) string { return refusedText(r, "") }
	for name, test := range map[string]struct {
		text string
		has  []string
	}{
		"waits": {waitingText(refused), []string{"### Merged, not granted yet", "quota",
			"Since "}},
		"waits to be judged": {unjudgedText(g.Window.Start.Time, policies.Refuse(
			policies.EvaluationError, "GitHub does not answer")), []string{
			"### Merged, not granted yet", "Since ", "([EvaluationError](", "does not answer"}},
		"granted": {grantedText(g, nil), []string{"### Access until ",
			github.Code("pullgrant drop " + g.Name)}},
		"granted to an identity": {grantedText(asked, nil), []string{"### Access until ",
			"| Used by | " + github.Code("pullgrant exec "+g.Name+
				" -- kubectl -n payments ARGUMENT...")}},
		"expired": {ended(over("Expired", "", requests.Person{})), []string{"ended at 2",
			" UTC.\n"}},
		"revoked":  {ended(over("Revoked", "", bob)), []string{"&#64;bob</code> in #9.\n"}},
		"given up": {ended(over("Relinquished", "", bob)), []string{"&#64;bob</code> in #9.\n"}},
		"policy":   {ended(over("PolicyChanged", "", bob)), []string{"&#64;bob</code> in #9.\n"}},
		"an app's": {ended(over("Revoked", "", app)), []string{"by account 103 in #9.\n"}},
		"unknown": {ended(over("Revoked", "", requests.Person{})),
			[]string{"by whom is not known.\n"}},
		"by hand": {ended(over("BindingDeleted", "", requests.Person{})),
			[]string{"audit log tells"}},
		"used": {ended(used), []string{"its command was used, as the API server's audit log told.\n",
			"Commands: 1 allowed, 0 refused, as "}},
		"withdrawn": {never(over("Revoked", "", bob)), []string{"### Never granted: Revoked",
			"&#64;bob"}},
		"denied": {never(over("Denied", "NoPolicy", requests.Person{})),
			[]string{"### Refused: NoPolicy"}},
		"too late": {never(over("Denied", "ExpiredBeforeGrant", requests.Person{})),
			[]string{"### Refused: ExpiredBeforeGrant"}},
	} {
		for _, words := range test.has {
			if !strings.Contains(test.text, words) {
				t.Errorf("%s: %q is not in\n%s", name, words, test.text)
			}
		}
		if !strings.HasPrefix(name, "granted") && strings.Contains(test.text, "Access until") {
			t.Errorf("%s: it says that access lasts:\n%s", name, test.text)
		}
	}
}
