package simulation

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestCases: what once went wrong does not any more.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("found no case: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o, err := parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			w := run(t, o)
			report(t, w)
			if len(w.met) != len(o.only) {
				t.Errorf("of %v, only %v happened", o.only, w.met)
			}
		})
	}
}

func TestReduce(t *testing.T) {
	var names []string
	for n := range 100 {
		names = append(names, fmt.Sprint("fault ", n))
	}
	for _, enough := range [][]string{{}, {"fault 0"}, {"fault 99"}, {"fault 3", "fault 50", "fault 51"}} {
		runs := 0
		got := reduce(names, func(only []string) bool {
			runs++
			return !slices.ContainsFunc(enough, func(name string) bool {
				return !slices.Contains(only, name)
			})
		})
		if !slices.Equal(got, enough) {
			t.Errorf("%v was cut to %v", enough, got)
		}
		t.Logf("%d runs for %v", runs, enough)
	}
}

func TestParseAndFormat(t *testing.T) {
	o := options{seed: 7, length: 3 * time.Hour}
	read, err := parse(o.format("Because.", []string{"doing 1: ask", "drop: x #1"}))
	if err != nil || read.seed != 7 || read.length != o.length || len(read.only) != 2 ||
		!read.only["drop: x #1"] {
		t.Errorf("read %+v, error %v", read, err)
	}
	for _, text := range []string{"", "seed 1\nhours 2\n", "Because.\n\nhours 2\nseed 1\n"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
