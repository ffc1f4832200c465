package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// TestReportTellsThePolicysWindows: when access would be if it were merged now, and what cuts it.
func TestReportTellsThePolicysWindows(t *testing.T) {
	g := requests.Grant{Duration: requests.Duration(time.Hour), Windows: []requests.Hours{{
		Days: []string{"Mon"}, From: "08:00", To: "18:00", TimeZone: "Europe/Stockholm"}}}
	for at, want := range map[string]string{
		"2026-11-23T16:30:00Z": "Window        1h from the merge on, within the windows of the policy\n" +
			"              merged now, from 2026-11-23T16:30:00Z until 2026-11-23T17:00:00Z\n" +
			"              cut at 18:00 Europe/Stockholm, the window's end\n",
		"2026-11-23T06:00:00Z": "Window        1h from the merge on, within the windows of the policy\n" +
			"              merged now, from 2026-11-23T07:00:00Z until 2026-11-23T08:00:00Z\n",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		var r report
		r.asked(policies.Facts{}, policies.Decision{Grant: &g}, now)
		var got bytes.Buffer
		if err := r.to(&got); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(got.String(), want) {
			t.Errorf("at %s:\n%s\nwant\n%s", at, got.String(), want)
		}
	}
}
