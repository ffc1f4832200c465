package requests

import (
	"regexp"
	"slices"
)

// EveryNamespace is the namespace of a request for all that there are.
const EveryNamespace = "*"

// MaxNamespaces is how many namespaces a request's pattern may stand for: each is an item of its
// own, which its approvers read.
const MaxNamespaces = 20

// NamespacesPattern is the form of the namespace of a request: the name of one, a glob of names or
// a regular expression.
const NamespacesPattern = `^([a-z0-9*]([a-z0-9*-]{0,61}[a-z0-9*])?|` + RegexpPattern + `)$`

var namespacesPattern = regexp.MustCompile(NamespacesPattern)

// CheckNamespaces tells what is wrong with the namespace of a request; empty when nothing is.
func CheckNamespaces(s string) string {
	if _, err := expression(s); err == nil && namespacesPattern.MatchString(s) {
		return ""
	}
	return "it must be " + nameForm + ", or a pattern: a glob such as team-*, or a regular " +
		"expression such as ^team-[a-z]+$"
}

// MatchNamespaces are those of some namespaces that a pattern stands for, each once, sorted, so
// that their order is no matter of how a policy lists them.
func MatchNamespaces(pattern string, among []string) []string {
	matches, err := expression(pattern)
	if err != nil { // a request with such a pattern has a finding
		return nil
	}
	var all []string
	for _, name := range among {
		if matches.MatchString(name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
