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
		{Name: "keeps", Expression: "request.operation == 'UPDATE' && " +
			"request.resource.resource == 'roles'"},
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
	for _, of := range []string{"oldObject", "object"} {
		variables = append(variables, admissionv1.Variable{Name: of + "Shape",
			Expression: "variables.keeps ? " + shape(of) + " : []"})
	}
	for n := range requests.MaxRules {
		variables = append(variables, admissionv1.Variable{Name: fmt.Sprintf("may%d", n),
			Expression: fmt.Sprintf("variables.keys.size() <= %d || authorizer.group('%s')."+
				"resource('%s').namespace(variables.place).name(variables.keys[%d])."+
				"check('generate').allowed()", n, GeneratedGroup, GeneratedRules, n)})
	}
	return variables
}

// shape is all of the rules of an object but the names of those that have the placeholder. Those
// alone are kept current.
func shape(object string) string {
	rules := "dyn(" + object + ").?rules.orValue(null)"
	return "(" + rules + " == null ? [] : " + rules + ").map(r, [r.?apiGroups.orValue([]), " +
		"r.?resources.orValue([]), r.?verbs.orValue([]), r.?nonResourceURLs.orValue([]),\n" +
		"  '-' in r.?resourceNames.orValue([]) ? ['-'] : r.?resourceNames.orValue([])])"
}

// keepsMeta is that a change leaves all that decides over the end of a Role, and who has it.
var keepsMeta = func() string {
	var same []string
	for _, field := range []string{"labels", "annotations", "ownerReferences", "finalizers"} {
		same = append(same, fmt.Sprintf("dyn(object).metadata.?%s == dyn(oldObject).metadata.?%[1]s",
			field))
	}
	return all(same...)
}()

// roleRules are what must hold of a Role that the agent creates, or whose names it changes.
var roleRules = []rule{
	{
		when:    "variables.keeps",
		must:    "variables.managed && variables.reserved && !variables.home",
		message: "the agent may change only the Roles that it made for what matches",
	}, {
		when: "variables.keeps",
		must: all("variables.narrow", "variables.objectShape == variables.oldObjectShape",
			keepsMeta),
		message: fmt.Sprintf("of a Role the agent may change nothing but names, up to %d, in "+
			"rules that "+
			"have the name -", requests.MaxNames),
	},
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

// clusterRoleRules are what must hold of a ClusterRole that the agent creates. RBAC lets it write no
// rule that it does not hold itself.
var clusterRoleRules = []rule{
	{when: "variables.wideRole", must: "variables.narrow", message: roleRules[0].message},
	{when: "variables.wideRole", must: mayAll(), message: MayNotWrite},
	{
		when: "variables.wideRole", must: "variables.owners.size() == 0 && !has(variables.object.aggregationRule)",
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
