package rbac

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pullgrant/pullgrant/requests"
)

// RoleCatalog is catalog/<cluster>/<role>.yaml: the rules of a ClusterRole as they stood in a
// cluster, so that approvers see what they allow without access to that cluster.
type RoleCatalog struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"` // name: the role's
	Spec       RoleCatalogSpec   `yaml:"spec" json:"spec"`
}

// KindRoleCatalog is the kind of a catalogue file.
const KindRoleCatalog = "RoleCatalog"

// RoleCatalogSpec is the content of a RoleCatalog.
type RoleCatalogSpec struct {
	Cluster string        `yaml:"cluster" json:"cluster"`
	Role    requests.Role `yaml:"role" json:"role"`
	// Aggregated: Kubernetes puts the rules together from other roles, so they change when one of
	// those does.
	Aggregated bool       `yaml:"aggregated,omitempty" json:"aggregated,omitempty"`
	Hash       string     `yaml:"hash" json:"hash"` // HashRules of Rules
	Rules      []RoleRule `yaml:"rules" json:"rules"`
}

// RoleRule is one rule of a role: a PolicyRule of rbac.authorization.k8s.io/v1.
type RoleRule struct {
	APIGroups []string `yaml:"apiGroups,omitempty" json:"apiGroups,omitempty"` // "" is the core group
	Resources []string `yaml:"resources,omitempty" json:"resources,omitempty"`
	// none: all
	ResourceNames   []string `yaml:"resourceNames,omitempty" json:"resourceNames,omitempty"`
	NonResourceURLs []string `yaml:"nonResourceURLs,omitempty" json:"nonResourceURLs,omitempty"`
	Verbs           []string `yaml:"verbs" json:"verbs"`
}

// CatalogFolder holds the catalogue in the access repository, one folder a cluster.
const CatalogFolder = "catalog"

// Bounds of a catalogue file: in bytes, and in combinations of verb, resource and name, which a
// short file can have millions of. A role that reaches all of these is better off with a wildcard.
const (
	maxCatalogSize = 256 << 10
	maxRights      = 50_000
)

// CatalogPath is where the rules of a cluster's role stand. A colon, which Windows does not allow
// in a file name, is written as +, which no role name holds: two roles never share a file.
func CatalogPath(cluster, role string) string {
	return CatalogFolder + "/" + cluster + "/" + strings.ReplaceAll(role, ":", "+") + ".yaml"
}

// NewCatalog describes a role as its cluster has it. The rules are brought into one order, so that
// the same role always gives the same file.
func NewCatalog(cluster, role string, aggregated bool, rules []RoleRule) RoleCatalog {
	return RoleCatalog{APIVersion: requests.APIVersion, Kind: KindRoleCatalog,
		Metadata: requests.Metadata{Name: role},
		Spec: RoleCatalogSpec{Cluster: cluster, Role: requests.Role{Kind: requests.KindClusterRole,
			Name: role}, Aggregated: aggregated,
			Hash: HashRules(rules), Rules: canonical(rules)}}
}

// Encode is the file of a catalogued role. The same role gives the same bytes.
func (c RoleCatalog) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n# Written by `pullgrant catalog` from "+
		"the cluster: change the role there, not here.\n",
		requests.SchemaAddress(KindRoleCatalog))
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("write the catalogue file of the role %s: %w",
			requests.Quote(c.Spec.Role.Name), err)
	}
	return b.Bytes(), nil
}

// HashRules is a digest of rules that does not depend on their order, nor on that of their lists.
func HashRules(rules []RoleRule) string {
	data, err := json.Marshal(canonical(rules))
	if err != nil {
		panic("policies: write JSON: " + err.Error()) // strings always encode
	}
	return requests.Digest(data)
}

