package render

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// roleVariables take the rules of a Role apart: one resource, its verbs and some names each. A key
// is a rule but for its names, and the name of a right that says that the agent may write it.
// The server allows two questions to the authorizer in one expression, and 28 in a policy, so each
// key has a variable of its own.
func roleVariables() []admissionv1.Variable {
	variables := []admissionv1.Variable{
		{Name: "rules", Expression: "(variables.role || variables.wideRole || variables.keeps) && " +
			"variables.object.?rules.orValue(null) != null ? variables.object.rules : []"},
		{Name: "narrow", Expression: fmt.Sprintf(
			"variables.rules.size() > 0 && variables.rules.size() <= %d && variables.rules.all(r,\n"+
				"  r.?apiGroups.orValue([]).size() == 1 && "+
				"r.apiGroups[0].matches('^[a-z0-9.-]*$') &&\n"+
				"  r.?resources.orValue([]).size() == 1 && "+
				"r.resources[0].matches('^[a-z0-9-]+(/[a-z]+)?$') &&\n"+
				"  r.verbs.size() > 0 && r.verbs.all(v, v.matches('^[a-z]+$')) &&\n"+
				"  r.?resourceNames.orValue([]).size() > 0 && "+
				"r.resourceNames.size() <= ('-' in r.resourceNames ? %d : %d) &&\n"+
				"  r.resourceNames.all(n, n != '') && r.?nonResourceURLs.orValue([]).size() == 0)",
			requests.MaxRules, requests.MaxNames+1, requests.MaxNames)},
		{Name: "keys", Expression: "variables.narrow ? variables.rules.map(r, (r.apiGroups[0] == '' ? " +
			"r.resources[0] : r.resources[0] + '.' + r.apiGroups[0]) + ':' + r.verbs.join(',')) : []"},
	}
	for n := range requests.MaxRules {
		variables = append(variables, admissionv1.Variable{Name: fmt.Sprintf("may%d", n),
			Expression: fmt.Sprintf("variables.keys.size() <= %d || authorizer.group('%s')."+
				"resource('%s').namespace(variables.place).name(variables.keys[%d])."+
				"check('generate').allowed()", n, GeneratedGroup, GeneratedRules, n)})
	}
	return variables
}

// roleRules are what must hold of a Role that the agent creates.
var roleRules = []rule{
	{
		when: "variables.role",
		must: "variables.narrow",
		message: fmt.Sprintf("a Role must have 1 to %d rules, each of one resource without "+
			"wildcards, with verbs and 1 to %d names, none of them empty", requests.MaxRules,
			requests.MaxNames),
	}, {
		when: "variables.role && variables.home",
		must: "variables.keys == ['serviceaccounts:impersonate'] && " +
			"variables.rules.all(r, r.resourceNames == [variables.object.metadata.name])",
		message: "a Role in pullgrant-grants must be the right to impersonate the identity of " +
			"its own name",
	}, {
		when: "variables.role && !variables.home", must: mayAll(), message: MayNotWrite,
	}, {
		when: "variables.role", must: ownedByJob,
		message: "a Role must be owned by its Job pullgrant-* alone, without controller and " +
			"blockOwnerDeletion",
	},
}

// clusterRoleRules are what must hold of a ClusterRole that the agent creates. RBAC lets it write
// no rule that it does not hold itself.
var clusterRoleRules = []rule{
	{when: "variables.wideRole", must: "variables.narrow", message: roleRules[0].message},
	{when: "variables.wideRole", must: mayAll(), message: MayNotWrite},
	{
		when: "variables.wideRole", must: "variables.owners.size() == 0 && " +
			"!has(variables.object.aggregationRule)",
		message: "a ClusterRole of the agent must have no owner and gather no rules",
	},
}

func mayAll() string {
	var each []string
	for n := range requests.MaxRules {
		each = append(each, fmt.Sprintf("variables.may%d", n))
	}
	return strings.Join(each, " && ")
}
