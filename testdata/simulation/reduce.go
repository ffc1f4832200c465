package simulation

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// reduce finds few of the faults and doings of a run that are enough for what is wrong with it: none
// of them can be left out. wrong runs it with those only. Halves are left out first, then smaller
// and smaller parts (ddmin, in Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
// Input", 2002).
func reduce(names []string, wrong func(only []string) bool) []string {
	for parts := 2; len(names) > 0; {
		size := (len(names) + parts - 1) / parts
		less := false
		for from := 0; from < len(names); from += size {
			var rest []string
			rest = append(rest, names[:from]...)
			rest = append(rest, names[min(from+size, len(names)):]...)
			if less = wrong(rest); less {
				names = rest
				parts = max(parts-1, 2)
				break
			}
		}
		if !less {
			if size == 1 {
				break
			}
			parts = min(2*parts, len(names))
		}
	}
	return names
}

// format writes a case: a run that is to be had again, with nothing but some of its faults and
// doings.
func (o options) format(why string, only []string) string {
	return fmt.Sprintf("%s\n\nseed %d\nhours %d\n%s\n", why, o.seed, o.length/time.Hour,
		strings.Join(only, "\n"))
}

// parse reads a case: why it is kept, an empty line, the seed, the hours, and what happens, a line
// each.
func parse(text string) (o options, err error) {
	_, text, found := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if !found || len(lines) < 2 {
		return o, errors.New("a case says why it is kept and, after an empty line, the seed and the hours")
	}
	var hours int
	if _, err := fmt.Sscanf(lines[0]+" "+lines[1], "seed %d hours %d", &o.seed, &hours); err != nil {
		return o, fmt.Errorf("reading the seed and the hours: %w", err)
	}
	o.length, o.every, o.faults = time.Duration(hours)*time.Hour, often, everything
	o.only = map[string]bool{}
	for _, name := range lines[2:] {
		o.only[name] = true
	}
	return o, nil
}

// often is about how much time is between two doings of people's under faults.
const often = 4 * time.Minute
