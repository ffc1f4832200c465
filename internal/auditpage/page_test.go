package auditpage_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/internal/auditpage"
	"github.com/pullgrant/pullgrant/requests"
)

func write(t testing.TB, p auditpage.Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := auditpage.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestTextIsNoMarkup: nothing that a person wrote leaves the data that it stands in, and it comes
// out of that as it was.
func TestTextIsNoMarkup(t *testing.T) {
	for _, text := range []string{"</script><script>alert(1)</script>", "<!--<script>", "]]>",
		"<img src=x onerror=alert(1)>", `"};alert(1);//`, "{{.}} & ' \u2028", "<!doctype"} {
		bare := write(t, auditpage.Page{Rows: []audit.Row{{}}})
		got := write(t, auditpage.Page{Title: text, About: text, Rows: []audit.Row{{Reason: text}}})
		for _, tag := range []string{"<script", "</script", "<img", "<!--", "<!doctype"} {
			if strings.Count(got, tag) != strings.Count(bare, tag) {
				t.Errorf("%q brings another %s into the page", text, tag)
			}
		}
		var data struct{ Grants []struct{ Reason string } }
		island := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).
			FindStringSubmatch(got)
		if err := json.Unmarshal([]byte(island[1]), &data); err != nil || data.Grants[0].Reason != text {
			t.Errorf("%q came out as %+v, %v", text, data, err)
		}
	}
}

// TestPolicy: the page allows its own script and style, and nothing else.
func TestPolicy(t *testing.T) {
	got := write(t, auditpage.Page{})
	policy := regexp.MustCompile(`Content-Security-Policy" content="default-src &#39;none&#39;; ` +
		`script-src &#39;sha256-[^ ]+&#39;; style-src &#39;sha256-[^ ]+&#39;; base-uri &#39;none&#39;; ` +
		`form-action &#39;none&#39;">`)
	if !policy.MatchString(got) || strings.Index(got, "<style>") < policy.FindStringIndex(got)[0] {
		t.Errorf("the policy does not stand before all that it is about:\n%.600s", got)
	}
	fetches := regexp.MustCompile(`(?i)(src|href|action)="[^#"]|@import|url\(|fetch\(|innerHTML`)
	if from := fetches.FindString(got); from != "" {
		t.Errorf("the page has %q", from)
	}
}

func many(n int) (rows []audit.Row) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		from := start.Add(time.Duration(i) * time.Hour)
		rows = append(rows, audit.Row{Name: fmt.Sprintf("20261122-alice-inc-%d", i), Cluster: "prod-eu",
			Policy: "payments-debug", Requester: fmt.Sprintf("person-%d", i%200),
			Subject: "alice@example.com", Namespaces: []string{"payments"}, Roles: []string{"view"},
			From: requests.At(from), Until: requests.At(from.Add(time.Hour)),
			Ended: requests.At(from.Add(time.Hour)), Cause: requests.CauseExpired,
			Approvers: []string{"bob"}, PullRequest: i + 1, Reason: "INC-123, checkout is slow",
			Commit: strings.Repeat("0123456789", 4), Proof: "signed"})
	}
	return rows
}

func BenchmarkPage20000(b *testing.B) {
	p := auditpage.Page{Title: "acme/access", Rows: many(20_000)}
	for b.Loop() {
		b.SetBytes(int64(len(write(b, p))))
	}
}
