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
