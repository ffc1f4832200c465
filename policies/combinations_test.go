package policies_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
)

// everyCommand is a policy for commands whose lists have so many entries each.
func everyCommand(n int) string {
	list := func(form string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(form, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	return `apiVersion: pullgrant.dev/v1alpha1
kind: AccessPolicy
metadata: {name: many}
spec:
  clusters: [prod-eu]
  subjects: [{kind: User, name: alice}]
  challenges: [{kind: PeerReview, reviewers: [{kind: User, name: carol}], count: 1}]
  target:
    maxDuration: 2h
    grants:
      - kind: KubernetesExec
        defaultNamespace: n0
        allowedNamespaces: ` + list("n%d") + `
        pods: ` + list("p%d-*") + `
        containers: ` + list("c%d") + `
        commands: ` + list("[x%d]") + "\n"
}

// TestManyCombinations: a policy of some hundred bytes that gives a million things is a finding, and
// what one just below the bound makes possible is told at once.
func TestManyCombinations(t *testing.T) {
	begun := time.Now()
	before := exampleTree(t)
	for n, finding := range map[int]string{
		11: "",
		12: "policies/many.yaml:11:9: with it the policy gives more than 20000",
		24: "policies/many.yaml:11:9: with it the policy gives more than 20000",
	} {
		after := with(t, before, "policies/many.yaml", "", everyCommand(n))
		_, findings := policies.ParsePolicy("policies/many.yaml", []byte(everyCommand(n)))
		got := ""
		if len(findings) > 0 {
			got = findings[0].String()
		}
		if !strings.HasPrefix(got, finding) || finding == "" && got != "" {
			t.Errorf("%d of each: %s", n, got)
		}
		told := policies.Widened(before, after)
		if (len(told) > 0) != (finding == "") {
			t.Errorf("%d of each: %d sentences of what it makes possible", n, len(told))
		}
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
