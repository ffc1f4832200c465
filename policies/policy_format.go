package policies

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// PolicyFormat is the format of a policy.
var PolicyFormat = requests.Format{
	Kind: KindAccessPolicy,
	About: "Says who may ask for what, for how long, after which challenges. Stands at " +
		"policies/<name>.yaml.",
	Name: requests.Field{About: "Name of the policy; the file's name without .yaml.",
		Form: requests.FormName},
	Fields: policyFields.With(breakGlassFields, matchFields, execFields, windowFields, conditionFields, customFields,
		limitFields, recertifyFields, onChangeFields, ticketFields, onCallFields,
		notificationFields),
}

// maxCount bounds the approvals a challenge may ask for; more could never be met and is a slip
// (R26).
const maxCount = 10

var policyFields = requests.HeaderFields("AccessPolicy",
	"What the policy allows. Absence never means all.").With(requests.Fields{
	"PolicySpec.description": {About: "One sentence for people."},
	"PolicySpec.clusters": {About: "Clusters the policy holds for, by exact name.",
		Form: requests.FormName, Min: 1},
	"PolicySpec.subjects": {About: "Who may ask.", Min: 1, Unique: true},
	"PolicySpec.onBehalfOf": {About: "For whom they may ask besides themselves, by a request's subject. " +
		"Default: nobody.", Min: 1, Unique: true},
	"PolicySpec.challenges": {About: "What must be met before a request is allowed: all of them. None, " +
		"where allowWithoutReview says so, lets everybody in subjects have what they ask for."},
	"PolicySpec.allowWithoutReview": {About: "Whether a request may be allowed with no review at all. " +
		"Without it, challenges that could be met so make the policy invalid. Default: false."},
	"PolicySpec.allowNarrowing": {About: "Whether a review may approve less than is asked for, by a line " +
		"such as \"pullgrant: at most 30m\". Reviews that were edited do not count then. Default: false."},
	"PolicySpec.limits": {About: "How long a request may take on its way, and how much of the policy " +
		"there may be."},
	"PolicySpec.target": {About: "What the policy gives."},

	"Limits.maxPending": {About: "Longest time from the push of a request to its merge, for " +
		"example 24h, the default."},
	"Limits.maxApprovalAge": {About: "Longest time from an approval to the merge, for example " +
		"8h. Default: 24h."},
	"Limits.maxLeadTime": {About: "Longest time from the merge to a start that a request names " +
		"(notBefore), for example 72h. Default: 24h."},

	"Party.kind": {About: "User: a GitHub login. Group: a GitHub team or a group of groups.yaml.",
		Form: requests.Form{Enum: []string{PartyUser, PartyGroup}}},
	"Party.name": {About: "Of a User: the GitHub login. Of a Group: organization/team-slug, " +
		"or without a slash the name of a group in groups.yaml."},

	"Challenge.kind": {About: about(challengeKinds()), Form: requests.OneOf("challenge",
		challengeKindNames()...)},
	"Challenge.reviewers": {About: "Whose approval counts for a PeerReview.", Min: 1, Unique: true},
	"Challenge.count": {About: "How many approvals are needed, or of an AnyOf how many of its " +
		"challenges. Default: 1.", Min: 1, Max: maxCount, Rule: "count",
		Says: fmt.Sprintf("it must be 1 to %d", maxCount)},
	"Challenge.challenges": {About: "What an AnyOf or AllOf is made of.", Min: 1, Max: maxParts},
	"Challenge.inOrder": {About: "Of an AllOf: each approval must be given after the challenges " +
		"before its own were met. Default: false."},
	"Challenge.after": {About: "How long after the push of the head commit, and after its pull " +
		"request was open for review, it can be met first, for example 30m, as by those who stand in for " +
		"others. An approval given before counts from then on."},

	"Challenge.verb": {About: "Of an RBACAuthorization: the verb that whoever receives the access must " +
		"hold on each ClusterRole asked for. Default: sudo.", Form: requests.FormName},

	"Target.defaultDuration": {About: "How long, when the request does not say, for example " +
		"60m. Not longer than maxDuration."},
	"Target.maxDuration": {About: "The longest a request may ask for, for example 2h."},
	"Target.backstop": {About: "Whether access may be given where the cluster takes no Job that " +
		"ends it when the agent is gone. " +
		"Default: required.", Form: requests.OneOf("backstop", BackstopRequired, BackstopOptional)},
	"Target.mode": {About: "Direct: the requester has the access as themselves. Impersonate: an " +
		"identity of the grant's own has it, and they act as that with kubectl --as, like sudo. " +
		"Default: Direct.", Form: requests.OneOf("mode", requests.ModeDirect,
		requests.ModeImpersonate)},
	"Target.allowDangerous": {About: "Roles that are given although whoever holds them can keep " +
		"access beyond its end. Without an entry such a role is refused.", Min: 1},
	"Target.grants": {About: fmt.Sprintf("What exists in the cluster while a request is granted: at most "+
		"%d combinations of clusters, namespaces, roles, pods, containers and commands.",
		maxCombinations), Min: 1,
		Max: maxGrants},

	"DangerousRole.role": {About: "Exact name of a ClusterRole that the policy gives.",
		Form: requests.FormRole},
	"DangerousRole.dangers": {About: aboutDangers(), Min: 1, Unique: true,
		Form: requests.OneOf("danger", rbac.DangerNames()...)},

	"GrantSpec.kind": {About: about(grantKinds()), Form: requests.OneOf("grant",
		grantKindNames()...)},
	"GrantSpec.defaultNamespace": {About: "Namespace, when the request names none. One of " +
		"allowedNamespaces.",
		Form: requests.FormName},
	"GrantSpec.allowedNamespaces": {About: "Namespaces a request may name, by exact name; a pattern " +
		"of a request stands for those of them that match.",
		Form: requests.FormName, Min: 1},
	"GrantSpec.roleRef": {About: "The role the binding refers to."},
	"RoleRef.kind":      rbac.RoleFields["Role.kind"],
	"RoleRef.name":      rbac.RoleFields["Role.name"],
	"RoleRef.apiGroup": {About: "As Kubernetes has it. Default: rbac.authorization.k8s.io.",
		Form: requests.OneOf("role", "rbac.authorization.k8s.io")},
	"GrantSpec.roles": {About: "ClusterRoles of which the request picks one, by exact name.",
		Form: formRole, Min: 1, Unique: true},
	"GrantSpec.name": {About: "Name by which a request picks this grant out of several.",
		Form: requests.FormName},
	"GrantSpec.scope": {About: "AllNamespaces: the objects in every namespace. Cluster: objects that are " +
		"in none. Default: those of one of allowedNamespaces.",
		Form: requests.OneOf("scope", ScopeAllNamespaces, ScopeCluster)},
	"GrantSpec.resources": {About: "Kinds of objects that a request may name.", Min: 1},
	"GrantSpec.pods": {About: "Pods that a request may name: exact names, or globs with *.",
		Form: formGlob, Min: 1, Unique: true},
	"GrantSpec.containers": {About: "Containers that a request may name, by exact name.",
		Form: requests.FormName, Min: 1, Unique: true},
	"GrantSpec.commands": {About: "Commands that a request may name, each as a list of arguments. " +
		"In an argument, * stands for any characters but /, and ** for any.",
		Form: formArgument, Min: 1},
	"GrantSpec.anyCommand": {About: "Whether a request may name any command, or none, which lets " +
		"everything run. Default: false."},
	"GrantSpec.stdin":    {About: "Whether a request may ask for kubectl exec -i. Default: false."},
	"GrantSpec.terminal": {About: "Whether a request may ask for kubectl exec -t. Default: false."},

	"ResourceSpec.resource": {About: "Plural of the resource with its API group, such as pods or " +
		"deployments.apps.", Form: formKind},
	"ResourceSpec.names": {About: "Names that a request may name: exact ones, or globs with *.",
		Form: formGlob, Min: 1, Unique: true},
	"ResourceSpec.verbs": {About: "Verbs to which what the role allows is narrowed. Default: all of " +
		"the role.", Form: formVerb, Min: 1, Unique: true},
})

