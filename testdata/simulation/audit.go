package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/execaudit"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// hasAudit is a shape of a cluster: its API server tells the agents of commands.
const hasAudit = "audit"

// What may become of that beside what becomes of calls: it waits in the API server, is told once more
// later on, or is dropped there.
const (
	toldLate  = "command told late"
	toldTwice = "command told twice"
	toldNever = "command not told"
)

// annotated is the annotation that has the command.
const annotated = render.ExecAnnotation

// auditToken is what whoever tells of commands bears.
const auditToken = "a-token-that-nobody-guesses-0123456789"

// command is a call to run one, or to try.
type command struct {
	cluster.Command
	cluster, id string
	forged      bool // nobody ran it
}

// text is the command as Roles name it, behind its verb and namespace.
func (c *command) text() string { return c.Annotations[annotated] }

// allowed tells whether something came to run.
func (c *command) allowed() bool { return c.Code == http.StatusSwitchingProtocols }

// tale is a command that a process was told of, and answered for; over: that it ended.
type tale struct {
	process string
	of      *command
	over    bool
}

// commanded enters a command into the history, and has agents told of it.
func (s *site) commanded(c cluster.Command) {
	s.commands++
	one := &command{c, s.name, fmt.Sprintf("%s-%d", s.name, s.commands), false}
	s.w.note("%s: %q by %s %s: %d", one.id, one.text(), c.User, c.As, c.Code)
	s.w.add(event{ran: one})
	switch {
	case !s.audited:
	case one.allowed():
		go s.tells(one, "ResponseStarted")
		time.AfterFunc(s.w.span(0, 15*time.Minute, one.id+" runs"), func() { s.tells(one, "ResponseComplete") })
	default:
		go s.tells(one, "ResponseComplete")
	}
}

// tells is a batch of the API server's, as docs/exec-audit.md sets it up.
func (s *site) tells(one *command, stage string) {
	id, w := one.id+" "+stage, s.w
	if w.fault(toldNever, id) {
		return
	}
	wait := w.span(0, 100*time.Millisecond, "batch of "+id)
	if w.fault(toldLate, id) {
		wait = w.span(time.Second, 12*time.Minute, toldLate+" "+id)
	}
	time.Sleep(wait)
	if s.sends(one, stage, id); w.fault(toldTwice, id) {
		time.Sleep(w.span(0, 5*time.Minute, toldTwice+" "+id))
		s.sends(one, stage, id+" again")
	}
}

// sends tries as often, and pauses as long, as the API server does by its defaults:
// https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/k8s.io/apiserver/pkg/util/webhook/webhook.go
func (s *site) sends(one *command, stage, id string) {
	body, err := json.Marshal(map[string]any{"kind": "EventList", "apiVersion": "audit.k8s.io/v1",
		"items": []any{map[string]any{"auditID": one.id, "stage": stage, "user": map[string]any{"username": one.User},
			"impersonatedUser": map[string]any{"username": one.As},
			"objectRef": map[string]any{"resource": "pods", "subresource": one.Sub, "namespace": one.Namespace,
				"name": one.Pod},
			"responseStatus": map[string]any{"code": one.Code}, "annotations": one.Annotations,
			"requestReceivedTimestamp": one.At.UTC().Format("2006-01-02T15:04:05.000000Z")}}})
	if err != nil {
		panic(err) // all of it is text
	}
	pause := 10 * time.Second
	for try := range 5 {
		if s.arrives(one, stage, string(body), fmt.Sprintf("%s #%d", id, try)) {
			return
		}
		time.Sleep(pause)
		pause = pause * 3 / 2
	}
	s.w.note("%s is told to nobody", id)
}

// arrives tells whether one of the agents took what it was told, as far as the API server knows.
func (s *site) arrives(one *command, stage, body, id string) bool {
	w, all := s.w, s.of(agents)
	p := all[w.below(len(all), "who hears "+id)]
	p.mu.Lock()
	n := p.now
	p.mu.Unlock()
	if n == nil || n.isDead() || w.isDown(of(kubernetes, s.name)) || w.fault(dropped, id) {
		return false
	}
	if n.asleep() {
		time.Sleep(30 * time.Second)
		return false
	}
	code, _, err := n.audit.call(http.MethodPost, execaudit.Path, body)
	if err != nil || code != http.StatusOK || n.isDead() {
		w.note("%s is not told %s: %d %v", n.process, id, code, err)
		return false
	}
	w.note("%s is told %s", n.process, id)
	w.add(event{tale: &tale{n.process, one, stage == "ResponseComplete" && one.allowed()}})
	return !w.fault(lost, id)
}

