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

// PolicySpec is the content of an AccessPolicy. Absence never means "all": each list must name what it allows.
type PolicySpec struct {
	Description string      `yaml:"description,omitempty" json:"description,omitempty"`
	Clusters    []string    `yaml:"clusters" json:"clusters"`
	Subjects    []Party     `yaml:"subjects" json:"subjects"` // who may ask
	Challenges  []Challenge `yaml:"challenges" json:"challenges"`
	Limits      *Limits     `yaml:"limits,omitempty" json:"limits,omitempty"`
	Target      Target      `yaml:"target" json:"target"`
}

// Party is a GitHub login (User), or a GitHub team org/team or a group of groups.yaml (Group).
type Party struct {
	Kind string `yaml:"kind" json:"kind"`
	Name string `yaml:"name" json:"name"`
}

// Kinds of Party.
const (
	PartyUser  = "User"
	PartyGroup = "Group"
)

// Challenge is one condition that must be met before a request is allowed.
type Challenge struct {
	Kind      string  `yaml:"kind" json:"kind"`
	Reviewers []Party `yaml:"reviewers,omitempty" json:"reviewers,omitempty"` // of a PeerReview
	Count     int     `yaml:"count" json:"count"`
}

// Kinds of Challenge. One without an evaluator is an error in the file, never a pass.
const (
	CodeOwnerReview = "CodeOwnerReview"
	PeerReview      = "PeerReview"
)

// Limits bound how long a request may take on its way. What is not set is 24 hours, so that an old approval buys nothing
// at a convenient moment (R24, R52).
type Limits struct {
	MaxPending     requests.Duration `yaml:"maxPending,omitempty" json:"maxPending,omitzero"`         // from the push of the head commit to the merge
	MaxApprovalAge requests.Duration `yaml:"maxApprovalAge,omitempty" json:"maxApprovalAge,omitzero"` // from an approval to the merge
}

// defaultLimit is both of Limits when a policy does not say.
const defaultLimit = requests.Duration(24 * time.Hour)

func (s PolicySpec) limits() Limits {
	limits := Limits{MaxPending: defaultLimit, MaxApprovalAge: defaultLimit}
	if s.Limits != nil {
		limits.MaxPending = cmp.Or(s.Limits.MaxPending, limits.MaxPending)
		limits.MaxApprovalAge = cmp.Or(s.Limits.MaxApprovalAge, limits.MaxApprovalAge)
	}
	return limits
}

// Target is what a policy gives.
type Target struct {
	DefaultDuration requests.Duration `yaml:"defaultDuration,omitempty" json:"defaultDuration,omitzero"`
	MaxDuration     requests.Duration `yaml:"maxDuration" json:"maxDuration"`
	Backstop        string            `yaml:"backstop,omitempty" json:"backstop,omitempty"` // "" is BackstopRequired
	Grants          []GrantSpec       `yaml:"grants" json:"grants"`
}

// Whether a grant may be made where the cluster takes no Job that ends it when the agent is gone, for example because of
// a quota (design G3).
const (
	BackstopRequired = "required"
	BackstopOptional = "optional"
)

// GrantSpec is one of the things that a policy gives; its kind says which fields it has.
type GrantSpec struct {
	Kind              string        `yaml:"kind" json:"kind"`
	DefaultNamespace  string        `yaml:"defaultNamespace,omitempty" json:"defaultNamespace,omitempty"`
	AllowedNamespaces []string      `yaml:"allowedNamespaces" json:"allowedNamespaces"`
	RoleRef           requests.Role `yaml:"roleRef" json:"roleRef"`
}

// Folder holds the policies of the access repository, with these two beside them.
const (
	Folder         = "policies"
	IdentitiesPath = Folder + "/identities.yaml"
	GroupsPath     = Folder + "/groups.yaml"
)

// maxCount bounds the approvals a challenge may ask for; more could never be met and is a slip (R26).
const maxCount = 10

// Path is where a policy stands.
func Path(name string) string { return Folder + "/" + name + ".yaml" }

