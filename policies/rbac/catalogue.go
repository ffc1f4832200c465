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

// RoleCatalog is catalog/<cluster>/<role>.yaml: the rules of a ClusterRole as they stood in a cluster, so that approvers
// see what they allow without access to that cluster.
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
	// Aggregated: Kubernetes puts the rules together from other roles, so they change when one of those does.
	Aggregated bool       `yaml:"aggregated,omitempty" json:"aggregated,omitempty"`
	Hash       string     `yaml:"hash" json:"hash"` // HashRules of Rules
	Rules      []RoleRule `yaml:"rules" json:"rules"`
}

// RoleRule is one rule of a role: a PolicyRule of rbac.authorization.k8s.io/v1.
type RoleRule struct {
	APIGroups       []string `yaml:"apiGroups,omitempty" json:"apiGroups,omitempty"` // "" is the core group
	Resources       []string `yaml:"resources,omitempty" json:"resources,omitempty"`
	ResourceNames   []string `yaml:"resourceNames,omitempty" json:"resourceNames,omitempty"` // none: all
	NonResourceURLs []string `yaml:"nonResourceURLs,omitempty" json:"nonResourceURLs,omitempty"`
	Verbs           []string `yaml:"verbs" json:"verbs"`
}

// CatalogFolder holds the catalogue in the access repository, one folder a cluster.
const CatalogFolder = "catalog"

// Bounds of a catalogue file: in bytes, and in combinations of verb, resource and name, which a short file can have
// millions of. A role that reaches all of these is better off with a wildcard.
const (
	maxCatalogSize = 256 << 10
	maxRights      = 50_000
)

// CatalogPath is where the rules of a cluster's role stand. A colon, which Windows does not allow in a file name, is
// written as +, which no role name holds: two roles never share a file.
func CatalogPath(cluster, role string) string {
	return CatalogFolder + "/" + cluster + "/" + strings.ReplaceAll(role, ":", "+") + ".yaml"
}

// NewCatalog describes a role as its cluster has it. The rules are brought into one order, so that the same role always
// gives the same file.
func NewCatalog(cluster, role string, aggregated bool, rules []RoleRule) RoleCatalog {
	return RoleCatalog{APIVersion: requests.APIVersion, Kind: KindRoleCatalog, Metadata: requests.Metadata{Name: role},
		Spec: RoleCatalogSpec{Cluster: cluster, Role: requests.Role{Kind: requests.KindClusterRole, Name: role}, Aggregated: aggregated,
			Hash: HashRules(rules), Rules: canonical(rules)}}
}

// Encode is the file of a catalogued role. The same role gives the same bytes.
func (c RoleCatalog) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n# Written by `pullgrant catalog` from the cluster: change the role there, not here.\n",
		requests.SchemaAddress(KindRoleCatalog))
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(c); err != nil {
		return nil, fmt.Errorf("write the catalogue file of the role %s: %w", requests.Quote(c.Spec.Role.Name), err)
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
		all = append(all, RoleRule{APIGroups: sorted(r.APIGroups), Resources: sorted(r.Resources), ResourceNames: sorted(r.ResourceNames),
			NonResourceURLs: sorted(r.NonResourceURLs), Verbs: sorted(r.Verbs)})
	}
	slices.SortFunc(all, func(a, b RoleRule) int {
		return cmp.Or(slices.Compare(a.APIGroups, b.APIGroups), slices.Compare(a.Resources, b.Resources),
			slices.Compare(a.ResourceNames, b.ResourceNames), slices.Compare(a.NonResourceURLs, b.NonResourceURLs), slices.Compare(a.Verbs, b.Verbs))
	})
	return slices.CompactFunc(all, func(a, b RoleRule) bool {
		return slices.Equal(a.APIGroups, b.APIGroups) && slices.Equal(a.Resources, b.Resources) && slices.Equal(a.ResourceNames, b.ResourceNames) &&
			slices.Equal(a.NonResourceURLs, b.NonResourceURLs) && slices.Equal(a.Verbs, b.Verbs)
	})
}

