package requests

import (
	"regexp"
	"strings"
)

// Commands are what the one whom a grant is for types to use it, where that does not go without
// saying: to run a command, and whatever is used as the grant's own identity. What is for them to
// fill in is in capitals.
func (g Grant) Commands() (all []string) {
	for _, i := range g.Items {
		command := "kubectl"
		if i.Namespace != "" {
			command += " -n " + i.Namespace
		}
		switch {
		case i.Exec != nil:
			command += i.Exec.kubectl()
		case i.Impersonates():
			command += " ARGUMENT..."
		default:
			continue
		}
		if i.Impersonates() {
			command = "pullgrant exec " + g.Name + " -- " + command
		}
		all = append(all, command)
	}
	return all
}

// kubectl are the arguments of kubectl with which the command runs. Others than these the API
// server refuses: a terminal or input that was not asked for too.
func (e Exec) kubectl() string {
	text := " exec "
	switch {
	case e.Terminal:
		text += "-it "
	case e.Stdin:
		text += "-i "
	}
	text += e.Pod + " -c " + e.Container + " --"
	if len(e.Command) == 0 {
		return text + " COMMAND ARGUMENT..."
	}
	for _, argument := range e.Command {
		if folder, is := strings.CutSuffix(argument, "/*"); is {
			argument = folder + "/FILE"
		}
		text += " " + shellQuote(argument)
	}
	return text
}

var shellPlain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote is an argument as a POSIX shell reads it back.
func shellQuote(s string) string {
	if shellPlain.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
