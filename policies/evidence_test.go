package policies_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// restore puts the files of a checkout into facts that name them, as an audit does.
func restore(t *testing.T, kept, from policies.Facts) policies.Facts {
	t.Helper()
	content := map[string]policies.TreeFile{}
	add := func(tree policies.Tree) {
		for _, file := range tree.Files {
			content[file.Blob] = file
		}
	}
	add(from.Base)
	add(from.Head)
	if from.Merge != nil {
		add(from.Merge.FirstParent)
	}
	fill := func(tree policies.Tree) {
		for name, file := range tree.Files {
			if file.Content != "" || file.Unreadable != "" {
				t.Errorf("%s has a content", name)
			}
			tree.Files[name] = content[file.Blob]
		}
	}
	fill(kept.Base)
	fill(kept.Head)
	if kept.Merge != nil {
		fill(kept.Merge.FirstParent)
	}
	return kept
}

// TestKeptFacts keeps the facts of every scenario with a request as the ledger does: the same
// record gives the same bytes, no file's content is in them, and with the files from git again they
// are judged alike.
func TestKeptFacts(t *testing.T) {
	judged := 0
	for name, c := range scenarios(t) {
		if kind, _, _ := policies.KindOf(c.Facts.Files); kind != policies.KindRequest || c.Trust {
			continue
		}
		judged++
		before := cases.Copy(t, c.Facts)
		data, err := c.Facts.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(c.Facts, before) {
			t.Errorf("%s: writing changed the facts", name)
		}
		kept, err := policies.ParseFacts(data)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, data)
		}
		for _, content := range []string{"apiVersion", "roleRef", "INC-123", "/requests/"} {
			if bytes.Contains(data, []byte(content)) {
				t.Errorf("%s: %q is kept\n%s", name, content, data)
			}
		}
		full := restore(t, kept, c.Facts)
		if again, err := full.Encode(); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: kept again as\n%s\nfirst as\n%s", name, again, data)
		}
		if d, want := c.Judge(full), c.Judge(c.Facts); !reflect.DeepEqual(d, want) {
			t.Errorf("%s: judged again %+v, first %+v", name, d, want)
		}
	}
	if judged < 40 {
		t.Errorf("only %d scenarios were kept", judged)
	}
}

// TestKeptFactsStaySmall: of a large catalogue only the roles are kept that the policy names.
func TestKeptFactsStaySmall(t *testing.T) {
	f := scenarios(t)["merged/allow_window_from_merge"].Facts
	small, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		f.Base.Files[rbac.CatalogPath("prod-eu", fmt.Sprintf("role-%d", i))] = policies.TreeFile{
			Mode: policies.PlainFile, Blob: strings.Repeat("e", 40)}
	}
	if large, err := f.Encode(); err != nil || !bytes.Equal(small, large) {
		t.Errorf("%d bytes grew to %d: %v", len(small), len(large), err)
	}
	if !bytes.Contains(small, []byte("catalog/prod-eu/payments-debug.yaml")) || len(small) > 4<<10 {
		t.Errorf("%d bytes:\n%s", len(small), small)
	}
}