func sorted(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// What Kubernetes itself leaves open, bounded so that every text of a rule can be shown.
var (
	rulePattern = regexp.MustCompile(RulePattern)
	textPattern = regexp.MustCompile(RuleTextPattern)
)

// RulePattern is the form of a group, resource or verb in a rule, RuleTextPattern that of an object's name or a URL.
const (
	RulePattern     = `^[A-Za-z0-9*][A-Za-z0-9*._:/-]{0,252}$`
	RuleTextPattern = `^[!-~]{1,253}$`
)

// ParseCatalog reads one catalogue file strictly. path is where it stands; under catalog/ it must be CatalogPath of the
// cluster and the role that the file names.
func ParseCatalog(path string, data []byte) (RoleCatalog, []requests.Finding) {
	c, d := requests.Decode[RoleCatalog](path, data, maxCatalogSize)
	if len(d.Findings) > 0 {
		return c, d.Findings
	}
	d.Header(c.APIVersion, c.Kind, KindRoleCatalog)
	d.Require("spec.cluster", "spec.role.kind", "spec.role.name", "spec.hash", "spec.rules")
	d.Check("spec.cluster", "name", c.Spec.Cluster, requests.CheckName(c.Spec.Cluster))
	if c.Spec.Role.Kind != requests.KindClusterRole {
		d.Check("spec.role.kind", "role", c.Spec.Role.Kind, "allowed: "+requests.KindClusterRole)
	}
	d.Check("spec.role.name", "role", c.Spec.Role.Name, requests.CheckRole(c.Spec.Role.Name))
	if c.Metadata.Name != c.Spec.Role.Name {
		d.Check("metadata.name", "role-name", c.Metadata.Name, "it must be the role's name, "+requests.Quote(c.Spec.Role.Name))
	}
	if want := CatalogPath(c.Spec.Cluster, c.Spec.Role.Name); strings.HasPrefix(path, CatalogFolder+"/") && path != want {
		d.Check("spec.role.name", "path", c.Spec.Role.Name, "for this role and cluster the file must be "+requests.Quote(want))
	}
	rights := 0
	for i, r := range c.Spec.Rules {
		checkRule(d, fmt.Sprintf("spec.rules[%d]", i), r)
		rights += r.count()
	}
	if rights > maxRights {
		d.Add("spec.rules", "file-size", "the rules come to %d combinations of verb and resource; the most allowed is %d", rights, maxRights)
	}
	if len(d.Findings) == 0 && c.Spec.Hash != HashRules(c.Spec.Rules) {
		d.Add("spec.hash", "hash", "spec.hash is not that of the rules below; write the file again with `pullgrant catalog`")
	}
	requests.SortFindings(d.Findings)
	return c, d.Findings
}

func checkRule(d *requests.Document, at string, r RoleRule) {
	d.Require(at + ".verbs")
	d.NotEmpty(at+".verbs", len(r.Verbs))
	d.NotEmpty(at+".apiGroups", len(r.APIGroups))
	d.NotEmpty(at+".resources", len(r.Resources))
	d.NotEmpty(at+".resourceNames", len(r.ResourceNames))
	d.NotEmpty(at+".nonResourceURLs", len(r.NonResourceURLs))
	if !d.Has(at + ".nonResourceURLs") {
		d.Require(at+".apiGroups", at+".resources")
	} else if d.Has(at+".apiGroups") || d.Has(at+".resources") || d.Has(at+".resourceNames") {
		d.Add(at, "rule", "%s has resources and nonResourceURLs; Kubernetes allows one of them in a rule", at)
	}
	list := func(field string, values []string, pattern *regexp.Regexp, form string) {
		for i, value := range values {
			if !pattern.MatchString(value) && (value != "" || field != ".apiGroups") {
				d.Check(fmt.Sprintf("%s%s[%d]", at, field, i), "rule", value, "it must be "+form)
			}
		}
	}
	const word, text = "letters, digits and * . _ : / - inside", "1 to 253 printable ASCII characters without spaces"
	list(".apiGroups", r.APIGroups, rulePattern, word)
	list(".resources", r.Resources, rulePattern, word)
	list(".verbs", r.Verbs, rulePattern, word)
	list(".resourceNames", r.ResourceNames, textPattern, text)
	list(".nonResourceURLs", r.NonResourceURLs, textPattern, text)
}

// Risks is what a reviewer must know about a catalogued role: Risks of its rules, and that it is aggregated.
func (c RoleCatalog) Risks() []Risk {
	risks := Risks(c.Spec.Rules)
	if c.Spec.Aggregated {
		risks = append(risks, Risk{Code: "aggregated", Text: "is put together from other roles, so what it allows can change without anybody changing it"})
	}
	return risks
}