// canonical brings rules and their lists into one order, without repetitions.
func canonical(rules []RoleRule) []RoleRule {
	all := make([]RoleRule, 0, len(rules))
	for _, r := range rules {
		all = append(all, RoleRule{APIGroups: sorted(r.APIGroups), Resources: sorted(r.Resources),
			ResourceNames:   sorted(r.ResourceNames),
			NonResourceURLs: sorted(r.NonResourceURLs), Verbs: sorted(r.Verbs)})
	}
	slices.SortFunc(all, func(a, b RoleRule) int {
		return cmp.Or(slices.Compare(a.APIGroups, b.APIGroups), slices.Compare(a.Resources,
			b.Resources),
			slices.Compare(a.ResourceNames, b.ResourceNames), slices.Compare(a.NonResourceURLs,
				b.NonResourceURLs), slices.Compare(a.Verbs, b.Verbs))
	})
	return slices.CompactFunc(all, func(a, b RoleRule) bool {
		return slices.Equal(a.APIGroups, b.APIGroups) && slices.Equal(a.Resources, b.Resources) &&
			slices.Equal(a.ResourceNames, b.ResourceNames) &&
			slices.Equal(a.NonResourceURLs, b.NonResourceURLs) && slices.Equal(a.Verbs, b.Verbs)
	})
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// RulePattern is the form of a group, resource or verb in a rule, RuleTextPattern that of an
// object's name or a URL: what Kubernetes leaves open, bounded so that every text of a rule can be
// shown.
const (
	RulePattern     = `^[A-Za-z0-9*][A-Za-z0-9*._:/-]{0,252}$`
	RuleTextPattern = `^[!-~]{1,253}$`
)

// CatalogFormat is the format of a catalogue file.
var CatalogFormat = requests.Format{
	Kind: KindRoleCatalog,
	About: "Shows approvers the rules of a role in a cluster. Written by pullgrant catalog at " +
		CatalogFolder +
		"/<cluster>/<role>.yaml, a colon as +.",
	Name: requests.Field{About: "Name of the role.",
		Form: requests.Form{Pattern: requests.RolePattern}},
	Fields: catalogFields.With(RoleFields, requests.Fields{
		"Role.kind": {About: RoleFields["Role.kind"].About, Form: requests.OneOf("role",
			requests.KindClusterRole)},
	}),
}

var catalogFields = requests.HeaderFields("RoleCatalog", "The role.").With(requests.Fields{
	"RoleCatalogSpec.cluster": {About: "Cluster the role is in; the folder the file stands in.",
		Form: requests.FormName},
	"RoleCatalogSpec.role":       {About: "The role, as policies name it."},
	"RoleCatalogSpec.aggregated": {About: "Kubernetes puts the rules together from other roles."},
	"RoleCatalogSpec.hash": {About: "Digest of the rules, by which the agent knows that the " +
		"role is still the same.",
		Form: requests.FormDigest},
	"RoleCatalogSpec.rules": {About: "The rules as they stand in the cluster."},

	"RoleRule.apiGroups": {About: "API groups; an empty text is the core group.",
		Form: orEmpty(formWord), Min: 1},
	"RoleRule.resources": {About: "Resources, with subresources as in pods/log.",
		Form: formWord, Min: 1},
	"RoleRule.resourceNames": {About: "Names of objects. Default: all.", Form: formText, Min: 1},
	"RoleRule.nonResourceURLs": {About: "Paths of the API server, in a rule without resources.",
		Form: formText, Min: 1},
	"RoleRule.verbs": {About: "Verbs.", Form: formWord, Min: 1},
})

// RoleFields are those of the name of a role.
var RoleFields = requests.Fields{
	"Role.kind": {About: "Only ClusterRoles: whoever administers a namespace can rewrite a Role in it.",
		Form: requests.OneOfBecause("role",
			"whoever administers a namespace can rewrite a Role in it",
			requests.KindClusterRole)},
	"Role.name": {About: "Exact name of the ClusterRole.", Form: requests.FormRole},
}

var (
	formWord = form(RulePattern, "letters, digits and * . _ : / - inside")
	formText = form(RuleTextPattern, "1 to 253 printable ASCII characters without spaces")
)

func form(pattern, words string) requests.Form {
	matches := regexp.MustCompile(pattern)
	return requests.Form{Rule: "rule", Pattern: pattern, Check: func(s string) string {
		if matches.MatchString(s) {
			return ""
		}
		return "it must be " + words
	}}
}

func orEmpty(f requests.Form) requests.Form {
	check := f.Check
	f.Pattern = "^$|" + f.Pattern
	f.Check = func(s string) string {
		if s == "" {
			return ""
		}
		return check(s)
	}
	return f
}

// ParseCatalog reads one catalogue file strictly. path is where it stands; under catalog/ it must
// be CatalogPath of the cluster and the role that the file names.
func ParseCatalog(path string, data []byte) (RoleCatalog, []requests.Finding) {
	c, d := requests.Decode[RoleCatalog](path, data, maxCatalogSize)
	if len(d.Findings) > 0 {
		return c, d.Findings
	}
	d.Conform(CatalogFormat, c)
	if c.Metadata.Name != c.Spec.Role.Name {
		d.Check("metadata.name", "role-name", c.Metadata.Name, "it must be the role's name, "+
			requests.Quote(c.Spec.Role.Name))
	}
	if want := CatalogPath(c.Spec.Cluster, c.Spec.Role.Name); strings.HasPrefix(path, CatalogFolder+
		"/") && path != want {
		d.Check("spec.role.name", "path", c.Spec.Role.Name,
			"for this role and cluster the file must be "+requests.Quote(want))
	}
	rights := 0
	for i, r := range c.Spec.Rules {
		checkRule(d, fmt.Sprintf("spec.rules[%d]", i), r)
		rights += r.count()
	}
	if rights > maxRights {
		d.Add("spec.rules", "file-size", "the rules come to %d combinations of verb and "+
			"resource; the most allowed is %d", rights, maxRights)
	}
	if len(d.Findings) == 0 && c.Spec.Hash != HashRules(c.Spec.Rules) {
		d.Add("spec.hash", "hash", "spec.hash is not that of the rules below; write the file "+
			"again with `pullgrant catalog`")
	}
	requests.SortFindings(d.Findings)
	return c, d.Findings
}

// checkRule finds what no field of a rule tells alone: it is about resources or about paths.
func checkRule(d *requests.Document, at string, r RoleRule) {
	if !d.Has(at + ".nonResourceURLs") {
		d.Require(at+".apiGroups", at+".resources")
	} else if d.Has(at+".apiGroups") || d.Has(at+".resources") || d.Has(at+".resourceNames") {
		d.Add(at, "rule", "%s has resources and nonResourceURLs; Kubernetes allows one of them in a rule", at)
	}
}

// Risks is what a reviewer must know about a catalogued role: Risks of its rules, and that it is
// aggregated.
func (c RoleCatalog) Risks(at Scope) []Risk {
	risks := Risks(c.Spec.Rules, at)
	if c.Spec.Aggregated {
		risks = append(risks, Risk{Code: "aggregated", Text: "is put together from other roles, " +
			"so what it allows can change without anybody changing it"})
	}
	return risks
}
