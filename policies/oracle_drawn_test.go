package policies_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// everybody may say something; the first is the requester, under another account too, and the last one
// is deleted.
var everybody = []policies.User{{Login: "alice", ID: 101, Type: "User"}, {Login: "Bob", ID: 102, Type: "User"},
	{Login: "carol", ID: 103, Type: "User"}, {Login: "dave", ID: 104, Type: "User"},
	{Login: "erin", ID: 105, Type: "User"}, {Login: "frank", ID: 106, Type: "User"},
	{Login: "helper[bot]", ID: 201, Type: "Bot"}, {Login: "Copilot", ID: 202, Type: "User"},
	{Login: "alice-two", ID: 107, Type: "User"}, {Login: "renamed", ID: 108, Type: "User"}, {}}

var hooks = []string{"https://a.example.com/x", "https://b.example.com/x", "https://c.example.com/x"}

const (
	drawnPolicy = "policies/payments-debug.yaml"
	drawnHead   = "aaaaaaaaaaaaaaaa"
	drawnTeam   = "acme/squad-b"
)

// drawn draws pull requests.
type drawn struct {
	challengeTree
	now time.Time
}

func (r drawn) oneIn(n int) bool { return r.IntN(n) == 0 }

// ago is a moment within some steps of five minutes.
func (r drawn) ago(steps int) requests.Time {
	return requests.At(r.now.Add(-time.Duration(r.IntN(steps)) * 5 * time.Minute))
}

func (r drawn) challenge(depth int) (c policies.Challenge) {
	if r.oneIn(5) {
		c.After = requests.Duration(time.Duration(1+r.IntN(8)) * 10 * time.Minute)
	}
	switch {
	case r.oneIn(8):
		c.Kind, c.URL = policies.Webhook, pickOne(r.challengeTree, hooks...)
	case depth > 0 && !r.oneIn(3):
		for range 1 + r.IntN(3) {
			c.Challenges = append(c.Challenges, r.challenge(depth-1))
		}
		c.Kind, c.Count = policies.AnyOf, 1+r.IntN(len(c.Challenges))
		if r.oneIn(2) {
			c.Kind, c.Count, c.InOrder = policies.AllOf, 0, !r.oneIn(3)
		}
	default:
		c.Kind, c.Count = policies.CodeOwnerReview, 1+r.IntN(5)/3
		if r.oneIn(3) {
			return c
		}
		c.Kind = policies.PeerReview
		for range 1 + r.IntN(3) {
			p := policies.Party{Kind: policies.PartyUser,
				Name: pickOne(r.challengeTree, "bob", "carol", "dave", "alice", "renamed", "alice-two", "Copilot")}
			if r.oneIn(4) {
				p = policies.Party{Kind: policies.PartyGroup, Name: pickOne(r.challengeTree, "reviewers", drawnTeam)}
			}
			if !slices.Contains(c.Reviewers, p) {
				c.Reviewers = append(c.Reviewers, p)
			}
		}
	}
	return c
}

func (r drawn) version() version {
	v := version{groups: map[string][]string{"reviewers": {"bob", "carol"}, "others": {"frank"}},
		owners: []string{drawnTeam},
		people: []person{{"alice", 101, "alice@example.com"}, {"bob", 102, "bob@example.com"}}}
	if r.oneIn(4) {
		v.people = append(v.people, person{"carol", pickOne(r.challengeTree, int64(103), 999), "carol@example.com"})
	}
	if r.oneIn(6) {
		v.people = append(v.people, person{"before", 108, "before@example.com"})
	}
	for range 1 + r.IntN(2) {
		v.challenges = append(v.challenges, r.challenge(2))
	}
	return v
}

// edited is a version after a change of the files.
func (r drawn) edited(v version) version {
	v.people, v.groups = slices.Clone(v.people), maps.Clone(v.groups)
	switch r.IntN(6) {
	case 0:
		v.groups["reviewers"] = []string{"bob", "carol", "dave"}
	case 1:
		v.groups["others"] = []string{"frank", "erin"}
	case 2:
		v.owners = pickOne(r.challengeTree, []string{"bob"}, []string{drawnTeam}, []string{"dave"})
	case 3:
		v.people[0].username = pickOne(r.challengeTree, "alice@example.com", "other@example.com")
	case 4:
		v.people[1].id = pickOne(r.challengeTree, int64(102), 998)
	default:
		n := len(v.people)
		v.people = append(v.people, person{fmt.Sprint("new-", n), int64(500 + n), fmt.Sprint("new", n)})
	}
	return v
}

