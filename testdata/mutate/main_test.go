package main

import (
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const example = `package example

func f(a, b int) (int, error) {
	if a < b && a != 3 {
		return g(a)
	}
	if err := h(); err != nil {
		return 0, err
	}
	for i := 0; b >= i; i++ {
		_ = func() bool { return false }
	}
	return a, nil
}
`

// TestEveryPlaceIsFoundAndBroken: the kinds of places, what becomes of them, and that a file with
// all of them broken is still Go.
func TestEveryPlaceIsFoundAndBroken(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "example.go"), []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	sites, err := sitesOf(dir, "example.go")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range sites {
		sites[i].number = i + 1
		got = append(got, sites[i].kind+": "+sites[i].was+" -> "+sites[i].now)
	}
	want := []string{
		"bound: a < b -> a <= b",
		"equality: a != 3 -> a == 3",
		"refusal: return g(a) -> v0, nil",
		"refusal: return 0, err -> return 0, nil",
		"bound: b >= i -> b > i",
		"answer: return false -> return true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	source := broken([]byte(example), sites)
	if _, err := format.Source(source); err != nil {
		t.Errorf("%v in\n%s", err, source)
	}
	for i := range sites {
		if n := strings.Count(string(source), "switched.On("+string(rune('1'+i))+")"); n != 1 {
			t.Errorf("switch %d is there %d times", i+1, n)
		}
	}
}

// TestRoomsAreBroken: every room has places enough, and each survivor that has a reason is one of
// the places that are tried.
func TestRoomsAreBroken(t *testing.T) {
	trial, err := newTrial("../..", t.TempDir(), rooms)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, r := range rooms {
		if len(trial.sites[r.dir]) != r.count {
			t.Errorf("%s has %d places, want %d", r.dir, len(trial.sites[r.dir]), r.count)
		}
		for _, s := range trial.sites[r.dir] {
			names[s.name()] = true
		}
	}
	if len(names) < 150 {
		t.Errorf("%d places are tried, want 150 at least", len(names))
	}
	reasons, err := readReasons("survivors.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name := range reasons {
		if !names[name] {
			t.Errorf("survivors.txt has a reason for %q, which is not tried", name)
		}
	}
}

// TestARoomRewritesItsRows: what was tried stands in the table, with its survivors and its commit;
// the rows and survivors of other rooms stay, and the sum is of all.
func TestARoomRewritesItsRows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mutations.md")
	before := preface + `| Room | Tried | Noticed | Survived | At commit |
| --- | ---: | ---: | ---: | --- |
| ` + "`requests`" + ` | 16 | 15 | 1 | aaaaaaaa |
| ` + "`sync/plan`" + ` | 14 | 13 | 1 | aaaaaaaa |
| all | 30 | 28 | 2 | |

## What no test notices

- ` + "`requests/a.go`, bound in `A`: `a < b` for `a <= b`" + `: no reason is known.
- ` + "`sync/plan/a.go`, bound in `A`: `a || b` for `a < b`" + `: no reason is known.

## What the simulation sees

| a rule | ` + "`a`" + ` | | | | |
`
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	tried := trial{
		rooms: []room{{dir: "requests"}, {dir: "policies"}},
		sites: map[string][]site{
			"requests": {{number: 1, file: "requests/a.go"}, {number: 2, file: "requests/b.go"}},
			"policies": {
				{number: 3, file: "policies/a.go", kind: bound, function: "F", was: "x", now: "y"},
				{number: 4, file: "policies/a.go", kind: answer, function: "G", was: "x", now: "y"},
			},
		},
		noticed: map[int]string{1: "TestA", 2: "TestB"},
		reached: map[int]bool{1: true, 2: true, 3: true},
	}
	rows := tried.rows("bbbbbbbb with changes",
		map[string]string{"policies/a.go F bound x": "it is so"})
	if err := write(file, rows); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := preface + `| Room | Tried | Noticed | Survived | At commit |
| --- | ---: | ---: | ---: | --- |
| ` + "`requests`" + ` | 2 | 2 | 0 | bbbbbbbb with changes |
| ` + "`policies`" + ` | 2 | 0 | 2 | bbbbbbbb with changes |
| ` + "`sync/plan`" + ` | 14 | 13 | 1 | aaaaaaaa |
| all | 18 | 15 | 3 | |

## What no test notices

- ` + "`policies/a.go`, bound in `F`: `y` for `x`" + `: it is so.
- ` + "`policies/a.go`, answer in `G`: `y` for `x`" + `: no reason is known (no test reaches it).
- ` + "`sync/plan/a.go`, bound in `A`: `a || b` for `a < b`" + `: no reason is known.

## What the simulation sees

| a rule | ` + "`a`" + ` | | | | |
`
	if string(got) != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

// TestTheTableAddsUp: docs/mutations.md, which is put together from runs on different machines, has
// a row for every room, as many survivors as are listed, and the sum of all.
func TestTheTableAddsUp(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("../..", table))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readReport(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rooms {
		one, ok := rows[r.dir]
		if !ok || one.tried != r.count || one.tried-one.noticed != len(one.survivors) {
			t.Errorf("%s: %d tried and %d noticed, with %d survivors listed; want %d tried",
				r.dir, one.tried, one.noticed, len(one.survivors), r.count)
		}
	}
	if part, _ := own(string(text)); report(rows) != part {
		t.Errorf("the file is not what its rows make of it, which is\n%s", report(rows))
	}
}

// TestATableThatCannotBeReadIsKept: rows that are not understood are not thrown away.
func TestATableThatCannotBeReadIsKept(t *testing.T) {
	for _, text := range []string{
		"| `requests` | many | 15 | 1 | aaaaaaaa |\n",
		"| `requests` | 16 | most | 1 | aaaaaaaa |\n",
		"- `requests/a.go`, bound in `A`: `a` for `b`: it is so.\n",
	} {
		file := filepath.Join(t.TempDir(), "mutations.md")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := write(file, nil); err == nil {
			t.Errorf("%q was read", text)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("the file is %q, %v, want %q", got, err, text)
		}
	}
}
