package policies_test

import (
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// scenarios are all cases under testdata/cases by name, so that what holds for every pull request
// is tried on each.
func scenarios(t testing.TB) map[string]cases.Scenario {
	all := map[string]cases.Scenario{}
	for _, c := range cases.All(t) {
		all[c.Name] = c
	}
	return all
}

func isApproval(r policies.Review) bool { return strings.EqualFold(r.State, "APPROVED") }

// TestFewerApprovalsNeverAllow takes each approval away, alone, from each scenario that is not
// allowed.
func TestFewerApprovalsNeverAllow(t *testing.T) {
	for name, c := range scenarios(t) {
		if d := c.Judge(c.Facts); d.Outcome == policies.Allowed || leaveNothing(d) {
			continue
		}
		for i, r := range c.Facts.Reviews {
			if !isApproval(r) {
				continue
			}
			f := c.Facts
			f.Reviews = slices.Delete(slices.Clone(f.Reviews), i, i+1)
			if d := c.Judge(f); d.Outcome == policies.Allowed {
				t.Errorf("%s: without review %d the decision is allowed", name, r.ID)
			}
		}
	}
}

// leaveNothing tells a refusal because approvals contradict each other: what one of them leaves out is
// a no, as a request for changes is, and goes with it (R72).
func leaveNothing(d policies.Decision) bool {
	return d.Code == policies.NothingToGrant && len(d.Narrowed) > 1
}

// TestReviewsThatDoNotCountNeverAllow adds to each scenario that is not allowed each kind of review
// that counts for nothing (R6, R11, R13, R17 to R19, R25).
func TestReviewsThatDoNotCountNeverAllow(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, cases.Now)
	at := requests.At(now.Add(-20 * time.Minute))
	head := "aaaaaaaaaaaaaaaa"
	person := func(login string, id int64) policies.User {
		return policies.User{Login: login,
			ID: id, Type: "User"}
	}
	worthless := map[string]policies.Review{
		"comment":       {User: person("bob", 102), State: "COMMENTED", CommitID: head},
		"pending":       {User: person("bob", 102), State: "PENDING", CommitID: head},
		"unknown state": {User: person("bob", 102), State: "LGTM", CommitID: head},
		"old commit": {User: person("carol", 103), State: "APPROVED",
			CommitID: "0000000000000000"},
		"no commit": {User: person("carol", 103), State: "APPROVED"},
		"author":    {User: person("alice", 101), State: "APPROVED", CommitID: head},
		"reader":    {User: person("dave", 104), State: "APPROVED", CommitID: head},
		"bot": {User: policies.User{Login: "helper[bot]", ID: 5, Type: "Bot"},
			State: "APPROVED", CommitID: head},
		"deleted": {State: "APPROVED", CommitID: head},
		"without a login": {User: policies.User{ID: 55, Type: "User"}, State: "APPROVED",
			CommitID: head},
		"without a type": {User: policies.User{Login: "carol", ID: 103}, State: "APPROVED",
			CommitID: head},
	}
	for name, c := range scenarios(t) {
		if d := c.Judge(c.Facts); d.Outcome == policies.Allowed || leaveNothing(d) {
			continue
		}
		for kind, r := range worthless {
			if author := c.Facts.PullRequest.Author; kind == "author" {
				if author.Login == "" {
					continue
				}
				r.User = author
			}
			r.ID, r.SubmittedAt = 1000, at
			f := c.Facts
			f.Reviews = append(slices.Clone(f.Reviews), r)
			// An opinion takes the place of the same person's earlier one; here the block that goes
			// is not the point.
			f.Reviews = slices.DeleteFunc(f.Reviews, func(old policies.Review) bool {
				return old.ID != r.ID && old.User.ID == r.User.ID && strings.EqualFold(r.State,
					"APPROVED")
			})
			f.Reviews = append(f.Reviews, blocks(c.Facts, r)...)
			if d := c.Judge(f); d.Outcome == policies.Allowed {
				t.Errorf("%s: with a review of the kind %q the decision is allowed", name, kind)
			}
		}
	}
}

