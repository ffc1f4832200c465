package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// maxMapSize bounds identities.yaml and groups.yaml, in bytes.
const maxMapSize = 1 << 20

// KindIdentityMap and KindGroupMap are the kinds of identities.yaml and groups.yaml.
const (
	KindIdentityMap = "IdentityMap"
	KindGroupMap    = "GroupMap"
)

// TeamPattern is the form of a GitHub team's slug.
const TeamPattern = `^[a-z0-9]([a-z0-9_.-]{0,99})$`

var teamPattern = regexp.MustCompile(TeamPattern)

// IdentityMap ties GitHub accounts to Kubernetes users.
type IdentityMap struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       IdentitySpec      `yaml:"spec" json:"spec"`
}

// IdentitySpec lists the people.
type IdentitySpec struct {
	Users []Identity `yaml:"users" json:"users"`
}

// Identity is one person. GitHubID is the account number, which GitHub never reuses (R22).
type Identity struct {
	GitHub     string             `yaml:"github" json:"github"`
	GitHubID   int64              `yaml:"githubID" json:"githubID"`
	Kubernetes KubernetesIdentity `yaml:"kubernetes" json:"kubernetes"`
}

// KubernetesIdentity is the name the cluster's authentication gives the person; Kubernetes compares it case-sensitively.
type KubernetesIdentity struct {
	Username string `yaml:"username" json:"username"`
}

// GroupMap keeps groups in git, for repositories without GitHub teams.
type GroupMap struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       GroupSpec         `yaml:"spec" json:"spec"`
}

// GroupSpec lists the groups.
type GroupSpec struct {
	Groups []Group `yaml:"groups" json:"groups"`
}

// Group is a name and the GitHub logins in it.
type Group struct {
	Name    string   `yaml:"name" json:"name"`
	Members []string `yaml:"members" json:"members"`
}

// ParseIdentities reads policies/identities.yaml strictly. A login, account number or user name may stand once only.
func ParseIdentities(path string, data []byte) (IdentityMap, []requests.Finding) {
	m, d := requests.Decode[IdentityMap](path, data, maxMapSize)
	if len(d.Findings) > 0 {
		return m, d.Findings
	}
	d.Header(m.APIVersion, m.Kind, KindIdentityMap)
	d.Require("spec.users")
	seen := map[string]bool{}
	once := func(at, value string) {
		key := at[strings.LastIndex(at, "]"):] + value
		if seen[key] {
			d.Check(at, "duplicate", value, "it stands in this file twice")
		}
		seen[key] = true
	}
	for i, u := range m.Spec.Users {
		at := fmt.Sprintf("spec.users[%d]", i)
		d.Require(at+".github", at+".githubID", at+".kubernetes.username")
		d.Check(at+".github", "login", u.GitHub, requests.CheckLogin(u.GitHub))
		d.Check(at+".kubernetes.username", "subject", u.Kubernetes.Username, requests.CheckSubject(u.Kubernetes.Username))
		if u.GitHubID < 1 {
			d.Check(at+".githubID", "githubID", fmt.Sprint(u.GitHubID), "it is a number from 1 up; see https://api.github.com/users/<login>")
		}
		once(at+".github", strings.ToLower(u.GitHub))
		once(at+".githubID", fmt.Sprint(u.GitHubID))
		once(at+".kubernetes.username", u.Kubernetes.Username)
	}
	requests.SortFindings(d.Findings)
	return m, d.Findings
}

// ParseGroups reads policies/groups.yaml strictly.
func ParseGroups(path string, data []byte) (GroupMap, []requests.Finding) {
	m, d := requests.Decode[GroupMap](path, data, maxMapSize)
	if len(d.Findings) > 0 {
		return m, d.Findings
	}
	d.Header(m.APIVersion, m.Kind, KindGroupMap)
	d.Require("spec.groups")
	names := map[string]bool{}
	for i, g := range m.Spec.Groups {
		at := fmt.Sprintf("spec.groups[%d]", i)
		d.Require(at+".name", at+".members")
		d.Check(at+".name", "name", g.Name, requests.CheckName(g.Name))
		if names[g.Name] {
			d.Check(at+".name", "duplicate", g.Name, "it stands in this file twice")
		}
		names[g.Name] = true
		logins := map[string]bool{}
		for j, member := range g.Members {
			path := fmt.Sprintf("%s.members[%d]", at, j)
			d.Check(path, "login", member, requests.CheckLogin(member))
			if logins[strings.ToLower(member)] {
				d.Check(path, "duplicate", member, "it stands in this group twice")
			}
			logins[strings.ToLower(member)] = true
		}
	}
	requests.SortFindings(d.Findings)
	return m, d.Findings
}

// pinned returns the identity that an account number or login stands in: for a renamed account, or one that took over
// an old login, these are not both the same as the account's.
func (m IdentityMap) pinned(u User) (Identity, bool) {
	if identity, ok := m.find(u.Login); ok {
		return identity, true
	}
	i := slices.IndexFunc(m.Spec.Users, func(known Identity) bool { return known.GitHubID == u.ID })
	if i < 0 {
		return Identity{}, false
	}
	return m.Spec.Users[i], true
}

// find returns the identity of a GitHub login, compared as GitHub does, without regard to case.
func (m IdentityMap) find(login string) (Identity, bool) {
	for _, u := range m.Spec.Users {
		if strings.EqualFold(u.GitHub, login) {
			return u, true
		}
	}
	return Identity{}, false
}

// members returns the logins of a group, and whether the group exists.
func (m GroupMap) members(name string) ([]string, bool) {
	for _, g := range m.Spec.Groups {
		if g.Name == name {
			return g.Members, true
		}
	}
	return nil, false
}
