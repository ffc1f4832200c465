package execaudit

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// TestRead: of a list only commands that the policy pullgrant-exec judged are kept, once there is an
// answer; the others are counted by reason, whatever is in them.
func TestRead(t *testing.T) {
	bodies := `"requestObject":{"spec":{"secret":[[[{}]]]}},"responseObject":"\ud800","level":"RequestResponse"`
	events, others, err := read(strings.NewReader(list(event(),
		event(`"level":"Metadata"`, bodies),
		event(`"subresource":"exec"`, `"subresource":"attach"`, `"run payments/api-1/app date"`,
			`"attach payments/api-1/app"`, "101", "403"),
		event("ResponseStarted", "RequestReceived"), event("ResponseStarted", "ResponseComplete"),
		event(`"subresource":"exec"`, `"subresource":"log"`), event(`"resource":"pods"`,
			`"resource":"nodes"`), event(`"resource":"pods"`, `"apiGroup":"x","resource":"pods"`),
		event("pullgrant-exec/exec", "another/exec"),
		event("run payments", "run other"), "{}")))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"other": 5, "unmarked": 2}
	if !maps.Equal(others, want) {
		t.Errorf("others are %v, want %v", others, want)
	}
	if len(events) != 4 {
		t.Fatalf("%d events are kept: %+v", len(events), events)
	}
	first := Event{AuditID: "1b0f0b47-5d0c-4a7e-8a2c-3a5d0b1c2d3e", User: "alice@example.com",
		At:        time.Date(2026, 11, 22, 11, 59, 59, 123456000, time.UTC),
		Namespace: "payments", Verb: "run", Name: "api-1/app date", Code: 101}
	if events[0] != first || events[1] != first || !events[0].Allowed() {
		t.Errorf("the event is %+v, want %+v", events[0], first)
	}
	if e := events[2]; e.Verb != "attach" || e.Name != "api-1/app" || e.Allowed() {
		t.Errorf("an attach that was refused is %+v", e)
	}
}

// TestReadHoweverLong: what a caller chooses has no use go unnoticed, and none takes more room than
// another: a long audit ID is left out, and a name is as long as the API server leaves one at most.
func TestReadHoweverLong(t *testing.T) {
	told := "run payments/api-1/app date "
	for what, test := range map[string]struct {
		id, argument string
		cut          bool
	}{
		"a long audit ID":     {strings.Repeat("a", 2000), "", false},
		"cut in a character":  {"id", strings.Repeat("a", maxAnnotation-len(told)-2) + "\ufffd", true},
		"bytes that are none": {"id", strings.Repeat("\ufffd", maxAnnotation-len(told)), true},
	} {
		events, others, err := read(strings.NewReader(list(event("1b0f0b47-5d0c-4a7e-8a2c-3a5d0b1c2d3e",
			test.id, "app date", "app date "+test.argument))))
		if err != nil || len(events) != 1 {
			t.Errorf("%s: %v %v %v", what, events, others, err)
			continue
		}
		e := events[0]
		if length := len(told) - len("api-1/app date ") + len(e.Name); e.Cut != test.cut ||
			length > maxAnnotation || e.Use().Command == "" {
			t.Errorf("%s: it is %d bytes, cut: %t", what, length, e.Cut)
		}
	}
	for what, forged := range map[string]string{
		"more than the API server tells": event("app date", "app "+strings.Repeat("a", maxWritten)),
		"no name within that":            event("run payments", strings.Repeat("a", maxAnnotation)+" payments"),
	} {
		events, others, err := read(strings.NewReader(list(forged)))
		if err != nil || len(events) > 0 || others["unmarked"] != 1 {
			t.Errorf("%s: %d, %v %v", what, len(events), others, err)
		}
	}
}

// TestAllowed: only an answer that says that nothing began is a refusal.
func TestAllowed(t *testing.T) {
	for code, want := range map[int]bool{0: true, 101: true, 200: true, 302: true, 400: false,
		403: false, 404: false, 429: false, 500: true, 502: true} {
		if got := (Event{Code: code}).Allowed(); got != want {
			t.Errorf("%d is allowed: %t", code, got)
		}
	}
}

