package render

import admissionv1 "k8s.io/api/admissionregistration/v1"

// everyoneElse leaves out who has a policy of his own.
var everyoneElse = []admissionv1.MatchCondition{
	{Name: "not-the-agent", Expression: "request.userInfo.username != " +
		"'system:serviceaccount:pullgrant-system:pullgrant-agent'"},
	{Name: "not-the-expirer", Expression: "request.userInfo.username != " +
		"'system:serviceaccount:pullgrant-system:pullgrant-expirer'"},
	notMasters,
}

// The controllers have ServiceAccounts of their own, or share the user of the controller manager
// where it runs without
// --use-service-account-credentials.
var managedVariables = []admissionv1.Variable{
	{Name: "old", Expression: "dyn(oldObject)"},
	{Name: "new", Expression: "dyn(object)"},
	{Name: "was", Expression: "request.operation != 'CREATE' && " + carriesLabel("variables.old")},
	{Name: "becomes", Expression: "request.operation != 'DELETE' && " +
		carriesLabel("variables.new")},
	{Name: "reserved", Expression: isReserved("variables.new")},
	{Name: "collects", Expression: "request.userInfo.username in " +
		"['system:serviceaccount:kube-system:generic-garbage-collector', " +
		"'system:kube-controller-manager']"},
	{Name: "completes", Expression: "request.userInfo.username in " +
		"['system:serviceaccount:kube-system:job-controller', 'system:kube-controller-manager']"},
	{Name: "keeps", Expression: all( // but for the status, and finalizers that go
		"variables.new.metadata.?finalizers.orValue([]).all(f, f in "+
			"variables.old.metadata.?finalizers.orValue([]))",
		"variables.new.metadata.?labels == variables.old.metadata.?labels",
		"variables.new.metadata.?annotations == variables.old.metadata.?annotations",
		"variables.new.metadata.?ownerReferences == variables.old.metadata.?ownerReferences",
		"variables.new.?spec == variables.old.?spec",
		"variables.new.?subjects == variables.old.?subjects",
		"variables.new.?roleRef == variables.old.?roleRef",
		"variables.new.?rules == variables.old.?rules",
		"variables.new.?aggregationRule == variables.old.?aggregationRule")},
	{Name: "propagation", Expression: propagation},
}

// managedRules are what everyone else may do to what the agent made: delete it, which ends access
// early. What the controllers do to end it must pass: the TTL controller deletes Jobs, the garbage
// collector deletes bindings and takes finalizers off, the namespace controller deletes both, and
// the Job controller writes the status that starts the TTL.
var managedRules = []rule{
	{
		when:    "request.operation == 'CREATE'",
		must:    "!variables.becomes",
		message: "only the agent makes managed objects; ask for access through a pull request",
	}, {
		when:    "request.operation == 'CREATE'",
		must:    "!variables.reserved",
		message: "names that start with pullgrant- are the agent's; choose another",
	}, {
		when: "request.operation == 'UPDATE' && !variables.was",
		must: "!variables.becomes",
		message: "only the agent makes managed objects; leave the label " +
			"app.kubernetes.io/managed-by=pullgrant out",
	}, {
		when: "request.operation == 'UPDATE' && variables.was",
		must: "variables.keeps && (request.?subResource.orValue('') == 'status' ? " +
			"variables.completes : variables.collects)",
		message: "this object is managed; change it through a pull request, or delete it to end the access",
	}, {
		when:    "request.operation == 'DELETE' && variables.was && request.resource.resource == 'jobs'",
		must:    deletesAlong,
		message: mustDeleteAlong,
	}, {
		// Anything else leaves a finalizer on the binding, which then gives access until somebody
		// takes it off. That holds for the garbage collector too: it tries in the foreground only
		// while the Job is going, and comes back.
		when: "request.operation == 'DELETE' && variables.was && request.resource.resource != 'jobs'",
		must: "variables.propagation in ['', 'Background']",
		message: "what is managed must go at once; use --cascade=background, or " +
			"propagationPolicy Background",
	},
}
