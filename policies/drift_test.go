package policies_test

import (
	"maps"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// exampleGrant is what alice gets under the example's policy.
var exampleGrant = requests.Grant{Name: "20261123-alice-inc-123", Path: requests.Path("prod-eu",
	"payments-debug", "20261123-alice-inc-123"),
	Cluster: "prod-eu", Policy: "payments-debug", Requester: "alice",
	Subject: requests.Subject{Kind: requests.KindUser, Name: "alice@example.com"},
	Items: []requests.Item{{Kind: requests.KubernetesRoleBinding, Namespace: "payments",
		Role: requests.Role{Kind: requests.KindClusterRole, Name: "payments-debug"}}}}

func TestDrift(t *testing.T) {
	const path = "policies/payments-debug.yaml"
	tree, grant := exampleTree(t), exampleGrant
	noTeam := with(t, tree, path, "{kind: Group, name: acme/squad-a}", "{kind: User, name: carol}")
	without := func(tree policies.Tree, path string) policies.Tree {
		files := maps.Clone(tree.Files)
		delete(files, path)
		return policies.Tree{Commit: tree.Commit, Files: files}
	}
	for name, c := range map[string]struct {
		tree policies.Tree
		want string
	}{
		"as it was":   {tree, ""},
		"policy gone": {without(tree, path), requests.CausePolicyChanged},
		"policy of another cluster": {with(t, tree, path, "clusters: [prod-eu]",
			"clusters: [prod-us]"), requests.CausePolicyChanged},
		"policy gives another role": {with(t, tree, path, "name: payments-debug}", "name: view}"),
			requests.CausePolicyChanged},
		"policy says which API group roles are of": {with(t, tree, path, "name: payments-debug}",
			"name: payments-debug, apiGroup: rbac.authorization.k8s.io}"), ""},
		"role in another namespace": {with(t, tree, path, "defaultNamespace: payments\n      "+
			"  allowedNamespaces: [payments]", "defaultNamespace: shop\n        "+
			"allowedNamespaces: [shop]"), requests.CausePolicyChanged},
		"shorter maximum": {with(t, tree, path, "maxDuration: 2h", "maxDuration: 60m"),
			""},
		"policy that does not read": {with(t, tree, path, "maxDuration: 2h", "maxDuration: soon"),
			""},
		"identities that do not read": {with(t, tree, "policies/identities.yaml",
			"kind: IdentityMap", "kind: Other"), ""},
		"not in identities": {with(t, tree, "policies/identities.yaml", "github: alice",
			"github: alicia"), requests.CauseSubjectRemoved},
		"another user": {with(t, tree, "policies/identities.yaml",
			"username: alice@example.com", "username: al@example.com"),
			requests.CauseSubjectRemoved},
		"another user on the cluster": {with(t, tree, "policies/identities.yaml",
			"{username: alice@example.com}",
			"{username: alice@example.com}\n      clusters: {prod-eu: "+
				"{username: al@example.com}}"), requests.CauseSubjectRemoved},
		"another user on another cluster": {with(t, tree, "policies/identities.yaml",
			"{username: alice@example.com}",
			"{username: alice@example.com}\n      clusters: {prod-us: "+
				"{username: al@example.com}}"), ""},
		"the same user as nowhere else": {with(t, tree, "policies/identities.yaml",
			"{username: alice@example.com}",
			"{username: al@example.com}\n      clusters: {prod-eu: "+
				"{username: alice@example.com}}"), ""},
		"somebody in AWS, of whom the grant does not know": {with(t, tree,
			"policies/identities.yaml", "{username: alice@example.com}",
			"{username: alice@example.com}\n      aws: {arn: "+
				"'arn:aws:iam::111122223333:user/alice'}"),
			""},
		"a team may ask, who is asked": {with(t, tree, path, "{kind: User, name: alice}",
			"{kind: User, name: carol}"), ""},
		"named and nobody else": {noTeam, ""},
		"may not ask any more": {with(t, noTeam, path, "{kind: User, name: alice}",
			"{kind: User, name: dave}"), requests.CauseSubjectRemoved},
	} {
		if got := policies.Drift(c.tree, []requests.Grant{grant}, time.Time{})[grant.Path]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestDriftOnBehalf: access of somebody for whom it was asked ends when it may not be asked for
// them any more, or when the name is another person's.
func TestDriftOnBehalf(t *testing.T) {
	const path = "policies/payments-debug.yaml"
	grant := exampleGrant
	grant.Subject.Name, grant.Behalf = "bob@example.com", "bob"
	behalf := func(parties string) policies.Tree {
		return with(t, exampleTree(t), path, "  challenges:", "  onBehalfOf: ["+parties+"]\n  challenges:")
	}
	for name, c := range map[string]struct {
		tree policies.Tree
		want string
	}{
		"as it was":   {behalf("{kind: User, name: BOB}"), ""},
		"a group":     {behalf("{kind: Group, name: squad-b}"), ""},
		"a team":      {behalf("{kind: Group, name: acme/squad-b}"), ""},
		"for another": {behalf("{kind: User, name: carol}"), requests.CauseSubjectRemoved},
		"for nobody":  {exampleTree(t), requests.CauseSubjectRemoved},
		"the name is of another": {with(t, behalf("{kind: User, name: bob}"), policies.IdentitiesPath,
			"github: bob", "github: bobby"), requests.CauseSubjectRemoved},
		"the requester left": {with(t, behalf("{kind: User, name: bob}"), policies.IdentitiesPath,
			"github: alice", "github: alicia"), requests.CauseSubjectRemoved},
	} {
		if got := policies.Drift(c.tree, []requests.Grant{grant}, time.Time{})[grant.Path]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestDriftOfTheARN: whoever is somebody else in AWS than when access was granted, or nobody any
// more, loses it.
func TestDriftOfTheARN(t *testing.T) {
	const arn = "arn:aws:iam::111122223333:user/alice"
	known := with(t, exampleTree(t), "policies/identities.yaml", "{username: alice@example.com}",
		"{username: alice@example.com}\n      aws: {arn: '"+arn+"'}")
	grant := exampleGrant
	grant.ARN = arn
	for name, c := range map[string]struct {
		tree policies.Tree
		want string
	}{
		"the same": {known, ""},
		"another": {with(t, known, "policies/identities.yaml", "user/alice", "user/mallory"),
			requests.CauseSubjectRemoved},
		"none": {exampleTree(t), requests.CauseSubjectRemoved},
	} {
		if got := policies.Drift(c.tree, []requests.Grant{grant}, time.Time{})[grant.Path]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestDriftOfACommand: a command whose container was decided when access was given goes with the
// policy as long as that gives the container, one that waits for that as long as it gives all that
// it may be.
func TestDriftOfACommand(t *testing.T) {
	exec := func(pods, containers string) policies.Tree {
		return with(t, exampleTree(t), "policies/payments-debug.yaml", "- kind: KubernetesRoleBinding",
			"- kind: KubernetesExec\n        allowedNamespaces: [payments]\n        "+pods+
				"\n        containers: ["+containers+"]\n        commands: [[date]]\n"+
				"      - kind: KubernetesRoleBinding")
	}
	both := exec("deployments: [api]", "app, side")
	e := requests.Exec{Deployment: "api", Command: []string{"date"}}
	waits := requests.Item{Kind: requests.KubernetesExec, Namespace: "payments", Exec: &e,
		Containers: []string{"app", "side"}}.Asked()
	decided := waits.Decided("app")
	for name, c := range map[string]struct {
		tree policies.Tree
		item requests.Item
		want string
	}{
		"decided":                  {both, decided, ""},
		"waits":                    {both, waits, ""},
		"decided, without another": {exec("deployments: [api]", "app"), decided, ""},
		"waits, without one that it may be": {exec("deployments: [api]", "app"), waits,
			requests.CausePolicyChanged},
		"decided, without its own": {exec("deployments: [api]", "side"), decided,
			requests.CausePolicyChanged},
		"a pod of the same name": {exec("pods: [api]", "app, side"), decided,
			requests.CausePolicyChanged},
		"another deployment": {exec("deployments: [web]", "app, side"), decided,
			requests.CausePolicyChanged},
	} {
		grant := exampleGrant
		grant.Items = []requests.Item{c.item}
		if got := policies.Drift(c.tree, []requests.Grant{grant}, time.Time{})[grant.Path]; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestOnce: a policy that gives a single use of a command gives no more than that, also of what was
// granted before; without that word it gives more.
func TestOnce(t *testing.T) {
	const path = "policies/app-config.yaml"
	free := exampleTree(t)
	once := with(t, free, path, "containers: [app]\n", "containers: [app]\n        once: true\n")
	if got := policies.Widened(once, free); len(got) != 2 || got[0] != "policy app-config: it gives "+
		`command "cat /my/app/config/*" in container app of pod payments-* in namespace payments` {
		t.Errorf("for good instead of once: %q", got)
	}
	if got := policies.Widened(free, once); len(got) != 0 {
		t.Errorf("once instead of for good: %q", got)
	}
	g := exampleGrant
	g.Policy, g.Path = "app-config", requests.Path("prod-eu", "app-config", g.Name)
	exec := requests.Exec{Pod: "payments-1", Container: "app", Command: []string{"ls", "-l", "/my/app/x"}}
	for _, c := range []struct {
		tree policies.Tree
		once bool
		want string
	}{{free, false, ""}, {free, true, ""}, {once, true, ""},
		{once, false, requests.CausePolicyChanged}} {
		g.Items = []requests.Item{{Kind: requests.KubernetesExec, Namespace: "payments", Exec: &exec,
			Allows: exec.Rules(""), Once: c.once}}
		if got := policies.Drift(c.tree, []requests.Grant{g}, time.Time{})[g.Path]; got != c.want {
			t.Errorf("granted once: %t, it ends by %q, want %q", c.once, got, c.want)
		}
	}
}
