package render

import (
	"errors"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pullgrant/pullgrant/requests"
)

// execs are Roles that let one command run: reading the pod, which kubectl does first, exec into
// it, and the command's name for the policy pullgrant-exec. Of a Deployment these are kept current.
var execs = kind{
	name: requests.KubernetesExec,
	check: func(i requests.Item) error {
		if i.Exec == nil || len(i.Resources) > 0 || i.Role != (requests.Role{}) {
			return errors.New("it names no command, or a role")
		}
		switch e := *i.Exec; {
		case i.Undecided():
			return errors.New("its container is the default one, which the agent decides when it " +
				"gives access; a request that names one has it now")
		case e.CheckPlace() != "":
			return errors.New(e.CheckPlace())
		case e.Deployment == "" && requests.CheckObject(e.Pod) != "":
			return refuse("pod", e.Pod, requests.CheckObject(e.Pod))
		case e.Pod == "" && requests.CheckObject(e.Deployment) != "":
			return refuse("deployment", e.Deployment, requests.CheckObject(e.Deployment))
		case requests.CheckContainer(e.Container) != "":
			return refuse("container", e.Container, requests.CheckContainer(e.Container))
		case requests.CheckCommand(e.Command) != "":
			return refuse("command", e.String(), requests.CheckCommand(e.Command))
		case e.Terminal && !e.Stdin:
			return errors.New("a terminal without input is of no use")
		case len(i.Containers) > 0 && !slices.Contains(i.Containers, e.Container):
			return refuse("container", e.Container, "the policy lets it be "+
				strings.Join(i.Containers, " or "))
		case !requests.EqualRules(i.Allows, e.Rules(e.Container)):
			return errors.New("its rules are not those of its command")
		}
		return firstError(checkNamespace(i), checkAllows(i.Allows))
	},
	objects: roleAndBinding,
	same: func(g requests.Grant, i requests.Item, got Object) error {
		named := i
		named.Allows = i.Exec.Rules(i.Exec.Container)
		return sameRoleAndBinding(g, named, got)
	},
	rights: func(items []requests.Item) []rbacv1.PolicyRule {
		return append(roleRights(items), readsContainers(items)...)
	},
}

// readsContainers lets the agent see which container kubectl takes, where a request may leave that
// open: of a pod, or of the pods that a Deployment makes.
func readsContainers(items []requests.Item) (rules []rbacv1.PolicyRule) {
	var pods, deployments bool
	for _, i := range items {
		pods = pods || i.Undecided() && i.Exec.Pod != ""
		deployments = deployments || i.Undecided() && i.Exec.Deployment != ""
	}
	if pods {
		rules = append(rules, allow("", "pods", "get"))
	}
	if deployments {
		rules = append(rules, allow("apps", "deployments", "get"))
	}
	return rules
}
