package sync

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// forger is somebody who writes other things into a sound ledger.
type forger struct {
	*ledgerStage
	entry, facts, kept string // of what was granted: the two files, and the path of the second
	refusal, why       string // of what was refused: the two files
	base, first        string // the commit whose policies decided, and the repository's first
	policy, blob       string // of the policy and of the request
}

// forgery is what one puts into the ledger, and what an audit finds.
type forgery struct {
	by    *git.Signer // nil: somebody who can push, without the agent's key
	files map[string]string
	want  string
}

func newForger(l *ledgerStage) *forger {
	l.Helper()
	f := &forger{ledgerStage: l, kept: requests.FactsPath(l.granted)}
	f.entry, f.facts = l.read(l.granted), l.read(f.kept)
	f.refusal, f.why = l.read(l.refused), l.read(requests.FactsPath(l.refused))
	f.base = regexp.MustCompile(`policyCommit: (\w+)`).FindStringSubmatch(f.entry)[1]
	f.first = l.git("rev-list", "--max-parents=0", "main")
	f.policy = l.git("rev-parse", "main:"+policyPath)
	f.blob = regexp.MustCompile(`"blob":"(\w+)","introduced"`).FindStringSubmatch(f.facts)[1]
	return f
}

func (f *forger) replace(in, old, new string) string {
	f.Helper()
	if !strings.Contains(in, old) {
		f.Fatalf("there is no %q in\n%s", old, in)
	}
	return strings.Replace(in, old, new, 1)
}

// forged are facts that tell otherwise, and the entry with their digest.
func (f *forger) forged(old, new string) map[string]string {
	f.Helper()
	other := f.replace(f.facts, old, new)
	return map[string]string{f.granted: with(f.entry, other), f.kept: other}
}

// told is an entry that tells otherwise.
func (f *forger) told(old, new string) map[string]string {
	f.Helper()
	return map[string]string{f.granted: f.replace(f.entry, old, new)}
}

const nowhere = "1111111111111111111111111111111111111111"

// withoutKey are those of somebody who can push, and nothing else.
func (f *forger) withoutKey() map[string]forgery {
	return map[string]forgery{
		"facts of nobody": {nil, map[string]string{f.kept: f.replace(f.facts, `"permission":"read"`,
			`"permission":"write"`)}, "evidence-differs"},
		"facts and entry of nobody": {nil,
			f.forged(`"permission":"read"`, `"permission":"none"`), "unsigned"},
		"facts taken away": {nil, map[string]string{f.kept: ""}, "evidence-differs ledger-removed"},
	}
}

// ofPeople are facts that tell otherwise what people and GitHub said.
func (f *forger) ofPeople() map[string]forgery {
	const bob = `{"login":"bob","id":102,"type":"User"},"state":`
	const squad = `"acme/squad-a":{"alice":true}`
	return map[string]forgery{
		"a review that did not count": {f.signer, f.forged(`"type":"User"},"state":"APPROVED"`,
			`"type":"User"},"state":"COMMENTED"`), "approvals-differ"},
		"the review that counted": {f.signer, f.forged(bob+`"APPROVED"`, bob+`"COMMENTED"`),
			"not-allowed"},
		"another reviewer": {f.signer, f.forged(bob, strings.ReplaceAll(bob, "102", "103")),
			"not-allowed"},
		"a team's answer": {f.signer, f.forged(`"bob":true`, `"bob":false`), "not-allowed"},
		"the requester's team": {f.signer,
			f.forged(squad, `"acme/squad-a":{"alice":false}`), "not-allowed"},
		"a team not asked": {f.signer, f.forged(squad, `"acme/squad-a":{"zoe":true}`),
			"not-allowed"},
		"the moment": {f.signer, f.forged(`"observedAt":"2026-11-23T12`,
			`"observedAt":"2026-11-23T14`),
			"not-allowed"},
	}
}

