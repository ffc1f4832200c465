package sync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// extended merges an approved request of alice's that goes on from another.
func (s *stage) extended(slug, from, more string) (name, path string, number int) {
	s.Helper()
	name, path, content := s.requestFile(slug)
	number = s.pull(slug, true, map[string]string{path: content + "  extends: " + from + "\n" + more})
	return name, path, number
}

// TestExtendWithoutAGap: alice asks again and again whether she may while one grant takes over from
// another, and is never refused. The new binding is there before the old one goes.
func TestExtendWithoutAGap(t *testing.T) {
	s := newStage(t)
	end := noon.Add(45 * time.Second)
	first, path, content := s.requestFile("first")
	s.pull("first", true, map[string]string{
		path: content + "  until: " + requests.At(end).String() + "\n"})
	second, _, number := s.extended("second", first, "  duration: 1h\n")
	s.ticking(noon.Add(time.Second))
	s.running(s.agent(options{github: true, poll: 2 * time.Second}))
	s.allowed(true)
	asked, both := 0, false
	for s.Clock().Before(end.Add(8 * time.Second)) {
		if asked++; !s.May("alice@example.com", "", "list", "pods") {
			t.Fatalf("refused at %s, %s of the hand-over", s.Clock(), s.Clock().Sub(end))
		}
		names := fmt.Sprint(s.Names())
		both = both || strings.Contains(names, first) && strings.Contains(names, second)
		if strings.Contains(names, second) && s.Clock().Before(end.Add(-6*time.Second)) {
			t.Fatalf("the second binding is there %s before its window", end.Sub(s.Clock()))
		}
	}
	t.Logf("asked %d times", asked)
	if !both {
		t.Error("the two bindings were never there at once")
	}
	if r := s.entry(first); r.Status.Cause != requests.CauseExpired ||
		r.Status.RevokedAt.Before(end) {
		t.Errorf("the first: %+v", r.Status)
	}
	b := s.Bindings()
	if len(b) != 1 || b[0].Annotations["pullgrant.dev/granted-at"] != requests.At(end).String() ||
		b[0].Annotations["pullgrant.dev/expires-at"] !=
			requests.At(end.Add(time.Hour)).String() {
		t.Errorf("bindings: %+v", b)
	}
	s.Until("it is told", func() bool {
		return strings.Contains(s.said(number), "### Access until")
	})
}

// TestExtendedTooLate: without an approval in time the first access ends, and the second begins when
// it is merged.
func TestExtendedTooLate(t *testing.T) {
	s := newStage(t)
	a, first, _ := s.live("first")
	s.SetClock(noon.Add(time.Hour))
	s.Must(a.Once(t.Context()))
	s.over(first, requests.CauseExpired, "")
	s.SetClock(noon.Add(65 * time.Minute))
	s.extended("second", first, "")
	s.Must(a.Once(t.Context()))
	if b := s.Bindings(); len(b) != 1 ||
		b[0].Annotations["pullgrant.dev/granted-at"] != "2026-11-23T13:05:00Z" ||
		b[0].Annotations["pullgrant.dev/expires-at"] != "2026-11-23T14:05:00Z" {
		t.Errorf("bindings: %+v", b)
	}
}

// TestExtensionEndsWithWhatItExtends: whoever ends the first access before its time keeps the second
// from beginning.
func TestExtensionEndsWithWhatItExtends(t *testing.T) {
	for slug, test := range map[string]struct {
		do    func(s *stage, path string)
		cause string
	}{
		"given back": {func(s *stage, path string) {
			s.open("alice", "drop", removed(path))
		}, requests.CauseRelinquished},
		"revoked": {func(s *stage, path string) {
			s.open("bob", "drop", removed(path))
		}, requests.CauseRevoked},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			a, first, path := s.live("first")
			second, _, _ := s.extended("second", first, "")
			s.pause()
			s.Must(a.Once(t.Context()))
			if r := s.Records(); len(r) != 2 {
				t.Errorf("records: %+v", r)
			}
			test.do(s, path)
			s.pause()
			s.Must(a.Once(t.Context()))
			s.SetClock(noon.Add(time.Hour))
			s.Must(a.Once(t.Context()))
			s.refused(second, string(policies.ExtensionNotAllowed))
			r := s.over(first, test.cause, "")
			if len(s.Bindings()) > 0 || r.Status.RevokedAt.After(noon.Add(time.Hour)) {
				t.Errorf("the first: %+v", r.Status)
			}
		})
	}
}

// TestVerifyExtended: the ledger of both holds, and the window of the second follows from the facts
// kept with it.
func TestVerifyExtended(t *testing.T) {
	s := newStage(t)
	signer := newSigner(t)
	o := options{github: true, signer: signer}
	first := s.request("first")
	s.once(o)
	s.extended("second", first, "")
	for _, at := range []time.Duration{time.Minute, time.Hour - 4*time.Second, time.Hour,
		2 * time.Hour} {
		s.SetClock(noon.Add(at))
		s.once(o)
	}
	signers := signersOf(t, signer.AllowedSigner(s.Cluster))
	if rules := s.rules(signers, noon.Add(4*time.Hour)); rules != "" {
		t.Errorf("a sound ledger: %s", rules)
	}
}