// TestOf: an event is of the grants whose subject made the call, in their namespace and time, by their
// own identity where they have one; an allowed one only with their command.
func TestOf(t *testing.T) {
	record := func(short, mode string, command ...string) plan.Record {
		g := grants.Of(short, 1, 1)
		g.Items[0] = requests.Item{Kind: requests.KubernetesExec, Namespace: "payments", Mode: mode,
			Exec: &requests.Exec{Pod: "api-1", Container: "app", Command: command}}
		return plan.Record{Phase: plan.Granted, Grant: g, Objects: []plan.Object{
			{Kind: "RoleBinding", UID: "u"}}}
	}
	records := []plan.Record{record("date", "", "date"), record("cat", "", "cat", "/my/*"),
		record("any", requests.ModeImpersonate), {Phase: plan.Granted, Grant: grants.Of("role", 1, 1),
			Objects: []plan.Object{{Kind: "RoleBinding", UID: "u"}}}}
	never := record("never", "", "date") // is only announced, or not even that
	never.Objects = nil
	over := record("over", "", "date")
	over.Phase, over.EndedAt = plan.Ended, requests.At(records[0].Grant.Window.Start.Add(time.Minute))
	pods := record("pods", "", "id")
	pods.Grant.Items[0].Exec = &requests.Exec{Deployment: "api", Container: "app",
		Command: []string{"id"}}
	other := record("other", "", "id")
	other.Grant.Items[0].Exec.Pod = "db-0"
	records = append(records, never, over, pods, other)
	any := records[2].Grant.User()
	base := Event{At: records[0].Grant.Window.Start.Add(30 * time.Minute), User: "alice@example.com",
		Namespace: "payments", Verb: "run", Name: "api-1/app date", Code: 101}
	for name, test := range map[string]struct {
		change func(e *Event)
		want   string
	}{
		"the command":             {func(*Event) {}, "date"},
		"a file of the folder":    {func(e *Event) { e.Name = "api-1/app cat /my/file" }, "cat"},
		"a star of the folder":    {func(e *Event) { e.Name = `api-1/app cat /my/\*` }, "cat"},
		"a file farther down":     {func(e *Event) { e.Name = "api-1/app cat /my/dir/file" }, ""},
		"a file with a space":     {func(e *Event) { e.Name = `api-1/app cat /my/a\ b` }, "cat"},
		"the folder":              {func(e *Event) { e.Name = "api-1/app cat /my/" }, ""},
		"an argument more":        {func(e *Event) { e.Name = "api-1/app date -u" }, ""},
		"an argument in one":      {func(e *Event) { e.Name = `api-1/app cat\ /my/file` }, ""},
		"a pod of a Deployment":   {func(e *Event) { e.Name = "api-7f-x/app id" }, "pods"},
		"a pod it took over":      {func(e *Event) { e.Name = "taken/app id" }, "pods"},
		"a pod of another grant":  {func(e *Event) { e.Name = "db-0/app id" }, "other"},
		"another container of it": {func(e *Event) { e.Name = "api-7f-x/side id" }, ""},
		"no pod of it":            {func(e *Event) { e.Name = "/app id" }, ""},
		"another command in it":   {func(e *Event) { e.Name = "api-7f-x/app date" }, ""},
		"cut within a file":       {func(e *Event) { e.Cut, e.Name = true, "api-1/app cat /my/xxx" }, "cat"},
		"cut within the command":  {func(e *Event) { e.Cut, e.Name = true, "api-1/app xx /my/x" }, ""},
		"cut, with too much":      {func(e *Event) { e.Cut, e.Name = true, "api-1/app date -u x" }, ""},
		"passed on as alice":      {func(e *Event) { e.User, e.As = "proxy", e.User }, "date"},
		"by alice as bob":         {func(e *Event) { e.As = "bob@example.com" }, ""},
		"another pod":             {func(e *Event) { e.Name = "api-2/app date" }, ""},
		"with input":              {func(e *Event) { e.Verb = "input" }, ""},
		"by the identity":         {func(e *Event) { e.As, e.Name = any, "api-1/app sh -c x" }, "any"},
		"by another identity":     {func(e *Event) { e.As = any + "-2" }, ""},
		"the identity by bob":     {func(e *Event) { e.As, e.User = any, "bob@example.com" }, ""},
		"the identity alone":      {func(e *Event) { e.User = any }, ""},
		"by bob":                  {func(e *Event) { e.User = "bob@example.com" }, ""},
		"elsewhere":               {func(e *Event) { e.Namespace = "other" }, ""},
		"before":                  {func(e *Event) { e.At = e.At.Add(-31 * time.Minute) }, ""},
		"after":                   {func(e *Event) { e.At = e.At.Add(31 * time.Minute) }, ""},
		"while over was there":    {func(e *Event) { e.At = e.At.Add(-29 * time.Minute) }, "date over"},
		"refused":                 {func(e *Event) { e.Code, e.Name = 403, "api-1/app sh" }, "date cat pods other"},
		"refused to the identity": {func(e *Event) { e.Code, e.As = 403, any }, "any"},
		"refused to bob":          {func(e *Event) { e.Code, e.User = 403, "bob@example.com" }, ""},
	} {
		e := base
		test.change(&e)
		var got []string
		for _, r := range e.of(records) {
			got = append(got, strings.TrimPrefix(r.Grant.Name, "20261122-alice-"))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: it is of %q, want %q", name, got, test.want)
		}
	}
}

// TestSeen: only what differs in nothing is the same call; the audit ID, which the caller may choose,
// does not make two calls one.
func TestSeen(t *testing.T) {
	first := Event{AuditID: "a", At: noon, User: "alice", Name: "api-1/app date", Code: 101}
	var s seen
	s.add(first)
	complete := first
	complete.Code = 200
	if !s.has(complete) {
		t.Error("another stage of the same call is another call")
	}
	later, other := first, first
	later.At, other.Name = noon.Add(time.Microsecond), "api-1/app id"
	if s.has(later) || s.has(other) {
		t.Error("another call is the same one")
	}
	for n := range maxSeen {
		s.add(Event{At: noon.Add(time.Duration(n) * time.Second)})
	}
	if s.has(first) || len(s.of) != maxSeen {
		t.Errorf("%d calls are remembered", len(s.of))
	}
}

// FuzzRead: whatever is sent, reading it ends, and what is kept of it can stand in the ledger.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{list(), list(event()), list(event("date", `\u202e\n`)),
		list(event(`"run payments/api-1/app date"`, `"run payments/"`)), list("{}", "null", "1"),
		`{"items":[[[`, list(event("1b0f0b47", strings.Repeat("é", 300)))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		events, others, err := read(strings.NewReader(body))
		if err != nil && (events != nil || others != nil) {
			t.Fatalf("%v, and yet %v", err, events)
		}
		for _, e := range events {
			var uses requests.Uses
			if !uses.Add(e.Use()) || uses.Add(e.Use()) || uses.Check() != nil {
				t.Errorf("%+v is kept as %+v: %v", e, uses, uses.Check())
			}
		}
	})
}
