package git

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

// ledgerSizes are the entries of the ledgers that are measured. PULLGRANT_BENCH_ENTRIES names
// others.
func ledgerSizes(b *testing.B) []int {
	sizes := []int{10_000, 100_000, 1_000_000}
	if named := os.Getenv("PULLGRANT_BENCH_ENTRIES"); named != "" {
		sizes = nil
		for n := range strings.SplitSeq(named, ",") {
			size, err := strconv.Atoi(n)
			if err != nil {
				b.Fatal(err)
			}
			sizes = append(sizes, size)
		}
	}
	return sizes
}

// cpu is the time that this process has worked so far: of git only what it asks it and is told.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// worked reports the processor's time of each of some rounds.
func worked(b *testing.B, took time.Duration, rounds int) {
	b.ReportMetric(float64(took.Microseconds())/1000/float64(rounds), "cpu-ms/op")
}

// listens narrows a repository as the agent does.
func listens(r *Repository) *Repository {
	r.Narrow([]string{"requests", "policies"}, []string{"requests/prod-eu", "policies"})
	return r
}

// looksUp asks for the name of an entry, as for one that has not ended yet.
func looksUp(b *testing.B, r *Repository, entry int) {
	path := gitserver.LedgerEntry("*", entry)
	if found, err := r.Find(b.Context(), r.Tip(), path, path+".new"); err != nil ||
		len(found) != 1 {
		b.Fatal(found, err)
	}
}

// BenchmarkLedger is the daily work beside a ledger, for each size of one.
func BenchmarkLedger(b *testing.B) {
	for _, entries := range ledgerSizes(b) {
		b.Run(fmt.Sprint(entries), func(b *testing.B) {
			s := gitserver.New(b, withConfig("true", "true")...)
			s.Commit("begin", "policies/p.yaml", "policy", "requests/prod-eu/p/one.yaml", "1")
			gitserver.Ledger(b, s.Bare, "prod-eu", entries)
			gitserver.Commits(b, s.Bare, entries-entries/gitserver.PerDay)
			s.Git("repack", "-adq")
			b.Run("start", func(b *testing.B) { benchmarkStart(b, s, entries) })
			b.Run("tip", func(b *testing.B) { benchmarkTip(b, s, entries) })
			b.Run("push", func(b *testing.B) { benchmarkPush(b, s, entries) })
		})
	}
}

// BenchmarkFirstStart begins with nothing known and goes back to the first commit, or as far as it
// goes: one that is deeper is told to begin later.
func BenchmarkFirstStart(b *testing.B) {
	for _, commits := range []int{1000, 16_000, 100_000} {
		b.Run(fmt.Sprint(commits), func(b *testing.B) {
			s := gitserver.New(b, withConfig("true", "true")...)
			s.Commit("begin", "policies/p.yaml", "policy", "requests/prod-eu/p/one.yaml", "1")
			gitserver.Records(b, s.Bare, "prod-eu", commits-1)
			began, reached := cpu(), 0
			var r *Repository
			for b.Loop() {
				r = listens(open(b, s))
				_, line, err := r.History(b.Context(), mustFetch(b, r), "", "policies")
				if reached = len(line); (err != nil) != (commits > MaxDepth) {
					b.Fatal(err)
				}
			}
			worked(b, cpu()-began, b.N)
			b.ReportMetric(float64(reached), "commits")
			residing(b, r)
		})
	}
}

// asked is the path of a request.
func asked(n int) string { return fmt.Sprintf("requests/prod-eu/p/m%d.yaml", n) }

// merge puts requests on main, one commit each.
func merge(b *testing.B, s *gitserver.Server, from, to int) {
	var stream strings.Builder
	for n := from; n < to; n++ {
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter a <a@example.com> %d +0000\n"+
			"data 5\nMerge\n", 1_700_000_000+n)
		if n == from {
			stream.WriteString("from refs/heads/main^0\n")
		}
		fmt.Fprintf(&stream, "M 100644 inline %s\ndata 2\n{}\n", asked(n))
	}
	if out, err := s.Try(s.Bare, strings.NewReader(stream.String()), "fast-import",
		"--quiet"); err != nil {
		b.Fatal(out)
	}
}

// BenchmarkProof takes a hundred merges after a pause and finds what brought each request, where so
// many others live.
func BenchmarkProof(b *testing.B) {
	for _, live := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(live), func(b *testing.B) {
			s := gitserver.New(b, withConfig("true", "true")...)
			for n := range live {
				s.Write(fmt.Sprintf("requests/prod-eu/p/%d.yaml", n), "{}")
			}
			s.Commit("live")
			r := listens(open(b, s))
			mustFetch(b, r)
			n, used, seen := 0, time.Duration(0), s.Seen.Load()
			for b.Loop() {
				b.StopTimer()
				merge(b, s, n, n+100)
				before := cpu()
				b.StartTimer()
				proves(b, r, mustFetch(b, r), n)
				used += cpu() - before
				n += 100
			}
			worked(b, used, n/100)
			b.ReportMetric(float64(s.Seen.Load()-seen)/float64(n/100), "requests/op")
		})
	}
}

func proves(b *testing.B, r *Repository, tip string, from int) {
	var paths []string
	for n := from; n < from+100; n++ {
		paths = append(paths, asked(n))
	}
	if err := r.Trace(b.Context(), tip, paths, time.Time{}); err != nil {
		b.Fatal(err)
	}
	for _, path := range paths {
		if c, err := r.Added(b.Context(), tip, path, time.Time{}); err != nil ||
			len(c.Changes) != 1 {
			b.Fatal(c, err)
		}
	}
}

