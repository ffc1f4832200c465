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

// agentVariables are what the rules speak of.
var agentVariables = slices.Concat([]admissionv1.Variable{
	{Name: "object", Expression: "dyn(request.operation == 'DELETE' ? oldObject : object)"},
	{Name: "managed", Expression: carriesLabel("variables.object")},
	{Name: "reserved", Expression: isReserved("variables.object")},
	{Name: "place", Expression: "request.?namespace.orValue('')"}, // empty: the whole cluster
	{Name: "home", Expression: "variables.place == 'pullgrant-grants'"},
}, createdVariables(), []admissionv1.Variable{
	{Name: "job", Expression: creates("jobs")},
	{Name: "subjects", Expression: "variables.object.?subjects.orValue([])"},
	{Name: "owners", Expression: "variables.object.metadata.?ownerReferences.orValue([])"},
	{Name: "grantedAt", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/granted-at'].orValue('')"},
	{Name: "expiresAt", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/expires-at'].orValue('')"},
	{Name: "backstop", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/backstop'].orValue('')"},
	{Name: "propagation", Expression: propagation},
}, namesVariables, roleVariables())

func creates(resource string) string {
	return "request.operation == 'CREATE' && request.resource.resource == '" + resource + "'"
}

func createdVariables() (variables []admissionv1.Variable) {
	for _, w := range written {
		variables = append(variables, admissionv1.Variable{Name: w.created,
			Expression: creates(w.resource)})
	}
	return variables
}

// creation is that of anything the agent may create.
var creation = func() string {
	var each []string
	for _, w := range written {
		each = append(each, "variables."+w.created)
	}
	return strings.Join(append(each, "variables.job"), " || ")
}()

// writesOnly is the first rule: what is none of the agent's resources needs no other.
func writesOnly() rule {
	list, words := names()
	return rule{must: "request.resource.resource in " + list, message: "the agent may write " +
		words + " only"}
}

func writtenRules() (rules []rule) {
	for _, w := range written {
		rules = append(rules, w.fence...)
	}
	return rules
}

// agentRules are what the agent may do, told in this order.
var agentRules = slices.Concat([]rule{writesOnly()}, commonRules, writtenRules(), namesRules,
	jobRules)

// commonRules hold for whatever the agent writes. A deletion is only asked whether it is the
// agent's to delete: one that is refused would be a revocation that fails. So it may also delete
// what has lost its label and is known by its name.
var commonRules = []rule{{
	must:    "request.operation != 'UPDATE' || variables.keeps",
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
	must:    "!variables.place.startsWith('kube-') && variables.place != 'pullgrant-system'",
	message: "the agent may not grant in kube-* or pullgrant-system",
}, {
	when: creation,
	must: all("[variables.grantedAt, variables.expiresAt].all(t, "+
		"t.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$'))",
		"timestamp(variables.grantedAt) < timestamp(variables.expiresAt)"),
	message: "pullgrant.dev/granted-at and pullgrant.dev/expires-at must be times such as " +
		"2026-11-23T08:00:00Z, the first before the second",
}, {
	// Another label could spread a Role to those who have another: Kubernetes gathers rules by
	// them.
	when: creation,
	must: "variables.object.metadata.?labels.orValue({}).all(l, " +
		"l == 'app.kubernetes.io/managed-by' || l.startsWith('pullgrant.dev/'))",
	message: "what the agent creates may have no labels but app.kubernetes.io/managed-by and " +
		"pullgrant.dev/*",
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
