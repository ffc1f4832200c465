package expiry

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestBrokenConfig: a process that cannot reach Kubernetes at all is none.
func TestBrokenConfig(t *testing.T) {
	config := Config{Cluster: "prod-eu", Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
		Kubernetes: &kube.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere/ca.crt"}}}
	if p, err := NewProcess(config); err == nil || p != nil ||
		!strings.Contains(err.Error(), "preparing the Kubernetes client") {
		t.Errorf("%v, %v", p, err)
	}
}

// TestLimitsAreNotKnown: nothing is told to be amiss, or to be well, by an API server that does not
// answer.
func TestLimitsAreNotKnown(t *testing.T) {
	log := &scene.Log{}
	p, err := NewProcess(Config{Cluster: "prod-eu", Clock: func() time.Time { return noon },
		Logger:     slog.New(slog.NewJSONHandler(log, nil)),
		Kubernetes: &kube.Config{Host: "http://127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.tellLimits(t.Context()); err == nil || !strings.Contains(err.Error(),
		"looking at the expirer's limits") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error: %v", err)
	}
	if log.String() != "" {
		t.Errorf("it tells: %s", log)
	}
}

// TestNotAtOnceAgain: a try that did not work is repeated after a second, and not before.
func TestNotAtOnceAgain(t *testing.T) {
	now := noon
	e := New(nil, func() time.Time { return now }, monitor.NewMetrics("prod", "",
		func() time.Time { return now }), slog.New(slog.DiscardHandler))
	e.Watch(plan.Live{UID: "a"}, noon)
	e.watched["a"].next, e.watched["a"].failed = noon.Add(monitor.Tick), true
	if due, wait := e.due(); len(due) != 0 || wait != monitor.Tick {
		t.Errorf("%d are due at once, the next look is in %s", len(due), wait)
	}
	now = noon.Add(monitor.Tick)
	if due, _ := e.due(); len(due) != 1 {
		t.Errorf("%d are due a second later", len(due))
	}
}

// TestGoneForADay: what disappeared is remembered for a day, to its last second.
func TestGoneForADay(t *testing.T) {
	now := noon
	e := New(nil, func() time.Time { return now }, monitor.NewMetrics("prod", "",
		func() time.Time { return now }), slog.New(slog.DiscardHandler))
	e.disappeared(plan.Live{UID: "a"})
	for after, want := range map[time.Duration]int{0: 1, goneFor: 1} {
		now = noon.Add(after)
		if n := len(e.Gone()); n != want {
			t.Errorf("%s later %d are remembered, want %d", after, n, want)
		}
	}
	now = noon.Add(goneFor + 1)
	if n := len(e.Gone()); n != 0 {
		t.Errorf("after a day %d are remembered", n)
	}
}

// TestForgottenByWhoeverExpires: what disappeared is forgotten after a day also where nobody asks for it,
// as in a process that only expires and in a replica that does not lead.
func TestForgottenByWhoeverExpires(t *testing.T) {
	const days, aDay = 10, 100
	now := noon
	e := New(nil, func() time.Time { return now }, monitor.NewMetrics("prod", "",
		func() time.Time { return now }), slog.New(slog.DiscardHandler))
	for day := range days {
		for n := range aDay {
			l := plan.Live{UID: fmt.Sprint(day, " ", n)}
			e.Watch(l, now.Add(time.Hour))
			e.disappeared(l)
		}
		e.due()
		now = now.Add(24 * time.Hour)
	}
	if n := len(e.vanished); n > 2*aDay {
		t.Errorf("%d are remembered", n)
	}
	if n := len(e.watched); n > 0 {
		t.Errorf("%d are watched", n)
	}
}
