package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// execGrant lets one command run in a container.
var execGrant = grantKind{
	name: requests.KubernetesExec,
	about: "KubernetesExec: a Role that lets the command of the request run in a container of one " +
		"pod.",
	fields: kindFields{needs: []string{"allowedNamespaces", "containers", "pods"},
		takes: []string{"anyCommand", "commands", "defaultNamespace", "name", "stdin", "terminal"}},
	asks: []string{"namespace", "exec"},
	check: func(d *requests.Document, at string, g GrantSpec) {
		checkDefaultNamespace(d, at, g)
		switch {
		case g.AnyCommand && d.Has(at+".commands"):
			d.Add(at+".commands", "grant", "anyCommand makes it needless; keep one of the two")
		case !g.AnyCommand && len(g.Commands) == 0:
			d.Add(at, "grant", "%s needs commands, or anyCommand", g.Kind)
		case g.Terminal && !g.Stdin:
			d.Add(at+".terminal", "grant",
				"a terminal without stdin is of no use; allow both or none")
		}
		for n, command := range g.Commands {
			if len(command) == 0 || len(command) > requests.MaxArguments {
				d.Add(fmt.Sprintf("%s.commands[%d]", at, n), "grant",
					"a command has 1 to %d arguments",
					requests.MaxArguments)
			}
		}
	},
	protected: protectedIn,
	resolve: func(_ Tree, r requests.RequestSpec, g GrantSpec) (requests.Item, refusal) {
		item := requests.Item{Kind: requests.KubernetesExec}
		if r.Exec == nil {
			return item, refusal{CommandNotAllowed, "spec.exec",
				"the policy lets commands run; say " +
					"which and where, in exec"}
		}
		asked := *r.Exec
		if asked.Container == "" && len(g.Containers) == 1 {
			asked.Container = g.Containers[0]
		}
		item.Exec, item.Allows = &asked, asked.Rules()
		if problem := requests.CheckCommand(asked.Command); problem != "" {
			return item, refusal{CommandNotAllowed, "spec.exec.command", problem}
		}
		field, problem := g.execProblem(asked)
		return item, refusal{CommandNotAllowed, "spec.exec" + field, problem}
	},
	offers: func(_ Tree, _ string, g GrantSpec) (all []requests.Item) {
		for _, namespace := range g.AllowedNamespaces {
			for _, e := range g.execs() {
				all = append(all, requests.Item{Kind: requests.KubernetesExec, Namespace: namespace,
					Exec:   &e,
					Allows: requests.Exec{Stdin: e.Stdin, Terminal: e.Terminal}.Rules()})
			}
		}
		return all
	},
	covers: func(g GrantSpec, i requests.Item) bool {
		_, problem := g.execProblem(*i.Exec)
		return problem == "" && slices.Contains(g.AllowedNamespaces, i.Namespace)
	},
	gives: generated,
	risks: func(_ Tree, _ string, i requests.Item) (all []rbac.Risk) {
		e := i.Exec
		if len(e.Command) == 0 || e.Terminal {
			all = append(all, rbac.Risk{Code: "shell", High: true,
				Text: "whoever has it does in the " +
					"container what they like, with the pod's own identity; a command that runs goes on " +
					"after the end"})
		}
		return all
	},
	words: func(g GrantSpec) string {
		what := "any command"
		if !g.AnyCommand {
			var all []string
			for _, command := range g.Commands {
				all = append(all, requests.Quote(strings.Join(command, " ")))
			}
			what = "command " + anyOf(all)
		}
		return fmt.Sprintf("%s in container %s of pods %s in namespace %s", what,
			anyOf(g.Containers),
			anyOf(g.Pods), anyOf(g.AllowedNamespaces))
	},
}

// execs are what may be asked for, with globs in the place of names and arguments.
func (g GrantSpec) execs() (all []requests.Exec) {
	ways := []requests.Exec{{}}
	if g.Stdin {
		ways = append(ways, requests.Exec{Stdin: true})
	}
	if g.Terminal {
		ways = append(ways, requests.Exec{Stdin: true, Terminal: true})
	}
	commands := g.Commands
	if g.AnyCommand {
		commands = [][]string{nil}
	}
	for _, e := range ways {
		for _, e.Pod = range g.Pods {
			for _, e.Container = range g.Containers {
				for _, e.Command = range commands {
					all = append(all, e)
				}
			}
		}
	}
	return all
}

// execProblem tells which field of an exec the grant does not allow, and why. The exec may be one that
// another grant offers, with globs.
func (g GrantSpec) execProblem(e requests.Exec) (field, problem string) {
	glob := func(globs []string, text string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool { return matches(glob, text) })
	}
	switch {
	case e.Container == "":
		return ".container", "name a container; allowed: " + strings.Join(g.Containers, ", ")
	case !slices.Contains(g.Containers, e.Container):
		return ".container", fmt.Sprintf("the container %s is not in the policy; allowed: %s",
			requests.Quote(e.Container), strings.Join(g.Containers, ", "))
	case !glob(g.Pods, e.Pod):
		return ".pod", fmt.Sprintf("the pod %s is not in the policy; allowed: %s",
			requests.Quote(e.Pod), strings.Join(g.Pods, ", "))
	case e.Terminal && !e.Stdin:
		return ".terminal", "a terminal needs stdin too, as kubectl exec -it does"
	case e.Terminal && !g.Terminal:
		return ".terminal", "the policy gives no terminal"
	case e.Stdin && !g.Stdin:
		return ".stdin", "the policy lets no input through"
	case g.AnyCommand:
		return "", ""
	case len(e.Command) == 0:
		return ".command", "name the command; the policy does not allow just any"
	case !slices.ContainsFunc(g.Commands, func(allowed []string) bool {
		return slices.EqualFunc(allowed, e.Command, matches)
	}):
		return ".command", fmt.Sprintf("the command %s is not in the policy; it allows %s",
			requests.Quote(strings.Join(e.Command, " ")), g)
	}
	return "", ""
}
