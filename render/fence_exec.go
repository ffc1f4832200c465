package render

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// LabelExec is on a namespace in which nobody runs a command without a grant for it, but for those
// whom ExecAny is bound to.
const (
	LabelExec  = "pullgrant.dev/exec"
	ExecStrict = "strict"
)

// ExecAny is the ClusterRole with which somebody runs what they like in such namespaces as well. It
// is bound to nobody; cluster-admin has it anyway.
const ExecAny = "pullgrant:exec-any"

// ExecAnnotation is, in the API server's audit log, the annotation of a call that the policy
// pullgrant-exec judged, whatever came of it: verb, namespace/ and the command as the name of a
// resource (requests.Exec.Name).
const (
	ExecAnnotation    = FenceExec + "/" + execAnnotationKey
	execAnnotationKey = "exec"
)

// execResources are all by which something new comes to run in a container that is there. What is
// forwarded to a port is not among them: the request does not name the port.
var execResources = []admissionv1.NamedRuleWithOperations{
	onV1([]admissionv1.OperationType{admissionv1.Connect}, "pods/exec", "pods/attach"),
	onV1([]admissionv1.OperationType{admissionv1.Update}, "pods/ephemeralcontainers"),
}

func onV1(operations []admissionv1.OperationType,
	resources ...string) admissionv1.NamedRuleWithOperations {
	r := making("", resources...)
	r.Operations = operations
	return r
}

// execVariables spell what is asked for as the name that a Role of a grant has
// (requests.Exec.Name), in up to three ways: as it is, with the last part of the last argument left
// open, and with that of every argument. Nothing is left open of what leads out of its folder, of
// an option, or of the program. Each question to the authorizer has a variable of its own, which
// has a cost of its own.
func execVariables() []admissionv1.Variable {
	n := ""
	for i := range requests.MaxArguments {
		n += fmt.Sprintf("%d, ", i)
	}
	may := func(name string) string {
		return fmt.Sprintf("authorizer.group('%s').resource('%s').namespace(request.namespace)."+
			"name(%s).check(variables.verb).allowed()", requests.CommandsGroup,
			requests.CommandsResource, name)
	}
	return []admissionv1.Variable{
		{Name: "strict", Expression: "namespaceObject.metadata.?labels[?'pullgrant.dev/exec'].orValue('') == " +
			"'strict' ||\n" +
			"request.userInfo.username.startsWith('system:serviceaccount:pullgrant-grants:')"},
		{Name: "kind", Expression: "request.subResource"},
		{Name: "verb", Expression: "variables.kind != 'exec' ? variables.kind :\n" +
			"dyn(object).?tty.orValue(false) ? 'terminal' : dyn(object).?stdin.orValue(false) ? " +
			"'input' : 'run'"},
		{Name: "at", Expression: "request.name + '/' + (variables.kind == 'ephemeralcontainers' ? '' :\n" +
			`dyn(object).?container.orValue('').replace(' ', '\\ '))`},
		// A command that is missing is null.
		{Name: "argv", Expression: "(variables.kind == 'exec' && " +
			"dyn(object).?command.orValue(null) != null ?\n" +
			`dyn(object).command : []).map(a, a.replace('\\', '\\\\').replace(' ', '\\ ').replace('*', '\\*'))`},
		{Name: "globs", Expression: "variables.argv.map(a, " +
			"a.matches('^/?([^/]+/)+[^/[:cntrl:]]+$') &&\n" +
			"!a.matches('(^|/)[.][.]?$') && !a.startsWith('-') ? a.substring(0, " +
			"a.lastIndexOf('/')) + '/*' : a)"},
		{Name: "order", Expression: fmt.Sprintf("[%s].filter(i, i < variables.argv.size() && "+
			"variables.argv.size() <= %d)", n[:len(n)-2], requests.MaxArguments)},
		{Name: "exact", Expression: "([variables.at] + variables.argv).join(' ')"},
		{Name: "last", Expression: "([variables.at] + variables.order.map(i, i > 0 && " +
			"i == variables.argv.size() - 1 ?\nvariables.globs[i] : variables.argv[i])).join(' ')"},
		{Name: "every", Expression: "([variables.at] + variables.order.map(i, i > 0 ? " +
			"variables.globs[i] : " +
			"variables.argv[i])).join(' ')"},
		{Name: "mayExact", Expression: may("variables.exact")},
		{Name: "mayLast", Expression: "variables.order.size() > 1 && variables.last != " +
			"variables.exact && " +
			may("variables.last")},
		{Name: "mayEvery", Expression: "variables.order.size() > 1 && variables.every != " +
			"variables.exact && " +
			may("variables.every")},
		{Name: "mayAny", Expression: may("variables.at")},
	}
}

// execPolicy asks for the command's name among the rights of whoever runs it. It holds nothing of
// the grants, so a grant that ends, with its Role, ends the right at once and for good.
func execPolicy() admissionv1.ValidatingAdmissionPolicy {
	policy := fencePolicy(FenceExec, execResources, []admissionv1.MatchCondition{notMasters},
		execVariables(), []rule{{
			must: "!variables.strict || variables.mayExact || variables.mayLast || " +
				"variables.mayEvery || variables.mayAny",
			message: "no grant for this command",
		}})
	policy.Spec.Validations[0].MessageExpression = "'pullgrant: ' + request.userInfo.username + " +
		"' has no grant for ' + variables.verb + ' ' + request.namespace + '/' + variables.exact"
	policy.Spec.AuditAnnotations = []admissionv1.AuditAnnotation{{Key: execAnnotationKey,
		ValueExpression: "variables.verb + ' ' + request.namespace + '/' + variables.exact"}}
	return policy
}

// execAny lets administrators run what they like where a grant is needed otherwise.
func execAny() Object {
	return &rbacv1.ClusterRole{TypeMeta: typeMeta(rbacv1.SchemeGroupVersion, "ClusterRole"),
		ObjectMeta: objectMeta("", ExecAny),
		Rules:      []rbacv1.PolicyRule{allow(requests.CommandsGroup, "*", "*")}}
}