const (
	globForm     = `^[A-Za-z0-9*]([A-Za-z0-9*.:_-]{0,251}[A-Za-z0-9*])?$`
	verbForm     = `^[a-z]{1,63}$`
	argumentForm = `^[^\p{Cc}]{0,500}$`
)

var (
	formRole = requests.Form{Rule: "role", Pattern: requests.RolePattern, Check: requests.CheckRole}
	formKind = requests.Form{Rule: "resource", Pattern: requests.KindPattern,
		Check: requests.CheckKind}
	formGlob     = requests.Form{Rule: "glob", Pattern: globForm, Check: checkGlob}
	formVerb     = requests.Form{Rule: "verb", Pattern: verbForm, Check: checkVerb}
	formArgument = requests.Form{Rule: "command", Pattern: argumentForm, Check: checkArgument}
)

var (
	globPattern     = regexp.MustCompile(globForm)
	verbPattern     = regexp.MustCompile(verbForm)
	argumentPattern = regexp.MustCompile(argumentForm)
)

// checkGlob tells what is wrong with a glob of names; empty when nothing is.
func checkGlob(s string) string {
	if globPattern.MatchString(s) {
		return ""
	}
	return "it must be the name of an object, or a glob such as api-*"
}

func checkArgument(s string) string {
	if argumentPattern.MatchString(s) {
		return ""
	}
	return "it must be up to 500 characters without control characters"
}

func checkVerb(s string) string {
	if verbPattern.MatchString(s) {
		return ""
	}
	return "it must be a verb of Kubernetes, such as get; no wildcard"
}

// about is a sentence for each kind of a table.
func about[K interface{ sentence() string }](kinds []K) string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.sentence())
	}
	return strings.Join(all, " ")
}
