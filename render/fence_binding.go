package render

// roleBindingRules are what must hold of a RoleBinding that the agent creates.
var roleBindingRules = []rule{
	{
		when: "variables.binding",
		must: "variables.subjects.size() == 1 && variables.subjects.all(s, " + isPerson +
			" || !variables.home && " + isIdentity + ")",
		message: "a binding must have one subject, a User of 1 to 253 printable characters that " +
			"is not under system:, or outside pullgrant-grants its grant's own identity",
	}, {
		when: "variables.binding",
		must: "variables.object.roleRef.kind == 'Role' ? variables.object.roleRef.name == " +
			"variables.object.metadata.name : !variables.home && (" + isGiven + ")",
		message: "a binding must give a ClusterRole that is neither system:*, pullgrant-* nor " +
			"pullgrant:*, or the Role of its own name; in pullgrant-grants only that",
	}, {
		// RBAC does not ask for the verb when the role is empty, or when its rules are held anyway.
		when:    "variables.binding && variables.object.roleRef.kind == 'ClusterRole'",
		must:    mayBind,
		message: MayNotBind,
	}, {
		when: "variables.binding",
		must: "variables.backstop == 'none' && !variables.home && " +
			"variables.object.roleRef.kind == 'ClusterRole' ? variables.owners.size() == 0 : " +
			ownedByJob,
		message: "a binding must be owned by its Job pullgrant-* alone, without controller and " +
			"blockOwnerDeletion; one of a ClusterRole with the annotation " +
			"pullgrant.dev/backstop=none, by nothing",
	},
}

// clusterRoleBindingRules are what must hold of a ClusterRoleBinding that the agent creates. No
// object of a namespace can own one.
var clusterRoleBindingRules = []rule{
	{
		when: "variables.wide",
		must: "variables.subjects.size() == 1 && variables.subjects.all(s, " + isIdentity + ")",
		message: "a ClusterRoleBinding must have one subject, the identity of its grant in " +
			"pullgrant-grants",
	}, {
		when: "variables.wide",
		must: "variables.object.roleRef.kind == 'ClusterRole' && (" + isOwn + " || " +
			isGiven + ")",
		message: "a ClusterRoleBinding must give a ClusterRole that is neither system:*, " +
			"pullgrant-* " +
			"nor pullgrant:*, or the one of its own name",
	}, {
		when: "variables.wide", must: isOwn + " || " + mayBind, message: MayNotBind,
	}, {
		when: "variables.wide", must: "variables.owners.size() == 0",
		message: "nothing may own a ClusterRoleBinding of the agent",
	},
}

const (
	isPerson = "s.kind == 'User' && s.name.matches('^[!-~]{1,253}$') && " +
		"!s.name.startsWith('system:')"
	// isIdentity holds of the name that the grant's first object has too. A counter after a dot
	// tells the others apart, and no name of a request has a dot.
	isIdentity = "s.kind == 'ServiceAccount' && s.?namespace.orValue('') == 'pullgrant-grants' && " +
		"(variables.object.metadata.name + '.').startsWith(s.name + '.')"
	isGiven = "!variables.object.roleRef.name.startsWith('system:') && " +
		"!variables.object.roleRef.name.matches('^pullgrant[-:]')"
	isOwn   = "variables.object.roleRef.name == variables.object.metadata.name"
	mayBind = "authorizer.group('rbac.authorization.k8s.io').resource('clusterroles')." +
		"namespace(variables.place).name(variables.object.roleRef.name).check('bind').allowed()"
	ownedByJob = "variables.owners.size() == 1 && variables.owners.all(o, " +
		"o.apiVersion == 'batch/v1' && o.kind == 'Job' && o.name.startsWith('pullgrant-') &&" +
		" !o.?controller.orValue(false) && !o.?blockOwnerDeletion.orValue(false))"
)

// MayNotBind is what the fence says where the agent lacks a right to a ClusterRole, and MayNotWrite
// where it lacks one to a rule of a Role.
const (
	MayNotBind = "the agent may not bind this ClusterRole in this namespace; run pullgrant " +
		"install when the policies have changed"
	MayNotWrite = "the agent may not write one of these rules in this namespace; run pullgrant " +
		"install when the policies or the catalogue have changed"
)
