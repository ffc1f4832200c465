package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pullgrant/pullgrant/testdata/mutate/harness"
)

// lanes is how many programs of tests run beside each other.
const lanes = 2

// patience is how long the tests of one mutation and one package take at most, by what they took
// on the code as it is. The quickest are tried first, and one is always tried.
const patience = 90 * time.Second

// trial breaks the chosen sites of the rooms and runs tests.
type trial struct {
	root, dir string
	rooms     []room
	sites     map[string][]site // by room
	programs  map[string]string // of the packages with tests
	traces    map[string][]harness.Result
	mu        sync.Mutex
	noticed   map[int]string // by the number of a site, the test
	reached   map[int]bool
}

func newTrial(root, dir string, rooms []room) (*trial, error) {
	t := &trial{root: root, dir: dir, rooms: rooms, sites: map[string][]site{},
		programs: map[string]string{}, traces: map[string][]harness.Result{},
		noticed: map[int]string{}, reached: map[int]bool{}}
	number := 0
	for _, r := range rooms {
		found, err := r.sites(root)
		if err != nil {
			return nil, err
		}
		found = choose(found, r.count)
		for i := range found {
			number++
			found[i].number = number
		}
		t.sites[r.dir] = found
	}
	return t, nil
}

// sites are all places of the room.
func (r room) sites(root string) (all []site, err error) {
	files, err := filepath.Glob(filepath.Join(root, r.dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name := filepath.Base(file)
		left := func(beginning string) bool { return strings.HasPrefix(name, beginning) }
		if strings.HasSuffix(name, "_test.go") || slices.ContainsFunc(r.leave, left) {
			continue
		}
		found, err := sitesOf(root, filepath.Join(r.dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// run has the packages of each room try in the order of its row. A package starts only what none
// before it noticed, and one with nothing to start is not even built.
func (t *trial) run() error {
	overlay, err := t.overlay()
	if err != nil {
		return err
	}
	rounds := 0
	for _, r := range t.rooms {
		rounds = max(rounds, len(r.tests))
	}
	for round := range rounds {
		packages := t.packages(round)
		if err := t.prepare(packages, overlay); err != nil {
			return err
		}
		orders := map[string][]harness.Order{}
		for _, r := range t.rooms {
			if round >= len(r.tests) {
				continue
			}
			for _, s := range t.sites[r.dir] {
				tests := reaching(t.traces[r.tests[round]], s.number)
				t.reached[s.number] = t.reached[s.number] || len(tests) > 0
				if t.noticed[s.number] == "" && len(tests) > 0 {
					orders[r.tests[round]] = append(orders[r.tests[round]],
						harness.Order{Mutation: s.number, Tests: tests})
				}
			}
		}
		err := t.each(packages, func(p string) error { return t.try(p, orders[p], t.traces[p]) })
		if err != nil {
			return err
		}
	}
	return nil
}

// packages are those that have something to try in a round.
func (t *trial) packages(round int) (all []string) {
	for _, r := range t.rooms {
		if round < len(r.tests) && len(t.survivors(r.dir)) > 0 {
			all = append(all, r.tests[round])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// prepare builds the programs of packages that are not built yet, and sees what each test reaches.
func (t *trial) prepare(packages []string, overlay string) (err error) {
	packages = slices.DeleteFunc(slices.Clone(packages), func(p string) bool {
		return t.programs[p] != ""
	})
	for _, p := range packages {
		if t.programs[p], err = t.build(p, overlay); err != nil {
			return err
		}
	}
	return t.each(packages, func(p string) error {
		results, err := t.trace(p)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.traces[p] = results
		return err
	})
}

// each does something for the packages, in the lanes.
func (t *trial) each(packages []string, do func(string) error) error {
	next, errs := make(chan string), make(chan error, len(packages))
	var group sync.WaitGroup
	for range lanes {
		group.Add(1)
		go func() {
			defer group.Done()
			for p := range next {
				if err := do(p); err != nil {
					errs <- fmt.Errorf("%s: %w", p, err)
				}
			}
		}()
	}
	for _, p := range packages {
		next <- p
	}
	close(next)
	group.Wait()
	close(errs)
	return <-errs
}

// trace runs every test once on the code as it is.
func (t *trial) trace(p string) ([]harness.Result, error) {
	names, err := testsOf(filepath.Join(t.root, p))
	if err != nil {
		return nil, err
	}
	order := harness.Order{}
	for _, test := range names {
		order.Tests = append(order.Tests, test.name)
	}
	results, _, err := t.start(p, []harness.Order{order}, 20*time.Minute)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		if r.Failed {
			fmt.Printf("%s %s fails on the code as it is and is left out\n", p, r.Test)
		}
	}
	fmt.Printf("%s: %d tests run to see what they reach\n", p, len(results))
	return results, nil
}

// reaching are the names of the tests that reach a site, the quickest first.
func reaching(results []harness.Result, site int) (names []string) {
	results = slices.DeleteFunc(slices.Clone(results), func(r harness.Result) bool {
		return r.Failed || !slices.Contains(r.Reached, site)
	})
	slices.SortStableFunc(results, func(a, b harness.Result) int {
		return cmp.Compare(a.Took,
			b.Took)
	})
	var sum time.Duration
	for _, r := range results {
		if sum += r.Took; sum > patience && len(names) > 0 {
			break
		}
		names = append(names, r.Test)
	}
	return names
}

// try runs the orders. A program that ends or hangs over a mutation has noticed it and is started
// again with the next.
func (t *trial) try(p string, orders []harness.Order, traces []harness.Result) error {
	took := map[string]time.Duration{}
	for _, r := range traces {
		took[r.Test] = r.Took
	}
	for len(orders) > 0 {
		var longest time.Duration
		for _, o := range orders {
			for _, test := range o.Tests {
				longest = max(longest, took[test])
			}
		}
		results, running, err := t.start(p, orders, 2*time.Minute+4*longest)
		if err != nil {
			return err
		}
		t.mu.Lock()
		for _, r := range results {
			if r.Failed {
				t.noticed[r.Mutation] = p + " " + r.Test
			}
		}
		if running != nil {
			t.noticed[running.Mutation] = p + " " + running.Test + " (the program ended)"
		}
		t.mu.Unlock()
		if running == nil {
			return nil
		}
		at := slices.IndexFunc(orders, func(o harness.Order) bool {
			return o.Mutation == running.Mutation
		})
		orders = orders[at+1:]
	}
	return nil
}

// readResults are the tests that ended, and the one that had begun and did not.
func readResults(text string) (ended []harness.Result, running *harness.Result, err error) {
	for line := range strings.Lines(text) {
		var r harness.Result
		if !strings.HasSuffix(line, "\n") {
			break
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, nil, err
		}
		if r.Begins {
			running = &r
			continue
		}
		running = nil
		ended = append(ended, r)
	}
	return ended, running, nil
}

// readReasons are the places that are known to be noticed by no test, and why.
func readReasons(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, reason, ok := strings.Cut(strings.TrimSpace(line), " ## ")
		if !ok {
			return nil, fmt.Errorf("%s: %q has no ` ## ` and reason", file, line)
		}
		reasons[name] = reason
	}
	return reasons, nil
}
