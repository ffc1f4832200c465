package render

import (
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

var agentOnly = []admissionv1.MatchCondition{
	{Name: "agent", Expression: "request.userInfo.username == " +
		"'system:serviceaccount:pullgrant-system:pullgrant-agent'"},
}

// agentVariables are what the rules speak of; those of the kinds, which say what is created, stand
// in the middle.
var agentVariables = slices.Concat([]admissionv1.Variable{
	{Name: "object", Expression: "dyn(request.operation == 'DELETE' ? oldObject : object)"},
	{Name: "managed", Expression: carriesLabel("variables.object")},
	{Name: "reserved", Expression: isReserved("variables.object")},
}, kindVariables(), []admissionv1.Variable{
	{Name: "job", Expression: "request.operation == 'CREATE' && request.resource.resource == 'jobs'"},
	{Name: "subjects", Expression: "variables.object.?subjects.orValue([])"},
	{Name: "owners", Expression: "variables.object.metadata.?ownerReferences.orValue([])"},
	{Name: "grantedAt", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/granted-at'].orValue('')"},
	{Name: "expiresAt", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/expires-at'].orValue('')"},
	{Name: "backstop", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/backstop'].orValue('')"},
	{Name: "propagation", Expression: propagation},
})

func kindVariables() (variables []admissionv1.Variable) {
	for _, k := range kinds {
		variables = append(variables, admissionv1.Variable{Name: k.created, Expression: k.when})
	}
	return variables
}

// creation is that of anything the agent may create.
var creation = func() string {
	var each []string
	for _, k := range kinds {
		each = append(each, "variables."+k.created)
	}
	return strings.Join(append(each, "variables.job"), " || ")
}()

// writesOnly is the first rule: what is none of the agent's resources needs no other.
func writesOnly() rule {
	list, words := written()
	return rule{must: "request.resource.resource in " + list, message: "the agent may write " +
		words + " only"}
}

func kindRules() (rules []rule) {
	for _, k := range kinds {
		rules = append(rules, k.fence...)
	}
	return rules
}

// written are the resources that the agent may write, as CEL and as people name them.
func written() (list, words string) {
	var resources, plurals []string
	for _, k := range kinds {
		resources, plurals = append(resources, "'"+k.resource+"'"), append(plurals, k.plural)
	}
	return "[" + strings.Join(append(resources, "'jobs'"), ", ") + "]", strings.Join(plurals,
		", ") + " and Jobs"
}

// agentRules are what the agent may do, told in this order.
var agentRules = slices.Concat([]rule{writesOnly()}, commonRules, kindRules(), jobRules)

// commonRules hold for whatever the agent writes. A deletion is only asked whether it is the
// agent's to delete: one that is refused would be a revocation that fails. So it may also delete
// what has lost its label and is known by its name.
var commonRules = []rule{{
	must:    "request.operation != 'UPDATE'",
	message: "the agent may not change objects; it deletes and creates them",
}, {
	when:    "request.operation == 'DELETE'",
	must:    "variables.managed || variables.reserved",
	message: "the agent may delete only what it manages",
}, {
	when:    "request.operation == 'DELETE' && request.resource.resource == 'jobs'",
	must:    deletesAlong,
	message: mustDeleteAlong,
}, {
	when: creation,
	must: "variables.managed && variables.reserved",
	message: "what the agent creates must be labelled app.kubernetes.io/managed-by=pullgrant " +
		"and named pullgrant-*",
}, {
	when:    creation,
	must:    "!request.namespace.startsWith('kube-') && request.namespace != 'pullgrant-system'",
	message: "the agent may not grant in kube-* or pullgrant-system",
}, {
	when: creation,
	must: all("[variables.grantedAt, variables.expiresAt].all(t, "+
		"t.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$'))",
		"timestamp(variables.grantedAt) < timestamp(variables.expiresAt)"),
	message: "pullgrant.dev/granted-at and pullgrant.dev/expires-at must be times such as " +
		"2026-11-23T08:00:00Z, the first before the second",
}, {
	when:    creation,
	must:    "!has(variables.object.metadata.finalizers)",
	message: "what the agent creates may have no finalizers",
}}

// jobRules are what must hold of a backstop, of whatever kind of grant.
var jobRules = []rule{
	{
		when:    "variables.job",
		must:    "variables.owners.size() == 0",
		message: "nothing may own a Job of the agent",
	}, {
		// Anything that would run pods, take over those of others, or keep the Job from ending at
		// once.
		when: "variables.job",
		must: all("variables.object.spec.?completions.orValue(1) == 0",
			"variables.object.spec.?parallelism.orValue(1) == 0",
			"!variables.object.spec.?suspend.orValue(false)",
			"!variables.object.spec.?manualSelector.orValue(false)",
			"variables.object.spec.?completionMode.orValue('NonIndexed') == 'NonIndexed'",
			"variables.object.spec.?managedBy.orValue('kubernetes.io/job-controller') == "+
				"'kubernetes.io/job-controller'"),
		message: "a Job of the agent must have completions and parallelism 0 and be left to " +
			"Kubernetes: " +
			"not suspended, no selector of its own, not Indexed, no managedBy",
	}, {
		when: "variables.job",
		must: all("has(variables.object.spec.ttlSecondsAfterFinished)",
			"variables.object.spec.ttlSecondsAfterFinished <= (timestamp(variables.expiresAt) - "+
				"timestamp(variables.grantedAt)).getSeconds() + 300"),
		message: "ttlSecondsAfterFinished of a Job must be set, to at most its window and 300 seconds",
	},
}
