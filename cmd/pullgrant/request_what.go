package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// wish is what a request asks for beside a policy, a cluster and a namespace.
type wish struct {
	grants, resources, lists []string
	role, container          string
	exec                     string // where a command runs, as --exec has it
	pod, deployment          string // one of them
	selector                 string
	stdin, tty               bool

	command   []string // after --
	asked     []requests.ResourceID
	wholeOnes bool // namespaces were named in the place of objects
}

func (o *wish) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&o.grants, "grant", nil,
		"one of the policy's grants, by its name; may be repeated (default: all)")
	flags.StringVar(&o.role, "role", "", "ClusterRole, where the policy offers several")
	flags.StringArrayVar(&o.resources, "resource", nil, "object to get access to, such as "+
		"deployments.apps/api, Deployments/default/api or /prod-eu/pod/default/api-1; may be repeated")
	flags.StringArrayVar(&o.lists, "resources", nil, "several of --resource, with commas between")
	flags.StringVarP(&o.selector, "selector", "l", "", "labels of the objects of a --resource "+
		"without a name, such as app=nginx")
	flags.StringVar(&o.exec, "exec", "", "pod to run a command in, or deployment/NAME for each of "+
		"its pods; the command stands after --")
	flags.StringVarP(&o.container, "container", "c", "",
		"container to run the command in (default: the policy's, else the one that kubectl takes)")
	flags.BoolVarP(&o.stdin, "stdin", "i", false, "let the command read what is typed")
	flags.BoolVarP(&o.tty, "tty", "t", false, "give the command a terminal")
}

// arguments are those after -- of a command to run, and none else.
func (o *wish) arguments(cmd *cobra.Command, args []string) error {
	dash := cmd.ArgsLenAtDash()
	switch {
	case strings.HasPrefix(o.exec, "-"):
		return usagef(cmd, "--exec %q: the pod stands right after --exec", o.exec)
	case dash < 0 && len(args) > 0, dash > 0:
		hint := ""
		if o.exec != "" {
			hint = "; the command stands after --, as in --exec " + o.exec + " -- cat /etc/hosts"
		}
		return usagef(cmd, "unexpected argument %q%s", args[0], hint)
	case dash == 0 && o.exec == "":
		return usagef(cmd, "a command to run needs --exec POD, which says where")
	}
	o.command = args
	return givenBlank(cmd)
}

// completeWish reads what was given. What an object says of its cluster and namespace is asked for
// too.
func (o *requestOptions) completeWish(cmd *cobra.Command) error {
	for _, name := range o.grants {
		if problem := requests.CheckName(name); problem != "" {
			return usagef(cmd, "--grant %q: %s", name, problem)
		}
	}
	if problem := requests.CheckRole(o.role); o.role != "" && problem != "" {
		return usagef(cmd, "--role %q: %s", o.role, problem)
	}
	if problem := requests.CheckSelector(o.selector); o.selector != "" && problem != "" {
		return usagef(cmd, "--selector %q: %s", o.selector, problem)
	}
	if err := o.completeExec(cmd); err != nil {
		return err
	}
	texts := slices.Clone(o.resources)
	for _, list := range o.lists {
		texts = append(texts, strings.Split(list, ",")...)
	}
	for _, text := range texts {
		if problem := o.takeResource(text); problem != "" {
			return usagef(cmd, "--resource %q: %s", text, problem)
		}
	}
	if o.wholeOnes && slices.ContainsFunc(o.asked,
		func(id requests.ResourceID) bool { return id.Resource() != "" }) {
		return usagef(cmd, "--resource names a namespace, which stands for everything in it, "+
			"and single "+
			"objects; ask for the one or the other")
	}
	return nil
}

// takeResource adds an object to what is asked for, or tells what is wrong with it.
func (o *requestOptions) takeResource(text string) (problem string) {
	id, problem := requests.ParseResourceID(text)
	if problem != "" {
		return problem
	}
	for _, place := range []struct {
		what, said string
		known      *string
	}{{"cluster", id.Cluster, &o.cluster}, {"namespace", id.Namespace, &o.namespace}} {
		switch {
		case place.said == "" || place.said == *place.known:
		case *place.known == "":
			*place.known = place.said
		default:
			return fmt.Sprintf("the %s is %s here and %s elsewhere; one request is for one %[1]s",
				place.what, place.said, *place.known)
		}
	}
	o.asked = append(o.asked, id)
	o.wholeOnes = o.wholeOnes || id.Resource() == ""
	return ""
}

// deployments is the kind of a Deployment.
const deployments = "deployments.apps"

func (o *requestOptions) completeExec(cmd *cobra.Command) error {
	if o.exec == "" {
		for _, flag := range []string{"container", "stdin", "tty"} {
			if cmd.Flags().Changed(flag) {
				return usagef(cmd, "--%s is for a command to run; name the pod with --exec", flag)
			}
		}
		return nil
	}
	o.pod, o.deployment = o.exec, ""
	name := o.exec
	if kind, plain, slashed := strings.Cut(o.exec, "/"); slashed { // as kubectl takes it
		id, problem := requests.ParseResourceID(o.exec)
		switch name = plain; {
		case problem == "" && id.Namespace == "" && id.Kind == "pods":
			o.pod = name
		case problem == "" && id.Namespace == "" && id.Kind == deployments:
			o.pod, o.deployment = "", name
		default:
			return usagef(cmd, "--exec %q: a command runs in a pod or in those of a deployment, which "+
				"%s is not; name the pod, which \"kubectl get pods\" lists", o.exec, kind)
		}
	}
	if problem := requests.CheckObject(name); problem != "" {
		return usagef(cmd, "--exec %q: %s", name, problem)
	}
	if problem := requests.CheckContainer(o.container); o.container != "" && problem != "" {
		return usagef(cmd, "--container %q: %s", o.container, problem)
	}
	if problem := requests.CheckCommand(o.command); problem != "" {
		return usagef(cmd, "the command after --: %s", problem)
	}
	return nil
}

// fill writes what is wished for into a request.
func (o wish) fill(spec *requests.RequestSpec) {
	spec.Grants, spec.Role, spec.Selector = o.grants, o.role, o.selector
	for _, id := range o.asked {
		resource := id.Resource()
		if resource != "" && !slices.Contains(spec.Resources, resource) {
			spec.Resources = append(spec.Resources, resource)
		}
	}
	if o.pod != "" || o.deployment != "" {
		spec.Exec = &requests.Exec{Pod: o.pod, Deployment: o.deployment, Container: o.container,
			Stdin: o.stdin, Terminal: o.tty}
		if len(o.command) > 0 {
			spec.Exec.Command = o.command
		}
	}
}

// instead says what to ask for when a policy refused what it does not offer; empty when there is
// nothing to add.
func (o wish) instead(code policies.Code) string {
	switch {
	case code != policies.ResourceNotAllowed:
	case o.wholeOnes:
		return "a namespace stands for everything of a role in it; ask with --namespace under a " +
			"policy that gives a role there, a " + requests.KubernetesRoleBinding +
			"; the object itself is " +
			"--resource namespaces/NAME"
	case slices.ContainsFunc(o.asked, func(id requests.ResourceID) bool { return id.ClusterWide }):
		return "what stands in no namespace comes with a policy that offers it in the whole " +
			"cluster, a " +
			requests.KubernetesResourceRole + " with scope: Cluster, or with one that gives a " +
			"role there, " +
			"a " + requests.KubernetesClusterRoleBinding + ": ask under that one without --resource"
	}
	return ""
}
