package policies_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// limited is the base scenario under a policy with limits, at ten, for an hour.
func limited(t *testing.T, limits string) cases.Scenario {
	t.Helper()
	c := cases.Base(t)
	path := policies.Path("payments-debug")
	file := c.Facts.Base.Files[path]
	file.Content = strings.Replace(file.Content, "  target:", "  limits: {"+limits+"}\n  target:", 1)
	c.Facts.Base.Files[path] = file
	c.Facts.Counts = &policies.Counts{From: "20261101"}
	return c
}

// at is access from and until some minutes after ten.
func at(c cases.Scenario, who string, from, until int) policies.Counted {
	minute := func(n int) requests.Time { return requests.At(c.Now.Add(time.Duration(n) * time.Minute)) }
	return policies.Counted{Path: fmt.Sprintf("requests/prod-eu/payments-debug/20261123-%s-%d-%d.yaml",
		who, from+1000, until), Requester: who, Subject: who + "@example.com",
		Window: requests.Window{Start: minute(from), End: minute(until)}}
}

// TestLimits: what each limit counts, with the moments at which that begins and ends.
func TestLimits(t *testing.T) {
	type access struct {
		who         string
		from, until int
	}
	for name, test := range map[string]struct {
		limits string
		others []access
		code   policies.Code
		again  int // minutes after ten; 0: nobody waits
	}{
		"none": {"maxActivePerRequester: 1", nil, "", 0},
		"one is there": {"maxActivePerRequester: 1",
			[]access{{"alice", -30, 15}}, policies.LimitReached, 15},
		"it has just ended": {"maxActivePerRequester: 1",
			[]access{{"alice", -30, 0}}, "", 0},
		"it begins later": {"maxActivePerRequester: 1",
			[]access{{"alice", 59, 90}}, policies.LimitReached, 90},
		"it begins right after": {"maxActivePerRequester: 1",
			[]access{{"alice", 60, 90}}, "", 0},
		"two, never together": {"maxActivePerRequester: 2",
			[]access{{"alice", -30, 10}, {"alice", 10, 40}}, "", 0},
		"two together": {"maxActivePerRequester: 2",
			[]access{{"alice", -30, 11}, {"alice", 10, 40}}, policies.LimitReached, 11},
		"bob's": {"maxActivePerRequester: 1",
			[]access{{"bob", -30, 15}}, "", 0},
		"anybody's": {"maxActive: 1",
			[]access{{"bob", -30, 15}}, policies.LimitReached, 15},
		"fewer than all may": {"maxActive: 2",
			[]access{{"bob", -30, 15}}, "", 0},
		"a day ago": {"perDay: 1",
			[]access{{"alice", -24 * 60, -23 * 60}}, "", 0},
		"a minute less": {"perDay: 1",
			[]access{{"alice", 1 - 24*60, -23 * 60}}, policies.LimitReached, 1},
		"in a day": {"perDay: 1",
			[]access{{"alice", 24*60 - 1, 25 * 60}}, policies.LimitReached, 0},
		"around it, not in one day": {"perDay: 2",
			[]access{{"alice", -13 * 60, -12 * 60}, {"alice", 12 * 60, 13 * 60}}, "", 0},
		"around it, in one day": {"perDay: 2",
			[]access{{"alice", -11 * 60, -10 * 60}, {"alice", 12 * 60, 13 * 60}}, policies.LimitReached, 13 * 60},
		"cooled down": {"cooldown: 30m",
			[]access{{"alice", -90, -30}}, "", 0},
		"not cooled down": {"cooldown: 30m",
			[]access{{"alice", -90, -29}}, policies.LimitReached, 1},
		"still there": {"cooldown: 30m",
			[]access{{"alice", -90, 20}}, policies.LimitReached, 50},
		"a start too soon after": {"cooldown: 30m",
			[]access{{"alice", 89, 100}}, policies.LimitReached, 130},
		"a start late enough": {"cooldown: 30m",
			[]access{{"alice", 90, 100}}, "", 0},
		"longer than it may wait": {"cooldown: 30h",
			[]access{{"alice", -90, -30}}, policies.LimitReached, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := limited(t, test.limits)
			for _, o := range test.others {
				c.Facts.Counts.Found = append(c.Facts.Counts.Found, at(c, o.who, o.from, o.until))
			}
			d := c.Judge(c.Facts)
			if d.Code != test.code {
				t.Fatalf("%s %s %s, want %s", d.Outcome, d.Code, d.Message, test.code)
			}
			want := requests.Time{}
			if test.again > 0 {
				want = requests.At(c.Now.Add(time.Duration(test.again) * time.Minute))
			}
			if d.Again != want || (d.Outcome == policies.Pending) != (test.again > 0) {
				t.Errorf("%s, again %s, want %s: %s", d.Outcome, d.Again, want, d.Message)
			}
			if test.code != "" && !strings.Contains(d.Message, c.Facts.Counts.Found[0].Path) {
				t.Errorf("%q does not tell what counts", d.Message)
			}
		})
	}
}

