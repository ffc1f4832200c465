package sync

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/hook"
)

// TestWebhookBringsAPass is the way from a merge to access with a poll that never comes.
func TestWebhookBringsAPass(t *testing.T) {
	s := newStage(t)
	a := s.agent(options{poll: time.Hour, secret: hook.Secret})
	s.running(a)
	s.Until("the first pass is over",
		func() bool { return s.series(a, "passes_total", `result="complete"`) == "1" })
	s.ask("hook")
	for i := range 10 { // together they are one
		w := httptest.NewRecorder()
		a.server.Handler().ServeHTTP(w, hook.Delivery("push", fmt.Sprint(i)))
		if w.Code != http.StatusAccepted {
			t.Error(w.Code, w.Body)
		}
	}
	s.allowed(true)
	s.shows(a, "webhook_deliveries_total", `result="accepted"`, "10")
	w := httptest.NewRecorder()
	a.server.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/webhook", nil))
	if w.Code != http.StatusMethodNotAllowed || len(a.wake) > 1 {
		t.Errorf("%d, %d news wait", w.Code, len(a.wake))
	}
}

// TestNewsHaveAGap: however many deliveries come, a pass does not begin within a second of the last
// one's end.
func TestNewsHaveAGap(t *testing.T) {
	s := newStage(t)
	a := s.agent(options{poll: time.Hour})
	a.early()
	begin := time.Now()
	a.sleep(t.Context(), nil, 0)
	// however slow this machine is, it is no less
	if gap := time.Since(begin); gap < wakeGap || len(a.wake) != 0 {
		t.Errorf("the next pass begins after %s", gap)
	}
}
