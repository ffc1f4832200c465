package policies

import (
	"fmt"
	"maps"
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

// orgTeamPattern is the form of a team with its organization.
var (
	orgTeamPattern = strings.TrimSuffix(requests.LoginPattern, "$") + "/" +
		strings.TrimPrefix(TeamPattern, "^")
	orgTeam = regexp.MustCompile(orgTeamPattern)
)

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
	// Clusters are those whose authentication gives the person another name.
	Clusters map[string]KubernetesIdentity `yaml:"clusters,omitempty" json:"clusters,omitempty"`
	AWS      AWSIdentity                   `yaml:"aws,omitempty" json:"aws,omitzero"`
	OnCall   OnCallIdentity                `yaml:"onCall,omitempty" json:"onCall,omitzero"`
}

// AWSIdentity is the person in AWS, whom a cluster's aws-auth lets in while they have access.
type AWSIdentity struct {
	ARN string `yaml:"arn" json:"arn"`
}

// On is the person's Kubernetes user on a cluster.
func (i Identity) On(cluster string) string {
	return i.in(cluster).Username
}

func (i Identity) in(cluster string) KubernetesIdentity {
	if other, named := i.Clusters[cluster]; named {
		return other
	}
	return i.Kubernetes
}

// KubernetesIdentity is the name the cluster's authentication gives the person; Kubernetes compares
// it case-sensitively.
type KubernetesIdentity struct {
	Username string `yaml:"username" json:"username"`
	// Groups are those that the authentication gives them there, for RBACAuthorization.
	Groups []string `yaml:"groups,omitempty" json:"groups,omitempty"`
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

// IdentityFormat is the format of identities.yaml, GroupFormat that of groups.yaml.
var (
	IdentityFormat = requests.Format{
		Kind:   KindIdentityMap,
		About:  "Ties GitHub accounts to Kubernetes users. Stands at " + IdentitiesPath + ".",
		Name:   requests.Field{About: "Name of the map, for example identities."},
		Fields: identityFields,
	}
	GroupFormat = requests.Format{
		Kind: KindGroupMap,
		About: "Keeps groups in git, for repositories without GitHub teams. Stands at " +
			GroupsPath + ".",
		Name:   requests.Field{About: "Name of the map, for example groups."},
		Fields: groupFields,
	}
)

var identityFields = requests.HeaderFields("IdentityMap", "The people.").With(requests.Fields{
	"IdentitySpec.users": {About: "One entry for each person; a login or number stands once, and " +
		"so does a user name on each cluster."},
	"Identity.github": {About: "GitHub login.", Form: requests.FormLogin},
	"Identity.githubID": {About: "Number of the GitHub account, which GitHub never reuses: " +
		"the id at https://api.github.com/users/<login>.", Min: 1, Rule: "githubID",
		Says: "it is a number from 1 up; see https://api.github.com/users/<login>"},
	"Identity.kubernetes": {About: "The person in Kubernetes."},
	"Identity.clusters": {About: "The person on clusters that name them otherwise, by the " +
		"cluster's name.", Form: requests.FormName, Min: 1},
	"Identity.aws": {About: "The person in AWS, for EKS clusters whose aws-auth pullgrant keeps."},
	"AWSIdentity.arn": {About: "ARN of the person's IAM user, or of a role without its path; it " +
		"stands once.", Form: requests.FormARN},
	"Identity.onCall": {About: "The person in the services that know who is on call."},
	"OnCallIdentity.pagerDuty": {About: "Number of the user in PagerDuty, such as PXPGF42: the end of " +
		"their profile's address. It stands once.", Form: formPagerDuty},
	"OnCallIdentity.opsgenie": {About: "Number of the user in Opsgenie, a UUID. It stands once.",
		Form: formOpsgenie},
	"KubernetesIdentity.username": {About: "Name of the user, exactly as the cluster's " +
		"authentication gives it.",
		Form: requests.FormSubject},
	"KubernetesIdentity.groups": {About: "Groups that the cluster's authentication gives them, as far as " +
		"a challenge RBACAuthorization is to count them. Names that begin with system: are refused.",
		Form: requests.FormSubject, Unique: true, Min: 1, Max: maxGroups},
})

// maxGroups bounds the groups of a person.
const maxGroups = 50

var groupFields = requests.HeaderFields("GroupMap", "The groups.").With(requests.Fields{
	"GroupSpec.groups": {About: "One entry for each group."},
	"Group.name":       {About: "Name of the group, as policies say it.", Form: formGroup},
	"Group.members":    {About: "GitHub logins.", Form: requests.FormLogin, Unique: true},
})

// ParseIdentities reads policies/identities.yaml strictly. A login or account number may stand once
// only, and so may the user name that is in effect on a cluster.
func ParseIdentities(path string, data []byte) (IdentityMap, []requests.Finding) {
	m, d := requests.Decode[IdentityMap](path, data, maxMapSize)
	if len(d.Findings) > 0 {
		return m, d.Findings
	}
	d.Conform(IdentityFormat, m)
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
		once(at+".github", strings.ToLower(u.GitHub))
		once(at+".githubID", fmt.Sprint(u.GitHubID))
		once(at+".kubernetes.username", u.Kubernetes.Username)
		for field, id := range map[string]string{"pagerDuty": u.OnCall.PagerDuty, "opsgenie": u.OnCall.Opsgenie} {
			if id != "" {
				once(at+".onCall."+field, id)
			}
		}
		if u.AWS.ARN != "" {
			once(at+".aws.arn", strings.ToLower(u.AWS.ARN)) // as EKS compares them
			d.Check(at+".kubernetes.username", "aws-user", u.Kubernetes.Username,
				requests.CheckAWSUser(u.Kubernetes.Username))
		}
	}
	for _, cluster := range m.clusters() {
		whose := map[string]Identity{} // by the name there
		for i, u := range m.Spec.Users {
			name, field := u.On(cluster), "kubernetes"
			if _, otherwise := u.Clusters[cluster]; otherwise {
				field = "clusters." + cluster
			}
			if other, twice := whose[name]; twice && other.Kubernetes.Username != u.Kubernetes.Username {
				d.Check(fmt.Sprintf("spec.users[%d].%s.username", i, field), "duplicate", name,
					fmt.Sprintf("on the cluster %s it is @%s too", cluster, other.GitHub))
			}
			whose[name] = u
		}
	}
	requests.SortFindings(d.Findings)
	return m, d.Findings
}

