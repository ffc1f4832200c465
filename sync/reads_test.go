package sync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/gitserver"
	"github.com/pullgrant/pullgrant/testdata/grants"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// narrowed is a branch of which the trees of some folders and the files of others are in memory,
// where there is no room for all; the server gives out everything by its id.
func narrowed(t *testing.T, s *gitserver.Server, listed, read []string) *branch {
	t.Helper()
	usual := debug.SetMemoryLimit(1 << 20) // of which follows how many objects may come at once
	repository, err := git.NewRepository(s.URL, "main", nil, nil)
	debug.SetMemoryLimit(usual)
	if err != nil {
		t.Fatal(err)
	}
	repository.Narrow(listed, read)
	if _, err := repository.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &branch{repository: repository, latest: newLatest(repository),
		log: slog.New(slog.DiscardHandler)}
}

// newGitServer has more folders than come at once.
func newGitServer(t *testing.T) *gitserver.Server {
	t.Helper()
	s := gitserver.New(t, "GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=uploadpack.allowFilter",
		"GIT_CONFIG_VALUE_0=true", "GIT_CONFIG_KEY_1=uploadpack.allowAnySHA1InWant",
		"GIT_CONFIG_VALUE_1=true")
	for i := range 300 {
		s.Write(fmt.Sprintf("many/%d/%d", i, i), "x")
	}
	return s
}

