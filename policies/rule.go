package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// AccessRule says what is denied, whatever policies and approvers say.
type AccessRule struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       RuleSpec          `yaml:"spec" json:"spec"`
}

// KindAccessRule is the kind of a rule's file, RulesFolder where they stand.
const (
	KindAccessRule = "AccessRule"
	RulesFolder    = Folder + "/rules"
)

// RuleSpec is the content of an AccessRule.
type RuleSpec struct {
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
	Deny        Denial `yaml:"deny" json:"deny"`
	// Reason is free text, escape at every sink.
	Reason string `yaml:"reason" json:"reason"`
	// EndsLive has the rule end access that was given before it.
	EndsLive bool `yaml:"endsLive,omitempty" json:"endsLive,omitempty"`
	// Except is what it does not deny.
	Except []string `yaml:"except,omitempty" json:"except,omitempty"`
}

// ExceptBreakGlass has a rule let through what is asked for before anybody looks at it.
const ExceptBreakGlass = "BreakGlass"

// excepts tells whether a rule lets a grant through, whatever it denies.
func (s RuleSpec) excepts(g requests.Grant) bool {
	return g.BreakGlass != nil && slices.Contains(s.Except, ExceptBreakGlass)
}

// String is what the rule denies, with what it lets through.
func (s RuleSpec) String() string {
	if slices.Contains(s.Except, ExceptBreakGlass) {
		return s.Deny.String() + " except by break-glass"
	}
	return s.Deny.String()
}

// Denial is what a rule denies: what all of its lists are about, in its window. A list that is
// absent does not narrow it; one of them there must be.
type Denial struct {
	Subjects   []Party  `yaml:"subjects,omitempty" json:"subjects,omitempty"`
	Clusters   []string `yaml:"clusters,omitempty" json:"clusters,omitempty"`
	Namespaces []string `yaml:"namespaces,omitempty" json:"namespaces,omitempty"`
	Roles      []string `yaml:"roles,omitempty" json:"roles,omitempty"`
	Resources  []string `yaml:"resources,omitempty" json:"resources,omitempty"` // kinds
	// the first moment of it, and the first after it
	From  requests.Time `yaml:"from,omitempty" json:"from,omitzero"`
	Until requests.Time `yaml:"until,omitempty" json:"until,omitzero"`
}

// denialLists are the fields of a Denial of which one must be there.
var denialLists = []string{"subjects", "clusters", "namespaces", "roles", "resources"}

// RulePath is where a rule stands.
func RulePath(name string) string { return RulesFolder + "/" + name + ".yaml" }

// IsRule tells whether a file stands where the rules do.
func IsRule(path string) bool { return isUnder(path, RulesFolder) }

// RuleFormat is the format of a rule.
var RuleFormat = requests.Format{
	Kind: KindAccessRule,
	About: "Says what is denied, whatever policies and approvers say. Stands at " + RulesFolder +
		"/<name>.yaml.",
	Name: requests.Field{About: "Name of the rule; the file's name without .yaml.",
		Form: requests.FormName},
	Fields: ruleFields,
}

var ruleFields = requests.HeaderFields(KindAccessRule, "What the rule denies, and why.").With(
	requests.Fields{
		"RuleSpec.description": {About: "One sentence for those who change the rule."},
		"RuleSpec.deny": {About: "What is denied: whatever all of its lists are about, in its window. " +
			"A list that is not there does not narrow it; at least one must be."},
		"RuleSpec.reason": {About: "Why, in one line, for the people whose requests it refuses.",
			Form: requests.FormReason},
		"RuleSpec.endsLive": {About: "Whether access that was given before ends where the rule denies " +
			"it, at the beginning of its window. Default: false, the agent's log tells of it."},

		"RuleSpec.except": {About: "What the rule does not deny. BreakGlass: access of those who may have it " +
			"before anybody looks at it. Default: nothing.", Min: 1, Unique: true,
			Form: requests.OneOf("except", ExceptBreakGlass)},

		"Denial.subjects": {About: "Who gets none of it.", Min: 1, Unique: true},
		"Denial.clusters": {About: "Clusters: exact names, or globs with *; \"*\" alone for all.",
			Form: formDenied, Min: 1, Unique: true},
		"Denial.namespaces": {About: "Namespaces: exact names, or globs with *. What is given in the " +
			"whole cluster reaches into each.", Form: formDenied, Min: 1, Unique: true},
		"Denial.roles": {About: "ClusterRoles: exact names, or globs with *.", Form: formDenied,
			Min: 1, Unique: true},
		"Denial.resources": {About: "Kinds of objects on which nothing may be allowed, by the plural " +
			"with its API group: secrets, deployments.apps; with their subresources, unless it names " +
			"one: pods/exec.", Form: formDeniedKind, Min: 1, Unique: true},
		"Denial.from": {About: "When it begins, in UTC, such as 2026-12-19T00:00:00Z. Access that " +
			"would last longer is denied. Default: it holds already."},
		"Denial.until": {About: "When it is over, in UTC. Default: never."},

		"Party.kind": policyFields["Party.kind"],
		"Party.name": policyFields["Party.name"],
	})

const (
	deniedForm = `^[a-z0-9*]([a-z0-9*.:_-]{0,251}[a-z0-9*])?$`
	// a kind as requests.KindPattern has it, with a subresource after a slash
	deniedKindForm = `^[a-z0-9-]{1,63}(\.[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?(/[a-z]{1,63})?$`
)

