package render

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// Names of what keeps aws-auth in step with the grants. Its rights have another one, as the fence
// keeps pullgrant-* for what the agent makes.
const (
	AWS       = "pullgrant-aws" // ServiceAccount, Deployment and what belongs to that
	AWSRights = "pullgrant:aws" // Roles, ClusterRole and their bindings
	FenceAWS  = "pullgrant-aws" // admission policy
)

// AWSAuth is the ConfigMap in kube-system by which an EKS cluster lets people in, and MapUsers the
// list in it.
// https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html
const (
	AWSAuthNamespace = "kube-system"
	AWSAuth          = "aws-auth"
	MapUsers         = "mapUsers"
	MapRoles         = "mapRoles"
)

// AWSEntry is the form of an entry of mapUsers that pullgrant makes, whole lines, as a regular
// expression. Its groups are indentation, ARN, request and user name.
var AWSEntry = `( *)- userarn: (` + inner(requests.ARNPattern) +
	`) # pullgrant ([0-9]{8}-[a-z0-9-]{1,91})\n *  username: "(` +
	inner(requests.AWSUserPattern) + `)"\n`

// How much aws-auth may hold for another entry of pullgrant's to be added: the API server gives up on
// a change of more before it knows that it takes an entry away, and what comes in must come out.
const (
	AWSMostEntries = 500       // of pullgrant's
	AWSMostBytes   = 256 << 10 // of mapUsers
)

// AWSMarked is what may be such an entry, in few words, as a regular expression: the longer one is that
// the API server holds against the whole list, the sooner it gives up.
const AWSMarked = `(?m:^) *- userarn: .+ # pullgrant .+\n *  username: .+\n`

// inner is a pattern without its anchors and without groups of its own.
func inner(pattern string) string {
	pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "^"), "$")
	return strings.ReplaceAll(pattern, "(", "(?:")
}

// AWSFence limits what keeps aws-auth: whoever may write that list as he likes is an administrator
// of the cluster. So it can add one entry of its own form at the end, without groups, take one
// away, and change which request one is there for, each with every other byte as it was.
func AWSFence() (admissionv1.ValidatingAdmissionPolicy,
	admissionv1.ValidatingAdmissionPolicyBinding) {
	return fencePolicy(FenceAWS, []admissionv1.NamedRuleWithOperations{on("", "configmaps")},
			[]admissionv1.MatchCondition{{Name: "aws", Expression: "request.userInfo.username == " +
				"'system:serviceaccount:pullgrant-system:pullgrant-aws'"}}, awsVariables, awsRules),
		fenceBinding(FenceAWS)
}

// awsRights are what keeps aws-auth in step with the grants: it reads the agent's records of them,
// and writes that one ConfigMap. The agent reads it, to grant nothing to whom it does not let in.
func awsRights() []Object {
	auth := func(verbs ...string) rbacv1.PolicyRule {
		return named(allow("", "configmaps", verbs...), AWSAuth)
	}
	fence := func(resource string) rbacv1.PolicyRule {
		return named(allow("admissionregistration.k8s.io", resource, "get"), FenceAWS)
	}
	return slices.Concat(
		rightsEverywhere(AWS, AWSRights, []rbacv1.PolicyRule{fence("validatingadmissionpolicies"),
			fence("validatingadmissionpolicybindings")}),
		localRights(requests.AgentNamespace, AWS, AWSRights, allow("", "configmaps",
			"list", "watch")),
		localRights(AWSAuthNamespace, AWS, AWSRights, auth("get", "update")),
		rightsIn(AWSAuthNamespace, auth("get")))
}

// raw is a literal of CEL in which nothing is escaped, so that a regular expression reads as one.
func raw(pattern string) string { return "r'''" + pattern + "'''" }

// nothing are lines that say nothing in YAML, and last a last one that does not end.
const (
	nothing = `(?:[ \t\r]*(?:#[^\n]*)?\n)*`
	last    = `[ \t\r]*(?:#[^\n]*)?$`
)

