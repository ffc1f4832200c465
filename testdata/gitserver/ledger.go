package gitserver

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// PerDay is how many entries a day of Ledger has.
const PerDay = 1000

// ledgerBegin is the first day of a Ledger.
var ledgerBegin = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// LedgerEntry is the path of an entry of a ledger, and the name it is for.
func LedgerEntry(cluster string, n int) (path, name string) {
	day := ledgerBegin.AddDate(0, 0, n/PerDay).Format("20060102")
	name = fmt.Sprintf("%s-alice-inc-%d", day, n)
	return "revocations/" + cluster + "/" + day + "/" + name + ".yaml", name
}

// Ledger puts so many entries of a cluster on main, in commits of a hundred, as `git fast-import`
// makes them: a million take under a minute. All have the same content, which nobody reads. The
// working copy does not get them.
func (s *Server) Ledger(cluster string, entries int) (tip string) {
	s.t.Helper()
	from, to := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(to, 1<<20)
		fmt.Fprint(out, "blob\nmark :1\ndata 2\n{}\n")
		for n := range entries {
			if n%100 == 0 {
				when := ledgerBegin.Unix() + int64(n)
				fmt.Fprintf(out, "commit refs/heads/main\ncommitter a <a@example.com> %d +0000\n"+
					"data 6\nRecord\n", when)
				if n == 0 && s.has("main") {
					fmt.Fprint(out, "from refs/heads/main^0\n")
				}
			}
			path, _ := LedgerEntry(cluster, n)
			fmt.Fprintf(out, "M 100644 :1 %s\n", path)
		}
		_ = to.CloseWithError(out.Flush())
	}()
	if said, err := s.Try(s.Bare, from, "fast-import", "--quiet", "--force"); err != nil {
		s.t.Fatalf("git fast-import: %v\n%s", err, said)
	}
	return s.Git("rev-parse", "main")
}

func (s *Server) has(branch string) bool {
	_, err := s.Try(s.Bare, nil, "rev-parse", "-q", "--verify", branch)
	return err == nil
}
