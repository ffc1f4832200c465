package doctor

// Checks are all there is to look at, in the order they are told. docs/doctor.md has a row for each.
var Checks = []Check{
	{PartGitHub, "rules", Bypass, "only these rules keep a request from being merged unapproved; " +
		"while one is missing the agent grants nothing (RulesetWeakened)"},
	{PartGitHub, "check-app", Bypass, "whoever can report the required check can turn it green " +
		"without a judgement"},
	{PartGitHub, "bypass-list", Bypass, "who is on it merges without approval and without the " +
		"check; the agent needs to be, to record, and nobody else"},
	{PartGitHub, "workflows", Bypass, "they hold the key of the Action's App, which turns the " +
		"check green"},
	{PartGitHub, "environment", Bypass, "a workflow of any branch that may deploy to it can read " +
		"the key of the Action's App"},
	{PartGitHub, "actions-approve", Bypass, "a workflow of a pull request could give the approval " +
		"that the ruleset asks for"},
	{PartGitHub, "owners-errors", Bypass, "GitHub passes over a line of CODEOWNERS with an error, " +
		"so that nobody has to approve what it is about"},
	{PartGitHub, "app-permissions", Advice, "with fewer the Action judges nothing; with more, " +
		"whoever gets its key can do more"},
	{PartGitHub, "visibility", Advice, "everybody who may read the repository sees who has access " +
		"and who asks for it"},
	{PartGitHub, "plan", Advice, "GitHub enforces rulesets of private repositories under paid " +
		"plans only"},
	{PartGitHub, "default-branch", Advice, "workflows, rules and policies are those of the default " +
		"branch, and the agent follows the branch of its flag"},
	{PartGitHub, "merge-settings", Advice, "requests merge by themselves once they are approved, " +
		"and their branches go; with one method of merging the ledger reads alike"},
	{PartGitHub, "activity", Advice, "it tells who pushed to a request; where GitHub does not, the " +
		"agent reads the check runs of the Action's App (--check-app-id), and without that " +
		"grants nothing (EvaluationError)"},
	{PartGitHub, "associations", Advice, "they tell which pull request a merged request came from; " +
		"where they lack it, the agent asks GraphQL, then again for ten minutes, and grants that " +
		"much later"},
	{PartGitHub, "teams", Advice, "of a team that is not there, or secret to the App, nobody is a " +
		"member to it: requests that need one wait (EvaluationError)"},
	{PartGitHub, "clock", Advice, "of clocks that differ too much the agent goes by the later one " +
		"and grants nothing (ClockSkew)"},

	{PartRepository, "strict-owned", Bypass, "who may write there decides who gets access; what " +
		"nobody owns needs no approval of anybody in particular"},
	{PartRepository, "valid", Advice, "requests under a file that does not read are refused"},
	{PartRepository, "lint", Advice, "it is valid and probably gives more than meant, or never " +
		"works"},
	{PartRepository, "tests", Advice, "the policies do something else than whoever wrote the test " +
		"wanted"},
	{PartRepository, "owners-fresh", Advice, "GitHub asks others for a review than those whose " +
		"approval counts"},
	{PartRepository, "stale-people", Advice, "a login without its account number can be taken by " +
		"somebody else; a name that nothing uses is most often somebody who left"},
	{PartRepository, "schema", Advice, "with this line an editor completes and checks the file " +
		"while it is written"},
	{PartRepository, "line-ends", Advice, "what is judged are the bytes of the commit; carriage " +
		"returns and attributes have git and GitHub show others"},

	{PartCluster, "fence", Bypass, "it limits what the agent may make and keeps others from making " +
		"or changing that; while it is not as rendered the agent grants nothing (Unfenced)"},
	{PartCluster, "fence-in-force", Bypass, "a fence that is there and refuses nothing limits " +
		"nobody"},
	{PartCluster, "rights-surplus", Bypass, "whoever takes over the agent has these too; it grants " +
		"nothing while it has what no policy ever needed (OverPrivileged)"},
	{PartCluster, "rights-missing", Advice, "what the agent may not do it cannot grant"},
	{PartCluster, "around", Bypass, "they can get or give access without a request, an approval " +
		"or a record"},
	{PartCluster, "everybody", Bypass, "every workload or every user can get access without a " +
		"request"},
	{PartCluster, "strict-namespaces", Bypass, "without the label, who may run commands there may " +
		"run others than the one that was granted"},
	{PartCluster, "expirer", Bypass, "it ends access on time whatever becomes of the agent"},
	{PartCluster, "agent", Advice, "while none leads, nothing is granted and nothing recorded; " +
		"access still ends"},
	{PartCluster, "channels", Advice, "a channel whose address the agent does not have is told " +
		"nothing"},
	{PartCluster, "backstop", Bypass, "these Jobs end access when neither agent nor expirer is " +
		"left to"},
	{PartCluster, "administrators", Advice, "they can do everything, so also this; keep them few " +
		"and known"},
	{PartCluster, "version", Advice, "the fence is made of ValidatingAdmissionPolicies, which are " +
		"stable since Kubernetes 1.30"},
	{PartCluster, "cluster-clock", Advice, "of clocks that differ too much the agent goes by the " +
		"later one and grants nothing (ClockSkew)"},
	{PartCluster, "catalogue", Advice, "approvers see other rules than the role has, and the agent " +
		"refuses it"},
}
