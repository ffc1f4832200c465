package faults

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// memoryLimit is what the agent's container has (render/workload.go), in MiB.
const memoryLimit = 512

// TestHistoryBomb: requests are merged whose branches first added hundreds of compressible files of
// 1 MiB and removed them again, first on a server with filters, then on one without. The agent has
// the memory of its container.
func TestHistoryBomb(t *testing.T) {
	t.Parallel()
	s := newStage(t, "github", nil)
	r := s.newReplica()
	r.shell = fmt.Sprintf("ulimit -d %d && export GOMEMLIMIT=%dMiB", memoryLimit<<10, memoryLimit)
	r.start()
	var peak int
	var late time.Duration
	for i, filters := range []string{"true", "false"} {
		s.git("config", "uploadpack.allowFilter", filters)
		s.restart(r)
		s.log.reset()
		r.start()
		name := func(slug string) string { return fmt.Sprintf("%s-%d", slug, i) }
		live := s.ask(name("live"), 40*time.Second)
		s.granted(live)
		// fewer files stay within a limit of 1 GiB, and fill the memory
		bombs := []asked{s.bomb(name("bomb"), 1100), s.bomb(name("smaller"), 650)}
		other := s.ask(name("other"), window)
		for _, a := range append(bombs, other) {
			s.granted(a)
		}
		s.gone(live)
		s.until(live.name+" is in the ledger", func() bool { return s.entered(live) })
		s.check(live, byAgent)
		late = max(late, s.late(live))
		if told := s.log.has("the git server offers no filters"); told != (filters == "false") {
			t.Errorf("with filters %s it is told that there are none: %t", filters, told)
		}
		peak = max(peak, r.peak())
		for _, a := range append(bombs, other) {
			s.withdraw(a)
			s.until(a.name+" is in the ledger", func() bool { return s.entered(a) })
		}
	}
	if peak > memoryLimit<<10 {
		t.Errorf("the agent took %d KiB", peak)
	}
	s.row("History bomb", "two requests whose branches add and remove 1,100 and 650 files of 1 "+
		"MiB, the agent under "+
		"512 MiB; the same without filters",
		fmt.Sprintf("they and another one were granted; what was live ended %s after its end "+
			"and is in the ledger; "+
			"the agent took %d MiB at most", late, peak>>10))
}

// bomb merges an approved request whose branch first added and removed files of 1 MiB.
func (s *stage) bomb(slug string, files int) asked {
	s.Helper()
	git := exec.Command("git", "--git-dir", s.forge.GitDir(), "fast-import", "--quiet")
	in, err := git.StdinPipe()
	s.must(err)
	git.Stderr = s.log
	s.must(git.Start())
	w := bufio.NewWriter(in)
	commit := func(from string) {
		fmt.Fprintf(w, "commit refs/bombs/%s\ncommitter alice <alice@users.noreply.github.com> %d +0000\n"+
			"data 5\nMore\n%s", slug, time.Now().Unix(), from)
	}
	commit("from " + s.forge.Branch("main") + "\n")
	rest := strings.Repeat("x", 1<<20-10)
	for i := range files {
		fmt.Fprintf(w, "M 100644 inline junk/%d\ndata %d\n%09d\n%s\n", i, 1<<20, i, rest)
	}
	commit("")
	fmt.Fprint(w, "D junk\n")
	s.must(w.Flush())
	s.must(in.Close())
	s.must(git.Wait())
	s.from = s.git("rev-parse", "refs/bombs/"+slug)
	defer func() { s.from = "" }()
	return s.ask(slug, window)
}

// peak is the most memory that the process had at once, in KiB, as Linux counts it.
func (r *replica) peak() (kib int) {
	r.s.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.child.Pid()))
	r.s.must(err)
	_, after, ok := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(after, &kib); err != nil || !ok {
		r.s.Fatalf("no peak in %s", status)
	}
	return kib
}