// blocks are the requests for changes that replacing a person's opinions by r took out.
func blocks(f policies.Facts, r policies.Review) (kept []policies.Review) {
	for _, old := range f.Reviews {
		if old.User.ID == r.User.ID && isApproval(r) && strings.EqualFold(old.State,
			"CHANGES_REQUESTED") {
			old.SubmittedAt = requests.At(r.SubmittedAt.Add(time.Second))
			kept = append(kept, old)
		}
	}
	return kept
}

// TestOrderOfListsDoesNotMatter shuffles everything GitHub lists.
func TestOrderOfListsDoesNotMatter(t *testing.T) {
	for name, c := range scenarios(t) {
		want := c.Judge(c.Facts)
		for seed := range uint64(5) {
			f := cases.Copy(t, c.Facts) // deep copy
			r := rand.New(rand.NewPCG(seed, 0))
			r.Shuffle(len(f.Reviews), func(i, j int) {
				f.Reviews[i], f.Reviews[j] = f.Reviews[j],
					f.Reviews[i]
			})
			r.Shuffle(len(f.Commits), func(i, j int) {
				f.Commits[i], f.Commits[j] = f.Commits[j],
					f.Commits[i]
			})
			r.Shuffle(len(f.Pushes), func(i, j int) {
				f.Pushes[i], f.Pushes[j] = f.Pushes[j],
					f.Pushes[i]
			})
			if got := c.Judge(f); got.Outcome != want.Outcome || got.Code != want.Code ||
				!reflect.DeepEqual(got.Ignored, want.Ignored) {
				t.Errorf("%s, seed %d: %s %s, in the order of the file %s %s", name, seed,
					got.Outcome, got.Code, want.Outcome, want.Code)
			}
		}
	}
}

// optional are the facts whose absence is a statement of its own: none of these things exist or
// happened, or the repository belongs to a person. Whoever gathers facts fails rather than leave
// one out.
var optional = []string{"baseChanges", "codeownersErrors", "usedNames", "coAuthors", "createdAt",
	"draft", "unreadable",
	"organization", "previousPath", "name", "headRef", "blob", "reason", "merged",
	"policies/groups.yaml",
	"catalog/prod-eu/payments-debug.yaml"}

// TestMissingFactsNeverAllow leaves out every single value of the facts of two allowed pull
// requests, wherever it stands: without it the decision is not allowed, unless its absence says
// something (R1, I6).
func TestMissingFactsNeverAllow(t *testing.T) {
	all := scenarios(t)
	for _, name := range []string{"request/allow_approved_by_code_owner",
		"merged/allow_window_from_merge"} {
		c := all[name]
		if d := c.Judge(c.Facts); d.Outcome != policies.Allowed {
			t.Fatalf("%s: %s %s", name, d.Outcome, d.Message)
		}
		data, err := json.Marshal(c.Facts)
		if err != nil {
			t.Fatal(err)
		}
		var whole map[string]any
		if err := json.Unmarshal(data, &whole); err != nil {
			t.Fatal(err)
		}
		tried := 0
		without(whole, "", func(path string) {
			key := path[strings.LastIndex(path, "|")+1:]
			if slices.Contains(optional, key) {
				return
			}
			var f policies.Facts
			again, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			if json.Unmarshal(again, &f) != nil {
				return // not even facts
			}
			tried++
			if d := c.Judge(f); d.Outcome == policies.Allowed && !spare(path) && !(c.Merged &&
				path == "|pullRequest|state") {
				t.Errorf("%s: allowed without %s", name, path)
			}
		})
		if tried < 50 {
			t.Errorf("%s: only %d values were left out", name, tried)
		}
	}
}