// ofGit are facts that tell of other files and commits than git has.
func (f *forger) ofGit() map[string]forgery {
	elsewhere := strings.ReplaceAll(f.facts, f.base, nowhere)
	return map[string]forgery{
		"a policy's blob": {f.signer, f.forged(f.policy, nowhere), "evidence-differs"},
		"a policy left out": {f.signer,
			f.forged(`,"`+policyPath+`":{"mode":"100644","blob":"`+f.policy+`"}`, ""),
			"evidence-differs"},
		"the policies of before": {f.signer, f.forged(`"base":{"commit":"`+f.base,
			`"base":{"commit":"`+f.first), "evidence-differs"},
		"a commit of nowhere": {f.signer, map[string]string{f.kept: elsewhere,
			f.granted: f.replace(
				with(f.entry, elsewhere), "policyCommit: "+f.base, "policyCommit: "+nowhere)},
			"evidence-differs"},
		"the reviewed blob": {f.signer, f.forged(`"blob":"`+f.blob+`"}}},"merge"`,
			`"blob":"`+nowhere+`"}}},"merge"`), "evidence-differs"},
		"the merged blob": {f.signer, f.forged(`"blob":"`+f.blob+`","introduced"`,
			`"blob":"`+nowhere+`","introduced"`), "not-allowed"},
		"another request of hers": {f.signer, f.forged(`"file":{"mode":"100644","blob":"`,
			`"file":{"mode":"100755","blob":"`), "evidence-differs"},
		"another request": {f.signer, map[string]string{f.granted: with(f.entry, f.why),
			f.kept: f.why},
			"evidence-differs"},
	}
}

// ofEntry are entries that make something else of the facts, and refusals that do not follow.
func (f *forger) ofEntry() map[string]forgery {
	const refusedAs = "code: ApproverNotAllowed\n  path"
	unnamed := factsLine.ReplaceAllString(f.entry, "")
	return map[string]forgery{
		"not as it is written": {f.signer, f.forged(`{"observedAt":`, `{"observedAt": `),
			"evidence-differs"},
		"facts that no entry names": {f.signer, map[string]string{f.granted: unnamed},
			"evidence-differs"},
		"no facts": {f.signer, map[string]string{f.granted: unnamed, f.kept: ""},
			"ledger-removed no-evidence"},
		"a subject": {f.signer, f.told("name: alice@example.com", "name: eve@example.com"),
			"subject-differs"},
		"a role": {f.signer, f.told("role: payments-debug", "role: cluster-admin"),
			"binding-differs"},
		"a container": {f.signer, f.told("role: payments-debug",
			"role: payments-debug\n      container: app"), "binding-differs"},
		"a Job": {f.signer, f.told("kind: Job\n      namespace: ",
			"kind: Job\n      namespace: x"), "binding-differs"},
		"somebody else ignored": {f.signer, f.told("- login: carol", "- login: dave"),
			"approvals-differ"},
		"other policies": {f.signer, f.told("policyCommit: "+f.base, "policyCommit: "+f.first),
			"evidence-differs"},
		"a challenge": {f.signer, f.told("kind: PeerReview", "kind: OnCall"),
			"approvals-differ"},
		"its rules": {f.signer, f.told("rules: "+rbac.HashRules(listsPods),
			"rules: "+rbac.HashRules(nil)), "binding-differs"},
		"another end": {f.signer, f.told(`expiresAt: "2026-11-23T13:01:00Z"`,
			`expiresAt: "2026-11-23T13:00:30Z"`), "window"},
		"a refusal": {f.signer, map[string]string{f.refused: f.replace(f.refusal, refusedAs,
			"code: SelfApproval\n  path")}, "refusal-differs"},
		// The facts alone cannot tell of this one.
		"a refusal found elsewhere": {f.signer, map[string]string{f.refused: f.replace(f.refusal,
			refusedAs,
			"code: RoleChanged\n  path")}, ""},
	}
}

// TestVerifyJudgesAgain: whoever has the agent's key can sign what they like, but not make it
// follow.
func TestVerifyJudgesAgain(t *testing.T) {
	l := newLedger(t)
	if rules := l.found(); rules != "" {
		t.Fatalf("a sound ledger: %s", rules)
	}
	f := newForger(l)
	for _, line := range []string{"role: payments-debug", "rules: " + rbac.HashRules(listsPods),
		"kind: PeerReview", "login: carol", "code: ApproverNotAllowed"} {
		if !strings.Contains(f.entry, line) {
			t.Errorf("the entry does not tell %q:\n%s", line, f.entry)
		}
	}
	for _, cases := range []map[string]forgery{f.withoutKey(), f.ofPeople(), f.ofGit(),
		f.ofEntry()} {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				l.put(c.by, c.files)
				if rules := l.found(); rules != c.want {
					t.Errorf("found %q, want %q", rules, c.want)
				}
				l.put(l.signer, map[string]string{l.granted: f.entry, f.kept: f.facts,
					l.refused: f.refusal})
			})
		}
	}
	if rules := l.found(); rules != "" {
		t.Errorf("the ledger as it was: %s", rules)
	}
	l.put(nil, map[string]string{strings.Replace(f.kept, "granted", "nobody", 1): f.facts})
	if rules := l.found(); rules != "path" {
		t.Errorf("facts beside no entry: %s", rules)
	}
}
