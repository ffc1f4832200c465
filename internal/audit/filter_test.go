package audit_test

import (
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
)

func at(t testing.TB, text string) requests.Time {
	t.Helper()
	parsed, err := time.Parse("15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return requests.At(parsed.AddDate(2026, 10, 21))
}

// TestFilter holds each filter alone: it takes the row that it names and no other.
func TestFilter(t *testing.T) {
	row := audit.Row{Name: "20261122-alice-inc-123", Cluster: "prod-eu", Policy: "payments-debug",
		Requester: "alice", Subject: "alice@example.com", Namespaces: []string{"payments", "web"},
		Roles: []string{"view"}, From: at(t, "08:00:00"), Ended: at(t, "09:00:00"),
		Cause: requests.CauseExpired}
	for _, c := range []struct {
		what   string
		filter audit.Filter
		want   bool
	}{
		{"nothing", audit.Filter{}, true},
		{"login", audit.Filter{Person: "Alice"}, true},
		{"user", audit.Filter{Person: "alice@example.com"}, true},
		{"user in another case", audit.Filter{Person: "Alice@example.com"}, false},
		{"part of a login", audit.Filter{Person: "ali"}, false},
		{"second namespace", audit.Filter{Namespace: "web"}, true},
		{"another namespace", audit.Filter{Namespace: "kube"}, false},
		{"role", audit.Filter{Role: "view"}, true},
		{"another role", audit.Filter{Role: "edit"}, false},
		{"cluster", audit.Filter{Cluster: "prod-eu"}, true},
		{"another cluster", audit.Filter{Cluster: "prod"}, false},
		{"policy", audit.Filter{Policy: "payments-debug"}, true},
		{"another policy", audit.Filter{Policy: "payments"}, false},
		{"cause", audit.Filter{Cause: requests.CauseExpired}, true},
		{"another cause", audit.Filter{Cause: requests.CauseRevoked}, false},
		{"all of it", audit.Filter{Person: "alice", Namespace: "payments", Role: "view",
			Cluster: "prod-eu", Policy: "payments-debug", Cause: requests.CauseExpired,
			Span: audit.At(at(t, "08:30:00").Time)}, true},
		{"all but the time", audit.Filter{Person: "alice", Cluster: "prod-eu",
			Span: audit.At(at(t, "10:00:00").Time)}, false},
	} {
		if got := c.filter.Takes(row); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	row.ClusterWide = true
	if !(audit.Filter{Namespace: "anything"}).Takes(row) {
		t.Error("what reaches the whole cluster reaches a namespace")
	}
}

// TestSpan holds the edges of time: access holds from its beginning on, and no longer at its end.
func TestSpan(t *testing.T) {
	given := audit.Row{From: at(t, "08:00:00"), Until: at(t, "12:00:00"), Ended: at(t, "09:00:00")}
	live := audit.Row{From: at(t, "08:00:00"), Until: at(t, "09:00:00")}
	refused := audit.Row{Ended: at(t, "08:00:00")}
	asked := audit.Row{Entered: at(t, "08:00:00")}
	never := audit.Row{From: at(t, "08:00:00"), Ended: at(t, "08:00:00")}
	for _, c := range []struct {
		what         string
		row          audit.Row
		since, until string // one alone: that moment
		want         bool
	}{
		{"a second before", given, "07:59:59", "", false},
		{"the beginning", given, "08:00:00", "", true},
		{"the last second", given, "08:59:59", "", true},
		{"the end", given, "09:00:00", "", false},
		{"after the real end, before the one that was meant", given, "10:00:00", "", false},
		{"until the beginning", given, "07:00:00", "08:00:00", false},
		{"until a second later", given, "07:00:00", "08:00:01", true},
		{"since the end", given, "09:00:00", "10:00:00", false},
		{"since a second before", given, "08:59:59", "10:00:00", true},
		{"around it", given, "07:00:00", "10:00:00", true},
		{"inside it", given, "08:10:00", "08:20:00", true},
		{"live, before", live, "07:59:59", "", false},
		{"live, long after its window", live, "23:00:00", "", true},
		{"refused then", refused, "08:00:00", "", true},
		{"refused before", refused, "08:00:01", "", false},
		{"asked and not known when", asked, "08:00:00", "", true},
		{"before it was asked", asked, "07:59:59", "", false},
		{"ended before it began", never, "08:00:00", "", false},
	} {
		span := audit.At(at(t, c.since).Time)
		if c.until != "" {
			span.Until = at(t, c.until).Time
		}
		if got := span.Meets(c.row); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if !(audit.Span{}).Meets(given) || !(audit.Span{Since: given.From.Time}).Meets(given) ||
		(audit.Span{Since: given.Ended.Time}).Meets(given) ||
		(audit.Span{Until: given.From.Time}).Meets(given) {
		t.Error("a span with an open side")
	}
}