// spare tells of facts that this pull request does not turn on: people and teams it does not
// concern, whether the requester is a member (a policy may name an outside collaborator), when the
// branch was pushed to before the merge, and the state of a merged pull request.
func spare(path string) bool {
	return slices.ContainsFunc([]string{"|users|carol", "|users|dave", "|users|alice|member",
		"|carol", "|dave", "|acme/platform",
		"acme/squad-a|bob", "acme/squad-b|alice", "|login", "|committer|type", "|author|type",
		"|pushes|[]|time"}, func(spared string) bool {
		return strings.HasSuffix(path, spared) || strings.Contains(path, spared+"|")
	}) && !strings.HasPrefix(path, "|pullRequest|author") && !strings.HasPrefix(path, "|reviews")
}

// without calls try with each value under at left out in turn, and puts it back.
func without(at any, path string, try func(path string)) {
	switch value := at.(type) {
	case map[string]any:
		for key, old := range value {
			without(old, path+"|"+key, try)
			delete(value, key)
			try(path + "|" + key)
			value[key] = old
		}
	case []any:
		for _, item := range value {
			without(item, path+"|[]", try)
		}
	}
}

// TestZeroFactsNeverAllow: nothing is allowed by having been forgotten.
func TestZeroFactsNeverAllow(t *testing.T) {
	now, _ := time.Parse(time.RFC3339, cases.Now)
	if d := policies.Evaluate(policies.Tree{}, policies.Facts{},
		now); d.Outcome != policies.Failed {
		t.Errorf("zero facts: %s", d.Outcome)
	}
	if d := policies.EvaluateMerged(policies.Facts{}, "", "", now); d.Outcome != policies.Failed {
		t.Errorf("zero facts, merged: %s %s", d.Outcome, d.Code)
	}
	var zero policies.Decision
	if zero.Outcome != policies.Denied {
		t.Errorf("the zero decision is %s", zero.Outcome)
	}
}

// TestLimitsOfGitHubsLists: at the limit a list may have been cut (R2, R3).
func TestLimitsOfGitHubsLists(t *testing.T) {
	base := scenarios(t)["request/allow_approved_by_code_owner"]
	commits, files := base.Facts, base.Facts
	for len(commits.Commits) < 250 {
		commits.Commits = append(slices.Clip(commits.Commits), commits.Commits[0])
	}
	files.Files = slices.Repeat([]policies.File{{Path: "docs/a.md", Status: "added"}}, 3000)
	for want, f := range map[string]policies.Facts{"250 commits or more": commits,
		"3000 files or more": files} {
		if d := base.Judge(f); d.Code != policies.EvaluationError ||
			!strings.Contains(d.Message, want) {
			t.Errorf("%s %s: %s; want EvaluationError with %q", d.Outcome, d.Code, d.Message, want)
		}
	}
	commits.Commits = commits.Commits[:249]
	if d := base.Judge(commits); d.Outcome != policies.Allowed {
		t.Errorf("249 commits: %s %s", d.Outcome, d.Message)
	}
}

