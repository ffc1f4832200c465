package main

import (
	"flag"
	"fmt"
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
	all, err := parse("judgement")
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

var update = flag.Bool("update", false, "write the simulation's mutations into docs/mutations.md")

// TestTheSimulationsMutations: each fits the source once, inside a function, and docs/mutations.md has
// a row for each.
func TestTheSimulationsMutations(t *testing.T) {
	all, err := parse("simulation")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	byFile := map[string][]mutation{}
	for _, m := range all {
		if _, err := m.apply("../../.."); err != nil {
			t.Error(err)
		}
		byFile[m.file] = append(byFile[m.file], m)
		if m.beside {
			continue
		}
		fmt.Fprintf(&rows, "| %s | %s | `%s` | %s |\n", m.rule, m.what, m.file, m.seed)
	}
	for path, some := range byFile {
		if _, err := switched("../../..", path, some); err != nil {
			t.Error(err)
		}
	}
	const page = "../../../docs/mutations.md"
	const head = "| Rule | What is broken | Where | Seed |\n| --- | --- | --- | --- |\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), head)
	want := before + head + rows.String()
	if !found {
		t.Fatalf("%s has no table of the simulation's mutations", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(text) != want {
		t.Errorf("%s is not of the list; run go test ./testdata/mutate/rules -update", page)
	}
}

// TestAMutationIsACopy: a function with mutations is as it was until one is turned on, and calls a
// copy that has it with what it was called with.
func TestAMutationIsACopy(t *testing.T) {
	dir := t.TempDir()
	const source = `package p

type t struct{ n int }

func (x t) f(a, b int, c ...string) int {
	return a - b
}

func g() {
	println(1)
	println(2)
}
`
	const want = `package p

import "` + switches + `"


type t struct{ n int }

func (x t) f(a, b int, c ...string) int {
if switched.On(7) {
return x.fMutation7(a, b, c...)
}

	return a - b
}

func (x t) fMutation7(a, b int, c ...string) int {
	return a + b
}

func g() {
if switched.On(8) {
gMutation8()
return
}

if switched.On(9) {
gMutation9()
return
}

	println(1)
	println(2)
}

func gMutation8() {
	println(3)
	println(2)
}

func gMutation9() {
	println(1)
	println(4)
}
`
	if err := os.WriteFile(dir+"/p.go", []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	all := []mutation{{number: 7, old: "a - b", broken: "a + b"}, {number: 8, old: "println(1)",
		broken: "println(3)"}, {number: 9, old: "println(2)", broken: "println(4)"}}
	got, err := switched(dir, "p.go", all)
	if err != nil || string(got) != want {
		t.Errorf("%v: it is\n%s\nwant\n%s", err, got, want)
	}
	if _, err := switched(dir, "p.go", []mutation{{old: "n int", broken: "n, m int"}}); err == nil {
		t.Error("what is in no function has a copy")
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