var (
	deniedPattern     = regexp.MustCompile(deniedForm)
	deniedKindPattern = regexp.MustCompile(deniedKindForm)

	formDenied = requests.Form{Rule: "glob", Pattern: deniedForm, Check: checkDenied}
	// formDeniedKind leaves to the loader which kinds there are.
	formDeniedKind = requests.Form{Rule: "resource", Pattern: deniedKindForm,
		Check: func(s string) string {
			if deniedKindPattern.MatchString(s) {
				return ""
			}
			return "it must be the plural of a resource with its API group, such as secrets or " +
				"deployments.apps, or one of its subresources, such as pods/exec"
		}}
)

// checkDenied tells what is wrong with a name that a rule denies. Names in another case would deny
// nothing.
func checkDenied(s string) string {
	if deniedPattern.MatchString(s) {
		return ""
	}
	return "it must be a name in lower case, or a glob such as prod-*"
}

// ParseRule reads the file of one rule strictly. Where there are findings, the rule holds no more
// than the clusters that it is surely about: none of them, when that cannot be told.
func ParseRule(path string, data []byte) (AccessRule, []requests.Finding) {
	const maxSize = 64 << 10
	r, d := requests.Decode[AccessRule](path, data, maxSize)
	if len(d.Findings) == 0 {
		d.Conform(RuleFormat, r)
		d.WholeText("spec.reason", "reason", "reason")
		if IsRule(path) && path != RulePath(r.Metadata.Name) {
			d.Check("metadata.name", "path", r.Metadata.Name, "it must be the file's name without "+
				".yaml, directly in "+RulesFolder)
		}
		r.Spec.Deny.check(d)
		requests.SortFindings(d.Findings)
	} else if slices.ContainsFunc(d.Findings, func(f requests.Finding) bool {
		return f.Rule != "unknown-field" // as a later program may know it, beside clusters as they are
	}) {
		return AccessRule{}, d.Findings
	}
	if len(d.Findings) > 0 {
		clusters := r.Spec.Deny.Clusters
		r = AccessRule{}
		if !slices.ContainsFunc(clusters, func(c string) bool { return checkDenied(c) != "" }) {
			r.Spec.Deny.Clusters = clusters
		}
	}
	return r, d.Findings
}

// check finds what no field of a denial tells alone, and names that would deny nothing.
func (r Denial) check(d *requests.Document) {
	const at = "spec.deny"
	if d.Has(at) && !slices.ContainsFunc(denialLists,
		func(list string) bool { return d.Has(at + "." + list) }) {
		d.Add(at, "deny", "%s names nothing; name at least one of %s; everything is clusters: [\"*\"]",
			at, strings.Join(denialLists, ", "))
	}
	checkParties(d, at+".subjects", r.Subjects)
	for i, text := range r.Resources {
		if deniedKindPattern.MatchString(text) {
			kind, _, _ := strings.Cut(text, "/")
			d.Check(fmt.Sprintf("%s.resources[%d]", at, i), "kind", text, requests.CheckFullKind(kind))
		}
	}
	for field, moment := range map[string]requests.Time{"from": r.From, "until": r.Until} {
		if path := at + "." + field; d.Has(path) && moment.IsZero() {
			d.Add(path, "window", "%s is no time to begin or end at", path) // it would read as not set
		}
	}
	if d.Has(at+".from") && d.Has(at+".until") && !r.From.Before(r.Until.Time) {
		d.Add(at+".until", "window", "%s.until is %s; it must be after from, %s", at, r.Until, r.From)
	}
}

// String is the denial as people read it: what, where, whose and when.
func (r Denial) String() string {
	text := "access"
	add := func(before string, names ...string) {
		if len(names) > 0 {
			text += before + anyOf(names)
		}
	}
	add(" that reaches ", r.Resources...)
	add(" by the role ", r.Roles...)
	add(" in the namespace ", r.Namespaces...)
	add(" on the cluster ", r.Clusters...)
	add(" for ", partyNames(r.Subjects)...)
	if !r.From.IsZero() {
		add(" from ", r.From.String())
	}
	if !r.Until.IsZero() {
		add(" until ", r.Until.String())
	}
	return text
}

// ruleFile is a rule as a tree has it.
type ruleFile struct {
	path string
	AccessRule
	// findings are what is wrong with it: then it denies everything that it could be about.
	findings []requests.Finding
}

// rules are all of the tree, in the order of their paths.
func (t Tree) rules() []ruleFile { return filesOf(t, IsRule, t.rule) }

func (t Tree) rule(path string) ruleFile {
	r := ruleFile{path: path}
	r.AccessRule, r.findings = parse(t, path, ParseRule)
	groups, _ := parse(t, GroupsPath, ParseGroups)
	for _, p := range r.Spec.Deny.Subjects {
		if problem := groups.problem(p); problem != "" { // it would deny nobody
			r.findings = append(r.findings, requests.Finding{File: path, Line: 1, Column: 1,
				Rule: "group", Message: problem})
		}
	}
	return r
}

// rulesAbout are the rules that could be about a cluster.
func (t Tree) rulesAbout(cluster string) []ruleFile {
	return slices.DeleteFunc(t.rules(), func(r ruleFile) bool {
		return !within(r.Spec.Deny.Clusters, cluster)
	})
}

// within tells whether a name is one of those that globs stand for; without globs, every name is.
func within(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs,
		func(glob string) bool { return matches(glob, name) })
}