// forgesUse is somebody with the credential of a cluster's API server who tells its agents of a command
// that a request lets run and nobody ran, some minutes ago or to come.
const forgesUse = "use forged"

var usesForged = []beside{{forgesUse, 2000, false, func(w *world, s *site, occasion string) func() {
	if !s.audited {
		return nil
	}
	for _, r := range w.askedOf(s) {
		if r.lets() == "" || w.inTurn && r.policy == onceOnly { // which is to last
			continue
		}
		at := time.Now().Add(w.span(0, 10*time.Minute, occasion+" forged when") - 8*time.Minute)
		one := &command{cluster.Command{At: at, User: r.user, Namespace: runsIn, Sub: "exec",
			Code: http.StatusSwitchingProtocols}, s.name, strings.ReplaceAll(occasion, " ", "-"), true}
		if r.impersonates() {
			one.As = r.identity()
		}
		if w.below(4, occasion+" forged code") == 0 {
			one.Code = http.StatusForbidden
		}
		name := s.letsRun(r)
		one.Pod, _, _ = strings.Cut(name, "/")
		one.Annotations = map[string]string{annotated: "run " + runsIn + "/" + name}
		w.note("somebody forges %s: %q by %s %s: %d", one.id, one.text(), one.User, one.As, one.Code)
		w.busy.Go(func() { s.sends(one, "ResponseStarted", one.id) })
		return nil
	}
	return nil
}}}

// lets is the command that a request lets run, as a Role names it; empty: none.
func (r *request) lets() string {
	for _, what := range r.objects() {
		if _, command, lets := strings.Cut(what, " exec.pullgrant.dev/commands "); lets {
			return command
		}
	}
	return ""
}

// uses has alice run what a request lets her, or another command, for some minutes and whether she may
// by then or not.
func (w *world) uses(r *request, o occasion) {
	if r.lets() == "" || w.inTurn && r.policy == onceOnly { // which is to last
		return
	}
	for n := range 1 + w.below(3, o.name+" uses") {
		what := fmt.Sprint(o.name, " use ", n)
		w.busy.Go(func() {
			time.Sleep(w.span(0, 10*time.Minute, what+" when"))
			w.runs(r, w.below(100, what+" allowed") < 75)
		})
	}
}

// onceOnly is the policy whose grants end when they are used.
const onceOnly = "orders-once"

// letsRun is the pod, container and command that a request lets run by now.
func (s *site) letsRun(r *request) string {
	if r.lets() == requests.Placeholder {
		return fmt.Sprintf("%s-%d/app date", deployed, s.pods)
	}
	return strings.ReplaceAll(r.lets(), "*", "some")
}

// runs is alice's call.
func (w *world) runs(r *request, allowed bool) {
	s := w.siteOf(r)
	in, command, _ := strings.Cut(s.letsRun(r), " ")
	pod, container, _ := strings.Cut(in, "/")
	if !allowed {
		command = "sh"
	}
	call, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://%s/api/v1/namespaces/%s/pods/%s/exec?"+
		"container=%s&stdout=true&command=%s", s.host(), runsIn, pod, container,
		strings.ReplaceAll(command, " ", "&command=")), http.NoBody)
	if err != nil {
		panic(err) // all of it is text
	}
	call.Header.Set(cluster.UserHeader, r.user)
	if r.impersonates() {
		call.Header.Set("Impersonate-User", r.identity())
	}
	w.note("people run %s %s: %d", pod, command, s.answers(call).Code)
}

// identity is the user whom a request makes.
func (r *request) identity() string {
	return "system:serviceaccount:pullgrant-grants:" + requests.ObjectName(r.name, 0)
}

// impersonates tells whether a request gives its commands to an identity of its own.
func (r *request) impersonates() bool {
	return strings.Contains(strings.Join(r.gives, "\n"), "impersonate serviceaccounts")
}
