package main

import (
	"strings"
	"testing"
	"time"
)

// TestStatusLine: a terminal has one line that never wraps, whatever is told; elsewhere each change is
// a line with the time.
func TestStatusLine(t *testing.T) {
	var out strings.Builder
	now := time.Date(2026, 11, 23, 19, 15, 7, 0, time.UTC)
	columns := 40
	s := &statusLine{out: &out, width: func() int { return columns }, since: now,
		now: func() time.Time { return now }}
	s.set("waiting for 1 of acme/squad-b")
	now = now.Add(125 * time.Second)
	s.set(s.text)
	columns = 20
	s.set("approved\nby \x1b[31mbob; waits for the merge")
	s.clear()
	const over = "\r\x1b[K"
	if want := over + "waiting for 1 of acme/squad-b, 0 s" + over +
		"waiting for 1 of acme/squad-b, 2 min" + over + `approved\nby \u{1b…` + over; out.String() != want {
		t.Errorf("the terminal gets %q, want %q", out.String(), want)
	}

	out.Reset()
	s.width = nil
	s.set("approved; waits for the merge")
	s.set("approved; waits for the merge")
	s.clear()
	s.set("granted")
	if want := "19:17:12 UTC  approved; waits for the merge\n19:17:12 UTC  granted\n"; out.String() != want {
		t.Errorf("elsewhere it is %q, want %q", out.String(), want)
	}
}

// TestFittedTakesNoTime: the many of a large group who may approve cost a line no more than they are long.
func TestFittedTakesNoTime(t *testing.T) {
	all, began := strings.Repeat("somebody-else, ", 5000), time.Now()
	if got, want := fitted(all, 20), "somebody-else, some…"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for text, want := range map[string]string{"漢字漢字": "漢字…", "abcdef": "abcd…", "abcde": "abcde",
		"é́éééééé": "é́ééé…"} {
		if got := fitted(text, 5); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
