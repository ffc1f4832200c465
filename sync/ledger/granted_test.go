package ledger

import (
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/gitserver"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// beginnings are records of grants that began, with and without all that is known of one.
func beginnings() []plan.Record {
	full, bare := grants.Of("a", 1, 1), grants.Of("b", 1, 2)
	full.Evidence.PullRequest = 7
	full.Evidence.Approvers = []requests.Approver{{Login: "bob", ID: 102}, {Login: "carol", ID: 103}}
	bare.Evidence.MergeCommit, bare.Evidence.Source = "", requests.EvidenceBranch
	return []plan.Record{{Phase: plan.Granted, Grant: full}, {Phase: plan.Granted, Grant: bare}}
}

// TestGrantedMessageIsRead: what the agent writes git reads as trailers, and an audit as it was.
func TestGrantedMessageIsRead(t *testing.T) {
	message := GrantedMessage(grants.Cluster, beginnings())
	read := exec.Command("git", "interpret-trailers", "--parse")
	read.Stdin = strings.NewReader(message)
	out, err := read.Output()
	if err != nil || strings.Count(string(out), "\n") != 12 {
		t.Errorf("git reads %v\n%s", err, out)
	}
	all := tellings(git.Commit{Hash: "c", Tree: "t", Parents: []string{"p"}, Message: message},
		git.Commit{Tree: "t"})
	var got []requests.Granted
	for _, one := range all {
		got = append(got, one.Granted)
	}
	at := grants.Of("a", 1, 1).Window
	want := []requests.Granted{{Commit: "c", GrantedAt: at.Start, ExpiresAt: at.End, PullRequest: 7,
		MergeCommit: strings.Repeat("a", 40), Approvers: []requests.User{{Login: "bob", ID: 102},
			{Login: "carol", ID: 103}}},
		{Commit: "c", GrantedAt: at.Start, ExpiresAt: grants.Of("b", 1, 2).Window.End}}
	if !reflect.DeepEqual(got, want) || all[0].path != grants.Path("a") || all[1].path != grants.Path("b") ||
		all[0].doubt+all[1].doubt != "" {
		t.Errorf("read\n%+v\nwant\n%+v", all, want)
	}
}

// TestTellings: what the agent does not write tells of nothing, and what is no such commit at all is
// none.
func TestTellings(t *testing.T) {
	message := GrantedMessage(grants.Cluster, beginnings()[:1])
	for name, test := range map[string]struct{ old, new, doubt string }{
		"as it is":                {"", "", ""},
		"of an end":               {"Event: granted", "Event: revoked", "none"},
		"in the words before":     {"carol (103)\n", "carol (103)\n\nThe end\n", "none"},
		"a path out of the way":   {"requests/", "requests/../", "agent: Pullgrant-Request"},
		"a number below one":      {"Request: 7", "Request: 0", "agent: Pullgrant-Pull-Request"},
		"a short commit":          {"Commit: aaa", "Commit: ", "agent: Pullgrant-Merge-Commit"},
		"no time":                 {"Granted-At: 2026", "Granted-At: 26", "agent: Pullgrant-Granted-At"},
		"an end before its begin": {"Expires-At: 2026", "Expires-At: 2025", "agent: Pullgrant-Granted-At"},
		"a login that is none":    {"bob (", "bob] (", "agent: Approved-by"},
		"another order":           {"Pullgrant-Event", "Approved-by: bob (102)\nPullgrant-Event", "agent: "},
		"free text":               {"Approved-by: carol (103)\n", "Note: hello\n", "agent: Pullgrant-Event"},
	} {
		changed := strings.Replace(message, test.old, test.new, 1)
		commit := git.Commit{Tree: "t", Parents: []string{"p"}, Message: changed}
		all := tellings(commit, git.Commit{Tree: "t"})
		switch {
		case test.doubt == "none":
			if len(all) > 0 {
				t.Errorf("%s: %+v", name, all)
			}
		case len(all) != 1 || !strings.Contains(all[0].doubt, test.doubt) || (test.doubt == "") !=
			(all[0].doubt == ""):
			t.Errorf("%s: %+v, want %q", name, all, test.doubt)
		}
	}
	empty := git.Commit{Tree: "t", Message: message}
	for name, c := range map[string]git.Commit{"no parent": empty,
		"a merge": {Tree: "t", Parents: []string{"p", "q"}, Message: message},
		"files":   {Tree: "u", Parents: []string{"p"}, Message: message}} {
		if all := tellings(c, git.Commit{Tree: "t"}); len(all) != 1 || !strings.Contains(all[0].doubt,
			"it changes files") || len(Began(c, git.Commit{Tree: "t"}, nil)) > 0 {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

// TestBeganByWhom: a beginning is the agent's by its signature, whoever it says wrote it (R50), and
// only of its own cluster; the first that is counts.
func TestBeganByWhom(t *testing.T) {
	signer, other := newSigner(t), newSigner(t)
	signers := signersOf(t, signer.AllowedSigner(grants.Cluster)+"\n"+other.AllowedSigner("prod-us")+"\n")
	s := gitserver.New(t)
	s.Commit("ask", grants.Path("a"), `apiVersion: pullgrant.dev/v1alpha1
kind: AccessRequest
metadata: {name: `+grants.Name("a")+`}
spec: {cluster: prod-eu, policy: payments-debug, requester: alice, reason: "INC-123, checkout is slow"}
`)
	tell := func(by *git.Signer) (hash string) {
		repository, err := git.NewRepository(s.URL, "main", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		hash, err = repository.Commit(t.Context(), func(string) (git.Change, error) {
			agent := git.Person{Name: "pullgrant", Email: "pullgrant@prod-eu.invalid"}
			return git.Change{AllowEmpty: true, Author: agent, Committer: agent, Sign: by,
				Message: GrantedMessage(grants.Cluster, beginnings()[:1]),
				When:    grants.Of("a", 1, 1).Window.Start.Time}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Work("pull", "-q", "origin", "main")
		return hash
	}
	granted := func(signers *git.AllowedSigners) requests.Granted {
		t.Helper()
		accounts, findings, err := History(s.WorkDir, signers)
		if err != nil || len(findings) > 0 || len(accounts) != 1 {
			t.Fatal(accounts, findings, err)
		}
		if accounts[0].Granted == nil {
			return requests.Granted{}
		}
		return *accounts[0].Granted
	}
	forged := tell(nil)
	tell(other)
	if g := granted(signers); g.Commit != "" {
		t.Errorf("believed: %+v", g)
	}
	if g := granted(nil); g.Commit != forged || g.Proof != requests.Unchecked {
		t.Errorf("without signers: %+v", g)
	}
	first := tell(signer)
	tell(signer)
	if g := granted(signers); g.Commit != first || g.Proof != requests.Signed {
		t.Errorf("got %+v, want it by %s", g, first)
	}
}

// FuzzTellings: whatever a message says, what is read of it is a request's path, commits, times and
// logins.
func FuzzTellings(f *testing.F) {
	f.Add(GrantedMessage(grants.Cluster, beginnings()))
	f.Add("x\n\nPullgrant-Event: granted")
	f.Fuzz(func(t *testing.T, message string) {
		for _, one := range tellings(git.Commit{Message: message}, git.Commit{}) {
			_, isPath := requests.SplitPath(one.path)
			if one.path != "" && !isPath || one.path == "" && one.doubt == "" ||
				one.MergeCommit != "" && !git.IsHash(one.MergeCommit) {
				t.Errorf("%+v", one)
			}
			for _, by := range one.Approvers {
				if requests.CheckLogin(by.Login) != "" {
					t.Errorf("%q approved", by.Login)
				}
			}
		}
	})
}