// breakFetch has the server break one fetch of objects; which tip there is it goes on telling. It
// returns what counts the fetches.
func breakFetch(s *gitserver.Server, nth int) (seen *int) {
	seen = new(int)
	s.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "command=fetch") {
			if *seen++; *seen == nth {
				http.Error(w, "broken on purpose", http.StatusInternalServerError)
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
	return seen
}

// TestReadsThatFail: what of the branch cannot be read is an error, and not taken for absent.
func TestReadsThatFail(t *testing.T) {
	g := grants.Of("read", 1, 1)
	s := newGitServer(t)
	s.Commit("one", g.Path, "1", policyPath, "2", "README", "3")
	tip := s.Work("rev-parse", "HEAD")
	for name, c := range map[string]struct {
		listed []string
		do     func(*branch) error
	}{
		"another look": {[]string{"README"},
			func(b *branch) error { return b.latest.has(t.Context(), g) }},
		"a folder": {[]string{"README"}, func(b *branch) error {
			_, err := b.file(t.Context(), tip, policyPath)
			return err
		}},
		"a file": {[]string{"policies"}, func(b *branch) error {
			_, err := b.file(t.Context(), tip, policyPath)
			return err
		}},
		"what is judged by": {[]string{"README"}, func(b *branch) error {
			_, err := b.tree(t.Context(), tip, g.Path)
			return err
		}},
		"a file that is judged by": {[]string{"policies"}, func(b *branch) error {
			_, err := b.tree(t.Context(), tip, g.Path)
			return err
		}},
	} {
		breakFetch(s, 0)
		b := narrowed(t, s, c.listed, []string{"README"})
		breakFetch(s, 1)
		if err := c.do(b); err == nil || !strings.Contains(err.Error(), "broken on purpose") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFollowStops: a change of policies that cannot be read whole is waited for, and trust stays
// where it is; a branch whose beginning nobody can reach is told.
func TestFollowStops(t *testing.T) {
	s := newGitServer(t)
	root := s.Commit("one", policyPath, "1")
	b := narrowed(t, s, trustRoots, trustRoots)
	tip := s.Commit("two", policyPath, "2", "many/1/1", "2")
	if _, err := b.repository.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	fetches := breakFetch(s, 0)
	_, line, err := b.repository.History(t.Context(), tip, root, trustRoots...)
	if err != nil || len(line) != 1 {
		t.Fatal(line, err)
	}
	changes := *fetches
	if _, err := b.repository.Complete(t.Context(), line[0]); err != nil || *fetches == changes {
		t.Fatalf("%d fetches, and %d for all changes: %v", changes, *fetches-changes, err)
	}
	for nth, all := 1, *fetches; nth <= all; nth++ {
		v := &prover{branch: b, trust: &trust{root: root, head: root}}
		breakFetch(s, nth)
		if err := v.followTo(t.Context(), tip); err == nil || !strings.Contains(err.Error(),
			"broken on purpose") || v.trust.head != root {
			t.Errorf("fetch %d broken: %v, trusted up to %s", nth, err, v.trust.head)
		}
	}
	cutOff := newGitServer(t)
	for i := range 3 {
		tip = cutOff.Commit("more", policyPath, fmt.Sprint(i))
	}
	cutOff.Run(cutOff.Bare, "repack", "-adq")
	cutOff.Run(cutOff.Bare, "fetch", "-q", "--update-shallow", "--depth", "2",
		"file://"+cutOff.WorkDir, "+main:main")
	v := &prover{branch: narrowed(t, cutOff, trustRoots, trustRoots), trust: &trust{}}
	if line, err := v.begin(t.Context(), tip); !errors.Is(err, git.ErrNotInMemory) ||
		!strings.Contains(err.Error(), "begin later, with --trust-root") || len(line) > 0 ||
		v.trust.head != "" {
		t.Errorf("%d commits, %v", len(line), err)
	}
}

// TestFileThatIsNone: a link where a file is to be is no file, whatever stands where it leads.
func TestFileThatIsNone(t *testing.T) {
	s := newGitServer(t)
	s.Commit("one", "README", "hello")
	blob := s.Git("rev-parse", "main:README")
	tip := s.Raw("120000 blob " + blob + "\tlink\n100644 blob " + blob + "\tfile\n")
	b := narrowed(t, s, nil, nil)
	for path, want := range map[string]string{"file": "hello", "link": "", "none": ""} {
		if content, err := b.file(t.Context(), tip, path); err != nil || string(content) != want {
			t.Errorf("%s: %q, %v", path, content, err)
		}
	}
}

// TestHeadWaits: the head that the next run goes on from stays where it is while a request waits,
// or came after the judgement.
func TestHeadWaits(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	tip := strings.Repeat("a", 40)
	asks := &plan.Main{Tip: tip, Requests: map[string]string{"x": tip}}
	for name, c := range map[string]struct {
		judged  *plan.Main
		waiting bool
		notes   bool
	}{
		"all is judged":  {asks, false, true},
		"one waits":      {asks, true, false},
		"one came later": {&plan.Main{Tip: tip}, false, false},
	} {
		p := &pass{Agent: stranded(t), main: asks, judged: c.judged}
		p.prover.trust = &trust{root: tip, head: tip, offered: []requests.Item{}}
		if c.waiting {
			p.prover.waiting["x"] = waiting{}
		}
		if err := p.accept(over); errors.Is(err, context.Canceled) != c.notes {
			t.Errorf("%s: %v, want the head noted: %t", name, err, c.notes)
		}
	}
}

// TestTakesAway: ends and sweeps do, and nothing else.
func TestTakesAway(t *testing.T) {
	for action, want := range map[plan.Action]bool{plan.End: true, plan.Sweep: true,
		plan.Grant: false, plan.Deny: false, plan.Enter: false, plan.Discard: false,
		plan.Forget: false} {
		if got := takesAway(plan.Step{Action: action}); got != want {
			t.Errorf("%s: %t", action, got)
		}
	}
}

// TestRefusedPushesAreNotForgotten: that the server refuses pushes stands until the branch says
// that nothing is left to be pushed.
func TestRefusedPushesAreNotForgotten(t *testing.T) {
	p := &pass{Agent: stranded(t)}
	p.gate.pushed(git.ErrRefused)
	p.trying.entering["x"] = waitingEntry{own: true}
	if p.steps(); p.gate.refused == "" || len(p.trying.entering) != 1 {
		t.Error("forgotten without a branch")
	}
	p.main = &plan.Main{}
	if p.steps(); p.gate.refused != "" || len(p.trying.entering) != 0 {
		t.Errorf("%q, %v", p.gate.refused, p.trying.entering)
	}
}

// TestCommentsInOrder: what has been due longest comes first, then by pull request and file; none
// is before itself.
func TestCommentsInOrder(t *testing.T) {
	late := &comment{number: 1, path: "a", again: retry{next: noon.Add(1)}}
	all := []*comment{{number: 1, path: "a"}, {number: 1, path: "b"}, {number: 2, path: "a"}, late}
	for i, one := range all {
		for j, other := range all {
			if got := one.before(other); got != (i < j) {
				t.Errorf("%d before %d: %t", i, j, got)
			}
		}
	}
}

// TestBrokenState: what is cut off, or cannot be written down, is an error.
func TestBrokenState(t *testing.T) {
	data := packFiles(map[string][]version{policyPath: {{Commit: "c", Blob: "b"}}})
	if files, err := unpackFiles(data); err != nil || files[policyPath][0].Blob != "b" {
		t.Errorf("%v, %v", files, err)
	}
	for n := range len(data) {
		if files, err := unpackFiles(data[:n]); err == nil || files != nil {
			t.Errorf("%d bytes of %d: %v, %v", n, len(data), files, err)
		}
	}
	never := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) // no JSON
	s := silences{changed: true, since: map[string]time.Time{"x": never}}
	if err := s.save(t.Context(), stranded(t).cluster, noon); err == nil ||
		!strings.Contains(err.Error(), "year outside of range") {
		t.Errorf("error: %v", err)
	}
}

// TestRecordsAreWatched: a process that never saw a binding ends it by its record.
func TestRecordsAreWatched(t *testing.T) {
	s := newStage(t)
	s.ask("watched")
	s.once(options{})
	later := s.agent(options{})
	_, err := later.look(t.Context())
	s.Must(err)
	s.shows(later, "past_expiry", "", "0")
	s.SetClock(noon.Add(time.Hour))
	s.shows(later, "past_expiry", "", "1")
}

// TestClusterIsLookedAtOnce: a quiet pass lists what there is once, and once more when the branch took
// so long to come that it may be otherwise by then.
func TestClusterIsLookedAtOnce(t *testing.T) {
	s := newStage(t)
	s.ask("looked")
	s.once(options{})
	for took, want := range map[time.Duration]int32{0: 1, fresh - 1: 1, fresh: 2, -time.Second: 2} {
		var lists atomic.Int32
		a := s.agent(options{wire: func(next http.RoundTripper) http.RoundTripper {
			return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/v1/rolebindings") && r.URL.Query().Has("labelSelector") {
					lists.Add(1)
				}
				return next.RoundTrip(r)
			})
		}})
		p := &pass{Agent: a}
		s.Must(p.endDue(t.Context()))
		s.Must(p.fetch(t.Context()))
		s.SetClock(s.Clock().Add(took))
		s.Must(p.endAndRecord(t.Context()))
		if got := lists.Load(); got != want {
			t.Errorf("with %s between, bindings were listed %d times, and not %d", took, got, want)
		}
	}
}