// ParsePolicy reads one policy file strictly.
func ParsePolicy(path string, data []byte) (AccessPolicy, []requests.Finding) {
	const maxSize = 256 << 10
	p, d := requests.Decode[AccessPolicy](path, data, maxSize)
	if len(d.Findings) > 0 {
		return p, d.Findings
	}
	d.Header(p.APIVersion, p.Kind, KindAccessPolicy)
	d.Require("spec.clusters", "spec.subjects", "spec.challenges", "spec.target", "spec.target.maxDuration", "spec.target.grants")
	d.Check("metadata.name", "name", p.Metadata.Name, requests.CheckName(p.Metadata.Name))
	if strings.HasPrefix(path, Folder+"/") && path != Path(p.Metadata.Name) {
		d.Check("metadata.name", "path", p.Metadata.Name, "it must be the file's name without .yaml")
	}
	for i, cluster := range p.Spec.Clusters {
		d.Check(fmt.Sprintf("spec.clusters[%d]", i), "name", cluster, requests.CheckName(cluster))
	}
	d.NotEmpty("spec.clusters", len(p.Spec.Clusters))
	d.NotEmpty("spec.subjects", len(p.Spec.Subjects))
	checkParties(d, "spec.subjects", p.Spec.Subjects)
	d.NotEmpty("spec.challenges", len(p.Spec.Challenges))
	for i, c := range p.Spec.Challenges {
		at := fmt.Sprintf("spec.challenges[%d]", i)
		d.Require(at+".kind", at+".count")
		if c.Count < 1 || c.Count > maxCount {
			d.Check(at+".count", "count", fmt.Sprint(c.Count), fmt.Sprintf("it must be 1 to %d", maxCount))
		}
		checkChallenge(d, at, c)
	}
	if p.Spec.Target.DefaultDuration > p.Spec.Target.MaxDuration {
		d.Check("spec.target.defaultDuration", "duration", p.Spec.Target.DefaultDuration.String(),
			"it may not be longer than maxDuration, "+p.Spec.Target.MaxDuration.String())
	}
	if !slices.Contains([]string{"", BackstopRequired, BackstopOptional}, p.Spec.Target.Backstop) {
		d.Check("spec.target.backstop", "backstop", p.Spec.Target.Backstop, "allowed: required, optional")
	}
	d.NotEmpty("spec.target.grants", len(p.Spec.Target.Grants))
	for i, g := range p.Spec.Target.Grants {
		at := fmt.Sprintf("spec.target.grants[%d]", i)
		d.Require(at+".kind", at+".allowedNamespaces", at+".roleRef.kind", at+".roleRef.name")
		d.NotEmpty(at+".allowedNamespaces", len(g.AllowedNamespaces))
		for i, namespace := range g.AllowedNamespaces {
			d.Check(fmt.Sprintf("%s.allowedNamespaces[%d]", at, i), "name", namespace, requests.CheckName(namespace))
		}
		if g.RoleRef.Kind != requests.KindClusterRole {
			d.Check(at+".roleRef.kind", "role", g.RoleRef.Kind,
				"allowed: ClusterRole (whoever administers a namespace can rewrite a Role in it)")
		}
		d.Check(at+".roleRef.name", "role", g.RoleRef.Name, requests.CheckRole(g.RoleRef.Name))
		checkGrant(d, at, g)
	}
	requests.SortFindings(d.Findings)
	return p, d.Findings
}

func checkParties(d *requests.Document, path string, parties []Party) {
	for i, p := range parties {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.Require(at+".kind", at+".name")
		if d.Has(at+".kind") && d.Has(at+".name") {
			field, problem := p.problem()
			d.Check(at+"."+field, "party", map[string]string{"kind": p.Kind, "name": p.Name}[field], problem)
		}
		if slices.Contains(parties[:i], p) {
			d.Check(at, "duplicate", p.Name, "it stands in this list twice")
		}
	}
}

// problem tells which field of a party is wrong, and how.
func (p Party) problem() (field, problem string) {
	switch p.Kind {
	case PartyUser:
		return "name", requests.CheckLogin(p.Name)
	case PartyGroup:
		org, team, isTeam := strings.Cut(p.Name, "/")
		if !isTeam {
			return "name", requests.CheckName(p.Name)
		}
		if requests.CheckLogin(org) != "" || !teamPattern.MatchString(team) {
			return "name", "a GitHub team is organization/team-slug, for example acme/squad-a"
		}
		return "name", ""
	}
	return "kind", "allowed: User, Group"
}

func partyNames(parties []Party) (all []string) {
	for _, p := range parties {
		all = append(all, p.Name)
	}
	return all
}

func names(parties []Party) string { return strings.Join(partyNames(parties), ", ") }
