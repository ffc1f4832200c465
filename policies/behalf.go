package policies

import (
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// on is the identity whose name on a cluster that is.
func (m IdentityMap) on(cluster, username string) (Identity, bool) {
	for _, u := range m.Spec.Users {
		if u.On(cluster) == username {
			return u, true
		}
	}
	return Identity{}, false
}

// receiver is who is to receive what a request asks for, and whether that is somebody else than the
// requester. ok is false when identities.yaml does not tell.
func (m IdentityMap) receiver(r requests.RequestSpec) (who Identity, other, ok bool) {
	own, ok := m.find(r.Requester)
	if r.Subject == nil {
		return own, false, ok
	}
	who, known := m.on(r.Cluster, r.Subject.Name)
	known = known && r.Subject.Kind == requests.KindUser
	return who, !ok || who.GitHub != own.GitHub, known
}

// Receiver is the subject of a request on behalf of somebody else than its requester, by their logins;
// nil when it is the requester's own.
func (t Tree) Receiver(login, requester, cluster string) (*requests.Subject, error) {
	if login == "" || strings.EqualFold(login, requester) {
		return nil, nil
	}
	identities, _ := parse(t, IdentitiesPath, ParseIdentities)
	who, ok := identities.find(login)
	if !ok {
		return nil, fmt.Errorf("ask on behalf of @%s: they are not in %s, so no Kubernetes user is "+
			"known for them", login, IdentitiesPath)
	}
	return &requests.Subject{Kind: requests.KindUser, Name: who.On(cluster)}, nil
}

// Receivers are those on whose behalf others may ask under a policy, as Askers has them.
func (t Tree) Receivers(policy AccessPolicy) (people, teams []string) {
	return t.world(policy).resolve(policy.Spec.OnBehalfOf)
}

// subjectOf finds who receives the access: the requester, or somebody on whose behalf the policy
// lets others ask (R61).
func (j *judge) subjectOf() string {
	spec := j.request.Spec
	if _, ok := j.world.identities.find(spec.Requester); !ok {
		return j.field("spec.requester", SubjectNotAllowed, fmt.Sprintf("@%s is not in %s, so "+
			"no Kubernetes user is known for them", spec.Requester, IdentitiesPath))
	}
	who, other, ok := j.world.identities.receiver(spec)
	if !ok {
		return j.field("spec.subject", SubjectNotAllowed, fmt.Sprintf("nobody in %s has the name %s "+
			"on %s", IdentitiesPath, requests.Quote(spec.Subject.Name), spec.Cluster))
	}
	if other && j.notBehalf(who) {
		return j.field("spec.subject", SubjectNotAllowed, fmt.Sprintf("nobody may ask on behalf of "+
			"@%s under the policy %s; %s", who.GitHub, spec.Policy, j.world.behalfInWords()))
	}
	g := j.decision.Grant
	j.subject = requests.Subject{Kind: requests.KindUser, Name: who.On(spec.Cluster)}
	g.Subject, g.ARN = j.subject, who.AWS.ARN
	if other {
		g.Behalf = who.GitHub
	}
	return ""
}

// notBehalf tells that nobody may ask on behalf of a person; whoever may be in a team of which
// nobody asked yet is not refused for that.
func (j *judge) notBehalf(who Identity) bool {
	parties := j.world.policy.Spec.OnBehalfOf
	_, open := j.known(who.GitHub, teamsOf(parties))
	return !j.world.isParty(j.facts, parties, who.GitHub) && len(open) == 0
}

func (w world) behalfInWords() string {
	if len(w.policy.Spec.OnBehalfOf) == 0 {
		return "everybody asks for themselves"
	}
	return "that goes for " + names(w.policy.Spec.OnBehalfOf)
}

func teamsOf(parties []Party) (teams []string) {
	for _, p := range parties {
		if p.isTeam() {
			teams = append(teams, p.Name)
		}
	}
	return teams
}

// isTeam tells a GitHub team from a person and from a group of groups.yaml.
func (p Party) isTeam() bool { return p.Kind == PartyGroup && strings.Contains(p.Name, "/") }

// behalf is the account for which a request asks on behalf of somebody else; nobody where it does not.
func (j *judge) behalf() User {
	j.readRequest(j.facts.Head)
	if j.document == nil || len(j.document.Findings) > 0 {
		return User{}
	}
	who, other, ok := j.world.identities.receiver(j.request.Spec)
	if !other || !ok {
		return User{}
	}
	return User{Login: who.GitHub, ID: who.GitHubID, Type: "User"}
}
