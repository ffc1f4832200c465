package render

import admissionv1 "k8s.io/api/admissionregistration/v1"

var expirerOnly = []admissionv1.MatchCondition{
	{Name: "expirer", Expression: "request.userInfo.username == " +
		"'system:serviceaccount:pullgrant-system:pullgrant-expirer'"},
}

var expirerVariables = []admissionv1.Variable{
	{Name: "object", Expression: "dyn(oldObject)"}, // of a deletion; nothing else comes this far
	{Name: "managed", Expression: carriesLabel("variables.object")},
	{Name: "reserved", Expression: isReserved("variables.object")},
	{Name: "propagation", Expression: propagation},
}

// expirerRules are what the expirer may do: RBAC lets it delete, and cannot say of which objects
// and how. In the background, for anything else leaves what is deleted there until somebody takes
// a finalizer off, or leaves what it owns for ever.
var expirerRules = []rule{{
	must:    "request.operation == 'DELETE'",
	message: "the expirer may neither create nor change objects; it deletes them",
}, expiresOnly(), {
	when:    "request.operation == 'DELETE'",
	must:    "variables.managed || variables.reserved",
	message: "the expirer may delete only what is managed",
}, {
	when: "request.operation == 'DELETE'",
	must: "variables.propagation == 'Background' || " +
		"variables.propagation == '' && request.resource.resource != 'jobs'", // which orphan then
	message: "the expirer may delete in the background only",
}}

func expiresOnly() rule {
	list, words := names()
	return rule{when: "request.operation == 'DELETE'", must: "request.resource.resource in " + list,
		message: "the expirer may delete " + words + " only"}
}