// awsVariables are what the rules speak of. A list that is not there is as good as an empty one.
var awsVariables = []admissionv1.Variable{
	{Name: "old", Expression: "dyn(oldObject)"},
	{Name: "new", Expression: "dyn(object)"},
	{Name: "data", Expression: "variables.new.?data.orValue({})"},
	{Name: "was", Expression: "variables.old.?data.orValue({})"},
	{Name: "before", Expression: "variables.was[?'mapUsers'].orValue('')"},
	{Name: "after", Expression: "variables.data[?'mapUsers'].orValue('')"},
	{Name: "had", Expression: "variables.before.findAll(" + raw(AWSMarked) + ")"},
	{Name: "has", Expression: "variables.after.findAll(" + raw(AWSMarked) + ")"},
	{Name: "gone", Expression: "variables.had.filter(e, !(e in variables.has))"},
	{Name: "come", Expression: "variables.has.filter(e, !(e in variables.had))"},
	{Name: "rest", Expression: "variables.after.startsWith(variables.before) ? " +
		"variables.after.substring(variables.before.size()) : ''"},
	// On lines of its own, or it would change the last one.
	{Name: "added", Expression: "variables.before == '' || variables.before.endsWith('\\n') ? " +
		"variables.rest : variables.rest.startsWith('\\n') ? variables.rest.substring(1) : ''"},
	{Name: "first", Expression: "variables.before.find(" + raw(`(?m:^) *-[ \r\n]`) + ")"},
	{Name: "arn", Expression: "variables.added.find('arn:[^ ]+').lowerAscii()" +
		".replace('.', '[.]').replace('+', '[+]')"},
	// Deeper or less deep than the other entries it would be part of one, or spoil the list for
	// everybody. So it would after a list in flow style, which has no first.
	{Name: "adds", Expression: all("variables.added.matches("+raw("^"+AWSEntry+"$")+")",
		"(variables.first != '' || variables.before.matches("+
			raw("^"+nothing+`(?:---[ \t\r]*\n)?`+nothing+last)+"))",
		"variables.added.find('^ *') == variables.first.find('^ *')",
		"variables.added.find('\\n *').size() == variables.added.find('^ *').size() + 3",
		fmt.Sprintf("variables.before.size() <= %d && variables.had.size() < %d", AWSMostBytes,
			AWSMostEntries),
		"!variables.before.lowerAscii().matches(variables.arn + '([^a-z0-9+=,.@_/-]|$)')")},
	// A whole entry only: what is left of one would be part of the one before. One that stands twice
	// is not gone.
	{Name: "removes", Expression: "(variables.gone.size() > 0 ? variables.gone : " +
		"variables.had).exists(e, " + all(
		"variables.before.size() == variables.after.size() + e.size()",
		"e.matches("+raw("^"+AWSEntry+"$")+")", "variables.before.replace(e, '', 1) == variables.after",
		"(variables.before.startsWith(e) || "+
			"variables.before.indexOf('\\n' + e) + 1 == variables.before.indexOf(e))",
		"variables.before.substring(variables.before.indexOf(e) + e.size()).matches("+
			raw("^"+nothing+"(?:"+last+"|")+" + e.find('^ *') + "+raw(`-[ \r\n])`)+")") + ")"},
	{Name: "marks", Expression: all("variables.gone.size() == 1", "variables.come.size() == 1",
		"(variables.gone + variables.come).all(e, e.matches("+raw("^"+AWSEntry+"$")+"))",
		"variables.gone[0].replace(variables.gone[0].find(' # [^\\n]*'), '', 1) == "+
			"variables.come[0].replace(variables.come[0].find(' # [^\\n]*'), '', 1)",
		"variables.before.replace(variables.gone[0], variables.come[0], 1) == variables.after")},
}

// awsRules are what it may do, told in this order.
var awsRules = []rule{{
	must: all("request.operation == 'UPDATE'", "request.namespace == 'kube-system'",
		"request.name == 'aws-auth'"),
	message: "it may only update kube-system/aws-auth",
}, {
	when: "request.operation == 'UPDATE'",
	must: all("variables.new.metadata.?labels == variables.old.metadata.?labels",
		"variables.new.metadata.?annotations == variables.old.metadata.?annotations",
		"variables.new.metadata.?ownerReferences == variables.old.metadata.?ownerReferences",
		"variables.new.metadata.?finalizers == variables.old.metadata.?finalizers",
		"variables.new.?immutable == variables.old.?immutable",
		"variables.new.?binaryData == variables.old.?binaryData",
		"variables.data.all(k, k == 'mapUsers' || k in variables.was && "+
			"variables.data[k] == variables.was[k])",
		"variables.was.all(k, k in variables.data)"),
	message: "it may change nothing of aws-auth but mapUsers",
}, {
	when: "request.operation == 'UPDATE'",
	must: "variables.after == variables.before || variables.adds || variables.removes || " +
		"variables.marks",
	message: "it may add one entry of its own to mapUsers, at the end and without groups, for an " +
		"ARN that is not there, take one of its own away, or change the request of one",
}}
