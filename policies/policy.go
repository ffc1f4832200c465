package policies

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// AccessPolicy says who may ask for what, for how long, after which challenges.
type AccessPolicy struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       PolicySpec        `yaml:"spec" json:"spec"`
}

// KindAccessPolicy is the kind of a policy file.
const KindAccessPolicy = "AccessPolicy"

// PolicySpec is the content of an AccessPolicy. Absence never means "all": each list must name what
// it allows.
type PolicySpec struct {
	Description string   `yaml:"description,omitempty" json:"description,omitempty"`
	Clusters    []string `yaml:"clusters" json:"clusters"`
	Subjects    []Party  `yaml:"subjects" json:"subjects"` // who may ask
	// for whom they may ask besides themselves
	OnBehalfOf []Party     `yaml:"onBehalfOf,omitempty" json:"onBehalfOf,omitempty"`
	Challenges []Challenge `yaml:"challenges" json:"challenges"`
	// that a request may be allowed by the policy with nobody's review (R62)
	AllowWithoutReview bool `yaml:"allowWithoutReview,omitempty" json:"allowWithoutReview,omitempty"`
	// that a review may narrow what it approves by its words (R71, R72)
	AllowNarrowing bool        `yaml:"allowNarrowing,omitempty" json:"allowNarrowing,omitempty"`
	Limits         *Limits     `yaml:"limits,omitempty" json:"limits,omitempty"`
	Conditions     []Condition `yaml:"conditions,omitempty" json:"conditions,omitempty"`
	// RE2 that a reason must match, and what is said when it does not
	ReasonPattern string        `yaml:"reasonPattern,omitempty" json:"reasonPattern,omitempty"`
	ReasonHelp    string        `yaml:"reasonHelp,omitempty" json:"reasonHelp,omitempty"`
	Fields        []CustomField `yaml:"fields,omitempty" json:"fields,omitempty"`
	// when access may be; none: always
	Windows []requests.Hours `yaml:"windows,omitempty" json:"windows,omitempty"`
	Target  Target           `yaml:"target" json:"target"`
}

// Challenge is one condition that must be met before a request is allowed.
type Challenge struct {
	Kind      string  `yaml:"kind" json:"kind"`
	Reviewers []Party `yaml:"reviewers,omitempty" json:"reviewers,omitempty"` // of a PeerReview
	// approvals, or of an AnyOf how many of its challenges. A file may leave out 1.
	Count      int         `yaml:"count,omitempty" json:"count,omitempty"`
	Challenges []Challenge `yaml:"challenges,omitempty" json:"challenges,omitempty"` // of an AnyOf or AllOf
	InOrder    bool        `yaml:"inOrder,omitempty" json:"inOrder,omitempty"`       // of an AllOf
	// from the push of the head commit until it can be met
	After requests.Duration `yaml:"after,omitempty" json:"after,omitzero"`
	Verb  string            `yaml:"verb,omitempty" json:"verb,omitempty"` // of an RBACAuthorization
}

// Kinds of Challenge. One without an evaluator is an error in the file, never a pass.
const (
	CodeOwnerReview = "CodeOwnerReview"
	PeerReview      = "PeerReview"
	AnyOf           = "AnyOf"
	AllOf           = "AllOf"

	RBACAuthorization = "RBACAuthorization"
)

// Limits bound how long a request may take on its way. What is not set is 24 hours, so that an old
// approval buys nothing at a convenient moment (R24, R52).
type Limits struct {
	// from the push of the head commit to the merge
	MaxPending requests.Duration `yaml:"maxPending,omitempty" json:"maxPending,omitzero"`
	// from an approval to the merge
	MaxApprovalAge requests.Duration `yaml:"maxApprovalAge,omitempty" json:"maxApprovalAge,omitzero"`
	// from the merge to the start of access
	MaxLeadTime requests.Duration `yaml:"maxLeadTime,omitempty" json:"maxLeadTime,omitzero"`
}

// defaultLimit is each of Limits when a policy does not say.
const defaultLimit = requests.Duration(24 * time.Hour)