// tree writes a version as files.
func (v version) tree(base policies.Tree, commit string, maxAge time.Duration) policies.Tree {
	t := policies.Tree{Commit: commit, Files: maps.Clone(base.Files)}
	put := func(name, text string) {
		t.Files[name] = policies.NewTreeFile(policies.PlainFile, "", []byte(text), int64(len(text)))
	}
	file := func(name, kind, field, lines string) {
		put(name, "apiVersion: pullgrant.dev/v1alpha1\nkind: "+kind+"\nmetadata:\n  name: x\nspec:\n  "+field+
			":\n"+lines)
	}
	groups, people, challenges := "", "", ""
	for _, name := range []string{"reviewers", "others"} {
		groups += fmt.Sprintf("    - {name: %s, members: [%s]}\n", name, strings.Join(v.groups[name], ", "))
	}
	for _, p := range v.people {
		people += fmt.Sprintf("    - {github: %s, githubID: %d, kubernetes: {username: %s}}\n", p.login, p.id,
			p.username)
	}
	for _, c := range v.challenges {
		challenges += "    - " + written(c) + "\n"
	}
	put(".github/CODEOWNERS", "* @acme/platform\n/requests/prod-eu/ @"+strings.Join(v.owners, " @")+"\n")
	file(policies.GroupsPath, "GroupMap", "groups", groups)
	file(policies.IdentitiesPath, "IdentityMap", "users", people)
	put(drawnPolicy, strings.Replace(base.Files[drawnPolicy].Content, "    - {kind: CodeOwnerReview, count: 1}\n",
		challenges+"  allowWithoutReview: true\n  limits: {maxApprovalAge: "+
			requests.Duration(maxAge).String()+"}\n", 1))
	return t
}

// pullRequest draws who did what, and when.
func (r drawn) pullRequest(f policies.Facts) policies.Facts {
	f.Repository.Organization = !r.oneIn(3)
	f.PullRequest.CreatedAt = requests.At(r.now.Add(-time.Duration(16+r.IntN(3)*2) * 5 * time.Minute))
	f.Pushes, f.Changes = slices.Clone(f.Pushes), slices.Clone(f.Changes)
	f.Pushes[0].Time, f.Reviews = f.PullRequest.CreatedAt, nil
	one := func() policies.User { return pickOne(r.challengeTree, everybody[:6]...) }
	if r.oneIn(6) {
		c := policies.Commit{SHA: "dddddddddddddddd", Author: one(), Committer: one(),
			CoAuthorUsers: map[string]policies.User{"x@example.com": one()}}
		c.CoAuthors = []string{pickOne(r.challengeTree, "103+gone@users.noreply.github.com",
			"bob@users.noreply.github.com", "1+DAVE@users.noreply.github.com", "x@example.com")}
		f.Commits = append(slices.Clone(f.Commits), c)
	}
	if r.oneIn(8) {
		f.Pushes = append(f.Pushes, policies.Push{Actor: one(), After: pickOne(r.challengeTree, drawnHead, "eeee"),
			Time: r.ago(12), Reason: pickOne(r.challengeTree, "push", "force_push", "branch_deletion")})
	}
	if at := r.ago(30); r.oneIn(12) {
		f.BaseChanges = []requests.Time{at}
	}
	if at := r.ago(24); r.oneIn(12) {
		f.Opened = at
	}
	if at := r.ago(24); r.oneIn(8) {
		changed := &f.Changes[r.IntN(len(f.Changes))]
		changed.PullRequest, changed.MergedAt = 5, &at
	}
	f.Users, f.Answers = map[string]policies.UserFacts{}, policies.Answers{}
	for _, u := range everybody {
		f.Users[strings.ToLower(u.Login)] = policies.UserFacts{ID: u.ID, Member: !r.oneIn(20),
			Permission: pickOne(r.challengeTree, "write", "write", "write", "write", "admin", "read")}
		f.Answers[policies.AboutMember(drawnTeam, u.Login)] = !r.oneIn(4)
	}
	f.Users["alice"] = policies.UserFacts{ID: 101, Permission: "write", Member: true}
	f.Answers[policies.AboutMember("acme/squad-a", "alice")] = true
	for i := range 3 + r.IntN(10) {
		u := one()
		if r.oneIn(8) {
			u = pickOne(r.challengeTree, everybody...)
		}
		review := policies.Review{ID: int64(100 + r.IntN(50)*20 + i), User: u, State: "APPROVED", CommitID: drawnHead,
			SubmittedAt: r.ago(16)}
		if r.oneIn(8) {
			review.State = pickOne(r.challengeTree, "approved", "COMMENTED", "DISMISSED", "CHANGES_REQUESTED", "LGTM")
		}
		if r.oneIn(16) {
			review.CommitID = pickOne(r.challengeTree, "0000", "")
		}
		f.Reviews = append(f.Reviews, review)
	}
	f.Replies = policies.Replies{}
	for _, url := range hooks {
		f.Replies[policies.Inquiry{Kind: policies.Webhook, Of: url, About: "20261123-alice-inc-123"}] = policies.Reply{
			At: requests.At(r.now), Verdict: pickOne(r.challengeTree, policies.Yes, policies.Yes, policies.Yes,
				policies.No, policies.Waiting, policies.Unknown)}
	}
	if r.oneIn(2) {
		at := requests.At(r.now.Add(-time.Duration(r.IntN(4)) * 10 * time.Minute))
		f.PullRequest.Merged, f.PullRequest.MergedAt, f.PullRequest.State = true, &at, "closed"
		f.Merge = &policies.Merge{Commit: "cccccccccccccccc", Introduced: []int{7},
			Blob: f.Head.Files[cases.Path].Blob}
		f.PullRequest.MergeCommitSHA, f.UsedNames = f.Merge.Commit, []string{cases.Path}
	}
	return f
}

