package faults

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/pipeline"
)

// How late access may end. The numbers stand in docs/faults.md; what is observed is far below them,
// so that a busy machine breaks no test.
const (
	byAgent    = 10 * time.Second // a replica lives, and the API server answers
	byBackstop = 45 * time.Second // none does: the Job's grace of ten seconds, and what it may have been armed late
)

// finish waits until every request is in the ledger and checks what must be true after any fault:
// nothing was granted late or twice, nothing revoked later than the bound, nothing is missing in
// the ledger or there twice, nothing is left in the cluster, and planning again gives nothing. One
// replica runs at least.
func (s *stage) finish(r *replica, bound time.Duration, all ...asked) {
	s.Helper()
	for _, a := range all {
		s.until(a.name+" is in the ledger", func() bool { return s.entered(a) })
	}
	s.until("no object and no record is left", func() bool { return s.left() == "" })
	for _, a := range all {
		s.check(a, bound)
	}
	if s.may() {
		s.Error("alice still has access")
	}
	s.planIsEmpty(r)
}

// check is finish for one request that has ended.
func (s *stage) check(a asked, bound time.Duration) {
	s.Helper()
	status := s.entry(a).Status
	path := requests.RevocationPath(cluster, a.name)
	if n := s.git("rev-list", "--count", "main", "--", path); n != "1" {
		s.Errorf("%s commits touch the ledger entry of %s", n, a.name)
	}
	if left := s.git("ls-tree", "--name-only", "main", requests.Path(cluster, policy,
		a.name)); left != "" {
		s.Errorf("still on main: %s", left)
	}
	seen := s.bindings.of(a.name)
	told := strings.Count(s.git("log", "--format=%B", "main"),
		"Pullgrant-Event: granted\nPullgrant-Request: "+requests.Path(cluster, policy, a.name)+"\n")
	if told > min(len(seen), 1) {
		s.Errorf("%s had %d bindings, and the branch was told of it %d times", a.name, len(seen), told)
	}
	if len(seen) == 0 { // an agent that died when it was about to make one cannot know that there was none
		unsure := status.Cause == requests.CauseExpired && !slices.ContainsFunc(status.GrantRefs,
			func(r requests.GrantRef) bool { return r.Kind == "RoleBinding" })
		if !unsure && (status.Cause != requests.CauseDenied ||
			status.Code != "ExpiredBeforeGrant") {
			s.Errorf("%s had no binding, and the ledger says %s %s %v", a.name, status.Cause,
				status.Code, status.GrantRefs)
		}
		return
	}
	b := seen[0]
	switch refs := status.GrantRefs; {
	case len(seen) > 1:
		s.Errorf("%s was granted %d times: %+v", a.name, len(seen), seen)
	case !b.end.Equal(a.end):
		s.Errorf("%s ends at %s, want %s", a.name, b.end, a.end)
	case !b.made.Before(a.end): // which is a whole second too
		s.Errorf("%s was granted %s after its end", a.name, b.came.Sub(a.end))
	case b.went.Sub(a.end) > bound:
		s.Errorf("%s was revoked %s late, allowed: %s", a.name, b.went.Sub(a.end), bound)
	case status.Cause != requests.CauseExpired && !b.went.Before(a.end):
		s.Errorf("%s ended %s after its end, and the ledger says %s", a.name, b.went.Sub(a.end),
			status.Cause)
	case status.Cause == requests.CauseExpired && a.end.Sub(b.went) > time.Second:
		s.Errorf("%s ended %s before its end, and the ledger says it expired", a.name,
			a.end.Sub(b.went))
	case len(refs) == 0 || refs[len(refs)-1].Kind == "RoleBinding" &&
		refs[len(refs)-1].UID != string(b.uid):
		s.Errorf("%s had the binding %s, the ledger names %+v", a.name, b.uid, refs)
	}
}

func (s *stage) entry(a asked) requests.Revocation {
	s.Helper()
	entry, err := pipeline.Entry(s.forge, a.name)
	s.must(err)
	return entry
}

// caused fails when the ledger says another cause.
func (s *stage) caused(a asked, cause string) {
	s.Helper()
	if status := s.entry(a).Status; status.Cause != cause {
		s.Errorf("the ledger says %s %s of %s, want %s", status.Cause, status.Code, a.name, cause)
	}
}

// planIsEmpty has another process plan.
func (s *stage) planIsEmpty(r *replica) {
	s.Helper()
	plan := r.command("--dry-run")
	var talk bytes.Buffer
	plan.Stderr = &talk
	out, err := plan.Output()
	if err != nil || len(out) > 0 {
		s.Errorf("planning again gives %q, %v\n%s", out, err, talk.String())
	}
}

// row prints what happened as a row of the table in docs/faults.md.
func (s *stage) row(fault, injected, observed string) {
	s.Helper()
	s.Logf("| %s | %s | %s | `%s` |", fault, injected, observed, s.Name())
}

// over waits until the request is in the ledger and nothing is left in the cluster.
func (s *stage) over(a asked) {
	s.Helper()
	s.untilAfter(a.end, "all of "+a.name+" is over", func() bool { return s.entered(a) && s.left() == "" })
}

// pace is how many times as long as the two seconds of the machine that these tests were made on a
// grant takes; at least 1.
func (s *stage) pace() time.Duration {
	s.Helper()
	begin := time.Now()
	a := s.ask("pace", window)
	s.granted(a)
	took := time.Since(begin)
	s.withdraw(a)
	s.over(a)
	return max(1, (took+time.Second)/(2*time.Second))
}
