package simulation

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// unbroken are the rules for which nobody has broken the product yet: a mutation that they see takes
// them off.
var unbroken = []string{"G1 names", "G4 names", "G4 once", "G4 used up", "aws-auth others"}

// TestEveryRuleSeesTheProductBroken: the product is broken for each rule but those, by the list that
// `make mutate-simulation` tries, and for no rule that there is not.
func TestEveryRuleSeesTheProductBroken(t *testing.T) {
	list, err := os.ReadFile("../mutate/rules/simulation.txt")
	if err != nil {
		t.Fatal(err)
	}
	broken := map[string]bool{}
	for block := range strings.SplitSeq(string(list), "\n\n") {
		rule, _, _ := strings.Cut(block, " | ")
		if broken[rule] = true; rules[rule] == nil {
			t.Errorf("there is no rule %q", rule)
		}
	}
	for rule := range rules {
		if broken[rule] == slices.Contains(unbroken, rule) {
			t.Errorf("the product is broken for the rule %q: %t, and it is said not to be: %t", rule,
				broken[rule], !broken[rule])
		}
	}
	for _, rule := range unbroken {
		if rules[rule] == nil {
			t.Errorf("there is no rule %q", rule)
		}
	}
}
