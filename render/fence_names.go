package render

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// namesVariables are about a change of a Role. The agent keeps the names of what matches current, in
// the rules that have the name requests.Placeholder.
var namesVariables = []admissionv1.Variable{
	{Name: "keeps", Expression: "request.operation == 'UPDATE' && " +
		"request.resource.resource == 'roles'"},
	{Name: "shape", Expression: "variables.keeps ? " + shape("object") + " : []"},
	{Name: "oldShape", Expression: "variables.keeps ? " + shape("oldObject") + " : []"},
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

// namesRules are what the agent may change of a Role.
var namesRules = []rule{{
	when:    "variables.keeps",
	must:    "variables.managed && variables.reserved && !variables.home",
	message: "the agent may change only the Roles that it made for what matches",
}, {
	when: "variables.keeps",
	must: all("variables.narrow", "variables.shape == variables.oldShape", keepsMeta),
	message: fmt.Sprintf("of a Role the agent may change nothing but names, up to %d, in rules that "+
		"have the name -", requests.MaxNames),
}}
