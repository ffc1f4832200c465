package cluster

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a cluster in virtual time, called as admin.
type bench struct {
	*testing.T
	c *Cluster
	w *trial
}

// inBubble runs a test on a cluster of its own, in which the namespace row-0 is.
func inBubble(t *testing.T, test func(b bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := New(time.Now)
		defer c.Close()
		setUp(t, c.Apply)
		b := bench{t, c, newTrial(&simSide{c: c}, 0)}
		b.do(behaviour{}.withNamespace()[0])
		test(b)
	})
}

// do does a step, which must be as wanted.
func (b bench) do(s step) answer {
	b.Helper()
	a, problem, err := b.w.run(b.Context(), s)
	if err != nil || problem != "" {
		b.Errorf("%s: %s %v", s.Do, problem, err)
	}
	return a
}

// makes creates a ConfigMap.
func (b bench) makes(name, want string) answer {
	b.Helper()
	return b.do(step{Do: "POST /api/v1/namespaces/NS/configmaps", Want: want,
		Body: map[string]any{"metadata": map[string]any{"name": name}}})
}

const (
	mapsPath = "/api/v1/namespaces/NS/configmaps"
	jobsPath = "/apis/batch/v1/namespaces/NS/jobs"
)

// names are those of a list, without what every namespace has.
func (a answer) names() string {
	all, _ := at(a.body, []string{"items", "*", "metadata", "name"}).([]any)
	return fmt.Sprint(slices.DeleteFunc(all, func(name any) bool { return name == "kube-root-ca.crt" }))
}

func (a answer) version() string {
	text, _ := at(a.body, []string{"metadata", "resourceVersion"}).(string)
	return text
}

func TestStaleLists(t *testing.T) {
	inBubble(t, func(b bench) {
		b.makes("a", "201")
		b.makes("b", "201")
		b.c.SetFaults(func(f *Faults) { f.StaleBy = 1 })
		if got := b.do(step{Do: "GET " + mapsPath + "?resourceVersion=0", Want: "200"}).names(); got != "[a]" {
			b.Errorf("a cache that lags lists %s", got)
		}
		if got := b.do(step{Do: "GET " + mapsPath, Want: "200"}).names(); got != "[a b]" {
			b.Errorf("etcd lists %s", got)
		}
	})
}

func TestWatches(t *testing.T) {
	inBubble(t, func(b bench) {
		from := b.makes("a", "201").version()
		watch := "WATCH " + mapsPath + "?watch=true&fieldSelector=metadata.name%3Db&resourceVersion=" + from
		b.c.SetFaults(func(f *Faults) { f.NoWatches = true })
		b.do(step{Do: watch, Want: "503 ServiceUnavailable"})
		b.c.SetFaults(func(f *Faults) { *f = Faults{WatchDelay: 7 * time.Second} })
		b.makes("b", "201")
		before := time.Now()
		b.do(step{Do: watch, Want: "200", Event: []string{"ADDED b"}})
		if late := time.Since(before); late < 7*time.Second || late > 8*time.Second {
			b.Errorf("it tells %s late", late)
		}
		b.c.SetFaults(func(f *Faults) { *f = Faults{} })
		time.AfterFunc(time.Second, b.c.CutWatches)
		before = time.Now()
		b.w.run(b.Context(), step{Do: watch, Event: []string{"ADDED b", "more"}})
		if lasted := time.Since(before); lasted != time.Second {
			b.Errorf("a watch that was cut after a second lasted %s", lasted)
		}
		page := b.do(step{Do: "GET " + mapsPath + "?limit=1", Want: "200"})
		token := at(page.body, []string{"metadata", "continue"})
		b.makes("c", "201")
		b.c.Compact()
		b.do(step{Do: watch, Want: "200", Event: []string{"ERROR 410Expired"}})
		b.do(step{Do: fmt.Sprint("GET ", mapsPath, "?limit=1&continue=", token), Want: "410 Expired"})
		b.do(step{Do: "WATCH " + mapsPath + "?watch=true&allowWatchBookmarks=true&labelSelector=none&" +
			"timeoutSeconds=90", Want: "200"})
	})
}

// TestWatchEndsOnABookmark: where its end and a bookmark fall into one instant, the end comes first,
// each time: what a client has heard by then must not be chance.
func TestWatchEndsOnABookmark(t *testing.T) {
	inBubble(t, func(b bench) {
		for range 20 {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, b.w.fill(mapsPath)+
				"?watch=true&allowWatchBookmarks=true&timeoutSeconds=120", http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			response, err := b.w.call("admin", r)
			if err != nil {
				b.Fatal(err)
			}
			told, err := io.ReadAll(response.Body)
			response.Body.Close()
			if n := bytes.Count(told, []byte("BOOKMARK")); err != nil || n != 1 {
				b.Fatalf("%d bookmarks in two minutes, want one: %v", n, err)
			}
		}
	})
}

func TestAdmissionFaults(t *testing.T) {
	inBubble(t, func(b bench) {
		b.c.SetFaults(func(f *Faults) {
			f.Quota = func(resource, namespace string) bool {
				return resource == "configmaps" && namespace == "row-0"
			}
		})
		b.do(step{Do: "POST " + mapsPath, Want: "403 Forbidden", Say: `configmaps "a" is forbidden: exceeded quota`,
			Body: map[string]any{"metadata": map[string]any{"name": "a"}}})
		b.c.SetFaults(func(f *Faults) {
			*f = Faults{Mutate: func(_, _ string, o Object) { o.SetLabels(map[string]string{"x": "1"}) }}
		})
		if got := at(b.makes("a", "201").body, []string{"metadata", "labels", "x"}); got != "1" {
			b.Errorf("the label is %v", got)
		}
		b.c.SetFaults(func(f *Faults) {
			*f = Faults{Refuse: func(user, verb, resource string, o Object) string {
				return strings.Join([]string{user, verb, resource, o.GetName()}, " ")
			}}
		})
		b.do(step{Do: "DELETE " + mapsPath + "/a", Want: "403 Forbidden", Say: `admission webhook ` +
			`"refuse.example.com" denied the request: system:admin delete configmaps a`})
	})
}

