package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// TestDebtOf: break-glass that gave access is owed, from the beginning of that; what gave none, or was
// looked at before, is not.
func TestDebtOf(t *testing.T) {
	start, end := requests.Time{}, requests.Time{}
	for at, text := range map[*requests.Time]string{&start: "2026-11-23T12:00:00Z",
		&end: "2026-11-23T12:30:00Z"} {
		if err := at.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	day, _ := requests.ParseDuration("24h")
	r := plan.Record{Phase: plan.Ended, Cause: requests.CauseExpired, Issue: 9, Grant: requests.Grant{
		Name: "20261123-alice-breakglass-inc-1", Cluster: "prod-eu", Policy: "payments-debug",
		Requester: "alice", Subject: requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
		Window: requests.Window{Start: start, End: end}, Evidence: requests.Evidence{PullRequest: 4},
		BreakGlass: &requests.BreakGlass{Owners: []string{"acme/squad-b"}, ReviewWithin: day,
			RequesterID: 101, BehalfID: 104}}}
	debt, ok := DebtOf(r)
	if !ok || debt.Spec.DueAt.String() != "2026-11-24T12:00:00Z" || debt.Spec.Issue != 9 ||
		debt.Spec.RequesterID != 101 || debt.Spec.BehalfID != 104 {
		t.Fatalf("%+v", debt)
	}
	data, err := debt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := requests.DebtPath("prod-eu", r.Grant.Name)
	if read, findings := policies.ParseDebt(path, data); len(findings) > 0 || read.Spec.Policy !=
		"payments-debug" || read.Owing() != debt.Owing() {
		t.Errorf("%s%v", data, findings)
	}
	paid := PaidMessage(debt, policies.Decision{Approvers: []requests.Approver{{Login: "bob", ID: 102}}}, 7)
	for _, line := range []string{"Pullgrant-Event: reviewed", "Pullgrant-Issue: 9",
		"Pullgrant-Request: requests/prod-eu/payments-debug/20261123-alice-breakglass-inc-1.yaml",
		"Pullgrant-Pull-Request: 4", "Pullgrant-Review: 7", "Approved-by: bob (102)"} {
		if !strings.Contains(paid, "\n"+line+"\n") {
			t.Errorf("no %q in\n%s", line, paid)
		}
	}
	refused, reviewed := r, r
	refused.Cause = requests.CauseDenied
	reviewed.Grant.BreakGlass = nil
	for _, r := range []plan.Record{refused, reviewed} {
		if debt, ok := DebtOf(r); ok {
			t.Errorf("%+v is owed", debt)
		}
	}
}

// TestDebtsInHistory: who wrote a debt and who took it away is told by the signature of the commit.
func TestDebtsInHistory(t *testing.T) {
	signer := newSigner(t)
	s := gitserver.New(t)
	s.Commit("start", "README.md", "hello")
	debt := func(name string) (path, content string) {
		d := policies.Debt{APIVersion: requests.APIVersion, Kind: policies.KindDebt,
			Metadata: requests.Metadata{Name: name}, Spec: policies.DebtSpec{Cluster: "prod-eu",
				Policy: "payments-debug", Requester: "alice", PullRequest: 4, Owners: []string{"bob"},
				Subject: requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
				DueAt:   requests.At(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC))}}
		data, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return requests.DebtPath("prod-eu", name), string(data)
	}
	for _, name := range []string{"20261122-alice-breakglass-kept", "20261122-alice-breakglass-removed"} {
		path, content := debt(name)
		commitAs(t, s, signer, path, content)
	}
	removed, _ := debt("20261122-alice-breakglass-removed")
	s.Work("rm", "-q", removed)
	s.Commit("forget")
	written, content := debt("20261122-alice-breakglass-written")
	s.Commit("invent", written, content)
	accounts, findings, err := History(s.WorkDir, signersOf(t, signer.AllowedSigner("prod-eu")+"\n"))
	if err != nil || len(accounts) != 0 {
		t.Fatal(accounts, err)
	}
	rules := map[string]string{}
	for _, f := range findings {
		rules[f.File] = f.Rule
	}
	if len(rules) != 2 || rules[removed] != "debt-removed" || rules[written] != "debt-unsigned" {
		t.Errorf("findings %v", findings)
	}
}
