package oncall_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/oncall"
	"github.com/pullgrant/pullgrant/policies"
	services "github.com/pullgrant/pullgrant/testdata/oncall"
)

const (
	alice, bob = "PALICE", "PBOB"
	aliceThere = "11111111-2222-4333-8444-555555555555"
	schedule   = "99999999-2222-4333-8444-555555555555"
)

var (
	now      = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	receiver = policies.Identity{GitHub: "alice",
		OnCall: policies.OnCallIdentity{PagerDuty: alice, Opsgenie: aliceThere}}
	asked = map[string]policies.Challenge{
		"PagerDuty schedule": {Kind: policies.OnCall, PagerDutySchedule: "PSCHED"},
		"PagerDuty policy":   {Kind: policies.OnCall, PagerDutyPolicy: "PPOLICY"},
		"Opsgenie schedule":  {Kind: policies.OnCall, OpsgenieSchedule: schedule},
	}
)

func config(s *services.Server) oncall.Config {
	return s.Config(func() time.Time { return now })
}

func answer(t *testing.T, c oncall.Config, ctx context.Context, what string) policies.Reply {
	t.Helper()
	ask, err := oncall.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return ask(ctx, policies.Asking{Challenge: asked[what], Receiver: receiver})
}

// TestOnCall: whom the service names by their number is on call, and nobody else, nor who is only told
// when others do not answer.
func TestOnCall(t *testing.T) {
	s := services.Start(t)
	s.Later(alice, aliceThere)
	for what := range asked {
		for users, want := range map[string]policies.Verdict{
			"": policies.No, bob: policies.No, strings.ToLower(alice): policies.No, "alice": policies.No,
			alice + " " + aliceThere: policies.Yes, bob + " " + aliceThere + " " + alice: policies.Yes,
		} {
			s.OnCall(strings.Fields(users)...)
			if r := answer(t, config(s), t.Context(), what); r.Verdict != want || r.Text != "" {
				t.Errorf("%s with %q on call: %+v", what, users, r)
			}
		}
	}
}

// TestFaults: whatever a service does but name the person, it is told as no answer, and the token is
// in no text.
func TestFaults(t *testing.T) {
	for what := range asked {
		for why, fault := range services.Faults() {
			t.Run(what+" "+why, func(t *testing.T) {
				t.Parallel()
				s := services.Start(t)
				s.OnCall(alice, aliceThere)
				s.Fault(fault)
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				wantUnknown(t, answer(t, config(s), ctx, what), strings.Replace(why,
					"unexpected end of JSON input", "unexpected", 1))
				if why == "it redirects" && len(s.Asked()) != 1 {
					t.Errorf("it was followed: %v", s.Asked())
				}
			})
		}
	}
}

func wantUnknown(t *testing.T, r policies.Reply, why string) {
	t.Helper()
	if r.Verdict != policies.Unknown || !strings.Contains(r.Text, why) {
		t.Errorf("got %+v; want no answer, with %q", r, why)
	}
	if strings.Contains(r.Text, services.Token) {
		t.Errorf("it tells the token: %s", r.Text)
	}
}

// TestNoConnection: who does not show the right certificate, or is not there, is not believed.
func TestNoConnection(t *testing.T) {
	s := services.Start(t)
	s.OnCall(alice, aliceThere)
	for what := range asked {
		strange := config(s)
		strange.Roots = nil
		wantUnknown(t, answer(t, strange, t.Context(), what), "certificate")
		none := config(s)
		none.PagerDuty.Token, none.Opsgenie.Token = "", ""
		wantUnknown(t, answer(t, none, t.Context(), what), "is set up here")
		wrong := config(s)
		wrong.PagerDuty.Token, wrong.Opsgenie.Token = "another", "another"
		wantUnknown(t, answer(t, wrong, t.Context(), what), "refuses the token (401)")
	}
	down := config(s)
	s.Close()
	for what := range asked {
		wantUnknown(t, answer(t, down, t.Context(), what), "connection refused")
	}
}

