package policies_test

import (
	"os"
	"strings"
	"testing"
)

// TestApprovalsDoc: what docs/approvals.md shows is valid in a policy of the example repository, and
// nothing is wrong with that.
func TestApprovalsDoc(t *testing.T) {
	data, err := os.ReadFile("../docs/approvals.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Split(string(data), "```yaml\n")[1:]
	if len(shown) < 4 {
		t.Fatalf("the page shows %d", len(shown))
	}
	for _, block := range shown {
		block, _, _ = strings.Cut(block, "```")
		tree := with(t, exampleTree(t), "policies/payments-debug.yaml",
			"  challenges:\n    - {kind: CodeOwnerReview, count: 1}",
			"  "+strings.ReplaceAll(strings.TrimSpace(block), "\n", "\n  "))
		delete(tree.Files, "tests/payments-debug.yaml") // it wants what another challenge gives
		if findings := tree.Check(); len(findings) > 0 {
			t.Errorf("%s\n%v", block, findings)
		}
		policy, _, _ := tree.Policy("payments-debug")
		if len(tree.Approvals(policy, "prod-eu")) == 0 && !policy.Spec.AllowWithoutReview {
			t.Errorf("%s\nasks for nothing", block)
		}
	}
}
