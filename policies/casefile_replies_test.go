package policies_test

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// TestCaseWithoutReply: a case that does not say what it needs to be told fails, and names it; a reply
// about something else is none.
func TestCaseWithoutReply(t *testing.T) {
	const path = "tests/orders-sudo.yaml"
	const said = `      replies: [{challenge: RBACAuthorization, verdict: "yes"}]` + "\n"
	for _, instead := range []string{"", strings.Replace(said, "verdict", "of: the weather, verdict", 1)} {
		results, findings := with(t, exampleTree(t), path, said, instead).RunTests()
		failed := 0
		for _, r := range results {
			if r.Passed {
				continue
			}
			failed++
			if r.Got.Code != policies.EvaluationError || !strings.Contains(r.Message, "the case does not say "+
				`what RBACAuthorization is told about "sudo on the ClusterRole orders-scaler in orders"`) {
				t.Errorf("%s: %s %s", r.Name, r.Got, r.Message)
			}
		}
		if failed != 1 || len(findings) > 0 {
			t.Errorf("%q: %d cases fail, %v", instead, failed, findings)
		}
	}
}