// TestLargeFactsAreCut: whoever may read the repository can make reviews and pushes without end,
// and what is kept is still judged alike. So is each request that is open, when it is merged.
func TestLargeFactsAreCut(t *testing.T) {
	for name, c := range scenarios(t) {
		if landed, ok := c.Landed(t); ok {
			c = landed
		}
		if !c.Merged {
			continue
		}
		want := c.Judge(c.Facts)
		if small := c.Facts.Fit(); !reflect.DeepEqual(small, c.Facts) {
			t.Errorf("%s: facts that fit were cut", name)
		}
		f := cases.Copy(t, c.Facts)
		f.ObservedAt = requests.At(c.Now)
		if f.PullRequest.MergedAt == nil || f.Merge == nil || f.Users == nil {
			continue
		}
		before := requests.At(f.PullRequest.MergedAt.Add(-time.Minute))
		for i := range int64(80) {
			reader := policies.User{Login: fmt.Sprintf("reader-%d", i), ID: 50000 + i, Type: "User"}
			f.Users[reader.Login] = policies.UserFacts{ID: reader.ID, Permission: "read"}
			f.Reviews = append(f.Reviews,
				policies.Review{ID: 90000 + 2*i, User: reader, State: "COMMENTED",
					CommitID: strings.Repeat("c", policies.MaxFactsSize/80), SubmittedAt: before},
				policies.Review{ID: 90001 + 2*i, User: reader, State: "APPROVED",
					CommitID: f.PullRequest.HeadSHA, SubmittedAt: before})
			f.Pushes = append(f.Pushes, policies.Push{Actor: f.PullRequest.Author, After: "older",
				Time: before, Reason: "push"})
		}
		for _, tree := range []policies.Tree{f.Base, f.Merge.FirstParent} {
			for _, q := range policies.Questions(tree, f) {
				if strings.HasPrefix(q.User, "reader-") {
					f.Answers[q] = false
				}
			}
		}
		whole, fit := c.Judge(f), f.Fit()
		got := c.Judge(fit)
		if got.Outcome != want.Outcome || !slices.Equal(got.Approvers, want.Approvers) ||
			got.Code != whole.Code || got.Message != whole.Message {
			t.Errorf("%s: %s %s %s, uncut %s %s %s, without the readers %s", name, got.Outcome, got.Code,
				got.Message, whole.Outcome, whole.Code, whole.Message, want.Outcome)
		}
		data, err := fit.Encode()
		if got.Outcome == policies.Failed { // nothing is entered
			continue
		}
		if err != nil || len(data) > policies.MaxFactsSize {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
		kept, err := policies.ParseFacts(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := c.Judge(restore(t, kept, c.Facts)); !reflect.DeepEqual(got, again) {
			t.Errorf("%s: judged again %+v, first %+v", name, again, got)
		}
	}
}

// TestRefusalOutlastsTheCut: what bob refused, and was closed with that (R73), is refused also once it
// was approved and comments have the facts cut. What was taken back before is not, and nothing that was
// taken back since counts again.
func TestRefusalOutlastsTheCut(t *testing.T) {
	base := scenarios(t)["merged/allow_window_from_merge"]
	start := base.Facts.PullRequest.MergedAt.Add(-40 * time.Minute)
	people := map[string]policies.User{"bob": base.Facts.Reviews[0].User,
		"zoe": {Login: "zoe", ID: 900, Type: "User"}} // may write, and approve nothing
	states := map[string]string{"against": "CHANGES_REQUESTED", "for": "APPROVED", "dismissed": "DISMISSED"}
	for name, c := range map[string]struct {
		said string // in order, a minute apart
		want policies.Code
	}{
		"approved since":        {"bob against, closed, bob for", policies.Refused},
		"dismissed since":       {"bob against, closed, bob dismissed, bob for", policies.Refused},
		"dismissed for good":    {"bob against, closed, bob dismissed", policies.Refused},
		"said again since":      {"bob against, closed, bob against, bob for", policies.Refused},
		"closed before as well": {"closed, bob for, closed, bob against, closed, bob for", policies.Refused},
		"by the second":         {"zoe against, closed, bob against, closed, bob for, zoe dismissed", policies.Refused},
		"approved before":       {"bob against, bob for, closed", ""},
		"dismissed before":      {"bob against, bob dismissed, closed, bob for", ""},
		"of no approver":        {"zoe against, closed, zoe dismissed, bob for", ""},
		"of no approver, still": {"zoe against, closed, bob for", policies.ChangesRequested},
		"an approval, dismissed": {"bob for, closed, bob for, bob dismissed",
			policies.InsufficientApprovals},
	} {
		f := cases.Copy(t, base.Facts)
		f.Reviews, f.Users["zoe"] = nil, policies.UserFacts{ID: 900, Permission: "write", Member: true}
		said := strings.Split(c.said, ", ")
		for i, one := range said {
			at := requests.At(start.Add(time.Duration(i) * time.Minute))
			if who, what, ok := strings.Cut(one, " "); ok {
				f.Reviews = append(f.Reviews, policies.Review{ID: int64(1 + i), User: people[who],
					State: states[what], CommitID: f.PullRequest.HeadSHA, SubmittedAt: at})
			} else {
				f.Closed = append(f.Closed, at)
			}
		}
		for i := range 3000 {
			f.Reviews = append(f.Reviews, policies.Review{ID: int64(100 + i), User: people["bob"],
				State: "COMMENTED", SubmittedAt: requests.At(start.Add(time.Duration(i/2) * time.Second))})
		}
		for _, tree := range []policies.Tree{f.Base, f.Merge.FirstParent} {
			for _, q := range policies.Questions(tree, f) {
				if _, told := f.Answers[q]; !told {
					f.Answers[q] = false
				}
			}
		}
		whole, fit := base.Judge(f), f.Fit()
		if whole.Code != c.want {
			t.Errorf("%s: uncut %s %s, want %s", name, whole.Code, whole.Message, c.want)
		}
		if d := base.Judge(fit); d.Outcome != whole.Outcome || d.Code != whole.Code || d.Message != whole.Message {
			t.Errorf("%s: %s %s %s, uncut %s %s %s", name, d.Outcome, d.Code, d.Message, whole.Outcome,
				whole.Code, whole.Message)
		}
		if data, err := fit.Encode(); err != nil || len(data) > policies.MaxFactsSize {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

// TestEarliestPushIsKept: of many pushes of the head by one account its first decides.
func TestEarliestPushIsKept(t *testing.T) {
	f := cases.Copy(t, scenarios(t)["merged/allow_window_from_merge"].Facts)
	last := f.Pushes[0]
	f.Pushes = nil
	for i := range 20_000 {
		push := last
		push.Time = requests.At(last.Time.Add(time.Duration(i-100) * time.Millisecond * 10))
		if i == 10_000 {
			push.Time = requests.At(last.Time.Add(-time.Hour))
		}
		f.Pushes = append(f.Pushes, push)
	}
	kept := f.Fit().Pushes
	first := func(p policies.Push) bool {
		return p.Time.Equal(last.Time.Add(-time.Hour))
	}
	if len(kept) != 2 || !slices.ContainsFunc(kept, first) {
		t.Errorf("kept are %d pushes: %.300v", len(kept), kept)
	}
}

// TestParseFacts: one text, one meaning. Text that would disguise itself stands in the file as an
// escape.
func TestParseFacts(t *testing.T) {
	f := scenarios(t)["merged/allow_window_from_merge"].Facts
	f.PullRequest.HeadRef = "a\u202eb\x1b[2J\u009b\U000e0041é"
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(`"a\u202eb\u001b[2J\u009b\udb40\udc41é"`)) {
		t.Errorf("the branch is not escaped:\n%s", data)
	}
	if kept, err := policies.ParseFacts(data); err != nil ||
		kept.PullRequest.HeadRef != f.PullRequest.HeadRef {
		t.Fatalf("read as %q, %v", kept.PullRequest.HeadRef, err)
	}
	whole := string(data)
	for name, other := range map[string]string{
		"empty":            "",
		"no line end":      strings.TrimSuffix(whole, "\n"),
		"more after it":    whole + "{}\n",
		"a space":          strings.Replace(whole, `":`, `": `, 1),
		"another case":     strings.Replace(whole, "observedAt", "ObservedAt", 1),
		"an unknown field": strings.Replace(whole, "{", `{"extra":1,`, 1),
		"a field twice": strings.Replace(whole, "{", `{"observedAt":"2020-01-01T00:00:00Z",`,
			1),
		"another order": strings.Replace(whole, `"draft":false,"merged":true`,
			`"merged":true,"draft":false`, 1),
		"a content": strings.Replace(whole, `"mode":"100644"`,
			`"mode":"100644","content":"x"`, 1),
		"text that hides": strings.Replace(whole, `\u202e`, "\u202e", 1),
		"another kind":    "[]\n",
		"over the bound": strings.Replace(whole, "é", strings.Repeat("e", policies.MaxFactsSize),
			1),
		"a time of another": strings.Replace(whole, `Z"`, `+01:00"`, 1),
	} {
		if other == whole {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := policies.ParseFacts([]byte(other)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestEvidence: what an entry tells of a decision, with the approvals that did not count, as far as
// there is room.
func TestEvidence(t *testing.T) {
	d := policies.Decision{PolicyCommit: "c", Approvers: []requests.Approver{{Login: "bob"}},
		Challenges: []policies.ChallengeResult{{Kind: policies.PeerReview, Count: 2,
			Approvers: []string{"bob"}, Reviewers: []string{"bob", "carol"}}}}
	for i := range 60 {
		d.Ignored = append(d.Ignored, policies.IgnoredReview{Login: "eve", ReviewID: int64(i + 1),
			Code: policies.ApprovalStale, Message: "stale"})
	}
	e := d.Evidence(requests.Evidence{Source: requests.EvidenceGitHub, PolicyCommit: "old"})
	want := []requests.ChallengeStatus{{Kind: policies.PeerReview, Count: 2,
		Approvers: []string{"bob"}}}
	if e.Source != requests.EvidenceGitHub || e.PolicyCommit != "c" || len(e.Approvers) != 1 ||
		!reflect.DeepEqual(e.Challenges, want) {
		t.Errorf("%+v", e)
	}
	if len(e.Ignored) != 50 || e.Ignored[49] != (requests.IgnoredApproval{Login: "eve",
		ReviewID: 50,
		Code:     "ApprovalStale"}) {
		t.Errorf("%d ignored: %+v", len(e.Ignored), e.Ignored)
	}
}

// TestMergedGrantNamesItsRules: the hash of a role's rules is that of the catalogue now.
func TestMergedGrantNamesItsRules(t *testing.T) {
	c := scenarios(t)["merged/allow_window_from_merge"]
	d := c.Judge(c.Facts)
	role, _, _ := c.Facts.Base.Role("prod-eu", "payments-debug")
	if d.Outcome != policies.Allowed || d.Grant.Items[0].Rules != role.Spec.Hash ||
		role.Spec.Hash == "" {
		t.Errorf("%s, %+v, want %q", d.Outcome, d.Grant, role.Spec.Hash)
	}
	if e := d.Grant.Evidence; len(e.Challenges) != 1 || len(e.Challenges[0].Approvers) != 1 {
		t.Errorf("%+v", e)
	}
}
