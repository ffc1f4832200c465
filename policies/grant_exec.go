package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

var execFields = requests.Fields{
	"GrantSpec.deployments": {About: "Deployments in whose pods, as they come and go, a command of " +
		"a request may run: exact names, or globs with *.", Form: formGlob, Min: 1, Unique: true},
	"GrantSpec.once": {About: "Best effort: the request's access ends at first use, as soon as the " +
		"audit webhook tells the agent. Without that webhook it is only short: 2m when neither " +
		"policy nor request says how long. Default: false."},
}

// execGrant lets one command run in a container.
var execGrant = grantKind{
	name: requests.KubernetesExec,
	about: "KubernetesExec: a Role that lets the command of the request run in a container of one " +
		"pod, or of the pods of a Deployment.",
	fields: kindFields{needs: []string{"allowedNamespaces", "containers"},
		takes: []string{"anyCommand", "commands", "defaultNamespace", "deployments", "name", "once",
			"pods", "stdin", "terminal"}},
	asks: []string{"namespace", "exec"},
	check: func(d *requests.Document, at string, g GrantSpec) {
		checkDefaultNamespace(d, at, g)
		if len(g.Pods)+len(g.Deployments) == 0 {
			d.Add(at, "grant", "%s needs pods, deployments, or both", g.Kind)
		}
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
		item := requests.Item{Kind: requests.KubernetesExec, Once: g.Once}
		if r.Exec == nil {
			return item, refusal{CommandNotAllowed, "spec.exec",
				"the policy lets commands run; say " +
					"which and where, in exec (--exec POD -- COMMAND)"}
		}
		asked := *r.Exec
		switch {
		case asked.Container != "":
		case len(g.Containers) == 1:
			asked.Container = g.Containers[0]
		default:
			item.Containers = g.Containers
		}
		item.Exec, item.Allows = &asked, asked.Rules(asked.Container)
		item = item.Asked()
		if problem := requests.CheckCommand(asked.Command); problem != "" {
			return item, refusal{CommandNotAllowed, "spec.exec.command", problem}
		}
		field, problem := g.execProblem(asked)
		return item, refusal{CommandNotAllowed, "spec.exec" + field, problem}
	},
	offers: func(_ Tree, _ string, g GrantSpec) (all []requests.Item) {
		for _, namespace := range g.AllowedNamespaces {
			for _, e := range g.execs() {
				item := requests.Item{Kind: requests.KubernetesExec, Namespace: namespace,
					Once: g.Once, Exec: &e,
					Allows: requests.Exec{Deployment: e.Deployment, Stdin: e.Stdin,
						Terminal: e.Terminal}.Rules("")}
				if e.Container == "" {
					item.Containers = g.Containers
				}
				all = append(all, item)
			}
		}
		return all
	},
	covers: func(g GrantSpec, i requests.Item) bool {
		_, problem := g.execProblem(*i.Exec)
		return problem == "" && slices.Contains(g.AllowedNamespaces, i.Namespace) &&
			(i.Once || !g.Once) &&
			(!i.Undecided() || !slices.ContainsFunc(i.Containers, func(c string) bool {
				return !slices.Contains(g.Containers, c)
			}))
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
		if e.Deployment != "" {
			all = append(all, rbac.Risk{Code: "matches", Text: fmt.Sprintf("reaches each pod that "+
				"deployment %s comes to have while it lasts, up to %d: whoever may change the "+
				"deployment, its ReplicaSets or its pods decides what runs there",
				e.Deployment, requests.MaxNames)})
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
		text := fmt.Sprintf("%s in container %s of %s in namespace %s", what,
			anyOf(g.Containers), g.execPlaces(), anyOf(g.AllowedNamespaces))
		if g.Once {
			text += ", " + requests.OnceText
		}
		return text
	},
}

// execPlaces are the words for where commands may run.
func (g GrantSpec) execPlaces() string {
	var all []string
	if len(g.Pods) > 0 {
		all = append(all, "pods "+anyOf(g.Pods))
	}
	if len(g.Deployments) > 0 {
		all = append(all, "pods of deployments "+anyOf(g.Deployments))
	}
	return anyOf(all)
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
	containers := g.Containers
	if len(containers) > 1 {
		containers = append(slices.Clone(containers), "") // kubectl's default one
	}
	var places []requests.Exec
	for _, pod := range g.Pods {
		places = append(places, requests.Exec{Pod: pod})
	}
	for _, deployment := range g.Deployments {
		places = append(places, requests.Exec{Deployment: deployment})
	}
	for _, e := range ways {
		for _, place := range places {
			e.Pod, e.Deployment = place.Pod, place.Deployment
			for _, e.Container = range containers {
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
	case e.Container != "" && !slices.Contains(g.Containers, e.Container):
		return ".container", fmt.Sprintf("the container %s is not in the policy; allowed: %s",
			requests.Quote(e.Container), strings.Join(g.Containers, ", "))
	case e.Pod != "" && !glob(g.Pods, e.Pod):
		return ".pod", fmt.Sprintf("the pod %s is not in the policy; allowed: %s",
			requests.Quote(e.Pod), g.execPlaces())
	case e.Deployment != "" && !glob(g.Deployments, e.Deployment):
		return ".deployment", fmt.Sprintf("the deployment %s is not in the policy; allowed: %s",
			requests.Quote(e.Deployment), g.execPlaces())
	case e.Terminal && !e.Stdin:
		return ".terminal", "a terminal needs stdin too, as kubectl exec -it does"
	case e.Terminal && !g.Terminal:
		return ".terminal", "the policy gives no terminal"
	case e.Stdin && !g.Stdin:
		return ".stdin", "the policy lets no input through"
	case g.AnyCommand:
		return "", ""
	case len(e.Command) == 0:
		return ".command", "name the command, in exec.command (--exec POD -- COMMAND); the policy " +
			"does not allow just any"
	case !slices.ContainsFunc(g.Commands, func(allowed []string) bool {
		return slices.EqualFunc(allowed, e.Command, matches)
	}):
		return ".command", fmt.Sprintf("the command %s is not in the policy; it allows %s",
			requests.Quote(strings.Join(e.Command, " ")), g)
	}
	return "", ""
}
