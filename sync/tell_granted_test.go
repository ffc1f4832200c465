package sync

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// began are the grants whose beginning a clone tells of, by the commits that do.
func (s *stage) began(signers *git.AllowedSigners) map[string]string {
	s.Helper()
	accounts, findings, err := ledger.History(s.clone(), signers)
	s.Must(err)
	if len(findings) > 0 {
		s.Error(findings)
	}
	all := map[string]string{}
	for _, a := range accounts {
		if a.Granted != nil {
			all[a.Name] = a.Granted.Commit
		}
	}
	return all
}

// commitEmpty has somebody push a commit that changes no file.
func (s *stage) commitEmpty(login, message string) {
	s.Helper()
	cmd := exec.Command("git", "--git-dir", s.GitDir(), "-c", "user.name=pullgrant", "-c",
		"user.email=pullgrant@"+s.Cluster+".invalid", "commit-tree", "main^{tree}", "-p", "main")
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.Output()
	s.Must(err)
	s.Must(s.SetBranch(login, "main", strings.TrimSpace(string(out))))
}

// TestTellsThatGrantsBegan: one signed commit that changes no file for the grants of a pass, which
// git reads and an audit goes by; no more of them follow, and what is granted later is judged as
// ever.
func TestTellsThatGrantsBegan(t *testing.T) {
	s := newStage(t)
	signer := newSigner(t)
	signers := signersOf(t, signer.AllowedSigner(s.Cluster))
	one, path, content := s.requestFile("one")
	s.pull("one", true, map[string]string{path: content})
	merged := s.Branch("main")
	two := s.request("two")
	before := s.Branch("main")
	s.once(options{github: true, signer: signer})
	told := s.Branch("main")
	if s.git("rev-list", "--count", before+"..main") != "1" ||
		s.git("rev-parse", "main^{tree}") != s.git("rev-parse", before+"^{tree}") {
		t.Fatalf("on the branch: %s", s.git("log", "--stat", before+"..main"))
	}
	message := s.git("log", "-1", "--format=%B", "main")
	read := exec.Command("git", "interpret-trailers", "--parse")
	read.Stdin = strings.NewReader(message)
	trailers, err := read.Output()
	s.Must(err)
	if !strings.HasPrefix(message, "Grant 2 requests of "+s.Cluster+"\n\n"+one+"\n  @alice asked under policy "+
		"payments-debug in #1, approved by @bob; granted from 2026-11-23T12:00:00Z to "+
		"2026-11-23T13:00:00Z.\n"+two+"\n") || !strings.HasPrefix(string(trailers),
		"Pullgrant-Event: granted\nPullgrant-Request: "+path+"\nPullgrant-Pull-Request: 1\n"+
			"Pullgrant-Merge-Commit: "+merged+"\nPullgrant-Granted-At: 2026-11-23T12:00:00Z\n"+
			"Pullgrant-Expires-At: 2026-11-23T13:00:00Z\nApproved-by: bob (102)\nPullgrant-Event: granted\n") {
		t.Errorf("message\n%s\ntrailers\n%s", message, trailers)
	}
	agent := s.agent(options{github: true, signer: signer})
	for range 2 {
		s.Must(agent.Once(t.Context()))
	}
	if s.Branch("main") != told {
		t.Errorf("told again: %s", s.git("log", told+"..main"))
	}
	if all := s.began(signers); len(all) != 2 || all[one] != told || all[two] != told {
		t.Errorf("an audit reads %v", all)
	}
	if rules := s.rules(signers, noon.Add(time.Minute)); rules != "" {
		t.Errorf("while it lasts: %s", rules)
	}
	s.change("longer", "root", s.longer(3)) // a policy, which is proven over what tells of grants
	three := s.request("three")
	s.once(options{github: true, signer: signer})
	s.granted(three)
	s.SetClock(noon.Add(4 * time.Hour))
	s.once(options{github: true, signer: signer})
	if r := s.entry(one); r.Status.GrantedAt.String() != "2026-11-23T12:00:00Z" {
		t.Errorf("the entry: %+v", r.Status)
	}
	if rules := s.rules(signers, s.Clock()); rules != "late late late" { // nobody ended them in time
		t.Errorf("once it ended: %s", rules)
	}
}

