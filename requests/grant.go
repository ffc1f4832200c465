package requests

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Grant is an allowed, merged request with its window and everything the policy decided filled in:
// what should exist in the cluster. A Grant with an empty window is what a request would give once
// merged.
type Grant struct {
	Name      string   `json:"name"` // of the request
	Path      string   `json:"path"` // of the request
	Cluster   string   `json:"cluster"`
	Policy    string   `json:"policy"`
	Requester string   `json:"requester"`
	Subject   Subject  `json:"subject"`
	Behalf    string   `json:"behalf,omitempty"`  // GitHub login of the subject, when it is not the requester
	ARN       string   `json:"arn,omitempty"`     // of the subject in AWS; empty: none is known
	Duration  Duration `json:"duration,omitzero"` // 0 where Until is set
	NotBefore Time     `json:"notBefore,omitzero"`
	Until     Time     `json:"until,omitzero"`
	AtMost    Duration `json:"atMost,omitzero"` // of what ends at Until, as an approver narrowed it
	// Extends is the name of the request that it goes on from; NotBefore is that one's end.
	Extends string `json:"extends,omitempty"`
	// Windows are when its policy lets access be; none: always.
	Windows  []Hours  `json:"windows,omitempty"`
	Window   Window   `json:"window"`
	Items    []Item   `json:"bindings"` // the name is that of the first kind
	Evidence Evidence `json:"evidence"`
	// BackstopOptional says that the policy lets access be given without a Job that ends it when
	// the agent is gone.
	BackstopOptional bool `json:"backstopOptional,omitempty"`
	// BreakGlass is what is owed for it; nil: nothing, it was looked at before.
	BreakGlass *BreakGlass `json:"breakGlass,omitempty"`
}

// Namespaces are those in which something is made for the grant, each once: those of the items in
// their order, then that of the right to use the grant's own identity.
func (g Grant) Namespaces() []string {
	var names []string
	for _, i := range g.Items {
		if i.Namespace != "" && !slices.Contains(names, i.Namespace) {
			names = append(names, i.Namespace)
		}
	}
	if g.Impersonates() {
		names = append(names, GrantsNamespace)
	}
	return names
}

// Impersonates tells whether the grant is used through an identity of its own.
func (g Grant) Impersonates() bool { return slices.ContainsFunc(g.Items, Item.Impersonates) }

// Asked are the items as they were judged, whatever was decided since.
func (g Grant) Asked() (all []Item) {
	for _, i := range g.Items {
		all = append(all, i.Asked())
	}
	return all
}

// Once tells whether the grant ends at its first use.
func (g Grant) Once() bool {
	return slices.ContainsFunc(g.Items, func(i Item) bool { return i.Once })
}

// Identity is the name of the ServiceAccount that stands for the grant, and that never exists.
func (g Grant) Identity() string { return identityName(g.Name) }

// User is the identity as Kubernetes and kubectl --as name it.
func (g Grant) User() string {
	return "system:serviceaccount:" + GrantsNamespace + ":" +
		g.Identity()
}

// Gives is what the grant gives, one text for each item: the wording of every place that shows it.
func (g Grant) Gives() []string {
	var all []string
	for _, i := range g.Items {
		all = append(all, i.on(g.Cluster))
	}
	return all
}

// Role is the role a binding refers to. The only kind is ClusterRole: whoever administers a
// namespace can rewrite a Role.
type Role struct {
	Kind string `yaml:"kind" json:"kind"`
	Name string `yaml:"name" json:"name"`
}

// AgentNamespace is where the agent lives and keeps its state; no grant reaches into it.
const AgentNamespace = "pullgrant-system"

// Protected tells a namespace that nothing is granted in, whatever a policy says.
func Protected(namespace string) bool {
	return strings.HasPrefix(namespace, "kube-") || namespace == AgentNamespace ||
		namespace == GrantsNamespace
}

// KindClusterRole is the only kind of Role.
const KindClusterRole = "ClusterRole"

// RolePattern is the form of a ClusterRole's name: exact, no wildcard characters.
const RolePattern = `^[a-z0-9]([a-z0-9:._-]{0,251}[a-z0-9])?$`

var rolePattern = regexp.MustCompile(RolePattern)

// CheckRole tells what is wrong with a ClusterRole's name; empty when nothing is.
func CheckRole(name string) string {
	return mustMatch(rolePattern, name, "the exact name of a ClusterRole: lower-case letters, "+
		"digits, and : . - _ inside")
}

