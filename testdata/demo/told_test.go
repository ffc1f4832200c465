package main

import (
	"context"
	"flag"
	"fmt"
	"html"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

var update = flag.Bool("update", false, "write told.txt anew")

// told is a table of what people are told of a request in each of its states: by the check, by the
// agent's comment, and by show.
type told struct {
	t    *testing.T
	s    *stage
	text strings.Builder
}

// What differs with each run.
var (
	moment   = regexp.MustCompile(`(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(Z| UTC)`)
	plain    = regexp.MustCompile(`</?code>|<!--.*?-->`)
	duration = regexp.MustCompile(`\bends in \d+ (min|s)\b`)
	commit   = regexp.MustCompile(`\b[0-9a-f]{40}\b`)
	number   = regexp.MustCompile(`#\d+`)
	claim    = regexp.MustCompile(`(?i)access until|access lasts|gave access|has access|granted until`)
)

// of adds a state. Without a binding in the cluster nothing may say that there is access.
func (w *told) of(state string, a asked) {
	w.t.Helper()
	var runs struct {
		CheckRuns []struct{ Output struct{ Title string } } `json:"check_runs"`
	}
	var comments []struct {
		Body string
		User struct{ Login string }
	}
	var pull struct{ Head struct{ SHA string } }
	get := func(into any, path string, of any) {
		w.t.Helper()
		if err := a.s.forge.Do(a.s.forge.Token("dave"), http.MethodGet,
			"/repos/acme/access/"+fmt.Sprintf(path, of), nil, into); err != nil {
			w.t.Fatal(err)
		}
	}
	get(&pull, "pulls/%d", a.number)
	get(&runs, "commits/%s/check-runs", pull.Head.SHA)
	get(&comments, "issues/%d/comments", a.number)
	show, err := a.s.pullgrant(w.t.Context(), a.s.forge.Token("alice"), []string{"TZ=UTC"}, "show",
		fmt.Sprint(a.number))
	if err != nil {
		w.t.Fatal(err)
	}
	check, comment := "(none)", "(none)"
	if n := len(runs.CheckRuns); n > 0 {
		check = runs.CheckRuns[0].Output.Title
	}
	for _, c := range comments {
		if c.User.Login == "pullgrant-agent[bot]" {
			comment = plain.ReplaceAllString(html.UnescapeString(c.Body), "")
		}
	}
	head, _, _ := strings.Cut(show.out+show.err, "\n\n")
	head, _, _ = strings.Cut(head, "\nhttp")
	head = strings.ReplaceAll(head, "\n  ", " ") // where a line ends goes by the time of the day
	var text strings.Builder
	for _, said := range []struct{ by, text string }{{"check", check}, {"comment", comment},
		{fmt.Sprintf("show (exit %d)", show.code), head}} {
		fmt.Fprintf(&text, "%s:\n", said.by)
		for line := range strings.Lines(strings.TrimSpace(said.text) + "\n") {
			fmt.Fprintf(&text, "%s\n", strings.TrimRight("    "+line, " \n"))
		}
	}
	scrubbed := moment.ReplaceAllString(text.String(), "TIME")
	scrubbed = duration.ReplaceAllString(scrubbed, "ends in DURATION")
	scrubbed = number.ReplaceAllString(commit.ReplaceAllString(scrubbed, "COMMIT"), "#N")
	fmt.Fprintf(&w.text, "== %s\n%s\n", state, scrubbed)
	if n, err := a.s.bindings(w.t.Context()); err != nil || n == 0 && claim.MatchString(scrubbed) {
		w.t.Errorf("%s, %v: nothing is given, and people are told:\n%s", state, err, scrubbed)
	}
}

// pass runs one pass of the agent, which may have an error to tell.
func (w *told) pass() {
	w.t.Helper()
	env, args := w.s.sync("--once")
	if _, err := w.s.command(w.t.Context(), env, w.s.binary, args...); err != nil {
		w.t.Fatal(err)
	}
}

// approved is a request that bob approved and an administrator merged.
func (w *told) approved(slug string) asked {
	w.t.Helper()
	a := ask(w.t, slug, fmt.Sprintf(request, "20261122-alice-"+slug))
	a.review("bob", "APPROVE")
	a.judged()
	a.override()
	return a
}

// giveBack opens a pull request of alice's that removes the request.
func (a asked) giveBack() {
	a.t.Helper()
	branch := "give-back-" + a.branch()
	if _, err := a.s.forge.Push(forge.Change{User: "alice", Branch: branch, Message: "Back",
		Files: map[string]string{a.path(): forge.Removed}}); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.s.forge.Open("alice", branch, "Give back"); err != nil {
		a.t.Fatal(err)
	}
}

// TestWhatPeopleAreTold holds check, comment and show to told.txt in every state of a request, with
// GitHub's and the cluster's answers as they come.
func TestWhatPeopleAreTold(t *testing.T) {
	w := &told{t: t, s: stageFor(t)}
	short := ask(t, "short", strings.Replace(fmt.Sprintf(request, "20261122-alice-short"),
		"duration: 10m", "duration: 1m", 1))
	short.judged()
	w.of("open, an approval is missing", short)
	short.review("bob", "APPROVE")
	short.judged()
	w.of("open and approved", short)
	short.override()
	ends := time.Now().Add(time.Minute)
	w.of("merged, and the agent did not look yet", short)
	w.pass()
	w.of("granted", short)

	time.Sleep(time.Until(ends.Add(time.Second))) // what she has, nobody asks for again
	w.pass()
	w.of("ended by time", short)
	back := w.approved("back")
	w.pass()
	back.giveBack()
	w.pass()
	w.of("given back", back)
	hand := w.approved("hand")
	w.pass()
	if err := w.s.client.RbacV1().RoleBindings(namespace).Delete(t.Context(),
		requests.ObjectName(hand.name, 0), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.pass()
	w.of("deleted by hand", hand)
	refused := ask(t, "unasked", fmt.Sprintf(request, "20261122-alice-unasked"))
	refused.judged()
	refused.override()
	w.pass()
	w.of("merged without approval, and refused", refused)

	paused := w.approved("paused")
	env := []string{"KUBECONFIG=" + w.s.path("agent.kubeconfig")}
	for _, args := range [][]string{{"pause", "--reason", "INC-9, looking into it"}, {"resume"}} {
		if r, err := w.s.command(t.Context(), env, w.s.binary, args...); err != nil || r.code != 0 {
			t.Fatalf("%v: %v\n%s", args, err, r.err)
		}
		if args[0] == "pause" {
			w.pass()
			w.of("merged, and the agent is paused", paused)
		}
	}
	w.quota(paused)
	paused.giveBack() // nothing is left for the tests that follow
	w.pass()

	if *update {
		if err := os.WriteFile("testdata/demo/told.txt", []byte(w.text.String()),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/demo/told.txt")
	if err != nil || string(want) != w.text.String() {
		t.Errorf("%v; people are told:\n%s", err, &w.text)
	}
}

// quota has the cluster refuse a request for a while, and then take it.
func (w *told) quota(a asked) {
	w.t.Helper()
	quotas := w.s.client.CoreV1().ResourceQuotas(namespace)
	const bindings = "count/rolebindings.rbac.authorization.k8s.io"
	if _, err := quotas.Create(w.t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{
			Hard: corev1.ResourceList{bindings: resource.MustParse("0")}}},
		metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	for range 100 { // until the quota is known
		q, err := quotas.Get(w.t.Context(), "none", metav1.GetOptions{})
		if err != nil || len(q.Status.Hard) > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.pass()
	w.of("merged, and the cluster refuses it for now", a)
	if err := quotas.Delete(context.WithoutCancel(w.t.Context()), "none",
		metav1.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(time.Second)
	w.pass()
	w.of("merged, refused for a while, and granted", a)
}
