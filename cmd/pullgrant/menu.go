package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// menu is what an access repository offers one person.
type menu struct {
	tree  policies.Tree
	names []string // of the policies under which they may ask
	login string
	now   time.Time
	// whole has what a policy has a default for asked too.
	whole bool
	// settled are the questions that have an answer, which may be to leave it out.
	settled map[string]bool
}

// choice is one of the answers that there are, and the words it is shown with.
type choice struct{ value, about string }

// question is one thing that a request does not say yet.
type question struct {
	flag    string // the one that says the same; with the field's name behind it for --field
	title   string
	about   string   // of what is typed
	choices []choice // none: the answer is typed
	value   string   // that is suggested
	// check tells what is wrong with a typed answer; empty when nothing is.
	check func(answer string) string
}

// next is what is to be asked first; false when everything is said that must be. What is offered is
// that of the answers before it.
func (o *requestOptions) next(m menu) (question, bool) {
	if o.policy == "" {
		return m.policyQuestion(o.cluster), true
	}
	policy, _, _ := m.tree.Policy(o.policy)
	for _, q := range []*question{
		o.clusterQuestion(policy), o.grantQuestion(m, policy), o.namespaceQuestion(m, policy),
		o.roleQuestion(m, policy), o.resourceQuestion(m, policy), o.execQuestion(m, policy),
		o.commandQuestion(m, policy), o.durationQuestion(m, policy), o.reasonQuestion(policy),
		o.fieldQuestion(policy),
	} {
		if q != nil && !m.settled[q.flag] {
			return *q, true
		}
	}
	return question{}, false
}

// answer takes an answer as the flag of the question would, or tells what is wrong with it.
func (o *requestOptions) answer(cmd *cobra.Command, m menu, q question, text string) (problem string) {
	if q.check != nil {
		problem = q.check(text)
	} else if !slices.ContainsFunc(q.choices, func(c choice) bool { return c.value == text }) {
		problem = "it is none of those that there are"
	}
	if problem != "" {
		return problem
	}
	m.settled[q.flag] = true
	if text == "" {
		return ""
	}
	var err error
	switch flag, field, _ := strings.Cut(q.flag, " "); flag {
	case "command":
		o.command = strings.Fields(text)
	case "field":
		o.fields.set(field, text)
		err = cmd.Flags().Set(flag, field+"="+text)
	case "resource":
		for one := range strings.SplitSeq(text, ",") {
			problem = o.takeResource(strings.TrimSpace(one))
			if err = cmd.Flags().Set(flag, strings.TrimSpace(one)); err != nil || problem != "" {
				break
			}
		}
	default:
		if err = cmd.Flags().Set(flag, text); err == nil && flag == "exec" {
			err = o.completeExec(cmd)
		}
	}
	if err != nil {
		return err.Error()
	}
	return problem
}

// policyQuestion asks for a policy, of those for a cluster where one is named.
func (m menu) policyQuestion(cluster string) question {
	q := question{flag: "policy", title: "Policy"}
	for _, name := range m.under(cluster) {
		policy, _, _ := m.tree.Policy(name)
		about := policy.Spec.Description
		if about == "" {
			about = policy.Spec.Target.Grants[0].String()
		}
		q.choices = append(q.choices, choice{name, about})
	}
	return q
}

// under are the policies for a cluster; all where none is named.
func (m menu) under(cluster string) (names []string) {
	for _, name := range m.names {
		policy, _, _ := m.tree.Policy(name)
		if cluster == "" || slices.Contains(policy.Spec.Clusters, cluster) {
			names = append(names, name)
		}
	}
	return names
}

func (o *requestOptions) clusterQuestion(policy policies.AccessPolicy) *question {
	if o.cluster != "" || len(policy.Spec.Clusters) == 0 {
		return nil
	}
	return &question{flag: "cluster", title: "Cluster", choices: choicesOf(policy.Spec.Clusters)}
}

func choicesOf(values []string) (all []choice) {
	for _, v := range values {
		all = append(all, choice{value: v})
	}
	return all
}

// grantQuestion asks whether one of several grants will do: less is approved sooner.
func (o *requestOptions) grantQuestion(m menu, policy policies.AccessPolicy) *question {
	q := question{flag: "grant", title: "What of it", choices: []choice{{"", "all of it"}}}
	for _, g := range policy.Spec.Target.Grants {
		if g.Name != "" {
			q.choices = append(q.choices, choice{g.Name, g.String()})
		}
	}
	if len(o.grants) > 0 || !m.whole || len(policy.Spec.Target.Grants) < 2 || len(q.choices) < 2 {
		return nil
	}
	return &q
}

// chosen are the grants that the request is for as it stands, of some kinds.
func (o *requestOptions) chosen(policy policies.AccessPolicy, kinds ...string) (all []policies.GrantSpec) {
	for _, g := range policy.Spec.Target.Grants {
		if (len(o.grants) == 0 || slices.Contains(o.grants, g.Name)) && slices.Contains(kinds, g.Kind) {
			all = append(all, g)
		}
	}
	return all
}

// common are those of the first list that all others have.
func common(lists [][]string) (all []string) {
	if len(lists) == 0 {
		return nil
	}
	for _, v := range lists[0] {
		if !slices.ContainsFunc(lists, func(l []string) bool { return !slices.Contains(l, v) }) {
			all = append(all, v)
		}
	}
	return all
}

