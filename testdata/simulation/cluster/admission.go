package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// admission is a write as the policies see it.
type admission struct {
	q           *request
	operation   string // CREATE, UPDATE, DELETE or CONNECT
	object, old map[string]any
	options     map[string]any
}

// admit asks all who may refuse a write, in the API server's order: policies, then webhooks.
func (c *Cluster) admit(q *request, operation string, o, old Object) error {
	a := admission{q: q, operation: operation, object: o.Object, options: map[string]any{}}
	if old != nil {
		a.old = old.Object
	}
	return c.judge(a, o)
}

func (c *Cluster) admitDelete(q *request, old Object, options deleteOptions) error {
	a := admission{q: q, operation: "DELETE", old: old.Object, options: map[string]any{}}
	if data, err := json.Marshal(options); err == nil {
		_ = json.Unmarshal(data, &a.options)
	}
	return c.judge(a, old)
}

func (c *Cluster) judge(a admission, o Object) error {
	if err := c.policies(a); err != nil {
		return err
	}
	if c.faults.Refuse == nil {
		return nil
	}
	if words := c.faults.Refuse(a.q.user.name, strings.ToLower(a.operation), a.q.res.Resource,
		o); words != "" {
		return generic(http.StatusForbidden, metav1.StatusReasonForbidden,
			`admission webhook "refuse.example.com" denied the request: `+words)
	}
	return nil
}

// policies asks the stored ValidatingAdmissionPolicies that a binding puts into force. Their
// expressions are evaluated as they are stored, so what is not stored, or is stored otherwise, does
// not refuse.
// https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
func (c *Cluster) policies(a admission) error {
	for _, p := range c.inForce(a) {
		if words, reason, denied := p.denies(c, a); denied {
			message := fmt.Sprintf("ValidatingAdmissionPolicy '%s' with binding '%s' denied request: %s",
				p.name, p.binding, words)
			refusal := apierrors.NewForbidden(a.q.groupResource(), a.q.name, errors.New(message))
			refusal.ErrStatus.Reason = reason
			if reason == metav1.StatusReasonInvalid {
				refusal.ErrStatus.Code = http.StatusUnprocessableEntity
			}
			refusal.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: message}}
			return refusal
		}
	}
	return nil
}

// bound is a policy that a binding puts into force.
type bound struct {
	*policy
	name, binding string
}

// inForce are those that are about a write.
func (c *Cluster) inForce(a admission) (all []bound) {
	const group = admissionv1.GroupName
	for _, b := range c.list(byName(group, "validatingadmissionpolicybindings")) {
		binding, _ := b.Object["spec"].(map[string]any)
		actions, _ := binding["validationActions"].([]any)
		name, _ := binding["policyName"].(string)
		stored := c.get(place{res: byName(group, "validatingadmissionpolicies"), name: name})
		if stored == nil || !slices.Contains(actions, any(string(admissionv1.Deny))) {
			continue
		}
		if p := c.policy(stored); p.matches(a) {
			all = append(all, bound{p, name, b.GetName()})
		}
	}
	return all
}

// policy is what a stored one says.
type policy struct {
	admissionv1.ValidatingAdmissionPolicySpec
}

func (c *Cluster) policy(o Object) *policy {
	version := string(o.GetUID()) + " " + o.GetResourceVersion()
	p := c.judges[version]
	if p == nil {
		var typed admissionv1.ValidatingAdmissionPolicy
		convert(o, &typed)
		p = &policy{typed.Spec}
		c.judges[version] = p
	}
	return p
}

// matches tells whether a policy is about a write, by the resources and operations that it names.
// None of ours has a selector.
func (p *policy) matches(a admission) bool {
	if p.MatchConstraints == nil {
		return false
	}
	what := a.q.res.Resource
	if a.q.sub != "" {
		what += "/" + a.q.sub
	}
	return slices.ContainsFunc(p.MatchConstraints.ResourceRules,
		func(r admissionv1.NamedRuleWithOperations) bool {
			operation := slices.ContainsFunc(r.Operations, func(o admissionv1.OperationType) bool {
				return o == admissionv1.OperationAll || string(o) == a.operation
			})
			group := slices.ContainsFunc(r.APIGroups, func(g string) bool {
				return g == "*" || g == a.q.res.Group
			})
			return operation && group && slices.ContainsFunc(r.Resources, func(given string) bool {
				return given == what || given == "*" && a.q.sub == "" || given == "*/*" ||
					a.q.sub != "" && (given == a.q.res.Resource+"/*" || given == "*/"+a.q.sub)
			})
		})
}

// about tells whether all conditions of a policy hold.
func (p *policy) about(s *scope) (bool, error) {
	for _, condition := range p.MatchConditions {
		if holds, err := s.holds(condition.Expression); err != nil {
			return false, fmt.Errorf("match condition %s: %w", condition.Name, err)
		} else if !holds {
			return false, nil
		}
	}
	return true, nil
}

// denies evaluates a policy: it is about the write where all conditions hold, and refuses where one
// rule does not, or cannot be evaluated.
func (p *policy) denies(c *Cluster, a admission) (words string, reason metav1.StatusReason,
	denied bool) {
	scope := newScope(c, a, p.Variables)
	if about, err := p.about(scope); err != nil {
		return err.Error(), metav1.StatusReasonForbidden, true
	} else if !about {
		return "", "", false
	}
	for _, v := range p.Validations {
		holds, err := scope.holds(v.Expression)
		if holds && err == nil {
			continue
		}
		reason = metav1.StatusReasonInvalid
		if v.Reason != nil {
			reason = *v.Reason
		}
		if err != nil {
			return fmt.Sprintf("expression '%s' resulted in error: %v", v.Expression, err), reason, true
		}
		if v.MessageExpression != "" {
			if text, err := scope.text(v.MessageExpression); err == nil {
				return text, reason, true
			}
		}
		if v.Message == "" {
			return "failed expression: " + v.Expression, reason, true
		}
		return v.Message, reason, true
	}
	return "", "", false
}