func (s PolicySpec) limits() Limits {
	limits := Limits{MaxPending: defaultLimit, MaxApprovalAge: defaultLimit,
		MaxLeadTime: defaultLimit}
	if s.Limits != nil {
		limits.MaxPending = cmp.Or(s.Limits.MaxPending, limits.MaxPending)
		limits.MaxApprovalAge = cmp.Or(s.Limits.MaxApprovalAge, limits.MaxApprovalAge)
		limits.MaxLeadTime = cmp.Or(s.Limits.MaxLeadTime, limits.MaxLeadTime)
	}
	return limits
}

// Target is what a policy gives.
type Target struct {
	DefaultDuration requests.Duration `yaml:"defaultDuration,omitempty" json:"defaultDuration,omitzero"`
	MaxDuration     requests.Duration `yaml:"maxDuration" json:"maxDuration"`
	// "" is requests.ModeDirect
	Mode string `yaml:"mode,omitempty" json:"mode,omitempty"`
	// "" is BackstopRequired
	Backstop string `yaml:"backstop,omitempty" json:"backstop,omitempty"`
	// roles that are given although they have dangers
	AllowDangerous []DangerousRole `yaml:"allowDangerous,omitempty" json:"allowDangerous,omitempty"`
	Grants         []GrantSpec     `yaml:"grants" json:"grants"`
}

// Whether a grant may be made where the cluster takes no Job that ends it when the agent is gone,
// for example because of a quota (design G3).
const (
	BackstopRequired = "required"
	BackstopOptional = "optional"
)

// GrantSpec is one of the things that a policy gives; its kind says which fields it has.
type GrantSpec struct {
	Kind              string         `yaml:"kind" json:"kind"`
	Name              string         `yaml:"name,omitempty" json:"name,omitempty"`   // by which a request picks it
	Scope             string         `yaml:"scope,omitempty" json:"scope,omitempty"` // "": one namespace
	DefaultNamespace  string         `yaml:"defaultNamespace,omitempty" json:"defaultNamespace,omitempty"`
	AllowedNamespaces []string       `yaml:"allowedNamespaces,omitempty" json:"allowedNamespaces,omitempty"`
	RoleRef           RoleRef        `yaml:"roleRef,omitempty" json:"roleRef,omitzero"`
	Roles             []string       `yaml:"roles,omitempty" json:"roles,omitempty"`
	Resources         []ResourceSpec `yaml:"resources,omitempty" json:"resources,omitempty"`
	Pods              []string       `yaml:"pods,omitempty" json:"pods,omitempty"`
	Deployments       []string       `yaml:"deployments,omitempty" json:"deployments,omitempty"`
	Containers        []string       `yaml:"containers,omitempty" json:"containers,omitempty"`
	Commands          [][]string     `yaml:"commands,omitempty" json:"commands,omitempty"`
	AnyCommand        bool           `yaml:"anyCommand,omitempty" json:"anyCommand,omitempty"`
	Stdin             bool           `yaml:"stdin,omitempty" json:"stdin,omitempty"`
	Terminal          bool           `yaml:"terminal,omitempty" json:"terminal,omitempty"`
	Once              bool           `yaml:"once,omitempty" json:"once,omitempty"`
}

// RoleRef is the role that a grant binds.
type RoleRef struct {
	Kind string `yaml:"kind" json:"kind"`
	Name string `yaml:"name" json:"name"`
	// APIGroup is always that of RBAC, so that role leaves it out, as a file may.
	APIGroup string `yaml:"apiGroup,omitempty" json:"apiGroup,omitempty"`
}

// role is the role as requests and grants name it.
func (r RoleRef) role() requests.Role { return requests.Role{Kind: r.Kind, Name: r.Name} }

// Scopes of a grant beyond one namespace.
const (
	ScopeAllNamespaces = "AllNamespaces"
	ScopeCluster       = "Cluster"
)

// wide tells whether a grant reaches beyond a namespace.
func (g GrantSpec) wide() bool { return g.kind().wide || g.Scope != "" }

// Folder holds the policies of the access repository, with these two beside them.
const (
	Folder         = "policies"
	IdentitiesPath = Folder + "/identities.yaml"
	GroupsPath     = Folder + "/groups.yaml"
)