// TestLimitsOfBoth: access on behalf of another counts for who asks and for who receives it.
func TestLimitsOfBoth(t *testing.T) {
	for _, who := range []string{"alice", "bob", "carol"} {
		c := limited(t, "maxActivePerRequester: 1")
		path := policies.Path("payments-debug")
		file := c.Facts.Base.Files[path]
		file.Content = strings.Replace(file.Content, "  challenges:",
			"  onBehalfOf: [{kind: User, name: bob}]\n  challenges:", 1)
		c.Facts.Base.Files[path] = file
		asked := c.Facts.Head.Files[cases.Path]
		asked.Content = strings.Replace(asked.Content, "  requester: alice\n",
			"  requester: alice\n  subject: {kind: User, name: bob@example.com}\n", 1)
		c.Facts.Head.Files[cases.Path] = asked
		c.Facts.Counts.Found = []policies.Counted{at(c, who, -30, 15)}
		c.Facts.Reviews[0].User = policies.User{Login: "carol", ID: 103, Type: "User"}
		d := c.Judge(c.Facts)
		if limit := strings.HasPrefix(d.Message, "@"+who+" has 1"); limit != (who != "carol") {
			t.Errorf("of %s: %s %s", who, d.Code, d.Message)
		}
	}
}

// TestLimitsDoubt: facts that do not tell enough, and names of another day (R79), decide nothing.
func TestLimitsDoubt(t *testing.T) {
	c := limited(t, "cooldown: 30m, maxActivePerRequester: 1")
	found := c.Facts.Counts
	for name, counts := range map[string]*policies.Counts{"none": nil, "no day": {},
		"a day too few": {From: "20261120"}} {
		c.Facts.Counts = counts
		if d := c.Judge(c.Facts); d.Outcome != policies.Failed ||
			!strings.Contains(d.Message, "do not tell what the limits") {
			t.Errorf("%s: %s %s", name, d.Outcome, d.Message)
		}
	}
	c.Facts.Counts = found
	for days, aside := range map[int]bool{-2: true, -1: false, 0: false, 1: false, 2: true} {
		now := c.Now.AddDate(0, 0, days)
		c.Facts.Pushes[0].Time, c.Facts.ObservedAt = requests.At(now), requests.At(now)
		c.Facts.Reviews[0].SubmittedAt = requests.At(now)
		d := policies.Evaluate(c.Facts.Base, c.Facts, now)
		if got := strings.Contains(d.Message, "its name is of the day"); got != aside ||
			aside != (d.Code == policies.LimitReached) {
			t.Errorf("pushed %d days after the day of its name: %s %s", days, d.Code, d.Message)
		}
	}
}

