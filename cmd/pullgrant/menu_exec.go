package main

import (
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// execQuestion asks where a command is to run.
func (o *requestOptions) execQuestion(m menu, policy policies.AccessPolicy) *question {
	grants := o.chosen(policy, requests.KubernetesExec)
	if len(grants) == 0 || o.exec != "" {
		return nil
	}
	offered := slices.Clone(grants[0].Pods)
	for _, name := range grants[0].Deployments {
		offered = append(offered, "deployment/"+name)
	}
	q := question{flag: "exec", title: "Pod, or deployment/NAME"}
	if len(grants) == 1 && !strings.Contains(strings.Join(offered, ""), "*") {
		q.choices = choicesOf(offered)
		return &q
	}
	q.about = "there are: " + strings.Join(offered, ", ")
	q.check = func(answer string) string {
		kind, name, slashed := strings.Cut(answer, "/")
		if !slashed {
			name = kind
		}
		return requests.CheckObject(name)
	}
	return &q
}

// commandQuestion asks for the command, from a list where the policy has no pattern of one.
func (o *requestOptions) commandQuestion(m menu, policy policies.AccessPolicy) *question {
	grants := o.chosen(policy, requests.KubernetesExec)
	if len(grants) == 0 || len(o.command) > 0 || grants[0].AnyCommand && !m.whole {
		return nil
	}
	var offered []string
	spaces := false
	for _, command := range grants[0].Commands {
		offered = append(offered, strings.Join(command, " "))
		spaces = spaces || len(strings.Fields(strings.Join(command, " "))) != len(command)
	}
	q := question{flag: "command", title: "Command"}
	if len(grants) == 1 && len(offered) > 0 && !spaces && !strings.Contains(strings.Join(offered, ""), "*") {
		q.choices = choicesOf(offered)
		return &q
	}
	q.about = "there are: " + strings.Join(offered, "; ")
	if grants[0].AnyCommand {
		q.about = "empty for any command"
	}
	q.check = o.tried(m, func(with *requestOptions, answer string) string {
		with.command = strings.Fields(answer)
		return ""
	}, policies.CommandNotAllowed)
	return &q
}
