package simulation

import (
	"cmp"
	"net/http"
	"path"

	"github.com/pullgrant/pullgrant/internal/oncall"
	oncalls "github.com/pullgrant/pullgrant/testdata/oncall"
)

// Services that know who is on call.
const (
	pager = "pager.invalid" // PagerDuty
	genie = "genie.invalid" // Opsgenie
)

// Who asks, by their numbers there.
const (
	aliceAtPager = "PALICE"
	aliceAtGenie = "11111111-2222-4333-8444-555555555555"
)

// What the policies ask about, by their numbers there.
const (
	pagerSchedule = "PSHOP"
	pagerPolicy   = "PFIRST"
	genieSchedule = "99999999-2222-4333-8444-555555555555"
)

// rotas are those that alice may be on call by. Who is only told when others do not answer is not.
var rotas = []string{pagerSchedule, pagerPolicy, genieSchedule}

// onCallBy is what is asked about one.
func onCallBy(rota string) string { return "alice is on call by " + rota }

// decideRotas has her on call by all of them from now on.
func (w *world) decideRotas() {
	for _, rota := range rotas {
		w.decides(onCallBy(rota), saysYes)
	}
}

// rotaChanges is that alice is not on call by one of them for a while.
var rotaChanges = beside{"rota changes", 3000, true, func(w *world, _ *site, occasion string) func() {
	about := onCallBy(rotas[w.below(len(rotas), "rota of "+occasion)])
	w.decides(about, saysNo)
	return func() { w.decides(about, saysYes) }
}}

// rotaOf is the one that a call asks for.
func rotaOf(r *http.Request) string {
	q := r.URL.Query()
	return cmp.Or(q.Get("schedule_ids[]"), q.Get("escalation_policy_ids[]"), path.Base(path.Dir(r.URL.Path)))
}

// tellsRota answers who is on call now.
func tellsRota(says string, w http.ResponseWriter, r *http.Request) {
	var on oncalls.Server
	if says == saysYes {
		on.OnCall(aliceAtPager, aliceAtGenie)
	} else {
		on.OnCall("PBOB")
		on.Later(aliceAtPager, aliceAtGenie)
	}
	on.ServeHTTP(w, r)
}

// onCallLies are answers about somebody or something else.
func onCallLies() (ofPager, ofGenie []any) {
	other := oncalls.Schedule("other", oncalls.User(aliceAtGenie))
	return []any{map[string]any{"oncalls": []any{oncalls.Entry("PBOB", pagerSchedule, pagerPolicy)}},
			map[string]any{"oncalls": []any{oncalls.Entry(aliceAtPager, "POTHER", "POTHER")}}},
		[]any{other, oncalls.Schedule("", oncalls.User(aliceAtGenie))}
}

// rotaServices are how they are asked.
func (p *replica) rotaServices(n *wire) oncall.Config {
	return oncall.Config{Clock: p.clock, Transport: n,
		PagerDuty: oncall.Service{URL: "https://" + pager, Token: oncalls.Token},
		Opsgenie:  oncall.Service{URL: "https://" + genie, Token: oncalls.Token}}
}