// TestTellsOnce: however a process dies between the binding and its note of the commit, there is one
// commit in the end; where the branch lost it in a rewrite, the next one finds that.
func TestTellsOnce(t *testing.T) {
	s := newStage(t)
	o := options{github: true, signer: newSigner(t)}
	name := s.request("one")
	asked := s.Branch("main")
	s.pushFiles("root", "Go on", map[string]string{"README.md": "hello\n"})
	s.Fail("POST", "/acme/access.git/git-receive-pack", -1, 500, "down")
	if err := s.agent(o).Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"telling the branch that grants began") {
		t.Errorf("error %v", err)
	}
	s.granted(name)
	before := s.Branch("main")
	s.Heal()
	s.once(o)
	told := s.Branch("main")
	if s.git("rev-list", "--count", before+"..main") != "1" {
		t.Fatalf("on the branch: %s", s.git("log", before+"..main"))
	}
	cluster := s.agent(o).cluster
	unnote := func() plan.Record {
		t.Helper()
		records, _, err := cluster.Records(t.Context())
		s.Must(err)
		if len(records) != 1 || records[0].Told.Commit == "" {
			t.Fatalf("the records: %+v", records)
		}
		was := records[0]
		records[0].Told.Commit = ""
		s.Must(cluster.Save(t.Context(), &records[0]))
		return was
	}
	unnote()
	s.pushFiles("root", "Go on", map[string]string{"README.md": "hello, hello\n"})
	after := s.Branch("main")
	s.once(o)
	if s.Branch("main") != after {
		t.Errorf("told twice: %s", s.git("log", before+"..main"))
	}
	if was := unnote(); was.Told.Commit != told {
		t.Errorf("noted %s, want %s", was.Told.Commit, told)
	}
	for _, want := range []string{"1", "0"} { // what is noted is not told again
		s.Must(s.SetBranch("root", "main", asked))
		s.Must(cluster.Note(t.Context(), kube.AnnotationHead, asked))
		for range 2 {
			s.once(o)
		}
		if n := s.git("rev-list", "--count", asked+"..main"); n != want {
			t.Errorf("after a rewrite %s, want %s: %s", n, want, s.git("log", asked+"..main"))
		}
	}
	s.granted(name)
}

// TestTwoReplicasTellOnce: another replica takes a whole pass while the first one is about to push.
func TestTwoReplicasTellOnce(t *testing.T) {
	s := newStage(t)
	o := options{github: true, signer: newSigner(t)}
	s.request("two")
	before := s.Branch("main")
	s.BeforeReceive(func() {
		s.SetClock(noon.Add(time.Second)) // of the same second they would be one commit
		s.once(o)
	})
	s.once(o)
	if s.git("rev-list", "--count", before+"..main") != "1" {
		t.Errorf("on the branch: %s", s.git("log", before+"..main"))
	}
}

