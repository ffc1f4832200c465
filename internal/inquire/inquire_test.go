package inquire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// asking are the facts of a request that RBACAuthorizations of these verbs decide over.
func asking(t *testing.T, verbs ...string) policies.Facts {
	t.Helper()
	const path, line = "policies/payments-debug.yaml", "    - {kind: RBACAuthorization}\n"
	for _, c := range cases.All(t) {
		if c.Name != "approval/allow_rbac_checked_in_the_cluster" {
			continue
		}
		f, lines := c.Facts, ""
		for _, verb := range verbs {
			lines += fmt.Sprintf("    - {kind: RBACAuthorization, verb: %s}\n", verb)
		}
		policy := []byte(strings.Replace(f.Base.Files[path].Content, line, lines, 1))
		f.Base.Files[path] = policies.NewTreeFile(policies.PlainFile, "", policy, int64(len(policy)))
		return f
	}
	t.Fatal("there is no such scenario")
	return policies.Facts{}
}

// reply is the only one of facts.
func reply(t *testing.T, f policies.Facts) (r policies.Reply) {
	t.Helper()
	if len(f.Replies) != 1 {
		t.Fatalf("%d replies: %v", len(f.Replies), f.Replies)
	}
	for _, r = range f.Replies {
	}
	return r
}

// TestFill: what was answered is kept with its moment, what was kept before is not, and what two
// challenges ask alike is asked once.
func TestFill(t *testing.T) {
	f := asking(t, "sudo", "sudo")
	f.Replies = policies.Replies{{Kind: policies.RBACAuthorization, Of: "anything"}: {Verdict: policies.Yes}}
	var asked atomic.Int32
	Answerers{policies.RBACAuthorization: func(_ context.Context, a policies.Asking) policies.Reply {
		asked.Add(1)
		if review, ok := a.Asked(); !ok || review.User != "alice@example.com" || review.Verb != "sudo" {
			t.Errorf("asked about %+v", review)
		}
		return policies.Reply{Verdict: policies.No, Text: "not\n\x1bher"}
	}}.Fill(t.Context(), &f, clock)
	r := reply(t, f)
	if r.Verdict != policies.No || r.Text != "not her" || !r.At.Equal(noon) || asked.Load() != 1 {
		t.Errorf("%+v, asked %d times", r, asked.Load())
	}
}

// TestNobodyAnswers: whom nobody can ask, and who does not answer in time, has not said yes.
func TestNobodyAnswers(t *testing.T) {
	f := asking(t, "sudo")
	Answerers{}.Fill(t.Context(), &f, clock)
	if r := reply(t, f); r.Verdict != policies.Unknown || r.Text != "it is not set up here to ask" {
		t.Errorf("%+v", r)
	}
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		Answerers{policies.RBACAuthorization: func(ctx context.Context, _ policies.Asking) policies.Reply {
			select {
			case <-ctx.Done():
				return Unknown(fmt.Errorf("asking: %w", ctx.Err()))
			case <-time.After(time.Minute):
				return policies.Reply{Verdict: policies.Yes}
			}
		}}.Fill(t.Context(), &f, clock)
		if r := reply(t, f); r.Verdict != policies.Unknown || !strings.Contains(r.Text,
			context.DeadlineExceeded.Error()) {
			t.Errorf("%+v", r)
		}
		if took := time.Since(begin); took != Timeout {
			t.Errorf("it took %s", took)
		}
	})
}

// TestAtOnce: several are asked beside each other, and no more than so many; who fails or waits holds
// up no other.
func TestAtOnce(t *testing.T) {
	f := asking(t, "a", "b", "c", "d", "e", "f", "g", "h", "i")
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		begin := time.Now()
		Answerers{policies.RBACAuthorization: func(ctx context.Context, a policies.Asking) policies.Reply {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second)
			switch a.Challenge.Verb {
			case "a":
				<-ctx.Done()
				return Unknown(ctx.Err())
			case "b":
				return Unknown(errors.New("the service is down"))
			}
			return policies.Reply{Verdict: policies.Yes, Text: a.Challenge.Verb}
		}}.Fill(t.Context(), &f, clock)
		if took := time.Since(begin); most.Load() != maxAtOnce || took != Timeout {
			t.Errorf("%d at once, in %s", most.Load(), took)
		}
	})
	for q, r := range f.Replies {
		verb, _, _ := strings.Cut(q.Of, " ")
		if unasked := verb == "a" || verb == "b"; unasked != (r.Verdict == policies.Unknown) ||
			!unasked && r.Text != verb {
			t.Errorf("%s: %+v", q.Of, r)
		}
	}
	if len(f.Replies) != 9 {
		t.Errorf("%d replies", len(f.Replies))
	}
}

// TestAskedOnlyWhereItMatters: where no challenge asks outside of GitHub, and where what is asked for is
// refused anyway, nobody is.
func TestAskedOnlyWhereItMatters(t *testing.T) {
	refused := asking(t, "sudo")
	refused.PullRequest.Draft = true
	for name, f := range map[string]policies.Facts{"a review": cases.Base(t).Facts, "a draft": refused} {
		Answerers{policies.RBACAuthorization: func(context.Context, policies.Asking) policies.Reply {
			t.Errorf("%s: somebody is asked", name)
			return policies.Reply{}
		}}.Fill(t.Context(), &f, clock)
		if f.Replies != nil {
			t.Errorf("%s: %v", name, f.Replies)
		}
	}
}

// TestWithoutCluster: what the cluster alone knows is left to the agent, which is no yes.
func TestWithoutCluster(t *testing.T) {
	f := asking(t, "sudo")
	WithoutCluster().Fill(t.Context(), &f, clock)
	if r := reply(t, f); r.Verdict != policies.Deferred {
		t.Errorf("%+v", r)
	}
}

// TestWords: what others write becomes one short line of printable text.
func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"plain":                       "plain",
		" two\n\nlines\t\u00a0of it ": "two lines of it",
		"a\x1b[31mb\x00c\u202ed":      "a[31mbcd",
		"bad \xff\xfe bytes":          "bad bytes",
	} {
		if got := Words(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
	for _, long := range []string{strings.Repeat("a", 1<<20), strings.Repeat("ä", 400),
		"x" + strings.Repeat("日", 400)} {
		got := Words(long)
		if len(got) > policies.MaxReplyText || len(got) < policies.MaxReplyText-8 ||
			!utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
			t.Errorf("%d bytes become %d: %s", len(long), len(got), got)
		}
	}
}
