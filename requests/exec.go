package requests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Exec is a command that may run in one container of one pod, or of each pod that a Deployment has
// by then. Without a container it is kubectl's default one, without a command any may run.
type Exec struct {
	Pod        string   `yaml:"pod,omitempty" json:"pod,omitempty"`
	Deployment string   `yaml:"deployment,omitempty" json:"deployment,omitempty"`
	Container  string   `yaml:"container,omitempty" json:"container,omitempty"`
	Command    []string `yaml:"command,omitempty" json:"command,omitempty"`
	Stdin      bool     `yaml:"stdin,omitempty" json:"stdin,omitempty"`       // kubectl exec -i
	Terminal   bool     `yaml:"terminal,omitempty" json:"terminal,omitempty"` // kubectl exec -t
}

// MaxArguments bounds a command: what the API server's admission compares is bounded too.
const MaxArguments = 20

// String is what may run, for people.
func (e Exec) String() string { return e.in("container " + e.Container) }

// in is String with the words for the container.
func (e Exec) in(container string) string {
	what := "any command"
	if len(e.Command) > 0 {
		what = "command " + Quote(strings.Join(e.Command, " "))
	}
	switch {
	case e.Terminal:
		what += " on a terminal"
	case e.Stdin:
		what += " with input"
	}
	return fmt.Sprintf("%s in %s of %s", what, container, e.place())
}

// place is where it may run, for people.
func (e Exec) place() string {
	if e.Deployment != "" {
		return "pods of deployment " + e.Deployment
	}
	return "pod " + e.Pod
}

// Verb is what the API server's admission asks for: run a command, with input, or on a terminal.
func (e Exec) Verb() string {
	switch {
	case e.Terminal:
		return "terminal"
	case e.Stdin:
		return "input"
	}
	return "run"
}

// CommandsGroup and CommandsResource are the resource, of an API that nobody serves, whose names
// are commands in containers. The policy pullgrant-exec asks whether somebody may run one, give it
// input or a terminal, attach to it, or add ephemeralcontainers.
const (
	CommandsGroup    = "exec.pullgrant.dev"
	CommandsResource = "commands"
)

// Rules are those of the Role that lets the command run: to read the pod, which kubectl does first,
// to exec into it, and to run the command in one of the containers. Without pod and Deployment, as
// a policy offers it, they have no names.
func (e Exec) Rules(containers ...string) []Rule {
	rules := []Rule{{Resource: "pods", Verbs: []string{"get"}},
		{Resource: "pods/exec", Verbs: []string{"create"}},
		{Group: CommandsGroup, Resource: CommandsResource, Verbs: []string{e.Verb()}}}
	for _, e.Container = range containers {
		switch run := &rules[2]; {
		case e.Pod != "":
			rules[0].Names, rules[1].Names = []string{e.Pod}, []string{e.Pod}
			run.Names = append(run.Names, e.Name())
		case e.Deployment != "":
			pods := []Match{{Deployment: e.Deployment}}
			rules[0].Match, rules[1].Match = pods, pods
			run.Match = append(run.Match, Match{Deployment: e.Deployment, Then: e.Name()})
		}
	}
	return rules
}

// CheckPlace tells what is wrong with where a command is to run; empty when nothing is.
func (e Exec) CheckPlace() string {
	if (e.Pod == "") == (e.Deployment == "") {
		return "name either a pod or a deployment to run it in"
	}
	return ""
}

var escapeArgument = strings.NewReplacer(`\`, `\\`, ` `, `\ `, `*`, `\*`)

// Name is the command as the name of a resource: pod, where there is one, and container, then each
// argument after a space, with \, space and * after a \. A * that is not stands for the last part of a path.
func (e Exec) Name() string {
	name := e.Pod + "/" + e.Container
	for _, argument := range e.Command {
		if dir, is := strings.CutSuffix(argument, "/*"); is {
			name += " " + escapeArgument.Replace(dir) + "/*"
			continue
		}
		name += " " + escapeArgument.Replace(argument)
	}
	return name
}

// CheckCommand tells what is wrong with a command; empty when nothing is. An argument may end with
// /*, which stands for one file of a folder; other patterns the API server cannot compare, so a *
// anywhere else is refused rather than taken for itself.
func CheckCommand(command []string) string {
	if len(command) > MaxArguments {
		return fmt.Sprintf("it has %d arguments; %d can be compared", len(command), MaxArguments)
	}
	for i, argument := range command {
		if problem := checkArgument(argument, i == 0); problem != "" {
			return fmt.Sprintf("argument %d, %s, %s", i, Quote(argument), problem)
		}
	}
	return ""
}

// ArgumentPattern is the form of one argument: no control characters, and a * only as the last part
// of a path.
const ArgumentPattern = `^[^*\p{Cc}]{0,500}(/\*)?$`

var argumentPattern = regexp.MustCompile(ArgumentPattern)

// CheckArgument tells what is wrong with one argument, wherever it stands; empty when nothing is.
func CheckArgument(argument string) string {
	return mustMatch(argumentPattern, argument, "up to 500 characters without control "+
		"characters; a * "+
		"may stand only as the last part of a path, such as /my/app/config/*")
}

func checkArgument(argument string, first bool) string {
	dir, globs := strings.CutSuffix(argument, "/*")
	switch {
	case CheckArgument(argument) != "":
		return CheckArgument(argument)
	case argument == "" && first:
		return "is empty; it must name a program"
	case globs && first:
		return "is the program, which must be named without *"
	case globs && strings.HasPrefix(argument, "-"):
		return "is an option; a * in one is never compared"
	case globs && slices.Contains(strings.Split(strings.TrimPrefix(dir, "/"), "/"), ""):
		return "must be a path with a folder before the *, such as /my/app/config/*"
	case globs && slices.ContainsFunc(strings.Split(dir, "/"), func(part string) bool {
		return part == "." || part == ".."
	}):
		return "must be a path without . and .. parts"
	}
	return ""
}

// CheckContainer tells what is wrong with the name of a container; empty when nothing is.
func CheckContainer(s string) string { return CheckName(s) }

// CheckObject tells what is wrong with the name of a pod or another object that a request names;
// empty when nothing is.
func CheckObject(s string) string {
	return mustMatch(objectPattern, s, "the exact name of an object")
}