// TestEvaluateBranch judges the base scenario's request on the branch's word alone.
func TestEvaluateBranch(t *testing.T) {
	all := scenarios(t)
	tree, head := all["request/allow_policy_names_the_user"].Facts.Base,
		all["request/allow_policy_names_the_user"].Facts.Head
	now, _ := time.Parse(time.RFC3339, cases.Now)
	content := []byte(head.Files[cases.Path].Content)
	judge := func(tree policies.Tree, path string, content []byte,
		start time.Time) policies.Decision {
		return policies.EvaluateBranch(tree, path, "cccc", "blob", content, nil, start, now)
	}
	d := judge(tree, cases.Path, content, now.Add(-15*time.Minute))
	if d.Outcome != policies.Allowed ||
		d.Grant.Window.End != requests.At(now.Add(45*time.Minute)) ||
		d.Grant.Evidence.Source != requests.EvidenceBranch {
		t.Errorf("a good request: %s %s %+v", d.Outcome, d.Message, d.Grant)
	}
	teams := all["request/allow_approved_by_code_owner"].Facts.Base
	for name, c := range map[string]struct {
		tree    policies.Tree
		path    string
		content string
		start   time.Time
		want    policies.Code
	}{
		"31 s in the future": {tree, cases.Path, string(content), now.Add(31 * time.Second),
			policies.EvaluationError},
		"over a day old": {tree, cases.Path, string(content),
			now.Add(-24*time.Hour - time.Second), policies.ExpiredBeforeGrant},
		"window over": {tree, cases.Path, string(content), now.Add(-time.Hour),
			policies.ExpiredBeforeGrant},
		"no commit date": {tree, cases.Path, string(content), time.Time{},
			policies.ExpiredBeforeGrant},
		"a team may ask": {teams, cases.Path, string(content), now,
			policies.RequesterNotAllowed},
		"no policies": {policies.Tree{}, cases.Path, string(content), now,
			policies.CodeownersInvalid},
		"outside requests/": {tree, "docs/a.yaml", string(content), now,
			policies.FileRejected},
		"nothing":   {tree, cases.Path, "", now, policies.ParseError},
		"not UTF-8": {tree, cases.Path, "\xff", now, policies.FileRejected},
		"under the ledger": {tree, "revocations/prod-eu/20261123/20261123-alice-inc-123.yaml",
			string(content), now, policies.FileRejected},
		"path of another policy": {tree, strings.Replace(cases.Path, "payments-debug", "other", 1),
			string(content), now, policies.SchemaError},
	} {
		if d := judge(c.tree, c.path, []byte(c.content), c.start); d.Code != c.want {
			t.Errorf("%s: %s %s %s; want %s", name, d.Outcome, d.Code, d.Message, c.want)
		}
	}
}

// TestValidateTellsOfARequestWhosePolicyIsBroken: asked about the request alone, the answer is
// still no.
func TestValidateTellsOfARequestWhosePolicyIsBroken(t *testing.T) {
	dir := t.TempDir()
	for _, part := range []string{"base/tree", "base/head"} {
		files, err := fs.Sub(cases.Files, part)
		if err == nil {
			err = os.CopyFS(dir, files)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(want int) {
		t.Helper()
		findings, files, err := policies.Validate(os.DirFS(dir), "", policies.InTurn, cases.Path)
		if err != nil || files != 1 || len(findings) != want {
			t.Errorf("%d findings %v in %d files, error %v; want %d in 1", len(findings), findings,
				files, err, want)
		}
	}
	check(0)
	policy := filepath.Join(dir, "policies", "payments-debug.yaml")
	data, err := os.ReadFile(policy)
	if err == nil {
		err = os.WriteFile(policy, []byte(strings.Replace(string(data), "count: 1", "count: 0", 1)),
			0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	check(1)
}

// TestOutcomesAreWords: every outcome has one word, which is read back, and no other is.
func TestOutcomesAreWords(t *testing.T) {
	for _, outcome := range []policies.Outcome{policies.Denied, policies.Pending, policies.Allowed,
		policies.Failed} {
		text, err := outcome.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		read := policies.Outcome(-1)
		if err := read.UnmarshalText(text); err != nil || read != outcome {
			t.Errorf("%s is read as %d, %v", text, read, err)
		}
	}
	for _, text := range []string{"", "Allowed", "allow"} {
		if err := new(policies.Outcome).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is an outcome", text)
		}
	}
}

// TestBackstopIsOptionalWhereThePolicySaysSo: without that word a grant without a backstop is none.
func TestBackstopIsOptionalWhereThePolicySaysSo(t *testing.T) {
	c := scenarios(t)["request/allow_approved_by_code_owner"]
	for line, want := range map[string]bool{"": false, "    backstop: required\n": false,
		"    backstop: optional\n": true} {
		f := cases.Copy(t, c.Facts)
		path := policies.Path("payments-debug")
		file := f.Base.Files[path]
		file.Content = strings.Replace(file.Content, "  target:\n", "  target:\n"+line, 1)
		f.Base.Files[path] = file
		d := c.Judge(f)
		if d.Outcome != policies.Allowed || d.Grant.BackstopOptional != want {
			t.Errorf("%q: %s %s, grant %+v", line, d.Outcome, d.Message, d.Grant)
		}
	}
}
