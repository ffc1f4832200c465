package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// asking is a command line that asks for access, in the parts that a line may break between.
type asking [][]string

// newAsking is the command line of what a request says, for the repository that was named. What it
// leaves out is asked for, or the policy's.
func newAsking(r remote, spec requests.RequestSpec) asking {
	a := asking{{"request"}}
	add := func(flag, value string) {
		if value != "" {
			a = append(a, []string{flag, value})
		}
	}
	add("--policy", spec.Policy)
	add("--cluster", spec.Cluster)
	add("--namespace", spec.Namespace)
	for _, name := range spec.Grants {
		add("--grant", name)
	}
	add("--role", spec.Role)
	for _, resource := range spec.Resources {
		add("--resource", resource)
	}
	add("--selector", spec.Selector)
	for _, name := range slices.Sorted(maps.Keys(spec.Fields)) {
		add("--field", name+"="+spec.Fields[name])
	}
	add("--repo", string(r.repo))
	add("--dir", r.checkout.dir)
	add("--reason", spec.Reason)
	if e := spec.Exec; e != nil {
		add("--exec", e.Pod)
		if e.Deployment != "" {
			add("--exec", "deployment/"+e.Deployment)
		}
		add("-c", e.Container)
		if e.Stdin {
			a = append(a, []string{"-i"})
		}
		if e.Terminal {
			a = append(a, []string{"-t"})
		}
		if len(e.Command) > 0 {
			a = append(a, append([]string{"--"}, e.Command...))
		}
	}
	return a
}

// args are the arguments as the program takes them.
func (a asking) args() (all []string) {
	for _, part := range a {
		all = append(all, part...)
	}
	return all
}

// line is the whole command in one line for a shell; name is the program's.
func (a asking) line(name string) string { return strings.Join(a.words(name), " ") }

// lines is the command for a terminal: to be copied, and broken where it would be too wide.
func (a asking) lines(name, indent string) (all []string) {
	const more = " \\"
	current := indent
	for i, part := range a.words(name) {
		switch {
		case i == 0:
			current += part
		case columns(current+" "+part+more) > width:
			all = append(all, current+more)
			current = indent + "  " + part
		default:
			current += " " + part
		}
	}
	return append(all, current)
}

func (a asking) words(name string) (all []string) {
	for i, part := range a {
		var words []string
		if i == 0 {
			words = append(words, name)
		}
		for _, word := range part {
			words = append(words, shellWord(word))
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

var safeWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// shellWord is a word that a shell takes as it is.
func shellWord(s string) string {
	if safeWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
