package audit_test

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// TestAsked holds what a question is answered with: what lets somebody, and what nobody can tell.
func TestAsked(t *testing.T) {
	file, err := rbac.NewCatalog("prod-eu", "view", false, []rbac.RoleRule{{APIGroups: []string{""},
		Resources: []string{"pods", "nodes", "namespaces"}, Verbs: []string{"get"}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	tree := policies.Tree{Files: map[string]policies.TreeFile{rbac.CatalogPath("prod-eu", "view"): policies.
		NewTreeFile(policies.PlainFile, "", file, int64(len(file)))}}
	bound := func(kind, role, namespace string) requests.Item {
		return requests.Item{Kind: kind, Name: "n", Namespace: namespace,
			Role: requests.Role{Kind: requests.KindClusterRole, Name: role}}
	}
	view := bound(requests.KubernetesRoleBinding, "view", "payments")
	made := requests.Item{Kind: requests.KubernetesResourceRole, Name: "n", Namespace: "payments",
		Role: view.Role, Allows: []requests.Rule{{Resource: "pods", Verbs: []string{"get"},
			Names: []string{"api"}, Match: []requests.Match{{Pattern: "web-*", Within: []string{"*"}},
				{Selector: "app=x", Within: []string{"job-*"}}}}}}
	for _, c := range []struct {
		what     string
		item     requests.Item
		question audit.Question
		refs     []requests.GrantRef
		can, why bool
	}{
		{what: "in its namespace", item: view, can: true,
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods"}, Namespace: "payments"}},
		{what: "in another", item: view,
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods"}, Namespace: "web"}},
		{what: "another verb", item: view,
			question: audit.Question{Access: rbac.Access{Verb: "delete", Resource: "pods"}}},
		{what: "what stands in no namespace", item: view,
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "nodes"}, ClusterWide: true}},
		{what: "the namespace itself", item: view, can: true, question: audit.Question{ClusterWide: true,
			Access: rbac.Access{Verb: "get", Resource: "namespaces", Name: "payments"}}},
		{what: "the whole cluster", can: true, item: bound(requests.KubernetesClusterRoleBinding, "view", ""),
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "nodes"}, ClusterWide: true}},
		{what: "no catalogue", why: true, item: bound(requests.KubernetesRoleBinding, "other", "payments"),
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods"}}},
		{what: "other rules in the ledger", why: true, item: view,
			refs:     []requests.GrantRef{{Namespace: "payments", Name: "n", Role: "view", Rules: "sha256:0"}},
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods"}}},
		{what: "by name", item: made, can: true,
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods", Name: "api"}}},
		{what: "by pattern", item: made, can: true,
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods", Name: "web-1"}}},
		{what: "by labels, which nobody recorded", item: made, why: true,
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods", Name: "job-1"}}},
		{what: "by none of these", item: made,
			question: audit.Question{Access: rbac.Access{Verb: "get", Resource: "pods", Name: "db"}}},
	} {
		can, why := c.question.Asked(tree, requests.Grant{Cluster: "prod-eu",
			Items: []requests.Item{c.item}}, c.refs)
		if len(can) > 0 != c.can || why != "" != c.why {
			t.Errorf("%s: %v %q", c.what, can, why)
		}
	}
}

// TestHold holds how sure it is that somebody had access.
func TestHold(t *testing.T) {
	live := audit.Row{From: at(t, "08:00:00"), Until: at(t, "09:00:00"), Entered: at(t, "08:00:00")}
	ended := live
	ended.Ended = at(t, "08:30:00")
	forged := ended
	forged.Proof = "unproven"
	var got []audit.Held
	for _, c := range []struct {
		row     audit.Row
		when    string
		refused string
	}{{live, "08:10:00", ""}, {live, "09:00:00", ""}, {live, "08:10:00", "NoPolicy"}, {ended, "08:10:00", ""},
		{ended, "08:30:00", ""}, {forged, "08:10:00", ""}, {audit.Row{Ended: at(t, "08:10:00")}, "08:10:00", ""}} {
		h, ok := audit.At(at(t, c.when).Time).Hold(c.row, c.refused)
		if !ok {
			h.Held = "no"
		}
		got = append(got, h.Held)
	}
	want := []audit.Held{audit.IfApproved, audit.NotKnown, audit.NotKnown, audit.Had, "no", audit.NotKnown, "no"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