// namespaceQuestion asks for a namespace that all chosen grants offer.
func (o *requestOptions) namespaceQuestion(m menu, policy policies.AccessPolicy) *question {
	var offered [][]string
	known, all := "", true // whether each has a default
	for _, g := range o.chosen(policy, requests.KubernetesRoleBinding, requests.KubernetesResourceRole,
		requests.KubernetesExec) {
		if g.Scope == "" {
			offered = append(offered, g.AllowedNamespaces)
			known, all = g.DefaultNamespace, all && g.DefaultNamespace != ""
		}
	}
	names := common(offered)
	if o.namespace != "" || len(names) == 0 || all && !m.whole {
		return nil
	}
	return &question{flag: "namespace", title: "Namespace", choices: choicesOf(names), value: known}
}

// roleQuestion asks for a role where there are several.
func (o *requestOptions) roleQuestion(m menu, policy policies.AccessPolicy) *question {
	var offered [][]string
	for _, g := range o.chosen(policy, requests.KubernetesResourceRole,
		requests.KubernetesClusterRoleBinding) {
		if len(g.Roles) > 0 {
			offered = append(offered, g.Roles)
		}
	}
	names := common(offered)
	if o.role != "" || len(names) == 0 {
		return nil
	}
	q := question{flag: "role", title: "Role"}
	for _, name := range names {
		risky := ""
		for _, risk := range m.tree.RisksUnder(policy, o.cluster, name) {
			if risk.High {
				risky = "HIGH RISK: " + risk.Text
				break
			}
		}
		q.choices = append(q.choices, choice{name, risky})
	}
	return &q
}

// resourceQuestion asks for objects: from a list where the policy names each of them.
func (o *requestOptions) resourceQuestion(m menu, policy policies.AccessPolicy) *question {
	grants := o.chosen(policy, requests.KubernetesResourceRole)
	if len(grants) == 0 || len(o.asked) > 0 {
		return nil
	}
	q := question{flag: "resource", title: "Objects, with commas between"}
	var offered []string
	for _, e := range grants[0].Resources {
		for _, name := range e.Names {
			offered = append(offered, e.Resource+"/"+name)
		}
	}
	if len(grants) == 1 && !strings.Contains(strings.Join(offered, ""), "*") {
		q.title, q.choices = "Object", choicesOf(offered)
		return &q
	}
	q.about = "there are: " + strings.Join(offered, ", ")
	q.check = o.tried(m, func(with *requestOptions, answer string) string {
		for one := range strings.SplitSeq(answer, ",") {
			if problem := with.takeResource(strings.TrimSpace(one)); problem != "" {
				return problem
			}
		}
		return ""
	}, policies.NamespaceNotAllowed, policies.ResourceNotAllowed, policies.NothingToGrant)
	return &q
}

// tried checks an answer by what becomes of the request with it, as far as that is told by some
// codes.
func (o *requestOptions) tried(m menu, take func(with *requestOptions, answer string) string,
	codes ...policies.Code) func(string) string {
	return func(answer string) string {
		with := *o
		with.asked = slices.Clone(o.asked)
		if problem := take(&with, answer); problem != "" {
			return problem
		}
		if with.reason == "" {
			with.reason = "what is asked for last" // so that the request can be read
		}
		asked := with.compose(m.login, m.now)
		data, err := written(asked)
		if err != nil {
			return err.Error()
		}
		path := requests.Path(asked.Spec.Cluster, asked.Spec.Policy, asked.Metadata.Name)
		d := preview(m.tree, path, data)
		switch {
		case !slices.Contains(append(codes, policies.SchemaError), d.Code):
			return ""
		case len(d.Findings) > 0:
			return d.Findings[0].Message
		}
		return d.Message
	}
}

func (o *requestOptions) durationQuestion(m menu, policy policies.AccessPolicy) *question {
	target := policy.Spec.Target
	most := target.MaxDuration
	if o.breakGlass && policy.Spec.BreakGlass != nil {
		most = min(most, policy.Spec.BreakGlass.MaxDuration)
	}
	once := slices.ContainsFunc(o.chosen(policy, requests.KubernetesExec),
		func(g policies.GrantSpec) bool { return g.Once }) // which is short by itself
	known := target.DefaultDuration > 0 || once
	if o.duration != "" || o.until != "" || most == 0 || known && !m.whole {
		return nil
	}
	q := question{flag: "duration", title: "For how long", about: "at most " + most.String(),
		check: func(answer string) string {
			d, err := requests.ParseDuration(answer)
			switch {
			case err != nil && (answer != "" || !known):
				return err.Error()
			case d > most:
				return "the policy's maximum is " + most.String()
			}
			return ""
		}}
	if target.DefaultDuration > 0 {
		q.value = min(target.DefaultDuration, most).String()
	}
	return &q
}

func (o *requestOptions) reasonQuestion(policy policies.AccessPolicy) *question {
	if o.reason != "" {
		return nil
	}
	q := question{flag: "reason", title: "Reason", about: policy.Spec.ReasonHelp,
		check: func(answer string) string {
			if problem := requests.CheckReason(answer); problem != "" {
				return problem
			}
			return policy.Spec.ReasonProblem(answer)
		}}
	if q.about == "" {
		q.about = fmt.Sprintf("one line, such as %q; approvers and auditors read it",
			"INC-123, checkout is slow")
	}
	return &q
}

// fieldQuestion asks for the first field that the policy requires and that was not given.
func (o *requestOptions) fieldQuestion(policy policies.AccessPolicy) *question {
	for _, f := range policy.Spec.Fields {
		if _, known := o.fields.given[f.Name]; known || !f.Required {
			continue
		}
		q := question{flag: "field " + f.Name, title: f.Name, about: f.String(),
			choices: choicesOf(f.Enum)}
		if f.Type == policies.TypeBoolean {
			q.choices = choicesOf([]string{"true", "false"})
		}
		if len(q.choices) == 0 {
			q.check = func(answer string) string {
				if problem := requests.CheckFieldValue(answer); problem != "" {
					return problem
				}
				return f.Problem(answer)
			}
		}
		return &q
	}
	return nil
}
