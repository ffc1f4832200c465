package simulation

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	api "github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// entryMutants are those in which an entry tells of other times, people or commits.
var entryMutants = map[string]mutant{
	"the glass is broken again before anybody answered": {"G1 owes nothing", func(s *scenario) {
		s.brokenAgain(time.Minute)
	}},
	"the glass is broken again after its end, before anybody answered": {"G1 owes nothing", func(s *scenario) {
		answered := s.find(func(e event) bool { return e.push != nil && e.push.changed[s.a.debtOf()] == "D" })
		s.brokenAgain(s.h[answered].at.Sub(s.a.merged) - 2*time.Second)
	}},
	"told in quiet of what fell due long before":   {"G7 quiet", func(s *scenario) { s.fallsDue(time.Minute) }},
	"told in quiet of what falls due later":        {"G7 quiet", func(s *scenario) { s.fallsDue(-tolerated) }},
	"said to be taken as it waited":                {"ledger exact", func(s *scenario) { s.waits(false) }},
	"told to be taken as it waited":                {"told true", func(s *scenario) { s.waits(false) }},
	"taken, and said to be returned after its end": {"ledger true", func(s *scenario) { s.returned(false) }},
	"taken, and said to be returned by what took it again after main was set back": {"ledger true",
		func(s *scenario) { s.tamper(takesAway, s.leftAgain()) }},
	"taken, and bound for long after": {"ended in time", func(s *scenario) {
		s.put(event{at: s.h[s.unbound].at.Add(-calmEnd - time.Second),
			push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
	}},
	"the entry says that access began later": {"ledger exact", func(s *scenario) {
		s.entered(s.a.name, s.a.start.Format(`grantedAt: "`+time.RFC3339),
			s.a.start.Add(time.Second).Format(`grantedAt: "`+time.RFC3339))
	}},
	"the entry has another end of the window": {"ledger exact", func(s *scenario) {
		s.entered(s.a.name, s.a.end.Format(`expiresAt: "`+time.RFC3339),
			s.a.end.Add(time.Second).Format(`expiresAt: "`+time.RFC3339))
	}},
	"the entry says that access ended earlier": {"ledger exact", func(s *scenario) {
		s.move(s.unbound, s.a.end.Add(tolerated+2*time.Second))
	}},
	"the entry says that it was refused":              {"ledger exact", (*scenario).refused},
	"the entry says that nobody knew who approved it": {"ledger exact", (*scenario).unknown},
	"the entry says so, and etcd was set back before it was announced": {"ledger exact", func(s *scenario) {
		s.setBack(s.h[s.of("configmaps create")].at.Add(time.Nanosecond))
		s.unknown()
	}},
	"the entry is of another pull request, and its record was deleted": {"ledger exact", func(s *scenario) {
		s.tamper("record deleted", s.a.end.Add(-time.Minute))
		s.refused()
		s.entered(s.a.name, fmt.Sprintf("pullRequest: %d\n", s.a.number), "pullRequest: 99\n")
	}},
	"the entry is of another pull request": {"ledger exact", func(s *scenario) {
		s.entered(s.a.name, fmt.Sprintf("pullRequest: %d\n", s.a.number), "pullRequest: 99\n")
	}},
	"the entry names who did not approve": {"ledger exact", func(s *scenario) {
		s.entered(s.a.name, "login: bob", "login: alice")
	}},
	"the entry is of another commit": {"ledger exact", func(s *scenario) {
		s.entered(s.a.name, "mergeCommit: "+s.a.commit, "mergeCommit: "+strings.Repeat("0", 40))
	}},
}

// entryWaived are those in which another entry is right.
var entryWaived = map[string]mutant{
	"what broke the glass comes back while it is owed for": {"G1 owes nothing", func(s *scenario) {
		s.ofGlass()
		s.put(event{at: s.h[s.bound].at.Add(time.Minute),
			push: &push{who: "people", changed: map[string]string{s.a.path: "A"}}})
	}},
	"the glass is broken again once somebody answered": {"G1 owes nothing", func(s *scenario) {
		s.ofGlass()
		answered := s.find(func(e event) bool { return e.push != nil && e.push.changed[s.a.debtOf()] == "D" })
		s.brokenAgain(s.h[answered].at.Sub(s.a.merged) + time.Second)
	}},
	"taken, and returned after main was set back": {"ledger true", func(s *scenario) { s.returned(true) }},
	"taken, and gone along with what was merged after main was set back": {"ledger true",
		func(s *scenario) { s.leftAgain() }},
	"taken as it waited, as etcd knew it again":      {"ledger exact", func(s *scenario) { s.waits(true) }},
	"told to be taken as it waited, as etcd knew it": {"told true", func(s *scenario) { s.waits(true) }},
	"taken as it waited, as etcd had none of it":     {"ledger exact", func(s *scenario) { s.waitsUnknown() }},
	"taken and entered, as etcd had none of it":      {"ledger true", func(s *scenario) { s.waitsUnknown() }},
	"never made, and told to be deleted as its Job went, after its record was prolonged": {"told true",
		func(s *scenario) { s.unmadeTold(true) }},
	"made again, and told to end by another name": {"told true", func(s *scenario) {
		s.renamed(s.a.end.Add(-time.Minute))
	}},
	"what falls due is told in quiet": {"G7 quiet", func(s *scenario) {
		s.fallsDue(10 * time.Second)
	}},
	"it began once more within a day, and once more was refused": {"G1 limits", func(s *scenario) {
		s.under(rare)
		s.anotherOne(80 * time.Minute)
		other := s.anotherOne(40 * time.Minute)
		s.refused()
		s.copied(other)
	}},
	"a Role alone was made of what was taken": {"ledger exact", func(s *scenario) {
		s.alone()
		s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseRevoked)
		s.entered(s.a.name, "state: Expired", "state: Revoked")
		s.timeless()
	}},
	"it names the commit that brought its file once more": {"ledger exact", func(s *scenario) {
		again := strings.Repeat("0", 40)
		s.put(event{at: s.a.end, push: &push{who: "people", tip: again, changed: map[string]string{s.a.path: "A"}}})
		s.entered(s.a.name, "mergeCommit: "+s.a.commit, "mergeCommit: "+again)
	}},
	"never granted, as a Role alone was made of what was taken": {"told true", func(s *scenario) {
		s.alone()
		s.tells(s.h[s.told(saysEnded)].at.Add(time.Second), saysNever+requests.CauseRevoked,
			"The ledger has it in "+requests.RevocationPath(s.a.cluster, s.a.name))
		s.drop(s.told(saysGranted))
		s.put(event{at: s.a.merged.Add(time.Second), did: &deed{takesAway, s.a.request}})
	}},
	"a name is told to be taken that came back once more after its entry": {"told true", func(s *scenario) {
		s.reused("A")
	}},
	"a name is told to be taken whose file a merge changed": {"told true", func(s *scenario) {
		s.overwritten("M", func(a *account) string { return a.path })
	}},
	"a name is told to be taken in the ledger whose file a merge changed": {"told true", func(s *scenario) {
		s.overwritten("M", func(a *account) string { return requests.RevocationPath(a.cluster, a.name) })
	}},
	"a name is told to be taken in the ledger whose file a merge brought again": {"told true", func(s *scenario) {
		s.overwritten("A", func(a *account) string { return requests.RevocationPath(a.cluster, a.name) })
	}},
	"its answer came along with something else": {"owed", func(s *scenario) { _ = s.answeredAlong() }},
	"an agent was told of its uses after its end, which main lost": {"uses true", func(s *scenario) {
		s.usedLate(true)
	}},
	"its record set back after the end, and counted": {"metrics counts", func(s *scenario) {
		s.recordSetBack(requests.CauseExpired, 1)
	}},
	"its record set back before it was entered, and counted as what ended it": {"metrics counts", func(s *scenario) {
		s.recordSetBackAtOnce(true)
	}},
	"its record set back after it was used, and counted as that": {"metrics counts", func(s *scenario) {
		s.usedOnce()
		s.recordSetBack(requests.CauseExecUsed, 1)
	}},
	"its refusal set back, and counted once more": {"metrics counts", func(s *scenario) { s.refusedAgain(1) }},
	"a record forged, and its end counted, and deleted before it was entered": {"metrics counts", func(s *scenario) {
		s.forgedEnd(1)
	}},
	"one of two in one is told to wait, and the other is there": {"told true", func(s *scenario) {
		other := *s.a.request
		other.name += "-too"
		other.path = requests.Path(other.cluster, other.policy, other.name)
		s.put(event{at: s.a.merged.Add(-time.Second), did: &deed{spoils, &other}})
		s.put(event{at: s.h[s.bound].at, down: map[string]bool{git: true}})
		s.tells(s.h[s.bound].at.Add(news+time.Second), saysWaiting,
			"Since "+api.Moment(requests.At(s.a.merged))+" it waits.")
	}},
	"an end is told late, by a clock that was ahead as it came": {"told true", func(s *scenario) {
		s.endsAhead(3 * time.Minute)
	}},
	"an end is told by a clock that is behind": {"told true", func(s *scenario) {
		s.endsAfterTold(tolerated + 999*time.Millisecond)
	}},
}

// reused has the request be refused, by an entry that names no pull request, after its file had come back
// once; and its name be told to be taken, after something became of the file once more.
func (s *scenario) reused(once string) {
	at := s.h[s.told(saysEnded)].at
	s.tells(at.Add(2*time.Second), saysRefused+string(policies.RequestIDReused),
		"The name "+s.a.name+" is taken by an entry")
	s.drop(s.told(saysEnded))
	s.drop(s.told(saysGranted))
	s.locate()
	s.drop(s.unbound)
	s.drop(s.bound)
	s.unknown()
	for when, what := range map[time.Time]string{s.a.merged.Add(time.Second): "D",
		s.a.merged.Add(2 * time.Second): "A", at.Add(time.Second): once} {
		s.put(event{at: when, push: &push{who: "people", changed: map[string]string{s.a.path: what}}})
	}
}

// overwritten has something become of the file of another request by the merge of this one, whose pull
// request is told that the other one's name is taken by what has it then.
func (s *scenario) overwritten(what string, by func(*account) string) {
	accounts := s.h.accounts()
	other := accounts[slices.IndexFunc(accounts, func(a *account) bool { return a.path != s.a.path })]
	s.pushed(s.find(func(e event) bool { return e.push != nil && e.push.tip == s.a.commit }), func(p *push) {
		p.changed[other.path] = what
	})
	at := s.h[s.told(saysGranted)].at.Add(-time.Millisecond)
	if what == "A" && at.Before(other.entered) {
		at = other.entered.Add(time.Millisecond)
	}
	s.tells(at, saysRefused+string(policies.RequestIDReused),
		fmt.Sprintf("The name %s is taken by %s of #%d, which was first", other.name, by(other), other.number))
}

// alone has a Role be what was made last of the request.
func (s *scenario) alone() {
	for _, i := range []int{s.bound, s.unbound} {
		v := *s.h[i].version
		v.Resource = "roles"
		s.h[i].version = &v
	}
}

// refused has the entry of the request say that it never was granted.
func (s *scenario) refused() {
	s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseDenied)
	s.entered(s.a.name, "state: Expired", "state: Denied")
	s.timeless()
}

