package render

import admissionv1 "k8s.io/api/admissionregistration/v1"

var agentOnly = []admissionv1.MatchCondition{
	{Name: "agent", Expression: "request.userInfo.username == 'system:serviceaccount:pullgrant-system:pullgrant-agent'"},
}

var agentVariables = []admissionv1.Variable{
	{Name: "object", Expression: "dyn(request.operation == 'DELETE' ? oldObject : object)"},
	{Name: "managed", Expression: carriesLabel("variables.object")},
	{Name: "reserved", Expression: isReserved("variables.object")},
	{Name: "binding", Expression: "request.operation == 'CREATE' && request.resource.resource == 'rolebindings'"},
	{Name: "job", Expression: "request.operation == 'CREATE' && request.resource.resource == 'jobs'"},
	{Name: "subjects", Expression: "variables.object.?subjects.orValue([])"},
	{Name: "owners", Expression: "variables.object.metadata.?ownerReferences.orValue([])"},
	{Name: "grantedAt", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/granted-at'].orValue('')"},
	{Name: "expiresAt", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/expires-at'].orValue('')"},
	{Name: "backstop", Expression: "variables.object.metadata.?annotations[?'pullgrant.dev/backstop'].orValue('')"},
	{Name: "propagation", Expression: propagation},
}

const creation = "variables.binding || variables.job"

// agentRules are what the agent may do. A deletion is only asked whether it is the agent's to delete: one that is refused
// would be a revocation that fails. So it may also delete what has lost its label and is known by its name.
var agentRules = []rule{
	{
		must:    "request.resource.resource in ['rolebindings', 'jobs']",
		message: "the agent may write RoleBindings and Jobs only",
	}, {
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
		when:    creation,
		must:    "variables.managed && variables.reserved",
		message: "what the agent creates must be labelled app.kubernetes.io/managed-by=pullgrant and named pullgrant-*",
	}, {
		when:    creation,
		must:    "!request.namespace.startsWith('kube-') && request.namespace != 'pullgrant-system'",
		message: "the agent may not grant in kube-* or pullgrant-system",
	}, {
		when: creation,
		must: all("[variables.grantedAt, variables.expiresAt].all(t, t.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$'))",
			"timestamp(variables.grantedAt) < timestamp(variables.expiresAt)"),
		message: "pullgrant.dev/granted-at and pullgrant.dev/expires-at must be times such as 2026-11-23T08:00:00Z, the first before the second",
	}, {
		when:    creation,
		must:    "!has(variables.object.metadata.finalizers)",
		message: "what the agent creates may have no finalizers",
	}, {
		when: "variables.binding",
		must: all("variables.subjects.size() == 1",
			"variables.subjects.all(s, s.kind == 'User' && s.name.matches('^[!-~]{1,253}$') && !s.name.startsWith('system:'))"),
		message: "a binding must have one subject, a User of 1 to 253 printable characters that is not under system:",
	}, {
		when: "variables.binding",
		must: all("variables.object.roleRef.kind == 'ClusterRole'",
			"!variables.object.roleRef.name.startsWith('system:')",
			"!variables.object.roleRef.name.startsWith('pullgrant-')"),
		message: "a binding must give a ClusterRole that is neither system:* nor pullgrant-*",
	}, {
		// RBAC does not ask for the verb when the role is empty, or when its rules are held anyway.
		when: "variables.binding",
		must: "authorizer.group('rbac.authorization.k8s.io').resource('clusterroles').namespace(request.namespace)" +
			".name(variables.object.roleRef.name).check('bind').allowed()",
		message: "the agent may not bind this ClusterRole in this namespace; run pullgrant install when the policies have changed",
	}, {
		when: "variables.binding",
		must: "variables.backstop == 'none' ? variables.owners.size() == 0 : " + all("variables.owners.size() == 1",
			"variables.owners.all(o, o.apiVersion == 'batch/v1' && o.kind == 'Job' && o.name.startsWith('pullgrant-') &&"+
				" !o.?controller.orValue(false) && !o.?blockOwnerDeletion.orValue(false))"),
		message: "a binding must be owned by its Job pullgrant-* alone, without controller and blockOwnerDeletion; " +
			"with the annotation pullgrant.dev/backstop=none, by nothing",
	}, {
		when:    "variables.job",
		must:    "variables.owners.size() == 0",
		message: "nothing may own a Job of the agent",
	}, {
		// Anything that would run pods, take over those of others, or keep the Job from ending at once.
		when: "variables.job",
		must: all("variables.object.spec.?completions.orValue(1) == 0", "variables.object.spec.?parallelism.orValue(1) == 0",
			"!variables.object.spec.?suspend.orValue(false)",
			"!variables.object.spec.?manualSelector.orValue(false)",
			"variables.object.spec.?completionMode.orValue('NonIndexed') == 'NonIndexed'",
			"variables.object.spec.?managedBy.orValue('kubernetes.io/job-controller') == 'kubernetes.io/job-controller'"),
		message: "a Job of the agent must have completions and parallelism 0 and be left to Kubernetes: " +
			"not suspended, no selector of its own, not Indexed, no managedBy",
	}, {
		when: "variables.job",
		must: all("has(variables.object.spec.ttlSecondsAfterFinished)",
			"variables.object.spec.ttlSecondsAfterFinished <= (timestamp(variables.expiresAt) - timestamp(variables.grantedAt)).getSeconds() + 300"),
		message: "ttlSecondsAfterFinished of a Job must be set, to at most its window and 300 seconds",
	},
}
