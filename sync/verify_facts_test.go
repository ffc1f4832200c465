package sync

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/ledger"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// ledgerStage is a stage whose ledger has a grant by teams under a catalogued role, with an
// approval that does not count, and a refusal; both are signed and have their facts.
type ledgerStage struct {
	*stage
	signer  *git.Signer
	signers *git.AllowedSigners
	granted string // paths of the entries
	refused string
}

func newLedger(t *testing.T) *ledgerStage {
	t.Helper()
	signer := newSigner(t)
	s := newStage(t)
	l := &ledgerStage{stage: s, signer: signer, signers: signersOf(t,
		signer.AllowedSigner(s.Cluster))}
	s.AddUser("carol", 104, "carol@example.com")
	s.SetPermission("carol", "read")
	s.AddTeam("squad-a", 11, "", "alice")
	s.AddTeam("squad-b", 12, "", "bob")
	s.mayRead("payments-debug")
	files := s.catalog("payments-debug", false, listsPods)
	maps.Copy(files, s.edited(policyPath,
		"subjects: [{kind: User, name: alice}]\n  challenges: [{kind: CodeOwnerReview, count: 1}]",
		"subjects: [{kind: Group, name: acme/squad-a}]\n  challenges: [{kind: CodeOwnerReview, "+
			"count: 1}, "+
			"{kind: PeerReview, reviewers: [{kind: Group, name: acme/squad-b}], count: 1}]"))
	s.manage("policies", files)
	s.once(options{github: true, signer: signer}) // the policies are proven before anybody asks
	granted, refused := l.ask("granted", true), l.ask("refused", false)
	s.once(options{github: true, signer: signer})
	s.allowed(true)
	s.SetClock(s.Clock().Add(time.Hour))
	s.once(options{github: true, signer: signer})
	l.granted, l.refused = requests.RevocationPath(s.Cluster, granted),
		requests.RevocationPath(s.Cluster, refused)
	s.over(granted, requests.CauseExpired, "")
	s.over(refused, requests.CauseDenied, "ApproverNotAllowed")
	return l
}

// ask has carol approve a request of alice's, who may not, and bob when it is to be granted.
func (l *ledgerStage) ask(slug string, approved bool) (name string) {
	l.Helper()
	name, path, content := l.requestFile(slug)
	_, err := l.Push(forge.Change{User: "alice", Branch: slug, From: "main", Message: "Ask",
		Files: map[string]string{path: content}})
	l.Must(err)
	number, err := l.Open("alice", slug, "Ask")
	l.Must(err)
	for _, login := range []string{"carol", "bob"} {
		if login == "carol" || approved {
			_, err = l.Review(login, number, "APPROVE")
			l.Must(err)
		}
	}
	_, err = l.Merge("root", number)
	l.Must(err)
	return name
}

// found are the rules of what a fresh clone shows without GitHub.
func (l *ledgerStage) found() string {
	l.Helper()
	_, findings, err := ledger.Verify(l.Context(), l.clone(), l.signers, nil, l.Clock(), beside)
	l.Must(err)
	var rules []string
	for _, f := range findings {
		rules = append(rules, f.Rule)
	}
	return strings.Join(rules, " ")
}

// put writes files into the ledger as by is: the agent, or nil for anybody who can push. An empty
// content removes one.
func (l *ledgerStage) put(by *git.Signer, files map[string]string) {
	l.Helper()
	repository := l.agent(options{}).branch.repository
	_, err := repository.Fetch(l.Context())
	l.Must(err)
	_, err = repository.Commit(l.Context(), func(string) (git.Change, error) {
		person := git.Person{Name: "pullgrant", Email: "pullgrant@example.com"}
		c := git.Change{Put: map[string][]byte{}, Message: "Rewrite", Author: person,
			Committer: person,
			When:      noon, Sign: by}
		for path, content := range files {
			if content == "" {
				c.Remove = append(c.Remove, path)
			} else {
				c.Put[path] = []byte(content)
			}
		}
		return c, nil
	})
	l.Must(err)
}

var factsLine = regexp.MustCompile(`(?m)^  facts: .*\n`)

// with is an entry that names other facts.
func with(entry, facts string) string {
	return factsLine.ReplaceAllString(entry, "  facts: "+requests.Digest([]byte(facts))+"\n")
}