// maxGrants bounds the grants of a policy: with as many namespaces each as a pattern may stand for,
// there are as many items as requests.ItemName has names for, below 1000.
const maxGrants = 40

// maxCount bounds the approvals a challenge may ask for; more could never be met and is a slip
// (R26).
const maxCount = 10

// Path is where a policy stands.
func Path(name string) string { return Folder + "/" + name + ".yaml" }

// PolicyFormat is the format of a policy.
var PolicyFormat = requests.Format{
	Kind: KindAccessPolicy,
	About: "Says who may ask for what, for how long, after which challenges. Stands at " +
		"policies/<name>.yaml.",
	Name: requests.Field{About: "Name of the policy; the file's name without .yaml.",
		Form: requests.FormName},
	Fields: policyFields.With(matchFields, execFields, windowFields, conditionFields, customFields),
}

var policyFields = requests.HeaderFields("AccessPolicy",
	"What the policy allows. Absence never means all.").With(requests.Fields{
	"PolicySpec.description": {About: "One sentence for people."},
	"PolicySpec.clusters": {About: "Clusters the policy holds for, by exact name.",
		Form: requests.FormName, Min: 1},
	"PolicySpec.subjects": {About: "Who may ask.", Min: 1, Unique: true},
	"PolicySpec.onBehalfOf": {About: "For whom they may ask besides themselves, by a request's subject. " +
		"Default: nobody.", Min: 1, Unique: true},
	"PolicySpec.challenges": {About: "What must be met before a request is allowed: all of them. None, " +
		"where allowWithoutReview says so, lets everybody in subjects have what they ask for."},
	"PolicySpec.allowWithoutReview": {About: "Whether a request may be allowed with no review at all. " +
		"Without it, challenges that could be met so make the policy invalid. Default: false."},
	"PolicySpec.allowNarrowing": {About: "Whether a review may approve less than is asked for, by a line " +
		"such as \"pullgrant: at most 30m\". Reviews that were edited do not count then. Default: false."},
	"PolicySpec.limits": {About: "How long a request may take on its way."},
	"PolicySpec.target": {About: "What the policy gives."},

	"Limits.maxPending": {About: "Longest time from the push of a request to its merge, for " +
		"example 24h, the default."},
	"Limits.maxApprovalAge": {About: "Longest time from an approval to the merge, for example " +
		"8h. Default: 24h."},
	"Limits.maxLeadTime": {About: "Longest time from the merge to a start that a request names " +
		"(notBefore), for example 72h. Default: 24h."},

	"Party.kind": {About: "User: a GitHub login. Group: a GitHub team or a group of groups.yaml.",
		Form: requests.Form{Enum: []string{PartyUser, PartyGroup}}},
	"Party.name": {About: "Of a User: the GitHub login. Of a Group: organization/team-slug, " +
		"or without a slash the name of a group in groups.yaml."},

	"Challenge.kind": {About: about(challengeKinds()), Form: requests.OneOf("challenge",
		challengeKindNames()...)},
	"Challenge.reviewers": {About: "Whose approval counts for a PeerReview.", Min: 1, Unique: true},
	"Challenge.count": {About: "How many approvals are needed, or of an AnyOf how many of its " +
		"challenges. Default: 1.", Min: 1, Max: maxCount, Rule: "count",
		Says: fmt.Sprintf("it must be 1 to %d", maxCount)},
	"Challenge.challenges": {About: "What an AnyOf or AllOf is made of.", Min: 1, Max: maxParts},
	"Challenge.inOrder": {About: "Of an AllOf: each approval must be given after the challenges " +
		"before its own were met. Default: false."},
	"Challenge.after": {About: "How long after the push of the head commit it can be met first, for " +
		"example 30m, as by those who stand in for others. An approval given before counts from then on."},

	"Challenge.verb": {About: "Of an RBACAuthorization: the verb that whoever receives the access must " +
		"hold on each ClusterRole asked for. Default: sudo.", Form: requests.FormName},

	"Target.defaultDuration": {About: "How long, when the request does not say, for example " +
		"60m. Not longer than maxDuration."},
	"Target.maxDuration": {About: "The longest a request may ask for, for example 2h."},
	"Target.backstop": {About: "Whether access may be given where the cluster takes no Job that " +
		"ends it when the agent is gone. " +
		"Default: required.", Form: requests.OneOf("backstop", BackstopRequired, BackstopOptional)},
	"Target.mode": {About: "Direct: the requester has the access as themselves. Impersonate: an " +
		"identity of the grant's own has it, and they act as that with kubectl --as, like sudo. " +
		"Default: Direct.", Form: requests.OneOf("mode", requests.ModeDirect,
		requests.ModeImpersonate)},
	"Target.allowDangerous": {About: "Roles that are given although whoever holds them can keep " +
		"access beyond its end. Without an entry such a role is refused.", Min: 1},
	"Target.grants": {About: "What exists in the cluster while a request is granted.", Min: 1,
		Max: maxGrants},

	"DangerousRole.role": {About: "Exact name of a ClusterRole that the policy gives.",
		Form: requests.FormRole},
	"DangerousRole.dangers": {About: aboutDangers(), Min: 1, Unique: true,
		Form: requests.OneOf("danger", rbac.DangerNames()...)},

	"GrantSpec.kind": {About: about(grantKinds()), Form: requests.OneOf("grant",
		grantKindNames()...)},
	"GrantSpec.defaultNamespace": {About: "Namespace, when the request names none. One of " +
		"allowedNamespaces.",
		Form: requests.FormName},
	"GrantSpec.allowedNamespaces": {About: "Namespaces a request may name, by exact name; a pattern " +
		"of a request stands for those of them that match.",
		Form: requests.FormName, Min: 1},
	"GrantSpec.roleRef": {About: "The role the binding refers to."},
	"RoleRef.kind":      rbac.RoleFields["Role.kind"],
	"RoleRef.name":      rbac.RoleFields["Role.name"],
	"RoleRef.apiGroup": {About: "As Kubernetes has it. Default: rbac.authorization.k8s.io.",
		Form: requests.OneOf("role", "rbac.authorization.k8s.io")},
	"GrantSpec.roles": {About: "ClusterRoles of which the request picks one, by exact name.",
		Form: formRole, Min: 1, Unique: true},
	"GrantSpec.name": {About: "Name by which a request picks this grant out of several.",
		Form: requests.FormName},
	"GrantSpec.scope": {About: "AllNamespaces: the objects in every namespace. Cluster: objects that are " +
		"in none. Default: those of one of allowedNamespaces.",
		Form: requests.OneOf("scope", ScopeAllNamespaces, ScopeCluster)},
	"GrantSpec.resources": {About: "Kinds of objects that a request may name.", Min: 1},
	"GrantSpec.pods": {About: "Pods that a request may name: exact names, or globs with *.",
		Form: formGlob, Min: 1, Unique: true},
	"GrantSpec.containers": {About: "Containers that a request may name, by exact name.",
		Form: requests.FormName, Min: 1, Unique: true},
	"GrantSpec.commands": {About: "Commands that a request may name, each as a list of arguments. " +
		"In an argument, * stands for any characters but /, and ** for any.",
		Form: formArgument, Min: 1},
	"GrantSpec.anyCommand": {About: "Whether a request may name any command, or none, which lets " +
		"everything run. Default: false."},
	"GrantSpec.stdin":    {About: "Whether a request may ask for kubectl exec -i. Default: false."},
	"GrantSpec.terminal": {About: "Whether a request may ask for kubectl exec -t. Default: false."},

	"ResourceSpec.resource": {About: "Plural of the resource with its API group, such as pods or " +
		"deployments.apps.", Form: formKind},
	"ResourceSpec.names": {About: "Names that a request may name: exact ones, or globs with *.",
		Form: formGlob, Min: 1, Unique: true},
	"ResourceSpec.verbs": {About: "Verbs to which what the role allows is narrowed. Default: all of " +
		"the role.", Form: formVerb, Min: 1, Unique: true},
})