// clusters are those on which somebody has another name, in order.
func (m IdentityMap) clusters() (names []string) {
	for _, u := range m.Spec.Users {
		names = slices.AppendSeq(names, maps.Keys(u.Clusters))
	}
	return sorted(names)
}

// ParseGroups reads policies/groups.yaml strictly.
func ParseGroups(path string, data []byte) (GroupMap, []requests.Finding) {
	m, d := requests.Decode[GroupMap](path, data, maxMapSize)
	if len(d.Findings) > 0 {
		return m, d.Findings
	}
	d.Conform(GroupFormat, m)
	names := map[string]bool{}
	for i, g := range m.Spec.Groups {
		at := fmt.Sprintf("spec.groups[%d]", i)
		if names[g.Name] {
			d.Check(at+".name", "duplicate", g.Name, "it stands in this file twice")
		}
		names[g.Name] = true
		logins := map[string]bool{}
		for j, member := range g.Members {
			path := fmt.Sprintf("%s.members[%d]", at, j)
			if logins[strings.ToLower(member)] {
				d.Check(path, "duplicate", member, "it stands in this group twice")
			}
			logins[strings.ToLower(member)] = true
		}
	}
	requests.SortFindings(d.Findings)
	return m, d.Findings
}

// pinned returns the identity that an account number or login stands in: for a renamed account, or
// one that took over an old login, these are not both the same as the account's.
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

// is tells whether an account is the one that the identity pins, by number and by login (R22).
func (i Identity) is(u User) bool {
	return i.GitHubID == u.ID && strings.EqualFold(i.GitHub, u.Login)
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

// problem tells why a party that is a group of groups.yaml is nobody.
func (m GroupMap) problem(p Party) string {
	if p.Kind != PartyGroup || strings.Contains(p.Name, "/") {
		return ""
	}
	switch members, ok := m.members(p.Name); {
	case !ok:
		return fmt.Sprintf("the group %s is not in %s; a GitHub team is written org/team",
			requests.Quote(p.Name), GroupsPath)
	case len(members) == 0:
		return fmt.Sprintf("the group %s has no members", requests.Quote(p.Name))
	}
	return ""
}
