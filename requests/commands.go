package requests

import (
	"cmp"
	"regexp"
	"strings"
)

// Commands are what the one whom a grant is for types to use it, where that does not go without
// saying: to run a command, and whatever is used as the grant's own identity. What is for them to
// fill in is in capitals: of a Deployment also the pod, unless podOf, which may be nil, tells one
// that it has now.
func (g Grant) Commands(podOf func(Item) string) (all []string) {
	for _, i := range g.Items {
		command := "kubectl"
		if i.Namespace != "" {
			command += " -n " + i.Namespace
		}
		switch {
		case i.Exec != nil:
			pod := i.Exec.Pod
			if i.Exec.Deployment != "" && podOf != nil {
				pod = podOf(i)
			}
			command += i.Exec.kubectl(cmp.Or(pod, "POD"))
		case i.Impersonates():
			command += " ARGUMENT..."
		default:
			continue
		}
		all = append(all, g.Using(command))
	}
	return all
}

// Using is a command as the one whom the grant is for types it to use it.
func (g Grant) Using(command string) string {
	if g.Impersonates() {
		return "pullgrant exec " + g.Name + " -- " + command
	}
	return command
}

// kubectl are the arguments of kubectl with which the command runs. Others than these the API
// server refuses: a terminal or input that was not asked for too.
func (e Exec) kubectl(pod string) string {
	text := " exec "
	switch {
	case e.Terminal:
		text += "-it "
	case e.Stdin:
		text += "-i "
	}
	text += pod
	if e.Container != "" { // else kubectl takes the default one, as the agent does
		text += " -c " + e.Container
	}
	text += " --"
	if len(e.Command) == 0 {
		return text + " COMMAND ARGUMENT..."
	}
	var command []string
	for _, argument := range e.Command {
		if folder, is := strings.CutSuffix(argument, "/*"); is {
			argument = folder + "/FILE"
		}
		command = append(command, argument)
	}
	return text + " " + ShellLine(command)
}

var shellPlain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// ShellLine is a command as a POSIX shell reads it.
func ShellLine(command []string) string {
	var all []string
	for _, argument := range command {
		all = append(all, shellQuote(argument))
	}
	return strings.Join(all, " ")
}

// shellQuote is an argument as a POSIX shell reads it back.
func shellQuote(s string) string {
	if shellPlain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
