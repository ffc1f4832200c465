package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

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
	BreakGlass     *BreakGlass `yaml:"breakGlass,omitempty" json:"breakGlass,omitempty"`
	Limits         *Limits     `yaml:"limits,omitempty" json:"limits,omitempty"`
	Conditions     []Condition `yaml:"conditions,omitempty" json:"conditions,omitempty"`
	// RE2 that a reason must match, and what is said when it does not
	ReasonPattern string        `yaml:"reasonPattern,omitempty" json:"reasonPattern,omitempty"`
	ReasonHelp    string        `yaml:"reasonHelp,omitempty" json:"reasonHelp,omitempty"`
	Fields        []CustomField `yaml:"fields,omitempty" json:"fields,omitempty"`
	// when access may be; none: always
	Windows  []requests.Hours `yaml:"windows,omitempty" json:"windows,omitempty"`
	OnChange string           `yaml:"onChange,omitempty" json:"onChange,omitempty"` // "" is OnChangeTell
	// how long it grants after it was certified; 0: always
	Recertify requests.Days `yaml:"recertify,omitempty" json:"recertify,omitzero"`
	// which channels are told of what becomes of requests; none: none
	Notifications []Notification `yaml:"notifications,omitempty" json:"notifications,omitempty"`
	Target        Target         `yaml:"target" json:"target"`
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
	URL   string            `yaml:"url,omitempty" json:"url,omitempty"`   // of a Webhook or Ticket
	// of a Ticket
	Tracker string `yaml:"tracker,omitempty" json:"tracker,omitempty"`
	Project string `yaml:"project,omitempty" json:"project,omitempty"`
	Field   string `yaml:"field,omitempty" json:"field,omitempty"`
	Pattern string `yaml:"pattern,omitempty" json:"pattern,omitempty"`
	// of an OnCall
	Rota              string `yaml:"rota,omitempty" json:"rota,omitempty"`
	PagerDutySchedule string `yaml:"pagerDutySchedule,omitempty" json:"pagerDutySchedule,omitempty"`
	PagerDutyPolicy   string `yaml:"pagerDutyPolicy,omitempty" json:"pagerDutyPolicy,omitempty"`
	OpsgenieSchedule  string `yaml:"opsgenieSchedule,omitempty" json:"opsgenieSchedule,omitempty"`
}

// Kinds of Challenge. One without an evaluator is an error in the file, never a pass.
const (
	CodeOwnerReview = "CodeOwnerReview"
	PeerReview      = "PeerReview"
	AnyOf           = "AnyOf"
	AllOf           = "AllOf"

	RBACAuthorization = "RBACAuthorization"
	OnCall            = "OnCall"
)

// Limits bound how long a request may take on its way, and how much of the policy there may be. Of
// the times on the way, what is not set is 24 hours, so that an old approval buys nothing at a
// convenient moment (R24, R52).
type Limits struct {
	// from the push of the head commit to the merge
	MaxPending requests.Duration `yaml:"maxPending,omitempty" json:"maxPending,omitzero"`
	// from an approval to the merge
	MaxApprovalAge requests.Duration `yaml:"maxApprovalAge,omitempty" json:"maxApprovalAge,omitzero"`
	// from the merge to the start of access
	MaxLeadTime requests.Duration `yaml:"maxLeadTime,omitempty" json:"maxLeadTime,omitzero"`

	// of those that a person has, all have, and begin, on one cluster (R78)
	MaxActivePerRequester int `yaml:"maxActivePerRequester,omitempty" json:"maxActivePerRequester,omitempty"`
	MaxActive             int `yaml:"maxActive,omitempty" json:"maxActive,omitempty"`
	PerDay                int `yaml:"perDay,omitempty" json:"perDay,omitempty"`
	// from the end of a person's last one to the start of the next
	Cooldown requests.Duration `yaml:"cooldown,omitempty" json:"cooldown,omitzero"`
}

// defaultLimit is each of Limits when a policy does not say.
const defaultLimit = requests.Duration(24 * time.Hour)

func (s PolicySpec) limits() Limits {
	var limits Limits
	if s.Limits != nil {
		limits = *s.Limits
	}
	limits.MaxPending = cmp.Or(limits.MaxPending, defaultLimit)
	limits.MaxApprovalAge = cmp.Or(limits.MaxApprovalAge, defaultLimit)
	limits.MaxLeadTime = cmp.Or(limits.MaxLeadTime, defaultLimit)
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

// maxCombinations bounds what a policy gives, on all of its clusters: each combination of what the
// lists of its grants name is compared with the policy before a change.
const maxCombinations = 20000

// Path is where a policy stands.
func Path(name string) string { return Folder + "/" + name + ".yaml" }

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
	checkBreakGlass(d, p.Spec)
	if p.Spec.Target.DefaultDuration > p.Spec.Target.MaxDuration {
		d.Check("spec.target.defaultDuration", "duration", p.Spec.Target.DefaultDuration.String(),
			"it may not be longer than maxDuration, "+p.Spec.Target.MaxDuration.String())
	}
	checkWindows(d, p.Spec.Windows)
	checkLimits(d, p.Spec)
	checkTarget(d, p.Spec.Target)
	checkCombinations(d, p.Spec)
	checkDangerous(d, p)
	checkCustom(d, p.Spec)
	checkConditions(d, p.Spec)
	checkNotifications(d, p.Spec.Notifications)
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
