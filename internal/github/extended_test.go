package github

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestExtendedIsJudged: the access that a request goes on from is judged as the agent does, so that
// its end is known; what nobody approved gives nothing to go on from, and neither does what was
// pushed. Chains are followed, and not without end.
func TestExtendedIsJudged(t *testing.T) {
	const first = "20261123-alice-first"
	named := func(name, more string) (path, content string) {
		return "requests/prod-eu/payments-debug/" + name + ".yaml",
			strings.Replace(requestFile, requestName, name, 1) + more
	}
	for _, c := range []struct {
		name, review string
		chain        int // of requests that each go on from the one before
		code         policies.Code
		start        time.Time
	}{
		{"approved", "APPROVE", 1, "", noon.Add(time.Hour)},
		{"not approved", "COMMENT", 1, policies.ExtensionNotAllowed, time.Time{}},
		{"of what extends", "APPROVE", 2, "", noon.Add(2 * time.Hour)},
		{"of too many", "APPROVE", 4, policies.EvaluationError, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			last := ""
			for i := range c.chain {
				name := first + strings.Repeat("x", i)
				more := ""
				if last != "" {
					more = "  extends: " + last + "\n"
				}
				path, content := named(name, more)
				w.push(forge.Change{User: "alice", Branch: name,
					Files: map[string]string{path: content}})
				number, err := w.Open("alice", name, "Ask")
				w.check(err)
				w.review("bob", number, c.review)
				w.merge(number)
				last = name
			}
			path, content := named("20261123-alice-next", "  extends: "+last+"\n")
			w.push(forge.Change{User: "alice", Branch: "next",
				Files: map[string]string{path: content}})
			number, err := w.Open("alice", "next", "Ask")
			w.check(err)
			w.review("bob", number, "APPROVE")
			f, err := w.client.Facts(t.Context(), number, noon)
			if c.code == policies.EvaluationError {
				if err == nil || !strings.Contains(err.Error(), "more than 3 requests") {
					t.Errorf("the facts: %v", err)
				}
				return
			}
			w.check(err)
			d := policies.Evaluate(f.Base, f, noon)
			if d.Code != c.code {
				t.Fatalf("%s %s: %s; %+v", d.Outcome, d.Code, d.Message, f.Extended)
			}
			if c.code == "" && !d.Grant.From(noon).Start.Equal(c.start) {
				t.Errorf("it begins at %s", d.Grant.From(noon).Start)
			}
			roundTrip(t, f)
			// what is live already is told with its window
			if len(f.Live) != c.chain || c.code == "" &&
				f.Live[0].Window != requests.NewWindow(noon,
					requests.Duration(time.Hour)) {
				t.Errorf("live: %+v", f.Live)
			}
		})
	}
}

// TestExtendedMergedAfter: nothing goes on from what was merged after it. Under a limit each of the two
// would wait for the other, for ever.
func TestExtendedMergedAfter(t *testing.T) {
	const first, next = "20261123-alice-first", "20261123-alice-next"
	w := newWorld(t)
	numbers, paths := map[string]int{}, map[string]string{}
	for name, more := range map[string]string{first: "", next: "  extends: " + first + "\n"} {
		paths[name] = "requests/prod-eu/payments-debug/" + name + ".yaml"
		w.push(forge.Change{User: "alice", Branch: name, Files: map[string]string{
			paths[name]: strings.Replace(requestFile, requestName, name, 1) + more}})
		number, err := w.Open("alice", name, "Ask")
		w.check(err)
		w.review("bob", number, "APPROVE")
		numbers[name] = number
	}
	judged := func(name string) policies.Decision {
		f, err := w.client.Facts(t.Context(), numbers[name], noon)
		w.check(err)
		roundTrip(t, f)
		return policies.EvaluateMerged(f, paths[name], f.Head.Files[paths[name]].Blob, noon)
	}
	w.merge(numbers[next])
	if d := judged(next); !strings.HasPrefix(d.Message, "there is no access "+first) {
		t.Errorf("before what it goes on from is there: %s %s: %s", d.Outcome, d.Code, d.Message)
	}
	w.merge(numbers[first])
	if d := judged(first); d.Outcome != policies.Allowed {
		t.Errorf("what it goes on from: %s %s: %s", d.Outcome, d.Code, d.Message)
	}
	if d := judged(next); d.Code != policies.ExtensionNotAllowed ||
		!strings.HasPrefix(d.Message, first+" was merged after it") {
		t.Errorf("once that is there: %s %s: %s", d.Outcome, d.Code, d.Message)
	}
}
