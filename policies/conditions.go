package policies

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"github.com/pullgrant/pullgrant/requests"
)

// Condition is what must be true of a request beyond what the other fields of a policy can say.
type Condition struct {
	Expression string `yaml:"expression" json:"expression"` // in CEL
	Message    string `yaml:"message" json:"message"`       // to the requester, when it is not true
}

// maxConditions and maxMessage bound what a policy has: conditions, and characters of a message.
const (
	maxConditions = 20
	maxMessage    = 300
)

var conditionFields = requests.Fields{
	"PolicySpec.conditions": {About: "What must be true of a request, each in CEL over request, " +
		"requester, policy and now.", Min: 1, Max: maxConditions},
	"Condition.expression": {About: "CEL expression that is true or false, such as " +
		"request.duration <= duration('1h').", Form: requests.Form{Rule: "condition", Min: 1,
		Max: maxExpression, Check: func(s string) string { return tooLong(s, maxExpression) }}},
	"Condition.message": {About: "What the requester is told when it is not true: what to ask for " +
		"instead.", Form: formMessage},
}

var formMessage = requests.Form{Rule: "message", Pattern: requests.ReasonPattern, Min: 1,
	Max: maxMessage, Check: func(s string) string { return requests.CheckLine(s, maxMessage) }}

func tooLong(s string, most int) string {
	if n := utf8.RuneCountInString(s); n == 0 || n > most {
		return fmt.Sprintf("it has %d characters; 1 to %d are allowed", n, most)
	}
	return ""
}

// checkConditions compiles the conditions of a policy. What is wrong with its fields was told.
func checkConditions(d *requests.Document, s PolicySpec) {
	if len(d.Findings) > 0 || len(s.Conditions) > maxConditions {
		return
	}
	for i, c := range s.Conditions {
		if p := compile(c.Expression, s.Fields); p.problem != "" {
			d.Add(fmt.Sprintf("spec.conditions[%d].expression", i), "condition",
				"the condition does not compile: %s", p.problem)
		}
	}
}

// conditionsMet refuses a request of which a condition of its policy is not true (R68). One that has
// no answer refuses too: doubt denies.
func (j *judge) conditionsMet() string {
	conditions := j.world.policy.Spec.Conditions
	if len(conditions) == 0 {
		return ""
	}
	variables, unknown := j.variables()
	for i, c := range conditions {
		got, err := compile(c.Expression, j.world.policy.Spec.Fields).holds(variables, unknown...)
		where := fmt.Sprintf("spec.conditions[%d] of the policy %s", i, j.decision.Policy)
		switch {
		case err != nil:
			return j.field("spec.policy", ConditionNotMet, fmt.Sprintf("%s (%s cannot be "+
				"evaluated for this request: %v)", c.Message, where, err))
		case got == answerUnknown && len(unknown) > 0: // told once it is known
		case got != answerTrue:
			return j.field("spec.policy", ConditionNotMet, fmt.Sprintf("%s (%s)", c.Message, where))
		}
	}
	return ""
}

// variables are what the conditions see of the judgement, and what of that is not known before there
// is a pull request: the time where nobody told it, and what follows from it. A file that stood on
// the branch for years must not be refused by the day on which it is looked at again; the Action and
// the agent always know the time, and judge what was left open here.
func (j *judge) variables() (map[string]any, []*cel.AttributePatternType) {
	g, now := j.decision.Grant, j.facts.judgedAt(j.now)
	identity, _ := j.world.identities.find(g.Requester) // subjectOf has found it
	request := &conditionRequest{Name: g.Name, Cluster: g.Cluster, Policy: g.Policy,
		Duration: time.Duration(g.Duration), NotBefore: g.NotBefore.Time,
		Reason: j.request.Spec.Reason,
		Fields: values(j.world.policy.Spec.Fields, j.request.Spec.Fields)}
	for _, i := range g.Items {
		namespace := i.Namespace
		if namespace == "" {
			namespace = wholeCluster
		}
		request.Namespaces = append(request.Namespaces, namespace)
		request.Resources = append(request.Resources, i.Resources...)
		if i.Role.Name != "" {
			request.Roles = append(request.Roles, i.Role.Name)
		}
	}
	request.Namespaces, request.Roles = sorted(request.Namespaces), sorted(request.Roles)
	request.Resources = sorted(request.Resources)
	var unknown []*cel.AttributePatternType
	part := func(field string) *cel.AttributePatternType {
		return cel.AttributePattern(varRequest).QualString(field)
	}
	if now.IsZero() {
		unknown = append(unknown, cel.AttributePattern(varNow))
	}
	if !g.Until.IsZero() {
		if begin := g.From(now).Start; begin.IsZero() {
			unknown = append(unknown, part("duration"))
		} else {
			request.Duration = g.Until.Sub(begin.Time)
		}
	}
	if g.Extends != "" && j.facts.Extended == nil { // every judgement of a pull request refuses that
		unknown = append(unknown, part("notBefore"), part("duration"))
	}
	target := j.world.policy.Spec.Target
	return map[string]any{
		varRequest: request,
		varRequester: &conditionRequester{Login: identity.GitHub,
			Groups: j.world.groups.of(identity.GitHub)},
		varPolicy: &conditionPolicy{Name: g.Policy, MaxDuration: time.Duration(target.MaxDuration),
			Clusters: j.world.policy.Spec.Clusters},
		varNow: now.UTC(),
	}, unknown
}

// of are the groups that a login is in, in order.
func (m GroupMap) of(login string) (names []string) {
	for _, g := range m.Spec.Groups {
		if has(g.Members, login) {
			names = append(names, g.Name)
		}
	}
	slices.Sort(names)
	return names
}

// conditionsGone are the conditions of old that are not asked for any more. Of two expressions
// nobody can tell which one allows more, so that one that was changed is gone.
func (s PolicySpec) conditionsGone(old PolicySpec) (all []string) {
	for _, c := range old.Conditions {
		if !slices.ContainsFunc(s.Conditions,
			func(n Condition) bool { return n.Expression == c.Expression }) {
			all = append(all, fmt.Sprintf("the condition %s no longer has to be true",
				requests.Quote(c.Expression)))
		}
	}
	return all
}

// constantConditions looks for conditions that say nothing of a request.
func (w world) constantConditions(d *requests.Document) {
	for i, c := range w.policy.Spec.Conditions {
		if is, what := c.constant(w.policy.Spec.Fields); is {
			d.Add(fmt.Sprintf("spec.conditions[%d].expression", i), RuleCondition,
				"the condition %s; write what is meant, or remove it", what)
		}
	}
}

// constant tells whether a condition is the same whatever is asked, and what it is.
func (c Condition) constant(fields []CustomField) (is bool, what string) {
	got, err := compile(c.Expression, fields).holds(map[string]any{}, everyVariable()...)
	switch {
	case err != nil:
		return true, "can never be evaluated (" + err.Error() + "), so it refuses every request"
	case got == answerTrue:
		return true, "is true of every request, so it refuses none"
	case got == answerFalse:
		return true, "is false of every request, so it refuses all"
	}
	return false, ""
}
