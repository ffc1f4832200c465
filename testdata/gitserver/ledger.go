package gitserver

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"
)

// PerDay is how many entries a day of Ledger has.
const PerDay = 1000

// LedgerEntry is the path of an entry of a Ledger.
func LedgerEntry(cluster string, n int) string {
	day := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n/PerDay).Format("20060102")
	return fmt.Sprintf("revocations/%s/%s/%[2]s-alice-inc-%d.yaml", cluster, day, n)
}

// Ledger puts so many entries of a cluster on main of the bare repository in dir, which has a
// commit, and each day's in one of its own: a million take about ten seconds. All have the same
// content, which nobody reads.
func Ledger(t testing.TB, dir, cluster string, entries int) {
	t.Helper()
	fastImport(t, dir, func(out io.Writer) {
		fmt.Fprint(out, "blob\nmark :1\ndata 2\n{}\n")
		for n := range entries {
			if n%PerDay == 0 {
				commit(out, n)
			}
			fmt.Fprintf(out, "M 100644 :1 %s\n", LedgerEntry(cluster, n))
		}
	})
}

// Commits puts so many commits on main of the bare repository in dir, which has one. They change
// nothing: a million take about ten seconds.
func Commits(t testing.TB, dir string, many int) {
	t.Helper()
	fastImport(t, dir, func(out io.Writer) {
		for n := range many {
			commit(out, n)
		}
	})
}

// Records is Ledger with a commit for each entry.
func Records(t testing.TB, dir, cluster string, entries int) {
	t.Helper()
	fastImport(t, dir, func(out io.Writer) {
		fmt.Fprint(out, "blob\nmark :1\ndata 2\n{}\n")
		for n := range entries {
			commit(out, n)
			fmt.Fprintf(out, "M 100644 :1 %s\n", LedgerEntry(cluster, n))
		}
	})
}

// commit begins the nth commit of an import.
func commit(out io.Writer, n int) {
	fmt.Fprintf(out, "commit refs/heads/main\ncommitter a <a@example.com> %d +0000\ndata 6\nRecord\n",
		1_400_000_000+n)
	if n == 0 {
		fmt.Fprint(out, "from refs/heads/main^0\n")
	}
}

func fastImport(t testing.TB, dir string, write func(io.Writer)) {
	t.Helper()
	from, to := io.Pipe()
	cmd := exec.Command("git", "-C", dir, "fast-import", "--quiet")
	cmd.Stdin = from
	go func() {
		out := bufio.NewWriterSize(to, 1<<20)
		write(out)
		_ = to.CloseWithError(out.Flush())
	}()
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, said)
	}
}