// TestTellingDelaysNothing: while the server refuses to be told, requests are granted and end as
// ever, and it is not asked in each pass; what has ended by then is told of by its entry alone.
func TestTellingDelaysNothing(t *testing.T) {
	s := newStage(t)
	hook := filepath.Join(s.GitDir(), "hooks", "pre-receive")
	s.Must(os.MkdirAll(filepath.Dir(hook), 0o755))
	s.Must(os.WriteFile(hook, []byte("#!/bin/sh\nread old new ref\nif git log -1 --format=%B $new | "+
		"grep -q 'Event: granted'; then echo 'GH013: no' >&2; exit 1; fi\n"), 0o755))
	pushes := counted("/git-receive-pack")
	agent := s.agent(options{github: true, wire: pushes.wrap})
	one := s.request("one")
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(),
		"telling the branch that grants began: the push is refused") {
		t.Errorf("error %v", err)
	}
	s.granted(one)
	two := s.request("two")
	s.Must(agent.Once(t.Context()))
	s.granted(two)
	if n := pushes.count.Load(); n != 1 {
		t.Errorf("%d pushes in two passes, want one", n)
	}
	s.SetClock(noon.Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	for _, name := range []string{one, two} {
		if r := s.entry(name); r.Status.Cause != requests.CauseExpired {
			t.Errorf("%s ended by %s", name, r.Status.Cause)
		}
	}
	s.Must(os.Remove(hook))
	s.SetClock(noon.Add(2 * time.Hour))
	s.Must(agent.Once(t.Context()))
	if all := s.began(nil); len(all) != 0 {
		t.Errorf("told of what has ended: %v", all)
	}
}

// TestTellingHangs: a server that takes a push and says nothing holds the pass up no longer than
// that is given, and what it was to be told waits.
func TestTellingHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits until telling is given up")
	}
	s := newStage(t)
	agent := s.agent(options{github: true, wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return next.RoundTrip(r)
		})
	}})
	s.request("one")
	begin := time.Now()
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "deadline exceeded") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(begin); took > 2*tellTime {
		t.Errorf("the pass took %s", took)
	}
	two := s.request("two")
	s.Must(agent.Once(t.Context()))
	s.granted(two)
}

// TestForgedBeginnings: what anybody else pushes gives nothing, holds nothing up, is believed by no
// one, and keeps the agent from telling nothing; an audit names it.
func TestForgedBeginnings(t *testing.T) {
	s := newStage(t)
	signer := newSigner(t)
	signers := signersOf(t, signer.AllowedSigner(s.Cluster))
	name, path, content := s.requestFile("forged")
	tell := func(path string) string {
		return "Grant it\n\nPullgrant-Event: granted\nPullgrant-Request: " + path +
			"\nPullgrant-Granted-At: 2026-11-23T12:00:00Z\nPullgrant-Expires-At: 2026-11-23T20:00:00Z\n"
	}
	s.pushFiles("root", tell(path), map[string]string{path: content})
	s.commitEmpty("root", tell(path))
	s.commitEmpty("root", tell(requests.Path(s.Cluster, "payments-debug", "20261123-alice-nothing")))
	s.commitEmpty("root", "Grant\n\nPullgrant-Event: granted\nPullgrant-Request: ../../etc\n")
	s.outlast(s.agent(options{github: true, signer: signer}))
	s.once(options{github: true, signer: signer})
	s.refused(name, "NoPullRequest")
	good := s.request("good")
	s.Fail("POST", "/acme/access.git/git-receive-pack", -1, 500, "down")
	_ = s.agent(options{github: true, signer: signer}).Once(t.Context())
	s.granted(good)
	s.Heal()
	s.commitEmpty("root", tell(requests.Path(s.Cluster, "payments-debug", good)))
	s.once(options{github: true, signer: signer})
	told := s.Branch("main")
	if all := s.began(signers); len(all) != 1 || all[good] != told {
		t.Errorf("believed: %v, want %s by %s", all, good, told)
	}
	_, findings, err := ledger.Verify(t.Context(), s.clone(), signers, nil, s.Clock(), beside)
	s.Must(err)
	var got []string
	for _, f := range findings {
		got = append(got, f.Rule+" "+f.Message[strings.Index(f.Message, ": ")+2:])
	}
	slices.Sort(got)
	if want := []string{
		"granted-unsigned it changes files, as no commit of the agent does that tells of a beginning",
		"granted-unsigned its trailers are not those of the agent: Pullgrant-Request",
		"granted-unsigned the commit has no signature", "granted-unsigned the commit has no signature",
		"granted-unsigned the commit has no signature"}; !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
