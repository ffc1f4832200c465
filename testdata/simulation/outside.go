package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/pullgrant/pullgrant/internal/checks"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/oncall"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	oncalls "github.com/pullgrant/pullgrant/testdata/oncall"
	"github.com/pullgrant/pullgrant/testdata/webhook"
)

// Services outside of GitHub and the clusters that challenges ask. Each is a system that may be down.
const (
	checkService = "checks.invalid"
	tracker      = "tracker.invalid"
)

var outsideSystems = []string{checkService, tracker, pager, genie}

// What a service says; other words of it are a no.
const (
	saysYes   = "yes"
	saysNo    = "no"
	saysWaits = "not yet"
)

// What is asked about, but for who is on call: a request, a ticket by its number.
const (
	checkOf  = "check of "
	ticketOf = "ticket "
)

// questions are what policies ask services outside, by the policy.
var questions = map[string]struct {
	service string
	about   func(r *request) string // a request that is under it
}{
	"shop-checked": {checkService, func(r *request) string { return checkOf + r.path }},
	"shop-ordered": {checkService, func(r *request) string { return checkOf + r.path }},
	"shop-ticket":  {tracker, func(r *request) string { return fmt.Sprint(ticketOf, r.ticket) }},
	"shop-pager":   {pager, func(*request) string { return onCallBy(pagerSchedule) }},
	"shop-first":   {pager, func(*request) string { return onCallBy(pagerPolicy) }},
	"shop-genie":   {genie, func(*request) string { return onCallBy(genieSchedule) }},
}

// asksOutside is about what a request has a service asked; empty: nothing.
func (r *request) asksOutside() string {
	if q, asks := questions[r.policy]; asks {
		return q.about(r)
	}
	return ""
}

// services are those that a request has asked.
func (r *request) services() []string {
	if q, asks := questions[r.policy]; asks {
		return []string{q.service}
	}
	return nil
}

// outside is all of the services.
type outside struct {
	mu   sync.Mutex
	says map[string]string // by what is asked about
}

// decides has a service say something from now on.
func (w *world) decides(about, says string) {
	w.outside.mu.Lock()
	w.outside.says[about] = says
	w.outside.mu.Unlock()
	w.becomes(about, says)
}

func (o *outside) of(about string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.says[about]
}

// answersTo has whoever decides outside over a request do so, and often otherwise later on.
func (w *world) answersTo(r *request, o occasion) {
	about := r.asksOutside()
	if about == "" || slices.Contains([]string{pager, genie}, questions[r.policy].service) {
		return
	}
	fate := w.below(100, o.name+" outside")
	first, then := saysYes, saysYes
	switch {
	case w.inTurn || fate < 60:
	case fate < 70:
		first, then = saysNo, saysNo
	case fate < 85:
		first = saysWaits
	default:
		then = saysNo
	}
	if w.decides(about, first); first != then {
		w.busy.Go(func() {
			time.Sleep(w.span(0, 10*time.Minute, o.name+" outside when"))
			w.decides(about, then)
		})
	}
}

// outsideBesides are faults of services outside that last.
var outsideBesides = func() (all []beside) {
	for _, system := range outsideSystems {
		all = append(all, beside{outageOf + system, 2000, true,
			func(w *world, _ *site, _ string) func() { return w.stops(system) }})
	}
	return append(all, rotaChanges)
}()

// outsideFaults are what may become of an answer of theirs.
var outsideFaults = []answerFault{
	{"503 of a service", 2000, true, refusedWith(http.StatusServiceUnavailable, page)},
	{"503 of a service after all", 2000, false, refusedWith(http.StatusServiceUnavailable, page)},
	{"service leads elsewhere", 2000, false, func(a *http.Response, body []byte, _ func(int) int) []byte {
		a.Header.Set("Location", "https://"+checkService+"/elsewhere")
		return refusedWith(http.StatusTemporaryRedirect, string(body))(a, nil, nil)
	}},
	{"service answers half", 2000, false, func(_ *http.Response, body []byte, draw func(int) int) []byte {
		return body[:draw(len(body))]
	}},
	{"service tells of another", 5000, false, func(a *http.Response, _ []byte, draw func(int) int) []byte {
		all := lies[a.Request.URL.Host]
		return encoded(all[draw(len(all))])
	}},
	{"service answers late", 5000, false, nil},
}