// timeless has it not say when access was.
func (s *scenario) timeless() {
	s.entered(s.a.name, s.a.start.Format("  grantedAt: \""+time.RFC3339+"\"\n"), "")
	s.entered(s.a.name, s.a.end.Format("  expiresAt: \""+time.RFC3339+"\"\n"), "")
}

// unknown has it say so without that anybody knew who had approved it.
func (s *scenario) unknown() {
	s.refused()
	text := s.h[len(s.h)-1].main[requests.RevocationPath(s.a.cluster, s.a.name)]
	s.entered(s.a.name, regexp.MustCompile(`(?m)^  approvers:\n(    .*\n)+`).FindString(text), "")
	s.entered(s.a.name, fmt.Sprintf("  pullRequest: %d\n", s.a.number), "")
}

// setBack has etcd lose the record of the request.
func (s *scenario) setBack(at time.Time) {
	v := *s.h[s.of("configmaps create")].version
	v.Verb, v.process, v.Old, v.New = restored, "", v.New, nil
	s.put(event{at: at, version: &v})
}

// returned has somebody take the file of the request from main, which ends it, and its requester once more
// before it is entered: where main was set back to have it meanwhile, or not.
func (s *scenario) returned(setBack bool) {
	s.tamper(givesBack, s.back(setBack))
}