// asks is the oracle of a drawn pull request, with the versions of the files that it went through.
func (r drawn) asks(f *policies.Facts) oracle {
	o := oracle{at: r.now, maxAge: 24 * time.Hour, said: map[string]policies.Verdict{}}
	if r.oneIn(4) {
		o.maxAge = time.Duration(2+r.IntN(5)) * 10 * time.Minute
	}
	if f.PullRequest.Merged {
		o.at = f.PullRequest.MergedAt.Time
	}
	o.asked = f.PullRequest.CreatedAt.Time
	for _, at := range append([]requests.Time{f.Opened}, f.BaseChanges...) {
		if at.After(o.asked) {
			o.asked = at.Time
		}
	}
	for q, reply := range f.Replies {
		o.said[q.Of] = reply.Verdict
	}
	o.stood = []stood{{version: r.version(), since: r.now.Add(-3 * time.Hour)}}
	for range r.IntN(8) / 6 * (1 + r.IntN(2)) {
		last := o.stood[len(o.stood)-1]
		if at := r.ago(20).Time; at.After(last.since) {
			o.stood = append(o.stood, stood{r.edited(last.version), at, f.PullRequest.Merged && !at.Before(o.at)})
		}
	}
	base := f.Base
	for i, s := range o.stood {
		tree := s.tree(base, fmt.Sprintf("%016d", i), o.maxAge)
		f.Stood = append([]policies.Stood{{Tree: tree, Since: requests.At(s.since), Merged: s.merged, First: i == 0}},
			f.Stood...)
		if f.Base = tree; f.Merge != nil && !s.merged {
			f.Merge.FirstParent = tree
		}
	}
	o.facts = *f
	return o
}

// TestOracle compares what is decided of drawn pull requests with what the oracle says: whether they
// are allowed, by whose approvals, and whether, once merged, they are judged again.
func TestOracle(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, cases.Now)
	base := cases.Base(t).Facts
	outcomes := map[policies.Outcome]int{}
	for seed := range uint64(600) {
		r := drawn{challengeTree{rand.New(rand.NewPCG(seed, 3))}, now}
		f := r.pullRequest(base)
		o := r.asks(&f)
		o.under = o.stood[len(o.stood)-1].version
		d, wants, unsure := policies.Decision{}, o.allows(), false
		if o.hoped = true; !f.PullRequest.Merged {
			d = policies.Evaluate(f.Base, f, now)
		} else {
			unsure = !wants && o.allows()
			for _, s := range slices.Backward(o.stood) {
				if !s.merged {
					o.under = s.version
					break
				}
			}
			if o.hoped = false; !o.allows() {
				o.hoped, wants = true, false
				unsure = o.allows()
			}
			d = policies.EvaluateMerged(f, cases.Path, f.Merge.Blob, now)
		}
		outcomes[d.Outcome]++
		if d.Code == policies.SubjectNotAllowed && o.under.gives() != o.stood[len(o.stood)-1].gives() {
			continue // another one receives it now than at the merge
		}
		if got := d.Outcome == policies.Allowed; got != wants || (d.Outcome == policies.Failed) != unsure {
			t.Errorf("seed %d: %s, and the oracle says %v, unsure %v: %s", seed, d.Outcome, wants, unsure, d.Message)
		}
		for _, a := range d.Approvers {
			i := slices.IndexFunc(f.Reviews, func(r policies.Review) bool { return r.ID == a.ReviewID })
			if o.under = o.stood[len(o.stood)-1].version; d.Outcome == policies.Allowed && !o.counts(f.Reviews[i]) {
				t.Errorf("seed %d: the review %d by @%s counts", seed, a.ReviewID, a.Login)
			}
		}
	}
	for _, is := range []policies.Outcome{policies.Allowed, policies.Pending, policies.Denied, policies.Failed} {
		if outcomes[is] < 5 {
			t.Errorf("%d were %s; the test tries little", outcomes[is], is)
		}
	}
}
