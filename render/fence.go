package render

import (
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Names of the admission policies of the fence, each with a binding of the same name.
const (
	FenceAgent   = "pullgrant-agent"   // what the agent may do
	FenceExpirer = "pullgrant-expirer" // what the expirer may do
	FenceManaged = "pullgrant-managed" // what everyone else may do to what the agent made
	FenceExec    = "pullgrant-exec"    // which commands may run where grants for commands count
	FenceHome    = "pullgrant-home"    // what there may be where identities of grants have their names
)

// fenceNames are those of all of the fence.
var fenceNames = []string{FenceAgent, FenceExpirer, FenceManaged, FenceHome, FenceExec}

// FencePolicies are the policies by which the API server itself limits the agent and the expirer
// and guards what the agent made. They hold nothing of the access repository's policies: which role
// may be bound where is RBAC's, so they change with the program only, and a live policy can be
// compared with these. Every field that the API server would fill in is filled in.
//
// RBAC alone has gaps. It lets anybody bind a role without rules, or one whose rules he holds
// already, limits neither subjects nor names, and cannot tell one object of a namespace from
// another. docs/decisions/0012-fence.md says why the fence has this shape.
func FencePolicies() []admissionv1.ValidatingAdmissionPolicy {
	return []admissionv1.ValidatingAdmissionPolicy{
		fencePolicy(FenceAgent, []admissionv1.NamedRuleWithOperations{
			on("rbac.authorization.k8s.io", "rolebindings", "clusterrolebindings", "roles",
				"clusterroles"),
			on("batch", "jobs", "jobs/*"),
		}, agentOnly, agentVariables, agentRules),
		fencePolicy(FenceExpirer, []admissionv1.NamedRuleWithOperations{
			on("rbac.authorization.k8s.io", "rolebindings", "clusterrolebindings", "roles",
				"clusterroles"),
			on("batch", "jobs", "jobs/*"),
		}, expirerOnly, expirerVariables, expirerRules),
		fencePolicy(FenceManaged, []admissionv1.NamedRuleWithOperations{
			on("rbac.authorization.k8s.io", "rolebindings", "clusterrolebindings", "roles",
				"clusterroles"),
			on("batch", "jobs", "jobs/*"),
		}, everyoneElse, managedVariables, managedRules),
		fencePolicy(FenceHome, homeResources, inHome, nil, homeRules),
		execPolicy(),
	}
}

// FenceBindings put FencePolicies into force everywhere.
func FenceBindings() []admissionv1.ValidatingAdmissionPolicyBinding {
	var bindings []admissionv1.ValidatingAdmissionPolicyBinding
	for _, name := range fenceNames {
		bindings = append(bindings, fenceBinding(name))
	}
	return bindings
}

func fenceBinding(name string) admissionv1.ValidatingAdmissionPolicyBinding {
	actions := []admissionv1.ValidationAction{admissionv1.Deny}
	if name == FenceExec { // what it refuses is of interest to whoever reads the audit log
		actions = append(actions, admissionv1.Audit)
	}
	return admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   typeMeta(admissionv1.SchemeGroupVersion, "ValidatingAdmissionPolicyBinding"),
		ObjectMeta: objectMeta("", name),
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name,
			ValidationActions: actions},
	}
}

// rule is one thing that a request must be, else it is refused with the message.
type rule struct {
	when    string // the requests it is about; empty for all
	must    string
	message string
}

func fencePolicy(name string, rules []admissionv1.NamedRuleWithOperations,
	conditions []admissionv1.MatchCondition,
	variables []admissionv1.Variable, must []rule) admissionv1.ValidatingAdmissionPolicy {
	fail, equivalent, forbidden := admissionv1.Fail, admissionv1.Equivalent,
		metav1.StatusReasonForbidden
	policy := admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   typeMeta(admissionv1.SchemeGroupVersion, "ValidatingAdmissionPolicy"),
		ObjectMeta: objectMeta("", name),
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{MatchPolicy: &equivalent,
				NamespaceSelector: &metav1.LabelSelector{},
				ObjectSelector:    &metav1.LabelSelector{}, ResourceRules: rules},
			MatchConditions: conditions,
			Variables:       variables,
		},
	}
	for _, r := range must {
		expression := r.must
		if r.when != "" {
			expression = "!(" + r.when + ") || (" + r.must + ")"
		}
		policy.Spec.Validations = append(policy.Spec.Validations,
			admissionv1.Validation{Expression: expression,
				Message: "pullgrant: " + r.message, Reason: &forbidden})
	}
	return policy
}

// on is every write to those resources.
func on(group string, resources ...string) admissionv1.NamedRuleWithOperations {
	r := making(group, resources...)
	r.Operations = append(r.Operations, admissionv1.Delete)
	return r
}

// making is every write that leaves an object there.
func making(group string, resources ...string) admissionv1.NamedRuleWithOperations {
	everywhere := admissionv1.AllScopes
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule: admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"},
			Resources: resources, Scope: &everywhere},
	}}
}

// all are conditions that must hold together, one a line.
func all(conditions ...string) string { return strings.Join(conditions, " &&\n") }

// carriesLabel and isReserved are conditions on an object; propagation is what a deletion does with
// what the object owns. A dyn() keeps the API server's type check from comparing each expression
// with the fields of every kind.
func carriesLabel(object string) string {
	return object + ".metadata.?labels[?'app.kubernetes.io/managed-by'].orValue('') == 'pullgrant'"
}

// isReserved leaves out the name of the agent's own rights, which an administrator or a GitOps tool
// must be able to make.
func isReserved(object string) string {
	return object + ".metadata.name.startsWith('pullgrant-') && " + object +
		".metadata.name != 'pullgrant-agent'"
}

// Reserved tells names that the fence keeps for the objects of grants.
func Reserved(name string) bool {
	return strings.HasPrefix(name, "pullgrant-") && name != Agent
}

const propagation = "request.options.?orphanDependents.orValue(false) ? 'Orphan' : " +
	"request.options.?propagationPolicy.orValue(" +
	"has(request.options.orphanDependents) ? 'Background' : '')"

// deletesAlong: the API server orphans what a batch/v1 Job owns unless a deletion says otherwise.
const (
	deletesAlong    = "variables.propagation in ['Background', 'Foreground']"
	mustDeleteAlong = "deleting this Job must delete its binding too; use --cascade=background, " +
		"or propagationPolicy Background"
)
