package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tableRow is a rule in the table of docs/rules.md.
var tableRow = regexp.MustCompile(`(?m)^\| (R[0-9]+) \| (\S+) \| (\S+) \| .* \|$`)

// TestMutationsFitTheSource keeps the list in step with the code; `make mutate` runs it.
func TestMutationsFitTheSource(t *testing.T) {
	all, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	broken := map[string]bool{}
	for _, m := range all {
		if _, err := m.apply("../../.."); err != nil {
			t.Error(err)
		}
		broken[m.rule] = true
	}
	rules, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range tableRow.FindAllStringSubmatch(string(rules), -1) {
		rule := row[1]
		// A rule that is kept by code elsewhere, or by GitHub, says so in the table.
		unbroken := regexp.MustCompile(`(?m)^\| ` + rule +
			` \|.*\| not broken: .+ \|$`).Match(rules)
		if broken[rule] == unbroken {
			t.Errorf("%s: broken by mutations.txt: %t, said not to be by docs/rules.md: %t", rule,
				broken[rule], unbroken)
		}
	}
}

// TestRulesAreWhereTheTableSays: the code and the scenario or test that docs/rules.md names for a
// rule carry its number.
func TestRulesAreWhereTheTableSays(t *testing.T) {
	rules, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := tableRow.FindAllStringSubmatch(string(rules), -1)
	last := 0
	for _, row := range rows {
		n, err := strconv.Atoi(row[1][1:])
		if err != nil || n <= last {
			t.Fatalf("%s stands after R%d in the table", row[1], last)
		}
		last = n
		for _, place := range row[2:] {
			if place == "GitHub" {
				continue
			}
			text, err := os.ReadFile("../../../" + strings.Trim(place, "`"))
			if err != nil {
				t.Errorf("%s: %v", row[1], err)
			} else if !regexp.MustCompile(`\b` + row[1] + `\b`).Match(text) {
				t.Errorf("%s says nothing of %s", place, row[1])
			}
		}
		if !strings.Contains(string(rules), "**"+row[1]+"**") {
			t.Errorf("%s is in the table and not in the text", row[1])
		}
	}
	if told := regexp.MustCompile(`(?m)^- \*\*R[0-9]+\*\*`).FindAll(rules, -1); len(told) != len(rows) {
		t.Errorf("the table has %d rules and the text %d", len(rows), len(told))
	}
}
