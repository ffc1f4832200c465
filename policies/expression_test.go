package policies

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// customs are fields of every type.
var customs = []CustomField{{Name: "ticket", Type: TypeString}, {Name: "count", Type: TypeNumber},
	{Name: "urgent", Type: TypeBoolean}, {Name: "note", Type: TypeString}}

// sight is what a condition sees, with lists and texts as long as they come.
func sight() map[string]any {
	var many []string
	for n := range 200 {
		many = append(many, fmt.Sprintf("namespace-%d", n))
	}
	return map[string]any{
		varRequest: &conditionRequest{Name: "20261123-alice-x", Cluster: "prod-eu", Namespaces: many,
			Roles: many, Resources: many, Duration: time.Hour, Reason: strings.Repeat("(a*)*", 100),
			Fields: map[string]any{"ticket": "INC-1", "count": 5.0, "urgent": true}},
		varRequester: &conditionRequester{Login: "alice", Groups: many},
		varPolicy:    &conditionPolicy{Name: "orders", MaxDuration: 2 * time.Hour, Clusters: many},
		varNow:       time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	}
}

// TestHostileExpressions: what is written to be slow or large is refused when it is read, or ends
// without an answer.
func TestHostileExpressions(t *testing.T) {
	all := func(variables ...string) string {
		text := "true"
		for _, v := range variables {
			text = fmt.Sprintf("request.namespaces.all(%s, %s)", v, text)
		}
		return text
	}
	loop := "request.namespaces.all(a, request.roles.all(b, %s))"
	for name, c := range map[string]struct{ expression, want string }{
		"three loops":  {all("a", "b", "c"), "comprehension exceeds nesting limit"},
		"loops beside": {fmt.Sprintf(loop, "a != '' && b != ''"), "cost limit exceeded"},
		"growing texts": {fmt.Sprintf(loop, "(request.reason + request.reason + a + b).size() > 0"),
			"cost limit exceeded"},
		"a growing list":     {"request.namespaces.map(a, request.roles.map(b, a + b)).size() > 0", "limit exceeded"},
		"regular expression": {"request.reason.matches('((a{90}){9}b{90}){9}')", "invalid matches argument"},
		"one out of data":    {"request.namespaces.all(a, request.reason.matches(request.reason))", "limit"},
		"too long":           {strings.Repeat("!", maxExpression) + "true", "size exceeds limit"},
		"parentheses":        {strings.Repeat("(", 400) + "true" + strings.Repeat(")", 400), "recursion"},
		"negations":          {strings.Repeat("!(", 300) + "true" + strings.Repeat(")", 300), "recursion"},
		"many nodes":         {strings.Repeat("[1].exists(a,a>0)||", 50) + "true", "limit"},
		"a division":         {"1 / (5 - 5) == 1", "division by zero"},
		"beyond a list":      {"request.namespaces[300] == ''", "index out of bounds"},
		"an overflow":        {"9223372036854775807 + 1 > 0", "integer overflow"},
		"no zone":            {"now.getHours('Mars/Olympus') > 0", "unknown time zone"},
		"a zone of the host": {"now.getHours('../../etc/passwd') > 0", "invalid location name"},
		"nothing":            {"", "mismatched input"},
	} {
		begin := time.Now()
		p := compile(c.expression, customs)
		problem := p.problem
		if problem == "" {
			got, err := p.holds(sight())
			if err == nil {
				t.Errorf("%s: it has the answer %d", name, got)
				continue
			}
			problem = err.Error()
		}
		if !strings.Contains(problem, c.want) {
			t.Errorf("%s: %q, want %q", name, problem, c.want)
		}
		t.Logf("%s: %s: %s", name, time.Since(begin), problem)
	}
}

// TestExpressionsAreShared: what was compiled once answers each with what it sees itself, and under a
// policy with other fields it is another program.
func TestExpressionsAreShared(t *testing.T) {
	const text = "has(request.fields.note) && request.fields.note == 'x'"
	if p := compile(text, customs[:1]); !strings.Contains(p.problem, "undefined field 'note'") {
		t.Errorf("without the field: %q", p.problem)
	}
	if p := compile(text, []CustomField{{Name: "note", Type: TypeNumber}}); p.problem == "" {
		t.Error("a number is compared with a text")
	}
	for n := range 4 {
		its, want := sight(), answerFalse
		if n%2 == 0 {
			its[varRequest].(*conditionRequest).Fields["note"], want = "x", answerTrue
		}
		if got, err := compile(text, customs).holds(its); err != nil || got != want {
			t.Errorf("%d: %d %v, want %d", n, got, err, want)
		}
	}
}

// FuzzExpression evaluates whatever text: it never panics, ends, and answers alike twice; what is
// true with everything unknown is true of a request.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{"request.cluster == 'prod-eu'", "request.fields.count > 2",
		"now.getHours('Europe/Berlin') < 12 || requester.groups.exists(g, g == 'sre')",
		"!has(request.notBefore) || request.notBefore - now < duration('1h')",
		"[1, 2].map(a, a * 2).all(b, b in {2: 'x', 4: 'y'}) ? true : 1 / 0 > 0",
		"timestamp('2026-11-23T10:00:00Z').getFullYear() == 2026", "b'a' + b'\\377' == bytes('x')",
		"request.reason.matches('^(a|b)*$') && int('x') == 1", "google.protobuf.Struct{}.x == 1",
		"Request{name: 'x'} == request", "type(request) == Request", "\"\\u00e9\" == 'e' && 1u > 0u"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := compiled(text, customs)
		if p.problem != "" {
			return
		}
		got, err := p.holds(sight())
		again, failed := p.holds(sight())
		if got != again || (err == nil) != (failed == nil) {
			t.Fatalf("%d %v, and %d %v", got, err, again, failed)
		}
		if err != nil && got != answerFalse {
			t.Fatalf("%v with the answer %d", err, got)
		}
		always, err2 := p.holds(map[string]any{}, everyVariable()...)
		if err2 == nil && always != answerUnknown && err == nil && always != got {
			t.Fatalf("%d of every request, and %d of one", always, got)
		}
	})
}
