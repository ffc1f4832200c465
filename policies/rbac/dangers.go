package rbac

import (
	"slices"
	"strings"
)

// Scope is where a role is bound: what a role lets its holder do depends on it.
type Scope int

// Scopes of a binding. The zero value is the wider one, so that a forgotten scope hides no danger.
const (
	InCluster   Scope = iota // by a ClusterRoleBinding, or in every namespace
	InNamespace              // by a RoleBinding, never in pullgrant's own namespace
)

// Names of dangers, as the kinds of risk refer to them.
const (
	dangerRBAC         = "rbac"
	dangerEscalate     = "escalate"
	dangerBind         = "bind"
	dangerAdmission    = "admission"
	dangerTokens       = "tokens"
	dangerCertificates = "certificates"
	dangerImpersonate  = "impersonate"
	dangerPullgrant    = "pullgrant"
)

// Danger is a way for whoever holds a role to keep access beyond its end, or to take away what ends
// it. docs/bypass.md tells of each how.
type Danger struct {
	Name string // in a policy's allowDangerous
	Text string // follows "can"
}

// Dangers are all of them. Which rights make each is in the kinds of risk.
var Dangers = []Danger{
	{dangerRBAC, "write roles or bindings, which stay"},
	{dangerEscalate, "give roles any right at all"},
	{dangerBind, "bind roles that it does not hold"},
	{dangerAdmission, "write admission policies or webhooks, and so take away the cluster's guards"},
	{dangerTokens, "make tokens, by serviceaccounts/token or a Secret, which outlive the access"},
	{dangerCertificates, "approve certificates, which are a login that outlives the access"},
	{dangerImpersonate, "impersonate others, and so act with what they may do"},
	{dangerPullgrant, "write what pullgrant itself goes by, or act as its agent"},
}

// DangerNames are the names of Dangers.
func DangerNames() (names []string) {
	for _, d := range Dangers {
		names = append(names, d.Name)
	}
	return names
}

// DangersAt are the names of the dangers that any role can have at a scope.
func DangersAt(at Scope) []string {
	return slices.DeleteFunc(DangerNames(), func(name string) bool {
		return !slices.ContainsFunc(riskKinds, func(k riskKind) bool {
			return k.lets == name && k.reaches(at)
		})
	})
}

// Dangerous is a danger that a role has, with the first of its rules that gives it.
type Dangerous struct {
	Danger string
	Rule   int    // which of the rules, from 0
	Right  string // in words: create on serviceaccounts/token
}

// DangersOf are the dangers of rules that are bound at a scope, in the order of Dangers. A right on
// named objects counts like one on all.
func DangersOf(rules []RoleRule, at Scope) (all []Dangerous) {
	found := first(rules, at)
	for _, d := range Dangers {
		if by, ok := found[d.Name]; ok {
			p := Permission{Group: by.group, Resource: by.resource, Verbs: []string{by.verb}}
			if by.name != "" {
				p.Names = []string{by.name}
			}
			all = append(all, Dangerous{d.Name, by.rule, p.Does() + " on " + p.What()})
		}
	}
	return all
}

type rightOf struct {
	right
	rule int // which one gives it
}

// first has for each danger of rules the first right that makes it.
func first(rules []RoleRule, at Scope) map[string]rightOf {
	found := map[string]rightOf{}
	for i, rule := range rules {
		for r := range rule.rights() {
			for n := range riskKinds { // by number: they are large, and each request comes here
				k := &riskKinds[n]
				if _, known := found[k.lets]; !known && k.lets != "" && k.reaches(at) && k.gives(r) {
					found[k.lets] = rightOf{r, i}
				}
			}
		}
	}
	return found
}

// reaches tells whether a binding at the scope gives the risk.
func (k *riskKind) reaches(at Scope) bool { return at == InCluster || !k.wide && !k.ours }

// gives tells whether a right is one of those that make the risk.
func (k *riskKind) gives(r right) bool {
	return r.url == "" && k.does(r.verb) && slices.ContainsFunc(k.on, func(full string) bool {
		resource, group, _ := strings.Cut(full, ".")
		return k.matches(r, group, resource)
	})
}
