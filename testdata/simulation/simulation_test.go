//go:debug randseednop=0

package simulation

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	from  = flag.Uint64("from", 1, "the first seed")
	seeds = flag.Uint64("seeds", 10, "how many")
	hours = flag.Int("hours", 1, "of each, in which people do something")
	only  = flag.String("only-faults", "", "the names of the faults that there are, with commas; empty: all; "+
		"those that come with doings are 30 times as often")
	under = flag.String("under", "", "how policies begin under which people ask; empty: all")
	cut   = flag.Bool("cut", false, "cut a run that fails to what is enough for it")
	again = flag.Bool("again", false, "run each twice")
)

// TestMain lets memory grow, to some two gigabytes: most of what a run makes is garbage at once, and
// collecting it took a quarter of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(1000)
	debug.SetMemoryLimit(2 << 30)
	os.Exit(m.Run())
}

var traces = flag.String("traces", "", "folder for the traces of runs; empty: none are kept")

// TestNothingBreaks: where nothing breaks, grants begin and end on their second and every rule
// holds; the same seed is the same run, call by call.
func TestNothingBreaks(t *testing.T) {
	o := options{seed: *from, length: time.Hour, every: 4 * time.Minute, faults: whole}
	w := run(t, o)
	report(t, w)
	granted, watched := 0, 0
	for _, a := range w.history.accounts() {
		granted += len(a.made)
	}
	for _, line := range w.trace {
		if strings.Contains(line, "GET /api/v1/namespaces?") && strings.Contains(line, "watch=true") {
			watched++
		}
	}
	if granted < 4 {
		t.Errorf("%d requests were granted: too few to say anything", granted)
	}
	if watched == 0 || watched > 100 {
		t.Errorf("namespaces were watched anew %d times: a watch is to last until it is ended", watched)
	}
	t.Run("again", func(t *testing.T) { same(t, w.calls(), run(t, o).calls()) })
	t.Run("nobody is late", func(t *testing.T) { nobodyIsLate(t, w.history) })
}

// TestFaults: under every fault at once every rule holds, and the same seed is the same run, as the first
// one shows. Of several seeds each has a process of its own, for client-go draws from what a process has
// only one of; as many run beside each other as there are processors.
func TestFaults(t *testing.T) {
	if *seeds == 1 {
		underFaults(t, *from)
		return
	}
	for seed := *from; seed < *from+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			alone(t, "TestFaults", fmt.Sprint("-from=", seed), "-seeds=1", fmt.Sprint("-hours=", *hours),
				"-only-faults="+*only, "-under="+*under,
				fmt.Sprint("-cut=", *cut), fmt.Sprint("-again=", *again || seed == *from), "-traces="+*traces)
		})
	}
}

// underFaults is one seed of TestFaults.
func underFaults(t *testing.T, seed uint64) {
	o := options{seed: seed, length: time.Duration(*hours) * time.Hour, every: often,
		faults: some(t, *only), under: *under}
	began := time.Now()
	w := run(t, o)
	t.Logf("seed %d: %s, %d lines, %d requests", seed, time.Since(began).Round(time.Second),
		len(w.trace), len(w.asked))
	if wrong := report(t, w); len(wrong) > 0 && *cut {
		t.Log(cutOf(t, o, w.met, wrong[0]))
	}
	if *again {
		same(t, w.calls(), run(t, o).calls())
	}
}

// alone runs a test in a process of its own, with flags.
func alone(t *testing.T, test string, flags ...string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	flags = append(flags, "-test.v", "-test.run=^"+test+"$")
	if end, bounded := t.Deadline(); bounded {
		flags = append(flags, fmt.Sprint("-test.timeout=", time.Until(end)))
	}
	one := exec.CommandContext(t.Context(), program, flags...)
	one.Env = append(os.Environ(), "GOMAXPROCS=1")
	said, err := one.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Error(err)
	}
}

// some are the faults of the names.
func some(t *testing.T, names string) map[string]int {
	if names == "" {
		return everything
	}
	all := map[string]int{}
	for name := range strings.SplitSeq(names, ",") {
		rate, there := everything[name]
		if !there {
			t.Fatalf("there is no fault %q; there are %q", name, slices.Sorted(maps.Keys(everything)))
		}
		if slices.ContainsFunc(besides, func(b beside) bool { return b.name == name }) {
			rate = min(30*rate, 30_000)
		}
		all[name] = rate
	}
	return all
}

// cutOf is a case of what is enough for what is wrong with a run.
func cutOf(t *testing.T, o options, met []string, what string) string {
	rule, _, _ := strings.Cut(what, ":")
	enough := reduce(met, func(only []string) bool {
		o.only = map[string]bool{}
		for _, name := range only {
			o.only[name] = true
		}
		return len(rules[rule](run(t, o).history)) > 0
	})
	return o.format(what, enough)
}

// report fails the test with all that is wrong with a run, and leaves its trace where it is asked to.
func report(t *testing.T, w *world) (wrong []string) {
	t.Helper()
	wrong = w.history.check()
	for _, what := range wrong {
		t.Errorf("seed %d: %s", w.seed, what)
	}
	if *traces != "" {
		name := filepath.Join(*traces, fmt.Sprintf("%d.trace", w.seed))
		if err := os.WriteFile(name, []byte(strings.Join(w.lines(), "\n")+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
	return wrong
}

// same fails at the first line that differs.
func same(t *testing.T, first, second []string) {
	t.Helper()
	for i, line := range first {
		if i >= len(second) || line != second[i] {
			t.Fatalf("line %d is\n%s\nand the second time\n%s", i, line, second[min(i, len(second)-1)])
		}
	}
	if len(second) > len(first) {
		t.Errorf("the second time there is more: %s", second[len(first)])
	}
}