// Evidence is what a grant rests on.
type Evidence struct {
	Source       string     `json:"source"` // EvidenceGitHub or EvidenceBranch
	PullRequest  int        `json:"pullRequest,omitempty"`
	HeadSHA      string     `json:"headSHA,omitempty"`
	MergeCommit  string     `json:"mergeCommit"`
	PolicyCommit string     `json:"policyCommit"` // the commit whose policies judged it last
	Blob         string     `json:"blob"`         // git object name of the request file
	Approvers    []Approver `json:"approvers,omitempty"`

	Challenges []ChallengeStatus `json:"challenges,omitempty"`
	Ignored    []IgnoredApproval `json:"ignored,omitempty"`
}

// Sources of evidence: approvals proved through GitHub, or the branch taken at its word.
const (
	EvidenceGitHub = "github"
	EvidenceBranch = "branch"
)

// Approver is one person whose review counted.
type Approver struct {
	Login    string `yaml:"login" json:"login"`
	ID       int64  `yaml:"id" json:"id"`
	ReviewID int64  `yaml:"reviewID" json:"reviewID"`
	Time     Time   `yaml:"time" json:"time"`
	// Narrowed is the Narrowing of the review, Words what else it says: an Excerpt, and anybody's
	// own words. Both are told under policies alone that let reviews narrow.
	Narrowed string `yaml:"narrowed,omitempty" json:"narrowed,omitempty"`
	Words    string `yaml:"words,omitempty" json:"words,omitempty"`
}

// ChallengeStatus is one condition on approvals as the judgement found it: met when as many
// approved as it asks for, or when as many of its parts are met.
type ChallengeStatus struct {
	Kind      string   `yaml:"kind" json:"kind"`
	Path      string   `yaml:"path,omitempty" json:"path,omitempty"` // of a code owner's review: the file owned
	Count     int      `yaml:"count" json:"count"`                   // approvals needed
	Approvers []string `yaml:"approvers,omitempty" json:"approvers,omitempty"`
	// Met and Replies are of one that somebody outside of GitHub meets, by what they replied.
	Met     bool     `yaml:"met,omitempty" json:"met,omitempty"`
	Replies []string `yaml:"replies,omitempty" json:"replies,omitempty"`

	Challenges []ChallengeStatus `yaml:"challenges,omitempty" json:"challenges,omitempty"`
}

// Has is how many of Count there are.
func (c ChallengeStatus) Has() (n int) {
	switch {
	case c.Met:
		return c.Count
	case len(c.Challenges) == 0:
		return len(c.Approvers)
	}
	for _, part := range c.Challenges {
		if part.Has() >= part.Count {
			n++
		}
	}
	return n
}

// IgnoredApproval is an approval that did not count, and the code of the rule that says why.
type IgnoredApproval struct {
	Login    string `yaml:"login" json:"login"`
	ReviewID int64  `yaml:"reviewID" json:"reviewID"`
	Code     string `yaml:"code" json:"code"`
}

// ObjectName is the name of the i-th object (from 0) that a request creates in the cluster:
// pullgrant-<request>, cut with a hash at 63 characters, the limit of label values and of a Job's
// name. A dot separates the counter because no request name holds one.
func ObjectName(request string, i int) string {
	suffix := ""
	if i > 0 {
		suffix = fmt.Sprintf(".%d", i+1)
	}
	return short("pullgrant-"+request, 63-len(suffix)) + suffix
}

// ItemName is the name of what is made for the i-th item (from 0) of a grant. Where an identity of
// the grant's own gets it, it begins with the name of that, by which the fence knows whose it is.
func ItemName(request string, i int, mode string) string {
	if mode != ModeImpersonate {
		return ObjectName(request, i)
	}
	if i == 0 {
		return identityName(request)
	}
	return fmt.Sprintf("%s.%d", identityName(request), i+1)
}

// identityName leaves room for a counter of three digits.
func identityName(request string) string { return short("pullgrant-"+request, 59) }

// LabelValue is a name as a Kubernetes label holds it: cut with a hash at 63 characters.
func LabelValue(name string) string { return short(name, 63) }

func short(name string, most int) string {
	if len(name) <= most {
		return name
	}
	const digits = 10
	sum := sha256.Sum256([]byte(name))
	return name[:most-digits-1] + "-" + hex.EncodeToString(sum[:])[:digits]
}