const (
	globForm     = `^[A-Za-z0-9*]([A-Za-z0-9*.:_-]{0,251}[A-Za-z0-9*])?$`
	verbForm     = `^[a-z]{1,63}$`
	argumentForm = `^[^\p{Cc}]{0,500}$`
)

var (
	formRole = requests.Form{Rule: "role", Pattern: requests.RolePattern, Check: requests.CheckRole}
	formKind = requests.Form{Rule: "resource", Pattern: requests.KindPattern,
		Check: requests.CheckKind}
	formGlob     = requests.Form{Rule: "glob", Pattern: globForm, Check: checkGlob}
	formVerb     = requests.Form{Rule: "verb", Pattern: verbForm, Check: checkVerb}
	formArgument = requests.Form{Rule: "command", Pattern: argumentForm, Check: checkArgument}
)

var (
	globPattern     = regexp.MustCompile(globForm)
	verbPattern     = regexp.MustCompile(verbForm)
	argumentPattern = regexp.MustCompile(argumentForm)
)

// checkGlob tells what is wrong with a glob of names; empty when nothing is.
func checkGlob(s string) string {
	if globPattern.MatchString(s) {
		return ""
	}
	return "it must be the name of an object, or a glob such as api-*"
}

func checkArgument(s string) string {
	if argumentPattern.MatchString(s) {
		return ""
	}
	return "it must be up to 500 characters without control characters"
}

