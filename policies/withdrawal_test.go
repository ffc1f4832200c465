package policies_test

import (
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// TestWithdrawalEnds: only the account numbers of those who have to do with a grant end it before
// anybody agreed (R22).
func TestWithdrawalEnds(t *testing.T) {
	const path = "requests/prod-eu/payments-debug/20261123-alice-inc-123.yaml"
	person := func(login string, id int64, user string) policies.Identity {
		return policies.Identity{GitHub: login, GitHubID: id,
			Kubernetes: policies.KubernetesIdentity{Username: user}}
	}
	people := policies.IdentityMap{Spec: policies.IdentitySpec{Users: []policies.Identity{
		person("Alice", 101, "alice@example.com"), person("bob", 102, "bob@example.com"),
		person("erin", 105, "erin@example.com"), person("frank", 106, "frank@example.com"),
		person("grace", 107, "grace@example.com")}}}
	named := policies.KubernetesIdentity{Username: "erin@example.com"}
	people.Spec.Users[2].Clusters = map[string]policies.KubernetesIdentity{
		"prod-us": {Username: "oidc:erin"}}
	people.Spec.Users[3].Clusters = map[string]policies.KubernetesIdentity{"prod-us": named}
	people.Spec.Users[4].Clusters = map[string]policies.KubernetesIdentity{"staging": named}
	g := requests.Grant{Path: path, Cluster: "prod-eu", Requester: "alice",
		Subject:  requests.Subject{Kind: requests.KindUser, Name: "erin@example.com"},
		Evidence: requests.Evidence{Approvers: []requests.Approver{{Login: "carol", ID: 103}}}}
	for name, test := range map[string]struct {
		author policies.User
		path   string
		want   string
	}{
		"requester": {policies.User{Login: "alice", ID: 101, Type: "User"},
			path, requests.CauseRelinquished},
		"requester under another login": {policies.User{Login: "alice-2", ID: 101, Type: "User"},
			path, requests.CauseRelinquished},
		"subject": {policies.User{Login: "erin", ID: 105, Type: "User"}, path,
			requests.CauseRelinquished},
		"who has the subject's name on another cluster": {policies.User{Login: "grace", ID: 107,
			Type: "User"}, path, ""},
		"approver": {policies.User{Login: "carol", ID: 103, Type: "User"},
			path, requests.CauseRevoked},
		"somebody with an identity": {policies.User{Login: "bob", ID: 102, Type: "User"}, path,
			""},
		"somebody": {policies.User{Login: "eve", ID: 666, Type: "User"}, path,
			""},
		"somebody with the login": {policies.User{Login: "alice", ID: 666, Type: "User"},
			path, ""},
		"a deleted account": {policies.User{}, path, ""},
		"requester of another": {policies.User{Login: "alice", ID: 101, Type: "User"},
			path[:len(path)-5] + "4.yaml", ""},
	} {
		if got := (policies.Withdrawal{PullRequest: 7, Author: test.author,
			Path: test.path}).Ends(g,
			people); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := (policies.Withdrawal{Author: policies.User{Login: "alice", ID: 101},
		Path: path}).Ends(g,
		policies.IdentityMap{}); got != "" {
		t.Errorf("without identities: %q", got)
	}
}