// benchmarkStart begins with a repository that it saw before, as after a restart, and asks for one
// name; beside it, what git takes for its own smallest clone.
func benchmarkStart(b *testing.B, s *gitserver.Server, entries int) {
	head := s.Git("rev-parse", "main")
	began := cpu()
	for b.Loop() {
		r := listens(open(b, s))
		if err := r.Resume(head); err != nil {
			b.Fatal(err)
		}
		mustFetch(b, r)
		looksUp(b, r, entries-1)
	}
	worked(b, cpu()-began, b.N)
	clone := exec.Command("git", "clone", "-q", "--depth", "1", "--filter=blob:none",
		"--no-checkout", s.URL, filepath.Join(b.TempDir(), "clone"))
	if out, err := clone.CombinedOutput(); err != nil {
		b.Fatalf("%s", out)
	}
	used := clone.ProcessState.UserTime() + clone.ProcessState.SystemTime()
	b.ReportMetric(float64(used.Microseconds())/1000, "git-clone-cpu-ms")
}

// benchmarkTip takes a new tip with one more request, and asks for its name.
func benchmarkTip(b *testing.B, s *gitserver.Server, entries int) {
	r := listens(open(b, s))
	mustFetch(b, r)
	n, used, seen := 0, time.Duration(0), s.Seen.Load()
	for b.Loop() {
		b.StopTimer()
		merge(b, s, n, n+1)
		n++
		before := cpu()
		b.StartTimer()
		mustFetch(b, r)
		looksUp(b, r, entries-1)
		used += cpu() - before
	}
	worked(b, used, n)
	b.ReportMetric(float64(s.Seen.Load()-seen)/float64(n), "requests/op")
	residing(b, r)
}

// residing reports what is in memory, of the branch and of the process.
func residing(b *testing.B, r *Repository) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "heap-MiB")
	text, _ := os.ReadFile("/proc/self/statm") // its second number are pages
	var size, pages float64
	if _, err := fmt.Sscan(string(text), &size, &pages); err == nil {
		b.ReportMetric(pages*float64(os.Getpagesize())/(1<<20), "rss-MiB")
	}
	runtime.KeepAlive(r)
}

// benchmarkPush enters one record; beside it, what `git push` takes for the same from a clone.
func benchmarkPush(b *testing.B, s *gitserver.Server, entries int) {
	r := listens(open(b, s))
	mustFetch(b, r)
	pushes(b, r, entries)
	b.StopTimer()
	clone := filepath.Join(b.TempDir(), "clone")
	s.Run(s.Bare, "clone", "-q", "--bare", "--depth", "1", "file://"+s.Bare, clone)
	const rounds = 5
	took := time.Duration(0)
	for n := range rounds {
		stream := fmt.Sprintf("commit refs/heads/main\ncommitter a <a@example.com> %d +0000\n"+
			"data 6\nRecord\nfrom refs/heads/main^0\nM 100644 inline %s.git\ndata 2\n{}\n",
			1_800_000_000+n, gitserver.LedgerEntry("prod-eu", entries+n))
		if out, err := s.Try(clone, strings.NewReader(stream), "fast-import",
			"--quiet"); err != nil {
			b.Fatal(out)
		}
		began := time.Now()
		s.Run(clone, "push", "-q", s.URL, "main")
		took += time.Since(began)
	}
	b.ReportMetric(float64(took.Microseconds())/1000/rounds, "git-push-ms")
}

// pushes enters one record after the other, from the nth on.
func pushes(b *testing.B, r *Repository, n int) {
	began := cpu()
	for b.Loop() {
		if _, err := r.Commit(b.Context(), put(gitserver.LedgerEntry("prod-eu", n),
			"{}")); err != nil {
			b.Fatal(err)
		}
		n++
	}
	worked(b, cpu()-began, b.N)
	residing(b, r)
}

// dayServer has a day of ten thousand records, each with its facts.
func dayServer(b *testing.B) *Repository {
	s := gitserver.New(b, withConfig("true", "true")...)
	s.Commit("begin", "policies/p.yaml", "policy")
	var stream strings.Builder
	stream.WriteString("commit refs/heads/main\ncommitter a <a@example.com> 1700000000 +0000\n" +
		"data 3\nDay\nfrom refs/heads/main^0\n")
	day := filepath.Dir(gitserver.LedgerEntry("prod-eu", 0))
	for n := range 10_000 {
		for _, ending := range []string{"yaml", "facts.json"} {
			fmt.Fprintf(&stream, "M 100644 inline %s/20150101-alice-old-%d.%s\ndata 2\n{}\n", day,
				n, ending)
		}
	}
	if out, err := s.Try(s.Bare, strings.NewReader(stream.String()), "fast-import",
		"--quiet"); err != nil {
		b.Fatal(out)
	}
	r := listens(open(b, s))
	mustFetch(b, r)
	return r
}

// BenchmarkLedgerDayPush enters records on such a day.
func BenchmarkLedgerDayPush(b *testing.B) { pushes(b, dayServer(b), 0) }

// BenchmarkLedgerDayFind looks a hundred names up on such a day.
func BenchmarkLedgerDayFind(b *testing.B) {
	r := dayServer(b)
	var paths []string
	for n := range 100 {
		paths = append(paths, fmt.Sprintf("revocations/*/20150101/20150101-alice-old-%d.yaml", n))
	}
	for b.Loop() {
		if found, err := r.Find(b.Context(), r.Tip(), paths...); err != nil ||
			len(found) != len(paths) {
			b.Fatal(len(found), err)
		}
	}
}