// TestControllersStandStill: a Job that is complete lives on while the TTL controller stands still,
// and what it owned while the garbage collector does; each goes once they work again.
func TestControllersStandStill(t *testing.T) {
	inBubble(t, func(b bench) {
		b.c.SetFaults(func(f *Faults) { f.NoJobs, f.NoTTL, f.NoGC = true, true, true })
		none := map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "c"}}}}
		b.do(step{Do: "POST " + jobsPath, Want: "201", Keep: "j", Body: map[string]any{
			"metadata": map[string]any{"name": "j"}, "spec": map[string]any{"completions": 0,
				"parallelism": 0, "ttlSecondsAfterFinished": 60, "template": none}}})
		b.do(step{Do: "POST " + mapsPath, Want: "201", Body: map[string]any{"metadata": map[string]any{
			"name": "a", "ownerReferences": []any{map[string]any{"apiVersion": "batch/v1", "kind": "Job",
				"name": "j", "uid": "<j.metadata.uid>"}}}}})
		time.Sleep(time.Hour)
		b.do(step{Do: "GET " + jobsPath + "/j", Want: "200", Lacks: "status.completionTime"})
		b.c.SetFaults(func(f *Faults) { f.NoJobs = false })
		time.Sleep(2 * time.Second)
		b.do(step{Do: "GET " + jobsPath + "/j", Want: "200", Has: "status.completionTime"})
		time.Sleep(time.Hour)
		b.do(step{Do: "GET " + jobsPath + "/j", Want: "200", Lacks: "metadata.deletionTimestamp"})
		b.c.SetFaults(func(f *Faults) { f.NoTTL = false })
		time.Sleep(2 * time.Second)
		b.do(step{Do: "GET " + jobsPath + "/j", Want: "200", Has: "metadata.deletionTimestamp"})
		b.do(step{Do: "GET " + mapsPath + "/a", Want: "200"})
		b.c.SetFaults(func(f *Faults) { f.NoGC = false })
		time.Sleep(2 * time.Second)
		b.do(step{Do: "GET " + jobsPath + "/j", Want: "404 NotFound"})
		b.do(step{Do: "GET " + mapsPath + "/a", Want: "404 NotFound"})
	})
}

// TestTTLEndsOnTime: by the clock, not before, and soon after.
func TestTTLEndsOnTime(t *testing.T) {
	inBubble(t, func(b bench) {
		var events []Event
		b.c.Watch(func(e Event) {
			if e.Resource == "jobs" {
				events = append(events, e)
			}
		})
		began := time.Now()
		b.do(step{Do: "POST " + jobsPath, Want: "201", Body: map[string]any{
			"metadata": map[string]any{"name": "j"}, "spec": map[string]any{"completions": 0,
				"parallelism": 0, "ttlSecondsAfterFinished": 60, "template": map[string]any{"spec": map[string]any{
					"containers": []any{map[string]any{"name": "c"}}}}}}})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var verbs []string
		for _, e := range events {
			who := e.User[strings.LastIndex(e.User, ":")+1:]
			verbs = append(verbs, fmt.Sprintf("%s by %s after %s", e.Verb, who,
				e.At.Sub(began).Truncate(time.Microsecond))) // nanoseconds tell timers apart
		}
		want := []string{"create by admin after 0s", "update by job-controller after 100ms",
			"delete by ttl-after-finished-controller after 1m0.1s",
			"delete by generic-garbage-collector after 1m0.2s"}
		if !slices.Equal(verbs, want) {
			b.Errorf("%q\nwant %q", verbs, want)
		}
	})
}

// TestEtcdSetBack: what was done since the backup is undone, versions are given again, UIDs never
// are, and a watch from a version that is not there yet says nothing until it is.
func TestEtcdSetBack(t *testing.T) {
	inBubble(t, func(b bench) {
		b.makes("a", "201")
		backup := b.c.Backup()
		second := b.makes("b", "201")
		b.do(step{Do: "DELETE " + mapsPath + "/a", Want: "200"})
		future := b.makes("c", "201").version()
		var told []string
		b.c.Watch(func(e Event) {
			if e.Verb == "restore" {
				told = append(told, fmt.Sprintf("%s there=%t", nameOf(e), e.New != nil))
			}
		})
		b.c.Restore(backup)
		if want := []string{"a there=true", "b there=false", "c there=false"}; !slices.Equal(told, want) {
			b.Errorf("observers are told %q, want %q", told, want)
		}
		b.do(step{Do: "GET " + mapsPath + "?resourceVersion=" + future, Want: "504 Timeout"})
		again := b.makes("b", "201")
		if again.version() != second.version() || fmt.Sprint(at(again.body, []string{"metadata", "uid"})) ==
			fmt.Sprint(at(second.body, []string{"metadata", "uid"})) {
			b.Errorf("before %v\nafter %v", second.body, again.body)
		}
		b.makes("d", "201")
		b.makes("e", "201")
		b.makes("f", "201")
		b.do(step{Do: "WATCH " + mapsPath + "?watch=true&resourceVersion=" + future, Want: "200",
			Event: []string{"ADDED f"}})
		b.do(step{Do: "GET " + mapsPath + "/a", Want: "200"})
	})
}

func nameOf(e Event) string {
	if e.New != nil {
		return e.New.GetName()
	}
	return e.Old.GetName()
}