// TestVerifyOfPartOfAClone: what the checkout lacks is no fault of the ledger, and the error says
// what to do.
func TestVerifyOfPartOfAClone(t *testing.T) {
	s, signers, _, _ := verified(t)
	s.git("config", "uploadpack.allowFilter", "true")
	for _, without := range []string{"--depth=1", "--filter=blob:none", "--filter=tree:0"} {
		dir := filepath.Join(t.TempDir(), "access")
		if out, err := exec.Command("git", "clone", "-q", "--no-checkout", without,
			"file://"+s.GitDir(),
			dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, _, err := ledger.Verify(t.Context(), dir, signers, nil, s.Clock(), beside)
		if err == nil || !strings.Contains(err.Error(), "git fetch --unshallow") &&
			!strings.Contains(err.Error(), "clone the whole of it, without --depth and --filter") {
			t.Errorf("%s: error %v", without, err)
		}
	}
}

// TestLargeFactsAreNotKept: they hold up neither the grant nor its end, and an audit names the
// entry.
func TestLargeFactsAreNotKept(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("large")
	s.pull("large", true, map[string]string{path: content})
	a := s.agent(options{github: true})
	facts, err := a.github.Facts(t.Context(), 1, s.Clock())
	s.Must(err)
	for i := 0; len(facts.Reviews) < 2000; i++ {
		review := facts.Reviews[0]
		review.ID += int64(i + 1)
		facts.Reviews = append(facts.Reviews, review)
	}
	if kept := a.prover.keep(path, facts); kept != nil || !strings.Contains(s.Log.String(),
		"the facts of a request are not kept; an audit will name it") {
		t.Errorf("%d bytes are kept", len(kept))
	}
	facts.Reviews = facts.Reviews[:1]
	signer := newSigner(t)
	s.once(options{github: true, signer: signer})
	record := s.Records()[0]
	if want := a.prover.keep(path, facts); len(want) == 0 ||
		string(record.BinaryData["facts"]) != string(want) {
		t.Errorf("the record keeps %s", record.BinaryData["facts"])
	}
	delete(record.BinaryData, "facts") // as when they were too large, and as an older agent left it
	_, err = s.Admin.CoreV1().ConfigMaps(kube.Namespace).Update(t.Context(), &record,
		metav1.UpdateOptions{})
	s.Must(err)
	s.SetClock(noon.Add(time.Hour))
	s.once(options{github: true, signer: signer})
	if r := s.over(name, requests.CauseExpired, ""); r.Status.Facts != "" ||
		len(r.Status.Challenges) != 1 {
		t.Errorf("the entry: %+v", r.Status)
	}
	if rules := s.rules(signersOf(t, signer.AllowedSigner(s.Cluster)),
		s.Clock()); rules != "no-evidence" {
		t.Errorf("found %q", rules)
	}
}

// TestRefusedBySecondJudgement: an unfinished grant that another process finds refused is recorded
// with what that one judged, unless access was given by the first.
func TestRefusedBySecondJudgement(t *testing.T) {
	g := grants.Of("resumed", 1, 1)
	for uid, want := range map[string]string{"": "second", "made": "first"} {
		r := plan.Record{Phase: plan.Granting, Grant: g, Facts: []byte("first"),
			Objects: plan.ObjectsOf(g,
				true), Version: "1"}
		if uid != "" {
			r.Objects[1].UID, r.Objects[1].Content = uid, "own"
		}
		w := plan.World{Cluster: grants.Cluster, Records: []plan.Record{r},
			Namespaces: map[string]string{"payments": ""},
			Main: &plan.Main{Requests: map[string]string{g.Path: "b1"},
				Names: map[string][]string{g.Name: {g.Path}}},
			Proofs: map[string]plan.Proof{g.Path: {Blob: "b1", Facts: []byte("second"),
				Evidence: requests.Evidence{Blob: "b1", HeadSHA: "second"},
				Decision: policies.Refuse(policies.WrongBase, "it was retargeted")}}}
		if uid != "" {
			w.Live = []plan.Live{{Kind: r.Objects[1].Kind, Namespace: "payments",
				Name: r.Objects[1].Name,
				UID:  uid, Managed: true, Content: "own"}}
		}
		steps := plan.Make(g.Window.Start.Add(time.Minute), w)
		if len(steps) == 0 || steps[0].Action != plan.End || steps[0].Record.Code != "WrongBase" ||
			string(steps[0].Record.Facts) != want ||
			(steps[0].Record.Grant.Evidence.HeadSHA == "second") != (want == "second") {
			t.Errorf("%q: %+v", uid, steps)
		}
	}
}

// TestNothingBlocksTheLedger: what somebody put in the place of the facts stops no entry.
func TestNothingBlocksTheLedger(t *testing.T) {
	s := newStage(t)
	signer := newSigner(t)
	signers := signersOf(t, signer.AllowedSigner(s.Cluster))
	for slug, below := range map[string]string{"folder": "/x", "file": ""} {
		name, path, content := s.requestFile(slug)
		s.pull(slug, true, map[string]string{path: content})
		facts := requests.FactsPath(requests.RevocationPath(s.Cluster, name))
		s.pushFiles("root", "In the way", map[string]string{facts + below: "{}\n"})
		s.once(options{github: true, signer: signer})
		s.SetClock(s.Clock().Add(time.Hour))
		s.once(options{github: true, signer: signer})
		s.over(name, requests.CauseExpired, "")
	}
	if rules := s.rules(signers, s.Clock()); rules != "evidence-differs path" {
		t.Errorf("found %q", rules)
	}
}