// leftAgain has somebody take the file, main be set back to have it, and a push take it again, at what is
// returned.
func (s *scenario) leftAgain() time.Time {
	at := s.back(true)
	s.put(event{at: at, push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
	return at
}

// back has somebody take the file of the request from main, which ends it, and main be set back to have it, or
// not, before what is returned; it is said to have been given back.
func (s *scenario) back(setBack bool) time.Time {
	s.lost()
	s.entered(s.a.name, "cause: "+requests.CauseBindingDeleted, "cause: "+requests.CauseRelinquished)
	s.entered(s.a.name, "state: "+requests.StateOf(requests.CauseBindingDeleted),
		"state: "+requests.StateOf(requests.CauseRelinquished))
	taken := s.h[s.unbound].at.Add(-time.Second)
	s.tamper(takesAway, taken)
	s.put(event{at: taken, push: &push{who: "people", changed: map[string]string{s.a.path: "D"}}})
	if setBack {
		s.put(event{at: taken.Add(time.Minute), push: &push{who: "people", again: true,
			changed: map[string]string{s.a.path: "A"}}})
	}
	return taken.Add(2 * time.Minute)
}

// waits has the request end as one that never was granted, long after it was bound: as etcd was set back to
// before that, or not.
func (s *scenario) waits(setBack bool) {
	at := s.a.end.Add(-10 * time.Minute)
	s.move(s.unbound, at)
	s.locate()
	if setBack {
		v := *s.h[s.of("configmaps create")].version
		v.Verb, v.process, v.Old = restored, "", nil
		s.put(event{at: at, version: &v})
	}
	s.tamper(takesAway, at.Add(time.Second))
	s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseRevoked)
	s.entered(s.a.name, "state: Expired", "state: Revoked")
	s.timeless()
	s.tells(s.h[s.told(saysEnded)].at, saysNever+requests.CauseRevoked,
		"The ledger has it in "+requests.RevocationPath(s.a.cluster, s.a.name))
	s.drop(s.told(saysEnded))
}

// waitsUnknown has etcd have nothing of the request long after it was bound, and the requester take it back then,
// in time to be entered for that.
func (s *scenario) waitsUnknown() {
	at := s.a.end.Add(-10 * time.Minute)
	s.move(s.unbound, at)
	s.locate()
	v := *s.h[s.of("configmaps create")].version
	v.Verb, v.process, v.Old, v.New = restored, "", v.New, nil
	s.put(event{at: at, version: &v})
	s.tamper(givesBack, at.Add(time.Minute))
	s.entered(s.a.name, "cause: "+requests.CauseExpired, "cause: "+requests.CauseRelinquished)
	s.entered(s.a.name, "state: Expired", "state: Relinquished")
	s.timeless()
}

// entriesOfReviews are those of what only an entry says that a person approved and merged.
var entriesOfReviews = []string{"the entry names who did not approve", "the entry is of another commit"}

// fallsDue has an agent tell just before the end of something owed, so long after it fell due.
func (s *scenario) fallsDue(since time.Duration) {
	last := &s.h[len(s.h)-1]
	at := last.at.Add(-time.Second).Truncate(time.Second)
	debt := policies.Debt{APIVersion: requests.APIVersion, Kind: policies.KindDebt,
		Metadata: requests.Metadata{Name: s.a.name}, Spec: policies.DebtSpec{Cluster: s.a.cluster,
			Policy: s.a.policy, Requester: "alice", Subject: requests.Subject{Kind: "User", Name: "alice@example.com"},
			PullRequest: s.a.number, Owners: []string{"bob"}, DueAt: requests.At(at.Add(-since))}}
	text, err := requests.Marshal(debt)
	if err != nil {
		s.t.Fatal(err)
	}
	last.main = maps.Clone(last.main)
	last.main[s.a.debtOf()] = strings.TrimSpace(string(text))
	v := version{cluster: s.a.cluster, process: "agent-prod-eu-a-1", Event: cluster.Event{Verb: "create",
		Resource: "events", New: &unstructured.Unstructured{Object: map[string]any{
			"reason": "BreakGlassOverdue", "message": s.a.name}}}}
	s.put(event{at: at, version: &v})
}

// ofGlass has the scenario be about access that breaks the glass.
func (s *scenario) ofGlass() {
	i := slices.IndexFunc(wishes, func(one wish) bool { return one.allowed == glass })
	*s = *newScenario(s.t, s.h, &wishes[i])
}

// brokenAgain has the same come to main once more, a time after, by breaking the glass.
func (s *scenario) brokenAgain(after time.Duration) {
	name := s.anotherOne(after)
	s.put(event{at: s.a.merged.Add(after), push: &push{cluster: s.a.cluster, who: "agent", continues: true,
		changed: map[string]string{requests.Path(s.a.cluster, s.a.policy, name): "A"}}})
}
