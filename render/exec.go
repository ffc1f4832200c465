package render

import (
	"errors"

	"github.com/pullgrant/pullgrant/requests"
)

// execs are Roles that let one command run: reading the pod, which kubectl does first, exec into
// it, and the command's name for the policy pullgrant-exec.
var execs = kind{
	name: requests.KubernetesExec,
	check: func(i requests.Item) error {
		if i.Exec == nil || len(i.Resources) > 0 || i.Role != (requests.Role{}) {
			return errors.New("it names no command, or a role")
		}
		switch e := *i.Exec; {
		case requests.CheckObject(e.Pod) != "":
			return refuse("pod", e.Pod, requests.CheckObject(e.Pod))
		case requests.CheckContainer(e.Container) != "":
			return refuse("container", e.Container, requests.CheckContainer(e.Container))
		case requests.CheckCommand(e.Command) != "":
			return refuse("command", e.String(), requests.CheckCommand(e.Command))
		case e.Terminal && !e.Stdin:
			return errors.New("a terminal without input is of no use")
		case !requests.EqualRules(i.Allows, i.Exec.Rules()):
			return errors.New("its rules are not those of its command")
		}
		return firstError(checkNamespace(i), checkAllows(i.Allows))
	},
	objects: roleAndBinding,
	same: func(g requests.Grant, i requests.Item, got Object) error {
		named := i
		named.Allows = i.Exec.Rules()
		return sameRoleAndBinding(g, named, got)
	},
	rights: roleRights,
}
