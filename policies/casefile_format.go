package policies

import "github.com/pullgrant/pullgrant/requests"

// TestFormat is the format of a policy test.
var TestFormat = requests.Format{
	Kind: KindPolicyTest,
	About: "Requests, and what must become of them under the policies. Stands at " +
		"tests/<name>.yaml; " +
		"pullgrant policy test runs it.",
	Name: requests.Field{About: "Name of the test; the file's name without .yaml.",
		Form: requests.FormName},
	Fields: testFields.With(requests.SpecFields),
}

var testFields = requests.HeaderFields("PolicyTest",
	"The world in short, and the cases in it.").With(
	requests.Fields{
		"PolicyTestSpec.organization": {About: "GitHub organization that owns the access " +
			"repository. " +
			"Without it a user owns it, and no GitHub team counts.", Form: requests.FormLogin},
		"PolicyTestSpec.teams": {About: "Who is in which GitHub team. " +
			"A team that a case needs to know and that is not here fails the case."},
		"PolicyTestSpec.permissions": {About: "Who may do something else in the access repository " +
			"than write."},
		"PolicyTestSpec.cases": {About: "The cases, each judged on its own.", Min: 1},

		"TestTeam.name": {About: "organization/team-slug.",
			Form: requests.Form{Rule: "party", Pattern: orgTeamPattern, Check: teamProblem}},
		"TestTeam.members": {About: "GitHub logins.", Form: requests.FormLogin},
		"TestPerson.login": {About: "GitHub login.", Form: requests.FormLogin},
		"TestPerson.permission": {About: "What they may do; none also is no member of the " +
			"organization.",
			Form: requests.OneOf("value", testPermissions...)},

		"TestCase.name": {About: "What is tested, in words."},
		"TestCase.request": {About: "What is asked for, as the spec of a request says it. Times " +
			"in it are seen from when the case is judged."},
		"TestCase.at": {About: "When the case is judged, for example 2026-11-27T17:30:00Z: for " +
			"policies with windows. Default: 2026-11-23T10:00:00Z, a Monday."},
		"TestCase.author": {About: "GitHub login of who opened the pull request. Default: the requester.",
			Form: requests.FormLogin},
		"TestCase.pullRequest": {About: "State of the pull request. Default: open. A merged one is " +
			"judged as the agent does.",
			Form: requests.OneOf("value", testPullRequests...)},
		"TestCase.approvals": {About: "Reviews, oldest first, a second apart."},
		"TestCase.owed": {About: "Of a request that breaks the glass: break-glass on its cluster that " +
			"nobody has answered for. Default: none."},
		"TestDebt.requester": {About: "GitHub login of who asked for it.", Form: requests.FormLogin},
		"TestDebt.policy":    {About: "Policy under which it was given.", Form: requests.FormName},
		"TestCase.waited": {About: "How long before it is judged the request was pushed, for example " +
			"45m, and right after that approved. Default: half a minute."},
		"TestCase.others": {About: "Other access under the policy on the cluster that there is, was or " +
			"will be, for limits that count."},
		"TestAccess.requester": {About: "GitHub login of who asked for it.", Form: requests.FormLogin},
		"TestAccess.for": {About: "GitHub login of who has it. Default: the requester.",
			Form: requests.FormLogin},
		"TestAccess.from":  {About: "When it began or begins."},
		"TestAccess.until": {About: "When it ended or ends."},
		"TestCase.certified": {About: "How many days ago the policy was certified, for example 90d, " +
			"where its recertify says that it must be. Default: just before the request was pushed."},
		"TestCase.replies": {About: "What is replied to challenges that ask outside of GitHub, each " +
			"question by the first that fits. One that a case needs and that is not here fails the case."},
		"TestReply.challenge": {About: "Kind of the challenge.",
			Form: requests.OneOf("value", asksOutsideKinds()...)},
		"TestReply.of": {About: "What is asked, in the words of the decision. Default: all that such " +
			"challenges ask.", Form: requests.Form{Max: MaxReplyText}},
		"TestReply.verdict": {About: "The reply; none is nobody's.",
			Form: requests.OneOf("value", testVerdicts...)},
		"TestReply.text":  {About: "What is said with it.", Form: requests.Form{Max: MaxReplyText}},
		"TestCase.want":   {About: "What must become of it."},
		"TestApproval.by": {About: "GitHub login of the reviewer.", Form: requests.FormLogin},
		"TestApproval.at": {About: "Commit that was reviewed: the head (default) or an older one.",
			Form: requests.OneOf("value", testCommits...)},
		"TestApproval.state": {About: "What the review says, as GitHub names it. Default: APPROVED.",
			Form: requests.OneOf("value", testReviews...)},
		"TestApproval.says": {About: "What else the review says. Default: nothing."},
		"Wish.decision":     {About: "The outcome.", Form: requests.OneOf("value", outcomes[:]...)},
		"Wish.code": {About: "Code of the refusal, as in docs/rules.md. Required unless the outcome " +
			"is allowed.",
			Form: requests.Form{Rule: "code", Pattern: requests.CodePattern,
				Check: requests.CheckCode}},
	})