// TestDatesOfCommitsDecideNothing: anybody can date a commit as they like, and what a pull request
// brought is found behind one from long ago.
func TestDatesOfCommitsDecideNothing(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("dated")
	s.pull("dated", true, map[string]string{path: content})
	old := &forge.Identity{Name: "root", Email: "root@example.com",
		When: noon.Add(-3 * plan.MaxWait)}
	_, err := s.Push(forge.Change{User: "root", Message: "Long ago", Author: old, Committer: old,
		Files: map[string]string{"README.md": "hello\n"}})
	s.Must(err)
	s.once(githubOnly)
	if b := s.Names(); len(b) != 1 || b[0] != requests.ObjectName(name, 0) {
		t.Errorf("bindings %v", b)
	}
}

// TestRightsAreNotCompared: while it cannot be read what the policies give, nothing is granted.
func TestRightsAreNotCompared(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	tip := strings.Repeat("a", 40)
	a := stranded(t)
	a.prover.trust = &trust{root: tip, head: tip, files: map[string][]version{
		policyPath: {{Commit: tip, Blob: tip}}}}
	if err := a.compareRights(over); err == nil || !strings.Contains(a.gate.rights.problem,
		"reading what the policies give") {
		t.Errorf("%v, and the agent would grant: %q", err, a.gate.rights.problem)
	}
}
