package requests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Match is what a rule of a Role is about beside objects that are named: those whose names or
// labels match, or the pods of a Deployment, as they come and go. One of Pattern, Selector and
// Deployment is set; of what a policy offers none may be, as requests bring them.
type Match struct {
	Pattern  string `json:"pattern,omitempty"`  // of names: a glob, or a regular expression
	Selector string `json:"selector,omitempty"` // of labels, in Kubernetes' own syntax
	// Within are the policy's globs: a name that a pattern or selector finds must match one of
	// them too.
	Within []string `json:"within,omitempty"`
	// Deployment is the name of one. Its pods are those of its ReplicaSets, by who controls whom:
	// labels anybody may wear.
	Deployment string `json:"deployment,omitempty"`
	// Then follows the name of each pod in the rule's names: of a command, what Exec.Name has.
	Then string `json:"then,omitempty"`
}

// Placeholder is a name in every rule of a Role whose names are kept current, and one that no
// object can have. Without any name a rule would be about every object.
const Placeholder = "-"

// String is the match as a request writes it.
func (m Match) String() string {
	if m.Deployment != "" {
		return "deployment/" + m.Deployment + m.Then
	}
	return m.Pattern + m.Selector
}

// Kinds are the objects that must be seen to know which match in a rule about a kind: of the last
// are those that match, and each is controlled by one of those before it.
func (m Match) Kinds(kind string) []string {
	if m.Deployment != "" {
		return []string{"deployments.apps", "replicasets.apps", "pods"}
	}
	return []string{kind}
}

// UnmatchedPattern is the form of kinds whose objects are given by their exact names only.
const UnmatchedPattern = `^(secrets|.*\.rbac\.authorization\.k8s\.io)$`

var unmatchedPattern = regexp.MustCompile(UnmatchedPattern)

// Unmatched tells why objects of a kind are given by their exact names only; empty when they are
// not.
func Unmatched(kind string) string {
	switch {
	case kind == "secrets":
		return "the agent would have to list Secrets, and RBAC cannot limit that to their names"
	case unmatchedPattern.MatchString(kind):
		return "an object of RBAC can have any name, " + Quote(Placeholder) + " too"
	}
	return ""
}

// RegexpPattern is the form of a regular expression in a request: of RE2, about a whole name.
const RegexpPattern = `\^[!-~]{1,250}\$`

// globPattern is the form of a glob of names in requests and policies.
var globPattern = regexp.MustCompile(`^[A-Za-z0-9*]([A-Za-z0-9*.:_-]{0,251}[A-Za-z0-9*])?$`)

// Matcher tells which names match; an error is about a pattern that is none.
func (m Match) Matcher() (func(name string) bool, error) {
	if m.Deployment != "" {
		return func(string) bool { return true }, nil
	}
	pattern := m.Pattern
	if pattern == "" {
		pattern = "*"
	}
	asked, err := expression(pattern)
	if err != nil {
		return nil, err
	}
	var within []*regexp.Regexp
	for _, glob := range m.Within {
		one, err := expression(glob)
		if err != nil {
			return nil, err
		}
		within = append(within, one)
	}
	return func(name string) bool {
		return asked.MatchString(name) && slices.ContainsFunc(within,
			func(one *regexp.Regexp) bool { return one.MatchString(name) })
	}, nil
}

// expression is a pattern of names as a regular expression about a whole name.
func expression(pattern string) (*regexp.Regexp, error) {
	if !strings.HasPrefix(pattern, "^") {
		if !globPattern.MatchString(pattern) {
			return nil, fmt.Errorf("%s is no glob of names", Quote(pattern))
		}
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		return regexp.Compile("^" + strings.Join(parts, ".*") + "$")
	}
	// By itself it must be one, or a bracket of it could end the group that both anchors hold.
	if _, err := inner(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile("^(?:" + pattern[1:len(pattern)-1] + ")$")
}

// inner is a regular expression without its anchors.
func inner(pattern string) (*regexp.Regexp, error) {
	if len(pattern) < 3 || !strings.HasSuffix(pattern, "$") {
		return nil, fmt.Errorf("%s does not begin with ^ and end with $", Quote(pattern))
	}
	return regexp.Compile(pattern[1 : len(pattern)-1])
}

// CanMatch tells whether a name could match both a pattern and one of a policy's globs, as far as
// their beginnings tell.
func CanMatch(pattern string, globs []string) bool {
	begin := literal(pattern)
	return slices.ContainsFunc(globs, func(glob string) bool {
		other := literal(glob)
		return strings.HasPrefix(begin, other) || strings.HasPrefix(other, begin)
	})
}

// literal is what every match of a pattern begins with.
func literal(pattern string) string {
	if !strings.HasPrefix(pattern, "^") {
		before, _, _ := strings.Cut(pattern, "*")
		return before
	}
	re, err := inner(pattern)
	if err != nil {
		return ""
	}
	prefix, _ := re.LiteralPrefix()
	return prefix
}

// CheckNames tells what is wrong with the part of a resource after its kind: the name of one
// object, a glob or a regular expression; empty when nothing is.
func CheckNames(s string) string {
	if objectPattern.MatchString(s) {
		return ""
	}
	if _, err := expression(s); err != nil {
		return "it must be the name of one object, a glob such as api-*, or a regular expression " +
			"such as ^api-[a-z0-9]+$"
	}
	return ""
}

// CheckMatch tells what is wrong with a match of a rule about a kind of objects; empty when nothing
// is.
func CheckMatch(kind string, m Match) string {
	_, err := m.Matcher()
	switch {
	case m.Deployment != "":
		return checkDeployment(kind, m)
	case m.Then != "":
		return "only names of commands go on after that of a pod"
	case Unmatched(kind) != "":
		return Unmatched(kind)
	case len(m.Within) == 0 || (m.Pattern == "") == (m.Selector == ""):
		return "it must be a pattern or a selector, within globs of the policy"
	case err != nil:
		return err.Error()
	case m.Selector != "":
		return CheckSelector(m.Selector)
	}
	return ""
}

// checkDeployment is CheckMatch of the pods of a Deployment, by themselves or as where a command
// runs.
func checkDeployment(kind string, m Match) string {
	command := Rule{Group: CommandsGroup, Resource: CommandsResource}.Kind()
	switch {
	case len(m.Within) > 0 || m.Pattern+m.Selector != "":
		return "the pods of a deployment are all that it has"
	case kind != "pods" && kind != command, (kind == command) != strings.HasPrefix(m.Then, "/"):
		return "a deployment has pods, and commands that run in them"
	}
	return CheckObject(m.Deployment)
}

// Parts of a selector.
const (
	labelValue = `[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`
	labelKey   = `([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?` + labelValue
	oneLabel   = `(!?` + labelKey + `|` + labelKey + ` ?(==?|!=) ?(` + labelValue +
		`)?|` + labelKey +
		` (not)?in \(` + labelValue + `( ?, ?` + labelValue + `)*\))`
	maxSelector = 500
)

// SelectorPattern is the form of a selector of labels.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
const SelectorPattern = `^` + oneLabel + `( ?, ?` + oneLabel + `)*$`

var selectorPattern = regexp.MustCompile(SelectorPattern)

// CheckSelector tells what is wrong with a selector of labels; empty when nothing is.
func CheckSelector(s string) string {
	if len(s) > maxSelector || !selectorPattern.MatchString(s) {
		return fmt.Sprintf("it must be a label selector of up to %d characters as kubectl takes it, "+
			"such as app=nginx or tier in (web, api)", maxSelector)
	}
	return ""
}