// TestLies: entries about somebody or something else, of another time, or of whoever is told later
// put nobody on call.
func TestLies(t *testing.T) {
	entry := func(change func(map[string]any)) any {
		e := services.Entry(alice, "PSCHED", "PPOLICY")
		change(e)
		return map[string]any{"oncalls": []any{e}}
	}
	at := func(by time.Duration) string { return now.Add(by).Format(time.RFC3339) }
	user := map[string]any{"id": aliceThere, "type": "user"}
	opsgenie := func(of string, enabled bool, who ...any) any {
		return map[string]any{"data": map[string]any{"_parent": map[string]any{"id": of, "enabled": enabled},
			"onCallParticipants": who}}
	}
	within := func(kind string, later int) any {
		return map[string]any{"id": schedule, "type": kind, "onCallParticipants": []any{map[string]any{
			"id": aliceThere, "type": "user", "escalationTime": later}}}
	}
	for name, try := range map[string]struct {
		what   string
		answer any
		want   policies.Verdict
		why    string
	}{
		"as it should be": {"PagerDuty schedule", entry(func(e map[string]any) {
			e["start"], e["end"] = at(-time.Hour), at(time.Hour)
		}), policies.Yes, ""},
		"another user": {"PagerDuty schedule", entry(func(e map[string]any) {
			e["user"] = map[string]any{"id": bob, "email": "alice@example.com"}
		}), policies.Unknown, "about others"},
		"another schedule": {"PagerDuty schedule", entry(func(e map[string]any) {
			e["schedule"] = map[string]any{"id": "POTHER"}
		}), policies.Unknown, "about others"},
		"another policy": {"PagerDuty policy", entry(func(e map[string]any) {
			e["escalation_policy"] = map[string]any{"id": "POTHER"}
		}), policies.Unknown, "about others"},
		"begins in a second": {"PagerDuty schedule", entry(func(e map[string]any) {
			e["start"] = at(time.Second)
		}), policies.No, ""},
		"ends now": {"PagerDuty schedule",
			entry(func(e map[string]any) { e["end"] = at(0) }), policies.No, ""},
		"no time": {"PagerDuty schedule",
			entry(func(e map[string]any) { e["end"] = "later" }), policies.Unknown, "time"},
		"told later": {"PagerDuty policy",
			entry(func(e map[string]any) { e["escalation_level"] = 2 }), policies.No, ""},
		"told later by the policy, and asked by the schedule": {"PagerDuty schedule",
			entry(func(e map[string]any) { e["escalation_level"] = 2 }), policies.Yes, ""},
		"pages without end": {"PagerDuty schedule", map[string]any{"oncalls": []any{}, "more": true},
			policies.Unknown, "10 pages"},
		"nobody":  {"PagerDuty schedule", map[string]any{"oncalls": []any{}}, policies.No, ""},
		"nothing": {"PagerDuty schedule", map[string]any{}, policies.Unknown, "no entries"},
		"null":    {"PagerDuty schedule", map[string]any{"oncalls": nil}, policies.Unknown, "no entries"},

		"Opsgenie as it should be": {"Opsgenie schedule",
			opsgenie(schedule, true, user), policies.Yes, ""},
		"Opsgenie another schedule": {"Opsgenie schedule",
			opsgenie(aliceThere, true, user), policies.Unknown, "another schedule"},
		"Opsgenie disabled": {"Opsgenie schedule",
			opsgenie(schedule, false, user), policies.No, ""},
		"Opsgenie in a team": {"Opsgenie schedule",
			opsgenie(schedule, true, within("team", 0)), policies.Yes, ""},
		"Opsgenie told later": {"Opsgenie schedule",
			opsgenie(schedule, true, within("escalation", 5)), policies.No, ""},
		"Opsgenie a team of her number": {"Opsgenie schedule", opsgenie(schedule, true, map[string]any{
			"id": aliceThere, "type": "team"}), policies.No, ""},
		"Opsgenie half": {"Opsgenie schedule", map[string]any{"data": map[string]any{
			"_parent": map[string]any{"id": schedule}}}, policies.Unknown, "whether the schedule is enabled"},
		"Opsgenie nothing": {"Opsgenie schedule", map[string]any{}, policies.Unknown, "another schedule"},
	} {
		t.Run(name, func(t *testing.T) {
			s := services.Start(t)
			s.Fault(func(w http.ResponseWriter, _ *http.Request) { services.Write(w, try.answer) })
			r := answer(t, config(s), t.Context(), try.what)
			if r.Verdict != try.want || !strings.Contains(r.Text, try.why) {
				t.Errorf("got %+v, want %q with %q", r, try.want, try.why)
			}
		})
	}
}

// TestPages: who is told of on the second page only is on call.
func TestPages(t *testing.T) {
	s := services.Start(t)
	s.Fault(func(w http.ResponseWriter, r *http.Request) {
		late := services.Entry(alice, "PSCHED", "")
		late["start"] = now.Add(time.Hour).Format(time.RFC3339)
		if r.URL.Query().Get("offset") == "100" {
			late["start"] = nil
		}
		services.Write(w, map[string]any{"oncalls": []any{late}, "more": true})
	})
	if r := answer(t, config(s), t.Context(), "PagerDuty schedule"); r.Verdict != policies.Yes {
		t.Errorf("got %+v after %v", r, s.Asked())
	}
}

// TestAddresses: tokens go by https to a host, and nowhere else.
func TestAddresses(t *testing.T) {
	for _, address := range []string{"http://api.pagerduty.com", "http://127.0.0.1:8080", "api.pagerduty.com",
		"https://", "https://a:b@api.pagerduty.com", "https://api.pagerduty.com/v2", "https://x/?a", "ftp://x"} {
		for _, c := range []oncall.Config{{PagerDuty: oncall.Service{URL: address}},
			{Opsgenie: oncall.Service{URL: address}}} {
			if _, err := oncall.New(c); err == nil || !strings.Contains(err.Error(), "must be https://") {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
	if _, err := oncall.New(oncall.Config{Opsgenie: oncall.Service{URL: "https://api.eu.opsgenie.com/"}}); err != nil {
		t.Error(err)
	}
}

// TestTransport: what is given makes the calls in place of connections.
func TestTransport(t *testing.T) {
	s := services.Start(t)
	s.OnCall(alice, aliceThere)
	c := config(s)
	c.Roots, c.Transport = nil, s.Client().Transport // which believes that server
	for what := range asked {
		if r := answer(t, c, t.Context(), what); r.Verdict != policies.Yes {
			t.Errorf("%s: %+v", what, r)
		}
	}
}
