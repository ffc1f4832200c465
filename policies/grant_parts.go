package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// What several kinds of grants have in common: a namespace, and a role that the request may pick.

func checkDefaultNamespace(d *requests.Document, at string, g GrantSpec) {
	if !slices.Contains(g.AllowedNamespaces, g.DefaultNamespace) {
		d.Check(at+".defaultNamespace", "namespace", g.DefaultNamespace,
			"it must be one of allowedNamespaces")
	}
}

// goesBy tells whether a grant goes by what a field of a request's spec says.
func (g GrantSpec) goesBy(field string, r requests.RequestSpec) bool {
	if field == "namespace" && g.Scope != "" {
		return g.Scope == ScopeAllNamespaces && r.Namespace == requests.EveryNamespace
	}
	return slices.Contains(g.kind().asks, field)
}

// placesFor are the namespaces that a request asks for by a grant: the one that it names, or those
// that match its pattern; "" stands for the whole cluster. Where it cannot have them it is one of
// the grant's all the same, as in all of them the rest of the rules are met alike.
func (g GrantSpec) placesFor(r requests.RequestSpec) ([]string, refusal) {
	if g.wide() {
		return []string{""}, refusal{}
	}
	places := []string{cmp.Or(r.Namespace, g.DefaultNamespace)}
	problem := ""
	if requests.CheckName(r.Namespace) != "" && r.Namespace != "" {
		places = requests.MatchNamespaces(r.Namespace, g.AllowedNamespaces)
		problem = matchProblem(r.Namespace, places, g.AllowedNamespaces)
	}
	for _, place := range places {
		problem = cmp.Or(problem, namespaceProblem(place, g.AllowedNamespaces))
	}
	if problem != "" {
		places = g.AllowedNamespaces[:1]
	}
	return places, refusal{NamespaceNotAllowed, "spec.namespace", problem}
}

// matchProblem tells why a request cannot have the namespaces that match its pattern.
func matchProblem(pattern string, matched, allowed []string) string {
	switch n := len(matched); {
	case n == 0:
		return fmt.Sprintf("%s matches no namespace of the policy; allowed: %s",
			requests.Quote(pattern), strings.Join(allowed, ", "))
	case n > requests.MaxNamespaces:
		return fmt.Sprintf("%s matches %d namespaces of the policy, more than the %d that one "+
			"request is for; name one of them, or ask by a narrower pattern",
			requests.Quote(pattern), n, requests.MaxNamespaces)
	}
	return ""
}

func protectedIn(g GrantSpec) (problems []string) {
	for _, namespace := range g.AllowedNamespaces {
		problems = append(problems, protectedNamespace(namespace))
	}
	return notEmpty(problems)
}

func notEmpty(all []string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func protectedNamespace(name string) string {
	if requests.Protected(name) {
		return fmt.Sprintf("the namespace %s is protected: kube-*, %s and %s are never granted into",
			requests.Quote(name), requests.AgentNamespace, requests.GrantsNamespace)
	}
	return ""
}

// namespaceProblem tells why a request cannot have access in a namespace; empty when it can.
func namespaceProblem(namespace string, allowed []string) string {
	switch {
	case namespace == "":
		return "the policy has no default namespace; name one of " + strings.Join(allowed, ", ")
	case protectedNamespace(namespace) != "":
		return protectedNamespace(namespace)
	case !slices.Contains(allowed, namespace):
		return fmt.Sprintf("the namespace %s is not in the policy; allowed: %s",
			requests.Quote(namespace),
			strings.Join(allowed, ", "))
	}
	return ""
}

// offered are the ClusterRoles of a grant: the one of roleRef, or those that a request picks from.
func (g GrantSpec) offered() []string {
	if g.RoleRef.Name != "" {
		return []string{g.RoleRef.Name}
	}
	return g.Roles
}

// checkRoles finds a grant that says twice, or not at all, which roles it gives.
func checkRoles(d *requests.Document, at string, g GrantSpec) {
	switch one, many := d.Has(at+".roleRef"), d.Has(at+".roles"); {
	case one && many:
		d.Add(at+".roles", "grant", "%s has roleRef too; keep roles where a request picks one, "+
			"else roleRef", g.Kind)
	case !one && !many:
		d.Add(at, "grant", "%s needs roleRef, or roles where a request picks one", g.Kind)
	}
}

func protectedRoles(g GrantSpec) (problems []string) {
	for _, role := range g.offered() {
		problems = append(problems, protectedRole(role))
	}
	return notEmpty(problems)
}

func protectedRole(name string) string {
	if strings.HasPrefix(name, "system:") {
		return "the role " + requests.Quote(name) + " is protected: roles under system: are " +
			"never granted"
	}
	return ""
}

// roleOf is the role that a request asks for by a grant, or why it cannot have it.
func roleOf(r requests.RequestSpec, g GrantSpec) (requests.Role, refusal) {
	role := requests.Role{Kind: requests.KindClusterRole, Name: r.Role}
	offered := g.offered()
	switch {
	case r.Role == "" && len(offered) == 1:
		role.Name = offered[0]
	case r.Role == "":
		return role, refusal{RoleNotAllowed, "spec.role", "the policy offers several roles; " +
			"name one of " + strings.Join(offered, ", ") + " in role (--role NAME)"}
	case !slices.Contains(offered, r.Role):
		return role, refusal{RoleNotAllowed, "spec.role", fmt.Sprintf("the role %s is not in the "+
			"policy; allowed: %s", requests.Quote(r.Role), strings.Join(offered, ", "))}
	}
	return role, refusal{RoleNotAllowed, "spec.role", protectedRole(role.Name)}
}

func anyOf(names []string) string { return strings.Join(names, " or ") }

// matches tells whether a text is one of those that a glob stands for: * is any characters but a
// slash, ** any at all. What a path leads out of its folder by is no part of either.
func matches(glob, text string) bool {
	if glob == text {
		return true
	}
	if slices.ContainsFunc(strings.Split(text, "/"),
		func(part string) bool { return part == "." || part == ".." }) {
		return false
	}
	return matchesFrom(glob, text)
}

// matchesFrom follows every length of every star at once, one character after the other: its time grows
// with the glob times the text, whatever people write in either.
func matchesFrom(glob, text string) bool {
	at := strings.IndexByte(glob, '*')
	if at < 0 {
		return glob == text
	}
	if len(text) < at || glob[:at] != text[:at] {
		return false
	}
	now, next := make([]bool, len(glob)+1), make([]bool, len(glob)+1) // whether glob[:n] has matched
	now[at] = true
	passStars(glob, now)
	for _, c := range []byte(text[at:]) {
		clear(next)
		for n, reached := range now[:len(glob)] {
			switch {
			case !reached:
			case glob[n] != '*':
				next[n+1] = next[n+1] || glob[n] == c
			case c != '/' || starAt(glob, n) == 2:
				next[n] = true
			}
		}
		passStars(glob, next)
		now, next = next, now
	}
	return now[len(glob)]
}

// passStars reaches what follows the stars that are reached, as they may stand for nothing.
func passStars(glob string, reached []bool) {
	for n := range len(glob) {
		if reached[n] && glob[n] == '*' {
			reached[n+starAt(glob, n)] = true
		}
	}
}

// starAt is how many characters the star has that begins at n: one, or two that may match a slash.
func starAt(glob string, n int) int {
	if strings.HasPrefix(glob[n:], "**") {
		return 2
	}
	return 1
}
