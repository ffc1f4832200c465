package policies

import (
	"reflect"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// schemaRoot is one kind of file.
type schemaRoot struct {
	format reflect.Type
	kind   string // as the file says it
	about  string
	name   fieldRule // of metadata.name
}

// fieldRule is what a schema says about a field beyond its type.
type fieldRule struct {
	about    string
	pattern  string   // of a text, or of each text of a list
	not      string   // pattern that a text may not match
	enum     []string // all values of a text
	min, max int      // a text's characters, a number's value, a list's items; 0 for no bound
	unique   bool     // no item of a list stands twice
}

var schemaRoots = map[string]schemaRoot{
	requests.KindAccessRequest: {reflect.TypeFor[requests.AccessRequest](), requests.KindAccessRequest,
		"Asks for access for a limited time. Stands at requests/<cluster>/<policy>/<name>.yaml.", requestName},
	KindAccessPolicy: {reflect.TypeFor[AccessPolicy](), KindAccessPolicy,
		"Says who may ask for what, for how long, after which challenges. Stands at policies/<name>.yaml.",
		fieldRule{about: "Name of the policy; the file's name without .yaml.", pattern: requests.NamePattern}},
	KindIdentityMap: {reflect.TypeFor[IdentityMap](), KindIdentityMap,
		"Ties GitHub accounts to Kubernetes users. Stands at " + IdentitiesPath + ".",
		fieldRule{about: "Name of the map, for example identities."}},
	KindGroupMap: {reflect.TypeFor[GroupMap](), KindGroupMap,
		"Keeps groups in git, for repositories without GitHub teams. Stands at " + GroupsPath + ".",
		fieldRule{about: "Name of the map, for example groups."}},
	rbac.KindRoleCatalog: {reflect.TypeFor[rbac.RoleCatalog](), rbac.KindRoleCatalog,
		"Shows approvers the rules of a role in a cluster. Written by pullgrant catalog at " + rbac.CatalogFolder + "/<cluster>/<role>.yaml, a colon as +.",
		fieldRule{about: "Name of the role.", pattern: requests.RolePattern}},
	KindPolicyTest: {reflect.TypeFor[PolicyTest](), KindPolicyTest,
		"Requests, and what must become of them under the policies. Stands at tests/<name>.yaml; pullgrant policy test runs it.",
		fieldRule{about: "Name of the test; the file's name without .yaml.", pattern: requests.NamePattern}},
	KindRevocation: {reflect.TypeFor[requests.Revocation](), requests.KindAccessRequest,
		"The end of a request as the agent records it. Stands at revocations/<cluster>/<yyyymmdd>/<name>.yaml.", requestName},
}

var requestName = fieldRule{about: "<yyyymmdd>-<requester>-<slug>, the file's name without .yaml. Unique for ever.",
	pattern: requests.RequestPattern, max: requests.MaxRequestName}

// fieldRules holds one rule for each field of each format, by Go type and YAML name.
var fieldRules = map[string]fieldRule{
	"AccessRequest.apiVersion": aboutVersion,
	"AccessRequest.kind":       aboutKind,
	"AccessRequest.metadata":   aboutMetadata,
	"AccessRequest.spec":       {about: "What is asked for."},

	"RequestSpec.cluster":   {about: "Cluster to get access to; the folder the file stands in.", pattern: requests.NamePattern},
	"RequestSpec.policy":    {about: "Policy to ask under; the folder the file stands in.", pattern: requests.NamePattern},
	"RequestSpec.requester": {about: "GitHub login of who asks: the author of the pull request.", pattern: requests.LoginPattern},
	"RequestSpec.subject":   {about: "Who receives access, when it is not the requester as identities.yaml says. Only if the policy allows it."},
	"RequestSpec.namespace": {about: "Namespace to get access in. Default: the policy's.", pattern: requests.NamePattern},
	"RequestSpec.duration":  {about: "How long, in whole minutes or hours, for example 30m or 2h. Default: the policy's."},
	"RequestSpec.reason": {about: "Why, in one line, for the people who approve and who read the ledger. It is kept for ever: no secrets.",
		pattern: requests.ReasonPattern, min: requests.MinReason, max: requests.MaxReason},

	"Subject.kind": {about: "Only users receive access.", enum: []string{requests.KindUser}},
	"Subject.name": {about: "Name of the user in Kubernetes, exactly as the cluster's authentication gives it.",
		pattern: requests.SubjectPattern, not: "^system:"},

	"AccessPolicy.apiVersion": aboutVersion,
	"AccessPolicy.kind":       aboutKind,
	"AccessPolicy.metadata":   aboutMetadata,
	"AccessPolicy.spec":       {about: "What the policy allows. Absence never means all."},

	"PolicySpec.description": {about: "One sentence for people."},
	"PolicySpec.clusters":    {about: "Clusters the policy holds for, by exact name.", pattern: requests.NamePattern, min: 1},
	"PolicySpec.subjects":    {about: "Who may ask.", min: 1, unique: true},
	"PolicySpec.challenges":  {about: "What must be met before a request is allowed: all of them.", min: 1},
	"PolicySpec.limits":      {about: "How long a request may take on its way."},
	"PolicySpec.target":      {about: "What the policy gives."},

	"Limits.maxPending":     {about: "Longest time from the push of a request to its merge, for example 24h, the default."},
	"Limits.maxApprovalAge": {about: "Longest time from an approval to the merge, for example 8h. Default: 24h."},

	"Party.kind": {about: "User: a GitHub login. Group: a GitHub team or a group of groups.yaml.", enum: []string{PartyUser, PartyGroup}},
	"Party.name": {about: "Of a User: the GitHub login. Of a Group: organization/team-slug, or without a slash the name of a group in groups.yaml."},

	"Challenge.kind": {about: "CodeOwnerReview: owners of the request's path approve. PeerReview: the named reviewers approve.",
		enum: challengeKindNames()},
	"Challenge.reviewers": {about: "Whose approval counts for a PeerReview.", min: 1, unique: true},
	"Challenge.count":     {about: "How many approvals are needed.", min: 1, max: maxCount},

	"Target.defaultDuration": {about: "How long, when the request does not say, for example 60m. Not longer than maxDuration."},
	"Target.maxDuration":     {about: "The longest a request may ask for, for example 2h."},
	"Target.backstop":        {about: "Whether access may be given where the cluster takes no Job that ends it when the agent is gone. Default: required.", enum: []string{BackstopRequired, BackstopOptional}},
	"Target.grants":          {about: "What exists in the cluster while a request is granted.", min: 1},

	"GrantSpec.kind":              {about: "KubernetesRoleBinding: a RoleBinding in one namespace.", enum: grantKindNames()},
	"GrantSpec.defaultNamespace":  {about: "Namespace, when the request names none. One of allowedNamespaces.", pattern: requests.NamePattern},
	"GrantSpec.allowedNamespaces": {about: "Namespaces a request may name, by exact name.", pattern: requests.NamePattern, min: 1},
	"GrantSpec.roleRef":           {about: "The role the binding refers to."},

	"Role.kind": {about: "Only ClusterRoles: whoever administers a namespace can rewrite a Role in it.", enum: []string{requests.KindClusterRole}},
	"Role.name": {about: "Exact name of the ClusterRole.", pattern: requests.RolePattern},

	"IdentityMap.apiVersion": aboutVersion,
	"IdentityMap.kind":       aboutKind,
	"IdentityMap.metadata":   aboutMetadata,
	"IdentityMap.spec":       {about: "The people."},

	"IdentitySpec.users":          {about: "One entry for each person; a login, number or user name stands once."},
	"Identity.github":             {about: "GitHub login.", pattern: requests.LoginPattern},
	"Identity.githubID":           {about: "Number of the GitHub account, which GitHub never reuses: the id at https://api.github.com/users/<login>.", min: 1},
	"Identity.kubernetes":         {about: "The person in Kubernetes."},
	"KubernetesIdentity.username": {about: "Name of the user, exactly as the cluster's authentication gives it.", pattern: requests.SubjectPattern, not: "^system:"},

	"GroupMap.apiVersion": aboutVersion,
	"GroupMap.kind":       aboutKind,
	"GroupMap.metadata":   aboutMetadata,
	"GroupMap.spec":       {about: "The groups."},

	"GroupSpec.groups": {about: "One entry for each group."},
	"Group.name":       {about: "Name of the group, as policies say it.", pattern: requests.NamePattern},
	"Group.members":    {about: "GitHub logins.", pattern: requests.LoginPattern, unique: true},

	"RoleCatalog.apiVersion": aboutVersion,
	"RoleCatalog.kind":       aboutKind,
	"RoleCatalog.metadata":   aboutMetadata,
	"RoleCatalog.spec":       {about: "The role."},

	"RoleCatalogSpec.cluster":    {about: "Cluster the role is in; the folder the file stands in.", pattern: requests.NamePattern},
	"RoleCatalogSpec.role":       {about: "The role, as policies name it."},
	"RoleCatalogSpec.aggregated": {about: "Kubernetes puts the rules together from other roles."},
	"RoleCatalogSpec.hash":       {about: "Digest of the rules, by which the agent knows that the role is still the same.", pattern: requests.DigestPattern},
	"RoleCatalogSpec.rules":      {about: "The rules as they stand in the cluster."},

	"RoleRule.apiGroups":       {about: "API groups; an empty text is the core group.", pattern: "^$|" + rbac.RulePattern, min: 1},
	"RoleRule.resources":       {about: "Resources, with subresources as in pods/log.", pattern: rbac.RulePattern, min: 1},
	"RoleRule.resourceNames":   {about: "Names of objects. Default: all.", pattern: rbac.RuleTextPattern, min: 1},
	"RoleRule.nonResourceURLs": {about: "Paths of the API server, in a rule without resources.", pattern: rbac.RuleTextPattern, min: 1},
	"RoleRule.verbs":           {about: "Verbs.", pattern: rbac.RulePattern, min: 1},

	"PolicyTest.apiVersion": aboutVersion,
	"PolicyTest.kind":       aboutKind,
	"PolicyTest.metadata":   aboutMetadata,
	"PolicyTest.spec":       {about: "The world in short, and the cases in it."},

	"PolicyTestSpec.organization": {about: "GitHub organization that owns the access repository. Without it a user owns it, and no GitHub team counts.", pattern: requests.LoginPattern},
	"PolicyTestSpec.teams":        {about: "Who is in which GitHub team. A team that a case needs to know and that is not here fails the case."},
	"PolicyTestSpec.permissions":  {about: "Who may do something else in the access repository than write."},
	"PolicyTestSpec.cases":        {about: "The cases, each judged on its own.", min: 1},

	"TestTeam.name":         {about: "organization/team-slug.", pattern: strings.TrimSuffix(requests.LoginPattern, "$") + "/" + strings.TrimPrefix(TeamPattern, "^")},
	"TestTeam.members":      {about: "GitHub logins.", pattern: requests.LoginPattern},
	"TestPerson.login":      {about: "GitHub login.", pattern: requests.LoginPattern},
	"TestPerson.permission": {about: "What they may do; none also is no member of the organization.", enum: testPermissions},

	"TestCase.name":        {about: "What is tested, in words."},
	"TestCase.request":     {about: "What is asked for, as the spec of a request says it."},
	"TestCase.author":      {about: "GitHub login of who opened the pull request. Default: the requester.", pattern: requests.LoginPattern},
	"TestCase.pullRequest": {about: "State of the pull request. Default: open. A merged one is judged as the agent does.", enum: testPullRequests},
	"TestCase.approvals":   {about: "Reviews, oldest first."},
	"TestCase.want":        {about: "What must become of it."},
	"TestApproval.by":      {about: "GitHub login of the reviewer.", pattern: requests.LoginPattern},
	"TestApproval.at":      {about: "Commit that was reviewed: the head (default) or an older one.", enum: testCommits},
	"TestApproval.state":   {about: "What the review says, as GitHub names it. Default: APPROVED.", enum: testReviews},
	"Wish.decision":        {about: "The outcome.", enum: outcomes[:]},
	"Wish.code":            {about: "Code of the refusal, as in docs/rules.md. Required unless the outcome is allowed.", pattern: codePattern},

	"Revocation.apiVersion": aboutVersion,
	"Revocation.kind":       aboutKind,
	"Revocation.metadata":   aboutMetadata,
	"Revocation.spec":       {about: "The request. Absent when it could not be read."},
	"Revocation.status":     {about: "What became of the request. Written by the agent."},

	"Status.state":        {about: "How the request ended.", enum: endStates()},
	"Status.cause":        {about: "Why it ended.", enum: requests.Causes},
	"Status.code":         {about: "Of a refusal: the rule that refused."},
	"Status.path":         {about: "Where the request stood."},
	"Status.subject":      {about: "Who received access."},
	"Status.evidence":     {about: "What the grant rests on: approvals proved through GitHub, or the branch taken at its word.", enum: []string{requests.EvidenceGitHub, requests.EvidenceBranch}},
	"Status.grantedAt":    {about: "Start of the window."},
	"Status.expiresAt":    {about: "End of the window."},
	"Status.revokedAt":    {about: "When it ended."},
	"Status.pullRequest":  {about: "Number of the pull request.", min: 1},
	"Status.headSHA":      {about: "Head commit that was reviewed."},
	"Status.mergeCommit":  {about: "Commit that brought the request to main."},
	"Status.policyCommit": {about: "Commit whose policies judged it last."},
	"Status.approvers":    {about: "Whose reviews counted."},
	"Status.challenges":   {about: "Conditions on approvals, as they were found."},
	"Status.ignored":      {about: "Approvals that did not count, the first 50."},
	"Status.facts":        {about: "Digest of the file beside this one that keeps what the request was judged by.", pattern: requests.DigestPattern},
	"Status.grantRefs":    {about: "Objects the grant created."},

	"Approver.login":    {about: "GitHub login.", pattern: requests.LoginPattern},
	"Approver.id":       {about: "Number of the GitHub account.", min: 1},
	"Approver.reviewID": {about: "Number of the review.", min: 1},
	"Approver.time":     {about: "When the review was submitted."},

	"ChallengeStatus.kind":      {about: "Kind of the condition."},
	"ChallengeStatus.path":      {about: "Of a code owner's review: the file they own."},
	"ChallengeStatus.count":     {about: "Approvals needed.", min: 1},
	"ChallengeStatus.approvers": {about: "GitHub logins of those whose approval counted for it."},

	"IgnoredApproval.login":    {about: "GitHub login; ghost when the account was deleted."},
	"IgnoredApproval.reviewID": {about: "Number of the review.", min: 1},
	"IgnoredApproval.code":     {about: "Why it did not count, as in docs/rules.md.", pattern: codePattern},

	"GrantRef.kind":      {about: "Kind of the object."},
	"GrantRef.namespace": {about: "Namespace of the object."},
	"GrantRef.name":      {about: "Name of the object."},
	"GrantRef.role":      {about: "ClusterRole that it gave."},
	"GrantRef.rules":     {about: "Digest of the role's rules as the catalogue showed them to the approvers. Absent when it did not.", pattern: requests.DigestPattern},
	"GrantRef.uid":       {about: "UID of the object in the cluster."},
	"GrantRef.state":     {about: "Created, or Reclaimed once it is gone.", enum: []string{requests.ObjectCreated, requests.ObjectReclaimed}},
}

var (
	aboutVersion  = fieldRule{about: "Version of the format."}
	aboutKind     = fieldRule{about: "What the file is."}
	aboutMetadata = fieldRule{about: "Names the file's content."}
)

// schemaConditions are the rules between fields of one type, by Go type.
var schemaConditions = map[string][]*schema{
	"Party": {
		when(PartyUser, &schema{Properties: map[string]*schema{"name": {Pattern: requests.LoginPattern}}}),
		when(PartyGroup, &schema{Properties: map[string]*schema{"name": {AnyOf: []*schema{
			{Pattern: requests.NamePattern},
			{Pattern: strings.TrimSuffix(requests.LoginPattern, "$") + "/" + strings.TrimPrefix(TeamPattern, "^")},
		}}}}),
	},
	"Wish": {
		{If: &schema{Properties: map[string]*schema{"decision": {Const: Allowed.String()}}},
			Then: &schema{Not: &schema{Required: []string{"code"}}}, Else: &schema{Required: []string{"code"}}},
	},
	"RoleRule": {
		{If: &schema{Required: []string{"nonResourceURLs"}}, Then: &schema{Not: &schema{AnyOf: []*schema{
			{Required: []string{"apiGroups"}}, {Required: []string{"resources"}}, {Required: []string{"resourceNames"}}}}}},
		{If: &schema{Not: &schema{Required: []string{"nonResourceURLs"}}}, Then: &schema{Required: []string{"apiGroups", "resources"}}},
	},
	"Challenge": {
		when(PeerReview, &schema{Required: []string{"reviewers"}}),
		when(CodeOwnerReview, &schema{Not: &schema{Required: []string{"reviewers"}}}),
	},
}

func when(kind string, then *schema) *schema {
	return &schema{If: &schema{Required: []string{"kind"}, Properties: map[string]*schema{"kind": {Const: kind}}}, Then: then}
}

// endStates are the states that some cause leads to.
func endStates() []string {
	var states []string
	for _, cause := range requests.Causes {
		states = append(states, requests.StateOf(cause))
	}
	slices.Sort(states)
	return slices.Compact(states)
}