func checkVerb(s string) string {
	if verbPattern.MatchString(s) {
		return ""
	}
	return "it must be a verb of Kubernetes, such as get; no wildcard"
}

// about is a sentence for each kind of a table.
func about[K interface{ sentence() string }](kinds []K) string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.sentence())
	}
	return strings.Join(all, " ")
}

// ParsePolicy reads one policy file strictly.
func ParsePolicy(path string, data []byte) (AccessPolicy, []requests.Finding) {
	const maxSize = 256 << 10
	p, d := requests.Decode[AccessPolicy](path, data, maxSize)
	if len(d.Findings) > 0 {
		return p, d.Findings
	}
	d.Conform(PolicyFormat, p)
	if strings.HasPrefix(path, Folder+"/") && path != Path(p.Metadata.Name) {
		d.Check("metadata.name", "path", p.Metadata.Name,
			"it must be the file's name without .yaml")
	}
	checkParties(d, "spec.subjects", p.Spec.Subjects)
	checkParties(d, "spec.onBehalfOf", p.Spec.OnBehalfOf)
	checkChallenges(d, "spec", p.Spec.Challenges)
	counted(p.Spec.Challenges)
	checkReview(d, p.Spec)
	checkNarrowing(d, p.Spec)
	if p.Spec.Target.DefaultDuration > p.Spec.Target.MaxDuration {
		d.Check("spec.target.defaultDuration", "duration", p.Spec.Target.DefaultDuration.String(),
			"it may not be longer than maxDuration, "+p.Spec.Target.MaxDuration.String())
	}
	checkWindows(d, p.Spec.Windows)
	checkTarget(d, p.Spec.Target)
	checkDangerous(d, p)
	checkCustom(d, p.Spec)
	checkConditions(d, p.Spec)
	requests.SortFindings(d.Findings)
	return p, d.Findings
}

// checkTarget finds what is wrong with what a policy gives, and how.
func checkTarget(d *requests.Document, t Target) {
	var names []string
	for i, g := range t.Grants {
		at := fmt.Sprintf("spec.target.grants[%d]", i)
		checkGrant(d, at, g)
		if g.Name != "" && slices.Contains(names, g.Name) {
			d.Check(at+".name", "duplicate", g.Name, "another grant of the policy has it")
		}
		names = append(names, g.Name)
		if !slices.Contains(grantKindNames(), g.Kind) {
			continue
		}
		if g.wide() && t.Mode != requests.ModeImpersonate {
			d.Add(at+".kind", "mode", "what holds in the whole cluster goes only with mode: "+
				"Impersonate, "+
				"since nothing but the agent could end it otherwise")
		}
		if t.Backstop == BackstopOptional && (g.Kind != requests.KubernetesRoleBinding ||
			t.Mode == requests.ModeImpersonate) {
			d.Add("spec.target.backstop", "backstop", "optional goes only with mode: Direct and %s",
				requests.KubernetesRoleBinding)
		}
	}
}