// lies are answers, all of them a yes, to something else than was asked.
var lies = func() map[string][]any {
	ofPager, ofGenie := onCallLies()
	return map[string][]any{
		checkService: {policies.WebhookResponse{APIVersion: requests.APIVersion,
			Kind: policies.KindWebhookResponse, ID: "msg_of_another", Decision: "allowed"},
			map[string]any{"decision": "allowed"}},
		tracker: {map[string]any{"number": 999_999, "state": "open"}, map[string]any{"state": "open"}},
		pager:   ofPager, genie: ofGenie,
	}
}()

// heard is an answer that a process got, whole and to what it asked.
type heard struct{ process, about, says string }

// told is the body of one.
type told struct {
	io.ReadCloser
	heard
}

// askOutside is a call of a service, with what may become of it.
func (n *wire) askOutside(id string, r *http.Request, body []byte) *http.Response {
	w := n.w
	draw := func(most int) int { return w.below(most, "spoilt "+id) }
	for _, f := range outsideFaults {
		switch {
		case !w.fault(f.name, id):
		case f.spoil == nil:
			// who asked may have given up by then
			_ = wait(r.Context(), w.span(time.Second, 20*time.Second, f.name+" "+id))
		case f.unasked:
			answer := said(r, http.StatusOK, "")
			return replaced(answer, f.spoil(answer, nil, draw), 0, false)
		default:
			answer := w.outside.serve(n, r, body)
			whole, err := io.ReadAll(answer.Body)
			if err != nil {
				panic(err) // it is in memory
			}
			return replaced(answer, f.spoil(answer, whole, draw), len(whole), f.name == "service answers half")
		}
	}
	return w.outside.serve(n, r, body)
}

// serve answers a call.
func (o *outside) serve(n *wire, r *http.Request, body []byte) *http.Response {
	in := r.Clone(context.WithoutCancel(r.Context()))
	in.Body, in.RequestURI = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI()
	answer, one := httptest.NewRecorder(), heard{process: n.process}
	switch r.URL.Host {
	case checkService:
		check, err := webhook.Handler(webhook.Secret, func(q policies.WebhookRequest) (string, string) {
			one.about = checkOf + requests.Path(q.Cluster, q.Policy, q.Name)
			one.says = o.of(one.about)
			return map[string]string{saysYes: "allowed", saysWaits: "pending", saysNo: "denied",
				"": "denied"}[one.says], "as our list has it"
		})
		if err != nil {
			panic(err) // the secret is one
		}
		check.ServeHTTP(answer, in)
	case tracker:
		number := path.Base(r.URL.Path)
		one.about = ticketOf + number
		if one.says = o.of(one.about); one.says == "" {
			http.NotFound(answer, in)
			break
		}
		oncalls.Write(answer, map[string]any{"number": json.Number(number),
			"state": map[bool]string{true: "open", false: "closed"}[one.says == saysYes]})
	case pager, genie:
		one.about = onCallBy(rotaOf(in))
		one.says = o.of(one.about)
		tellsRota(one.says, answer, in)
	}
	whole := answer.Result()
	whole.Request = r
	if answer.Code == http.StatusOK {
		whole.Body = told{whole.Body, one}
	}
	return whole
}

// hears enters an answer into the history that a process got.
func (n *wire) hears(answer *http.Response) {
	if t, is := answer.Body.(told); is {
		n.w.note("%s hears: %s: %s", n.process, t.about, t.says)
		n.w.add(event{heard: &t.heard})
	}
}

// answerers are how a process asks them.
func (p *replica) answerers(n *wire) (inquire.Answerers, error) {
	c := checks.Config{Clock: p.clock, Transport: n, Env: func(name string) string {
		return map[string]string{checks.EnvSecret: webhook.Secret}[name]
	}}
	if err := c.Hosts.Set(checkService + "," + tracker); err != nil {
		return nil, err
	}
	all, err := checks.Answerers(c)
	if err != nil {
		return nil, err
	}
	all[policies.OnCall], err = oncall.New(p.rotaServices(n))
	return all, err
}

// isOutside tells whether a host is one of theirs.
func isOutside(host string) bool { return slices.Contains(outsideSystems, host) }
