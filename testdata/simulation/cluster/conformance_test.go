package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pullgrant/pullgrant/testdata/kube"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { kube.Main(m) }

// behaviour is one behaviour: calls in their order. NS is a namespace of its own, and <a.metadata.uid>
// stands for that field of the answer that was kept as a.
type behaviour struct {
	Name  string
	Steps []step
}

type step struct {
	As      string // user; admin where it is empty
	Do      string // method and path; WATCH is a GET whose events are read, RESTART one of the API server
	Type    string // content type of the body
	Headers map[string]string
	Body    map[string]any // as JSON
	Want    string         // code, and reason where there is one
	Say     string         // that the message contains
	Keep    string         // name under which later steps find the answer
	See     []string       // paths in the answer whose values must be alike
	Has     string         // a path at which the answer has something
	Lacks   string         // a path at which it has nothing
	Event   []string       // of a watch: type and name of each, in order
	Await   bool           // ask again until it is as wanted
	Loose   bool           // the message may have other words
}

// answer is what one side said to a step.
type answer struct {
	code   int
	body   map[string]any
	events []string
}

func (a answer) text(key string) string { text, _ := a.body[key].(string); return text }

// trial runs the steps of a behaviour against one side.
type trial struct {
	side
	namespace string
	kept      map[string]map[string]any
}

var reference = regexp.MustCompile(`<([a-z]+)\.([A-Za-z.0-9]+)>`)

func (w *trial) fill(text string) string {
	text = strings.ReplaceAll(text, "NS", w.namespace)
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		parts := reference.FindStringSubmatch(found)
		return fmt.Sprint(at(w.kept[parts[1]], strings.Split(parts[2], ".")))
	})
}

// at is the value at a path; * is that of every item.
func at(value any, path []string) any {
	if len(path) == 0 {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		return at(v[path[0]], path[1:])
	case []any:
		if path[0] == "*" {
			all := []any{}
			for _, item := range v {
				all = append(all, at(item, path[1:]))
			}
			return all
		}
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(v) {
			return at(v[i], path[1:])
		}
	}
	return nil
}

func (w *trial) do(ctx context.Context, s step) (answer, error) {
	method, url, _ := strings.Cut(s.Do, " ")
	if method == "RESTART" {
		return answer{code: http.StatusOK}, w.restart(ctx)
	}
	watches := method == "WATCH"
	if watches {
		method = http.MethodGet
	}
	var body io.Reader
	if s.Body != nil {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(s.Body); err != nil {
			return answer{}, err
		}
		body = strings.NewReader(w.fill(text.String()))
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.fill(url), body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept", "application/json")
	if body == nil {
		r.Body = http.NoBody
	} else {
		r.Header.Set("Content-Type", or(s.Type, "application/json"))
	}
	for name, value := range s.Headers {
		r.Header.Set(name, w.fill(value))
	}
	response, err := w.call(w.fill(or(s.As, "admin")), r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if _, err := http.ParseTime(response.Header.Get("Date")); err != nil {
		return answer{}, fmt.Errorf("the answer tells no time: %w", err)
	}
	a := answer{code: response.StatusCode}
	if watches && a.code == http.StatusOK {
		lines := bufio.NewScanner(response.Body)
		for len(a.events) < len(s.Event) && lines.Scan() {
			var event struct {
				Type   string
				Object map[string]any
			}
			if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
				return a, err
			}
			name, _ := at(event.Object, []string{"metadata", "name"}).(string)
			if event.Type == "ERROR" {
				name = fmt.Sprint(event.Object["code"], event.Object["reason"])
			}
			if event.Type == "BOOKMARK" {
				name = fmt.Sprint(at(event.Object, []string{"metadata", "annotations"}))
			}
			a.events, a.body = append(a.events, event.Type+" "+name), event.Object
		}
		return a, nil
	}
	data, err := io.ReadAll(response.Body)
	if err == nil && len(bytes.TrimSpace(data)) > 0 && data[0] == '{' {
		err = json.Unmarshal(data, &a.body)
	}
	return a, err
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func newTrial(s side, n int) *trial {
	return &trial{s, fmt.Sprintf("row-%d", n), map[string]map[string]any{}}
}

// run does one step until it is as wanted, or the time for that is over, and tells how it is not.
func (w *trial) run(ctx context.Context, s step) (a answer, problem string, err error) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		a, err = w.do(ctx, s)
		if problem = s.problem(w, a); err != nil || !s.Await || problem == "" ||
			time.Now().After(deadline) {
			break
		}
	}
	if s.Keep != "" {
		w.kept[s.Keep] = a.body
	}
	return a, problem, err
}

// problem tells how an answer is not as wanted; "" where it is.
func (s step) problem(w *trial, a answer) string {
	got := strconv.Itoa(a.code)
	if a.code >= 400 {
		got = strings.TrimSpace(got + " " + a.text("reason"))
	}
	switch {
	case got != s.Want:
		return fmt.Sprintf("%s, want %s: %s", got, s.Want, a.text("message"))
	case !strings.Contains(a.text("message"), w.fill(s.Say)):
		return fmt.Sprintf("%q, want %q", a.text("message"), s.Say)
	case s.Has != "" && at(a.body, strings.Split(s.Has, ".")) == nil:
		return "it has no " + s.Has
	case s.Lacks != "" && at(a.body, strings.Split(s.Lacks, ".")) != nil:
		return "it has " + s.Lacks
	case !slices.Equal(a.events, s.Event):
		return fmt.Sprintf("events %q, want %q", a.events, s.Event)
	}
	return ""
}