// TestLimitsUndecided: of what was merged before a merged request and is not decided yet, it waits
// for what it depends on; not once its own window is over.
func TestLimitsUndecided(t *testing.T) {
	for _, test := range []struct {
		limits    string
		undecided bool
		late      time.Duration
		want      policies.Code
	}{
		{"maxActivePerRequester: 1", true, 59 * time.Minute, policies.EvaluationError},
		{"maxActivePerRequester: 1", true, time.Hour, policies.ExpiredBeforeGrant},
		{"maxActivePerRequester: 1", false, 0, policies.LimitReached},
		{"maxActivePerRequester: 1", false, time.Hour, policies.LimitReached},
		{"maxActivePerRequester: 2", true, 0, ""},
	} {
		c := limited(t, test.limits)
		other := at(c, "alice", -60, 60)
		other.Undecided = test.undecided
		c.Facts.Counts.Found = []policies.Counted{other}
		landed, _ := c.Landed(t)
		landed.Facts.Merge.FirstParent.Files = landed.Facts.Base.Files
		landed.Now = landed.Facts.PullRequest.MergedAt.Add(test.late)
		landed.Facts.ObservedAt = requests.At(landed.Now)
		if d := landed.Judge(landed.Facts); d.Code != test.want || d.Code != "" &&
			d.Code != policies.ExpiredBeforeGrant && !strings.Contains(d.Message, other.Path) {
			t.Errorf("%+v: %s %s", test, d.Code, d.Message)
		}
	}
}

// TestLimitsOnlyTake: whatever else is counted, nothing that was refused becomes allowed.
func TestLimitsOnlyTake(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := limited(t, "maxActivePerRequester: 2, maxActive: 3, perDay: 3, cooldown: 20m")
	allowed := 0
	for range 400 {
		c.Facts.Counts.Found = nil
		before := c.Judge(c.Facts)
		for range 4 {
			from := random.IntN(48*60) - 30*60
			c.Facts.Counts.Found = append(c.Facts.Counts.Found, at(c, []string{"alice", "bob"}[random.IntN(2)],
				from, from+1+random.IntN(180)))
			after := c.Judge(c.Facts)
			if before.Outcome != policies.Allowed && after.Outcome == policies.Allowed {
				t.Fatalf("one more, and it is allowed: %+v", c.Facts.Counts.Found)
			}
			if before = after; after.Outcome == policies.Allowed {
				allowed++
			}
			if after.Outcome == policies.Pending { // waiting does help
				later := c.Facts
				later.ObservedAt = after.Again
				if d := policies.Evaluate(later.Base, later, after.Again.Time); d.Code == policies.LimitReached {
					t.Fatalf("again at %s: %s", after.Again, d.Message)
				}
			}
		}
	}
	if allowed < 100 || allowed > 1500 {
		t.Errorf("%d of 1600 were allowed; the test has lost its teeth", allowed)
	}
}

// TestLimitsWidened: a limit that is raised or taken away is told, and one that is lowered is not.
func TestLimitsWidened(t *testing.T) {
	const path = "policies/payments-debug.yaml"
	tree := exampleTree(t)
	limited := func(limits string) policies.Tree {
		if limits == "" {
			return tree
		}
		return with(t, tree, path, "  target:", "  limits: {"+limits+"}\n  target:")
	}
	for _, test := range []struct{ before, after, want string }{
		{"maxActivePerRequester: 1", "maxActivePerRequester: 2", "accesses of a person at a time: 2 instead of 1"},
		{"maxActive: 1", "", "accesses at a time: any number instead of 1"},
		{"perDay: 2", "perDay: 3", "accesses of a person within 24 hours: 3 instead of 2"},
		{"cooldown: 30m", "cooldown: 20m", "access may begin 20m after a person's last one instead of 30m"},
		{"cooldown: 30m", "", "access may begin at once after a person's last one instead of 30m"},
		{"", "maxActivePerRequester: 1, maxActive: 1, perDay: 1, cooldown: 1h", ""},
		{"maxActive: 2, perDay: 2", "maxActive: 1, perDay: 1", ""},
	} {
		got := strings.Join(policies.Widened(limited(test.before), limited(test.after)), "\n")
		if want := test.want; want != "" && got != "policy payments-debug: "+want || want == "" && got != "" {
			t.Errorf("%q to %q: %q", test.before, test.after, got)
		}
	}
}
