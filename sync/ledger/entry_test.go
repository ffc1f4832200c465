package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// TestContainerOfAnEntry: an entry tells which container was decided, and it must be one that the
// judgement left open; of a command that names its own there is none to tell.
func TestContainerOfAnEntry(t *testing.T) {
	e := requests.Exec{Pod: "api-1", Command: []string{"date"}}
	item := requests.Item{Kind: requests.KubernetesExec, Name: "pullgrant-a", Namespace: "payments",
		Exec: &e, Containers: []string{"app", "side"}}
	judged := requests.Grant{Items: []requests.Item{item.Asked()}}
	binding := plan.Object{Kind: "RoleBinding", Namespace: "payments", Name: "pullgrant-a"}
	role := binding
	role.Kind = "Role"
	for container, want := range map[string]bool{"app": true, "side": true, "admin": false, "": false} {
		made := judged
		made.Items = []requests.Item{item.Decided(container)}
		if got := slices.Contains(grantRefs(judged, binding), grantRef(made, binding)); got != want {
			t.Errorf("an entry with the container %q: %t", container, got)
		}
		if refs := grantRefs(judged, role); grantRef(made, role).Container != "" ||
			!slices.Contains(refs, grantRef(made, role)) {
			t.Errorf("the Role's: %v", refs)
		}
	}
	named := e
	named.Container = "app"
	judged.Items = []requests.Item{{Kind: item.Kind, Name: item.Name, Namespace: item.Namespace,
		Exec: &named}}
	if refs := grantRefs(judged, binding); len(refs) != 1 || refs[0].Container != "" {
		t.Errorf("of a command that names its container: %v", refs)
	}
}

// TestEntryOfWhatNobodyJudged: what is refused before anybody was asked about it has an entry that
// reads: a name that two requests came with in one commit, and a request that was waited for too long.
func TestEntryOfWhatNobodyJudged(t *testing.T) {
	path := "requests/prod-eu/payments-debug/20261122-alice-a.yaml"
	now := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		others []string
		proofs map[string]plan.Proof
	}{
		"two in one commit": {[]string{"requests/prod-us/payments-debug/20261122-alice-a.yaml"}, nil},
		"waited for too long": {nil, map[string]plan.Proof{path: {Blob: "b1", Since: now.Add(-plan.MaxWait),
			Decision: policies.Refuse(policies.EvaluationError, "it is tried again")}}},
	} {
		w := plan.World{Cluster: "prod-eu", Proofs: test.proofs, Main: &plan.Main{Tip: "tip",
			Requests: map[string]string{path: "b1"},
			Names:    map[string][]string{"20261122-alice-a": append(test.others, path)},
			First:    map[string]string{"20261122-alice-a": ""}}}
		steps := plan.Make(now, w)
		i := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Action == plan.Enter })
		if i < 0 {
			t.Errorf("%s: no entry in %v", name, steps)
			continue
		}
		data, err := Revocation(steps[i].Record).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, findings := requests.ParseRevocation(requests.RevocationPath("prod-eu", "20261122-alice-a"),
			data); len(findings) > 0 {
			t.Errorf("%s: %v in\n%s", name, findings, data)
		}
	}
}