var (
	moment = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	uid    = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

// plain is what of a value both sides must have alike.
func plain(value any) string {
	text, _ := json.Marshal(value) // it was JSON
	return uid.ReplaceAllString(moment.ReplaceAllString(string(text), "TIME"), "UID")
}

// behaviours are those of all files of the folder conformance.
func behaviours(t *testing.T) (all []behaviour) {
	files, err := filepath.Glob("conformance/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v: %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []behaviour
		decoder := yaml.NewDecoder(bytes.NewReader(data))
		decoder.KnownFields(true)
		if err := decoder.Decode(&some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, some...)
	}
	return all
}

// setUp puts on a side what there is for all behaviours.
func setUp(t *testing.T, apply func([]byte) error) {
	t.Helper()
	for _, manifests := range [][]byte{[]byte(stage),
		kube.AgentManifests([]string{"payments"}, []string{"payments-debug"})} {
		if err := apply(manifests); err != nil {
			t.Fatal(err)
		}
	}
}

// withNamespace is a behaviour in a namespace that is made first.
func (b behaviour) withNamespace() []step {
	return append([]step{{Do: "POST /api/v1/namespaces", Want: "201",
		Body: map[string]any{"metadata": map[string]any{"name": "NS"}}}}, b.Steps...)
}

// TestConformance holds that the cluster in memory answers as the real control plane does.
func TestConformance(t *testing.T) {
	cp := kube.ForTest(t)
	sim := New(time.Now)
	t.Cleanup(sim.Close)
	setUp(t, sim.Apply)
	setUp(t, func(data []byte) error { return cp.Apply(t.Context(), data) })
	if err := cp.AwaitFence(t.Context()); err != nil {
		t.Fatal(err)
	}
	sides := map[string]side{"real": &realSide{cp, map[string]*http.Client{}}, "ours": &simSide{c: sim}}
	for n, b := range behaviours(t) {
		t.Run(b.Name, func(t *testing.T) {
			trials, answers := map[string]*trial{}, map[string]answer{}
			for _, s := range b.withNamespace() {
				for _, name := range []string{"real", "ours"} {
					if trials[name] == nil {
						trials[name] = newTrial(sides[name], n)
					}
					var problem string
					var err error
					if answers[name], problem, err = trials[name].run(t.Context(), s); err != nil {
						t.Fatalf("%s: %v", s.Do, err)
					}
					if problem != "" {
						t.Errorf("%s: %s says %s", s.Do, name, problem)
					}
				}
				s.alike(t, answers["real"], answers["ours"])
			}
		})
	}
}

// TestConformanceNotices holds that the table finds a cluster that does not look at a part of what
// it is asked.
func TestConformanceNotices(t *testing.T) {
	body := func(r *http.Request, old, text string) {
		data, _ := io.ReadAll(r.Body)
		data = bytes.ReplaceAll(data, []byte(old), []byte(text))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	}
	query := func(r *http.Request, name string) {
		q := r.URL.Query()
		q.Del(name)
		r.URL.RawQuery = q.Encode()
	}
	for name, lie := range map[string]func(r *http.Request){
		"nothing":            nil,
		"preconditions":      func(r *http.Request) { body(r, `"preconditions"`, `"ignored"`) },
		"the version":        func(r *http.Request) { body(r, `"resourceVersion"`, `"ignored"`) },
		"owners":             func(r *http.Request) { body(r, `"ownerReferences"`, `"ignored"`) },
		"finalizers":         func(r *http.Request) { body(r, `"finalizers"`, `"ignored"`) },
		"how to delete":      func(r *http.Request) { body(r, `"propagationPolicy"`, `"ignored"`) },
		"the TTL":            func(r *http.Request) { body(r, `"ttlSecondsAfterFinished"`, `"ignored"`) },
		"names of rules":     func(r *http.Request) { body(r, `"resourceNames"`, `"ignored"`) },
		"label selectors":    func(r *http.Request) { query(r, "labelSelector") },
		"field selectors":    func(r *http.Request) { query(r, "fieldSelector") },
		"from when to watch": func(r *http.Request) { query(r, "resourceVersion") },
		"initial events":     func(r *http.Request) { query(r, "sendInitialEvents") },
		"dry runs":           func(r *http.Request) { query(r, "dryRun") },
		"strictness":         func(r *http.Request) { query(r, "fieldValidation") },
		"pieces":             func(r *http.Request) { query(r, "continue") },
		"impersonation":      func(r *http.Request) { r.Header.Del("Impersonate-User") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := New(time.Now)
				defer sim.Close()
				setUp(t, sim.Apply)
				var problems []string
				for n, b := range behaviours(t) {
					w := newTrial(&simSide{sim, lie}, n)
					for _, s := range b.withNamespace() {
						if _, problem, err := w.run(t.Context(), s); err != nil || problem != "" {
							problems = append(problems, fmt.Sprint(b.Name, ": ", s.Do, ": ", problem, err))
						}
					}
				}
				if (len(problems) > 0) != (lie != nil) {
					t.Errorf("the table finds %q", problems)
				}
			})
		})
	}
}

// alike compares two answers.
func (s step) alike(t *testing.T, real, ours answer) {
	t.Helper()
	if real.code >= 400 && !s.Loose && plain(real.text("message")) != plain(ours.text("message")) {
		t.Errorf("%s:\nreal %s\nours %s", s.Do, real.text("message"), ours.text("message"))
	}
	for _, path := range s.See {
		a, b := plain(at(real.body, strings.Split(path, "."))), plain(at(ours.body,
			strings.Split(path, ".")))
		if a != b {
			t.Errorf("%s: %s\nreal %s\nours %s", s.Do, path, a, b)
		}
	}
}

// stage is what there is for all behaviours.
const stage = `
apiVersion: v1
kind: Namespace
metadata: {name: payments}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: payments-debug}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
`
