package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/requests"
)

// TestCSVGuard: whatever text begins like a formula is none, and everything else stays as it is.
func TestCSVGuard(t *testing.T) {
	for reason, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\rx": "'x",
		"INC-1 = x": "INC-1 = x", "'=1": "'=1", "": "",
		"a,b \"c\"\nd": "a,b \"c\"\nd",
	} {
		var b bytes.Buffer
		if err := audit.WriteCSV(&b, []audit.Row{{Name: "n", Reason: reason}}); err != nil {
			t.Fatal(err)
		}
		read, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(read) != 2 {
			t.Fatalf("%q: %d lines, %v", reason, len(read), err)
		}
		if got := read[1][slices.Index(read[0], "reason")]; got != want {
			t.Errorf("%q became %q, want %q", reason, got, want)
		}
	}
}

func TestCSVLinesEndAsRFC4180Says(t *testing.T) {
	var b bytes.Buffer
	if err := audit.WriteCSV(&b, []audit.Row{{Name: "n"}}); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.String(), "\r\n") != 2 || strings.Count(b.String(), "\n") != 2 {
		t.Errorf("%q", b.String())
	}
}

// TestEvents holds what OCSF requires of the class, and what no event may claim.
func TestEvents(t *testing.T) {
	row := audit.Row{Name: "20261122-alice-inc-1", Cluster: "prod-eu", Requester: "alice",
		Subject: "alice@example.com", Namespaces: []string{"payments"}, Roles: []string{"view"},
		From: at(t, "08:00:00"), Ended: at(t, "09:00:00"), Cause: requests.CauseRevoked,
		EndedBy: "@bob in #9", BreakGlass: true}
	refused := audit.Row{Name: "n", Cluster: "prod-eu", Requester: "frank", Ended: at(t, "08:00:00"),
		Cause: requests.CauseDenied, Code: "RequesterNotAllowed"}
	if all := (audit.Row{Name: "n", From: at(t, "08:00:00")}).Events(); len(all) > 0 {
		t.Errorf("a request that has not ended claims %v", all)
	}
	var got []string
	for _, e := range append(row.Events(), refused.Events()...) {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		for _, required := range []string{"activity_id", "category_uid", "class_uid", "type_uid", "time",
			"severity_id", "metadata", "user", "privileges", "resources"} {
			if fields[required] == nil {
				t.Errorf("%s has no %s", data, required)
			}
		}
		if e.TypeUID != e.ClassUID*100+e.ActivityID || e.Metadata.Version == "" || e.User.Name == "" {
			t.Errorf("%s", data)
		}
		got = append(got, strings.Join([]string{e.ActivityName, e.Status, e.StatusCode, e.Severity,
			e.Message}, "|"))
	}
	want := []string{
		"Assign Privileges|Success||Medium|Access of alice on prod-eu/payments: given",
		"Revoke Privileges|Success|Revoked|Informational|Access of alice on prod-eu/payments: " +
			"revoked by bob in #9",
		"Assign Privileges|Failure|RequesterNotAllowed|Informational|Access of frank on prod-eu: refused",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if first := row.Events()[0].Time; first != row.From.UnixMilli() {
		t.Errorf("it began at %d", first)
	}
}
