package action

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// TestSummaryTellsWhatApproversNeed holds the layout: who asks, who receives, where, what, how
// long, why, who may still approve, and why an approval does not count.
func TestSummaryTellsWhatApproversNeed(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	binding := func(role string) requests.Item {
		return requests.Item{Kind: requests.KubernetesRoleBinding, Namespace: "shop",
			Role: requests.Role{Kind: requests.KindClusterRole, Name: role}}
	}
	logs, look := binding("logs"), binding("look")
	v := verdict{number: 7, headSHA: "1111", at: at, decision: policies.Decision{
		Outcome: policies.Pending, Code: policies.InsufficientApprovals, Message: "one is missing",
		Kind:    policies.KindRequest,
		HeadSHA: "1111", PolicyCommit: "2222", Reason: "INC 123",
		Grant: &requests.Grant{Cluster: "prod", Policy: "debug", Requester: "alice",
			Duration: requests.Duration(time.Hour),
			Subject:  requests.Subject{Kind: "User", Name: "Alice"},
			Items:    []requests.Item{logs}},
		Challenges: []policies.ChallengeResult{
			{Kind: "CodeOwnerReview", Path: "requests", Count: 2, Approvers: []string{"bob"},
				Reviewers: []string{"bob", "carol"}},
			{Kind: "PeerReview", Count: 1, Approvers: []string{"bob"}, Reviewers: []string{"bob",
				"carol"}, Met: true},
			{Kind: "PeerReview", Count: 1},
		},
		Roles: []policies.RoleView{
			{Item: logs, Also: []string{"till", "web"}, Catalogued: true, Holds: true,
				Permissions: []rbac.Permission{{Resource: "pods", Verbs: []string{"get"}},
					{Resource: "secrets", Verbs: []string{"get"}}},
				Beyond: []rbac.Permission{{Resource: "secrets", Verbs: []string{"get"}}},
				Risks: []rbac.Risk{{Code: "secrets", Text: "can read Secrets", High: true},
					{Code: "x", Text: "and more"}}},
			{Item: look, Catalogued: true, Permissions: []rbac.Permission{{Resource: "pods",
				Verbs: []string{"*"}},
				{Resource: "nodes", Verbs: []string{"get"}}, {Resource: "secrets",
					Verbs: []string{"*"}}}},
		},
		Widened: []string{"policy debug: carol may ask too"},
		Ignored: []policies.IgnoredReview{{Login: "dave", Code: policies.ApprovalStale,
			Message: "the approval is old"}},
	}}
	const want = `### #7 Waiting for approval

**Next:** <code><!-- -->&#64;carol</code> approves, and nobody can give the PeerReview that is ` +
		`missing: the policy or CODEOWNERS must change.

<code>one is missing</code> ([InsufficientApprovals](https://github.com/pullgrant/pullgrant/blob/main/docs/refusals.md#insufficientapprovals))

| Access | |
| :-- | :-- |
| Who asks | <code><!-- -->&#64;alice</code> |
| Who&nbsp;receives | User <code>Alice</code> |
| What | <code>ClusterRole logs in namespace shop on prod</code> |
| How long | would last 1h from the merge on, once the agent grants it; merged now, until 2026-11-22 11:00:00 UTC |
| Policy | <code>debug</code> |
| Reason | <code>INC 123</code> |

#### What <code>ClusterRole logs in namespace shop</code> allows

And the same in <code>till, web</code>.

> [!CAUTION]
> - can read Secrets

> [!WARNING]
> - and more

<details><summary>All that it allows, by what it is allowed on</summary>

| On | May | Beyond what they have |
| :-- | :-- | :-- |
| <code>pods</code> | <code>get</code> | nothing |
| <code>secrets</code> | <code>get</code> | <code>get</code> |

</details>

#### What <code>ClusterRole look in namespace shop</code> allows

Nothing in it is known to be dangerous.

<details><summary>All that it allows, by what it is allowed on</summary>

| On | May |
| :-- | :-- |
| <code>pods</code> <code>secrets</code> | <code>everything</code> |
| <code>nodes</code> | <code>get</code> |

</details>

#### What becomes possible that was not

- <code>policy debug&#58; carol may ask too</code>

| Approval | State | May still approve | Approved by |
| :-- | :-- | :-- | :-- |
| CodeOwnerReview | missing, 1 of 2 | <code><!-- -->&#64;carol</code> | <code><!-- -->&#64;bob</code> |
| PeerReview | met, 1 of 1 | – | <code><!-- -->&#64;bob</code> |
| PeerReview | missing, 0 of 1 | nobody; the policy or CODEOWNERS must change | – |

Approvals that do not count:

- <code>the approval is old</code> ([ApprovalStale](https://github.com/pullgrant/pullgrant/blob/main/docs/refusals.md#approvalstale))

Judged head <code>1111</code> under the policies at <code>2222</code>.
`
	if got := v.summary(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestSummaryOfAChange: a change is approved by file, and each row says of which.
func TestSummaryOfAChange(t *testing.T) {
	v := verdict{number: 8, headSHA: "1111", decision: policies.Decision{Outcome: policies.Pending,
		Kind: policies.KindChange, Message: "one is missing",
		Challenges: []policies.ChallengeResult{
			{Kind: "CodeOwnerReview", Path: "policies/a.yaml", Count: 1},
			{Kind: "PeerReview", Count: 1},
		}}}
	got := v.summary()
	for _, want := range []string{"| CodeOwnerReview of <code>policies&#47;a&#46;yaml</code> | missing",
		"| PeerReview | missing"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestSummaryTellsTheWindowAskedFor: approvers see both ends of access that is to begin later, or
// to end at a time of the clock.
func TestSummaryTellsTheWindowAskedFor(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	later := requests.At(now.Add(22 * time.Hour))
	for want, g := range map[string]requests.Grant{
		"from 2026-11-23 08:00:00 UTC to 2026-11-23 09:00:00 UTC, 1h": {NotBefore: later,
			Duration: requests.Duration(time.Hour)},
		"from 2026-11-22 10:00:00 UTC to 2026-11-23 08:00:00 UTC, 22h": {Until: later},
		"from 2026-11-22 10:00:00 UTC to 2026-11-22 11:00:00 UTC, 1h": {
			NotBefore: requests.At(now.Add(-time.Hour)), Duration: requests.Duration(time.Hour)},
	} {
		if got := (verdict{at: now}).howLong(g); !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

// TestSummaryTellsThePolicysWindows: both ends as a merge now would have them, what cuts access, and
// when a wait is over without anybody doing anything.
func TestSummaryTellsThePolicysWindows(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 30, 0, 0, time.UTC) // 17:30 on a Monday
	v := verdict{number: 7, at: now, decision: policies.Decision{Grant: &requests.Grant{
		Duration: requests.Duration(time.Hour),
		Windows: []requests.Hours{{Days: []string{"Mon"}, From: "08:00", To: "18:00",
			TimeZone: "Europe/Stockholm"}}}}}
	got := v.summary()
	for _, want := range []string{"| Only | " + github.Escape("Mon from 08:00 to 18:00 Europe/Stockholm"),
		"| How long | merged now, it would last from 2026-11-23 16:30:00 UTC to 2026-11-23 17:00:00 UTC, " +
			"30m, once the agent grants it; " + github.Escape("cut at 18:00 Europe/Stockholm, the window's end") +
			" |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "Time alone") {
		t.Errorf("it waits for nothing, and says\n%s", got)
	}
	v.at = now.Add(time.Hour)
	v.decision.Again = requests.At(v.at.Add(144 * time.Hour))
	got = v.summary()
	for _, want := range []string{"Time alone changes that, at 2026-11-29 17:30:00 UTC.",
		"from 2026-11-30 07:00:00 UTC to 2026-11-30 08:00:00 UTC, 1h, once the agent grants it |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	v.decision.Grant.Until = v.decision.Again
	if got := v.summary(); !strings.Contains(got, "| How long | no window of the policy can hold it |") {
		t.Errorf("got\n%s", got)
	}
}

// TestSummaryBeginsWithWhoActs: the first line says what is to happen next and whose it is.
func TestSummaryBeginsWithWhoActs(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	review := func(who ...string) policies.ChallengeResult {
		return policies.ChallengeResult{Kind: "PeerReview", Count: 1, Reviewers: who}
	}
	two := review("bob", "carol")
	two.Count = 2
	done := review("dave")
	done.Met = true
	late, from := review("bob"), requests.At(at.Add(time.Hour))
	late.Approvers, late.From = []string{"bob"}, &from
	for want, d := range map[string]policies.Decision{
		"Approved|it is merged, by GitHub where auto-merge is on, else by anyone who may; then the agent": {
			Outcome: policies.Allowed, Kind: policies.KindRequest},
		"Refused|<code><!-- -->&#64;alice</code> mends it and pushes": {Outcome: policies.Denied,
			Author: "alice", Code: policies.SchemaError},
		"Refused|whoever opened it asks again": {Outcome: policies.Denied,
			Code: policies.ExpiredBeforeGrant, LapsesAt: requests.At(at.Add(-time.Minute))},
		"Could not be judged|nobody has to do anything, it is judged again": {Outcome: policies.Failed,
			Code: policies.EvaluationError},
		"Waiting for its author|<code><!-- -->&#64;alice</code> marks it as ready": {
			Outcome: policies.Pending, Author: "alice", Code: policies.DraftPullRequest},
		"Waiting for approval|whoever asked for changes": {Outcome: policies.Pending,
			Code: policies.ChangesRequested},
		"Approved, waiting for its time|nobody has to do anything, it is judged again at 2026-11-22 11": {
			Outcome: policies.Pending, Code: policies.LimitReached, Again: requests.At(at.Add(time.Hour)),
			Challenges: []policies.ChallengeResult{done}},
		"Approved, waiting for its time|nobody has to do anything, it is judged again at 2026-11-22 11:00": {
			Outcome: policies.Pending, Code: policies.InsufficientApprovals, Again: from,
			Challenges: []policies.ChallengeResult{late}},
		"Waiting for approval|<code><!-- -->&#64;carol</code> approves, or it waits until 2026-11-22 11": {
			Outcome: policies.Pending, Again: from, Challenges: []policies.ChallengeResult{{Kind: "AnyOf", Count: 1,
				Children: []policies.ChallengeResult{review("carol"), late}}}},
		"Waiting for approval|2 of <code><!-- -->&#64;bob</code>, <code><!-- -->&#64;carol</code> approve": {
			Outcome: policies.Pending, Challenges: []policies.ChallengeResult{done, two}},
		"Waiting for approval|<code><!-- -->&#64;bob</code> approves, or <code><!-- -->&#64;erin</code> approves.": {
			Outcome: policies.Pending, Challenges: []policies.ChallengeResult{{Kind: "AnyOf", Count: 1,
				Children: []policies.ChallengeResult{review("bob"), review("erin")}}}},
		"Waiting for approval|<code><!-- -->&#64;d</code> or 2 others approves.": {
			Outcome:    policies.Pending,
			Challenges: []policies.ChallengeResult{review("b", "c", "d", "e", "f")}},
	} {
		head, step, _ := strings.Cut(want, "|")
		got := verdict{number: 7, at: at, decision: d}.summary()
		if first, rest, _ := strings.Cut(got, "\n\n"); first != "### #7 "+head ||
			!strings.Contains(strings.SplitN(rest, "\n", 2)[0], step) ||
			!strings.HasPrefix(rest, "**Next:** ") {
			t.Errorf("got:\n%s\nwant %s", got, want)
		}
	}
}
