package policies

import (
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// PolicyTest is tests/<name>.yaml of the access repository: requests and what must become of them
// under the policies.
type PolicyTest struct {
	APIVersion string            `yaml:"apiVersion" json:"apiVersion"`
	Kind       string            `yaml:"kind" json:"kind"`
	Metadata   requests.Metadata `yaml:"metadata" json:"metadata"`
	Spec       PolicyTestSpec    `yaml:"spec" json:"spec"`
}

// KindPolicyTest is the kind of a policy test, TestsFolder where they stand.
const (
	KindPolicyTest = "PolicyTest"
	TestsFolder    = "tests"
)

// PolicyTestSpec is the content of a PolicyTest: the world in short, and the cases in it.
type PolicyTestSpec struct {
	// that owns the repository; none: a user
	Organization string       `yaml:"organization,omitempty" json:"organization,omitempty"`
	Teams        []TestTeam   `yaml:"teams,omitempty" json:"teams,omitempty"`
	Permissions  []TestPerson `yaml:"permissions,omitempty" json:"permissions,omitempty"`
	Cases        []TestCase   `yaml:"cases" json:"cases"`
}

// TestTeam says who is in a GitHub team.
type TestTeam struct {
	Name    string   `yaml:"name" json:"name"` // org/team
	Members []string `yaml:"members" json:"members"`
}

// TestPerson says what a person may do in the access repository, when it is not to write.
type TestPerson struct {
	Login      string `yaml:"login" json:"login"`
	Permission string `yaml:"permission" json:"permission"` // admin, write, read or none
}

// TestCase is a request in a pull request with approvals, and the wanted outcome.
type TestCase struct {
	Name    string               `yaml:"name" json:"name"`
	Request requests.RequestSpec `yaml:"request" json:"request"`
	// default: the requester
	Author string `yaml:"author,omitempty" json:"author,omitempty"`
	// when it is judged; default: testTime
	At requests.Time `yaml:"at,omitempty" json:"at,omitzero"`
	// open, draft, merged or closed
	PullRequest string         `yaml:"pullRequest,omitempty" json:"pullRequest,omitempty"`
	Approvals   []TestApproval `yaml:"approvals,omitempty" json:"approvals,omitempty"`
	// of a request that breaks the glass: what nobody has answered for
	Owed []TestDebt `yaml:"owed,omitempty" json:"owed,omitempty"`
	// from the push of the request to the moment of judging
	Waited requests.Duration `yaml:"waited,omitempty" json:"waited,omitzero"`
	// other access under the policy on the cluster, for limits that count
	Others []TestAccess `yaml:"others,omitempty" json:"others,omitempty"`
	// how long ago the policy was certified; 0: just before the request
	Certified requests.Days `yaml:"certified,omitempty" json:"certified,omitzero"`
	// of whom challenges ask outside of GitHub; the first that fits holds
	Replies []TestReply `yaml:"replies,omitempty" json:"replies,omitempty"`
	Want    Wish        `yaml:"want" json:"want"`
}

// TestDebt is break-glass that nobody has answered for.
type TestDebt struct {
	Requester string `yaml:"requester" json:"requester"`
	Policy    string `yaml:"policy" json:"policy"`
}

// TestApproval is one review.
type TestApproval struct {
	By    string `yaml:"by" json:"by"`
	At    string `yaml:"at,omitempty" json:"at,omitempty"`       // head, or old: an earlier commit
	State string `yaml:"state,omitempty" json:"state,omitempty"` // as GitHub names it; default: APPROVED
	Says  string `yaml:"says,omitempty" json:"says,omitempty"`
}

// Wish is an outcome with its code.
type Wish struct {
	Decision string `yaml:"decision" json:"decision"`             // allowed, pending, denied or error
	Code     Code   `yaml:"code,omitempty" json:"code,omitempty"` // of the refusal
}

// String is the outcome as lines of output show it.
func (w Wish) String() string { return strings.TrimSpace(w.Decision + " " + string(w.Code)) }

// What the words of a PolicyTest may be; the first is the default.
var (
	testPullRequests = []string{"open", "draft", "merged", "closed"}
	testCommits      = []string{"head", "old"}
	testReviews      = []string{"APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"}
	testPermissions  = []string{"write", "admin", "read", "none"}
)

const maxTestSize = 256 << 10

const (
	// waitedShort is how long a request of a case has waited that does not say: within the shortest
	// of limits.
	waitedShort = requests.Duration(30 * time.Second)
	mostApart   = 28 // seconds from the push to the last of approvals, which come one second apart
)

// TestPath is where a policy test stands.
func TestPath(name string) string { return TestsFolder + "/" + name + ".yaml" }

// ParsePolicyTest reads one policy test strictly. Each request in it must be one that could stand
// under requests/.
func ParsePolicyTest(file string, data []byte) (PolicyTest, []requests.Finding) {
	test, d := readPolicyTest(file, data)
	return test, d.Findings
}

func readPolicyTest(file string, data []byte) (PolicyTest, *requests.Document) {
	test, d := requests.Decode[PolicyTest](file, data, maxTestSize)
	if len(d.Findings) > 0 {
		return test, d
	}
	d.Conform(TestFormat, test)
	if isUnder(file, TestsFolder) && file != TestPath(test.Metadata.Name) {
		d.Check("metadata.name", "path", test.Metadata.Name, "it must be the file's name "+
			"without .yaml")
	}
	for i, c := range test.Spec.Cases {
		checkCase(d, fmt.Sprintf("spec.cases[%d]", i), c)
	}
	requests.SortFindings(d.Findings)
	return test, d
}

func checkCase(d *requests.Document, at string, c TestCase) {
	d.CheckSpec(at+".request", c.Request)
	switch allowed := c.Want.Decision == Allowed.String(); {
	case allowed && c.Want.Code != "":
		d.Add(at+".want.code", "code", "what is allowed has no code; remove it")
	case !allowed:
		d.Require(at + ".want.code")
	}
}

// testTime is when a case is judged that does not say.
var testTime = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func (c TestCase) now() time.Time {
	if c.At.IsZero() {
		return testTime
	}
	return c.At.Time
}

// file is the request of a case where it would stand, and its text.
func (c TestCase) file() (name string, content []byte) {
	slug := "test"
	if c.Request.BreakGlass {
		slug = requests.BreakGlassSlug + slug
	}
	request := requests.AccessRequest{APIVersion: requests.APIVersion,
		Kind: requests.KindAccessRequest, Spec: c.Request,
		Metadata: requests.Metadata{Name: c.now().Format("20060102") + "-" +
			requests.NamePart(c.Request.Requester) + "-" + slug}}
	return requests.Path(c.Request.Cluster, c.Request.Policy, request.Metadata.Name),
		encode(request)
}

// TestResult is how one case went.
type TestResult struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Name    string `json:"name"`
	Want    Wish   `json:"want"`
	Got     Wish   `json:"got"`
	Message string `json:"message"` // of the decision
	Passed  bool   `json:"passed"`
}

// RunTests judges every case of the tree's tests/ under its policies. A file with findings has no
// results.
func (t Tree) RunTests() (results []TestResult, findings []requests.Finding) {
	for _, name := range slices.Sorted(maps.Keys(t.Files)) {
		if !isUnder(name, TestsFolder) {
			continue
		}
		if found := checkTest(name, t.Files[name]); len(found) > 0 {
			findings = append(findings, found...)
			continue
		}
		results = append(results, t.runTest(name, []byte(t.Files[name].Content))...)
	}
	return results, findings
}

func (t Tree) runTest(file string, data []byte) []TestResult {
	test, d := readPolicyTest(file, data)
	var results []TestResult
	for i, c := range test.Spec.Cases {
		decision := t.judgeCase(test.Spec, c)
		got := Wish{Decision: decision.Outcome.String(), Code: decision.Code}
		place := *d
		place.Findings = nil
		place.Add(fmt.Sprintf("spec.cases[%d]", i), "", "")
		results = append(results, TestResult{File: file, Line: place.Findings[0].Line,
			Column: place.Findings[0].Column,
			Name:   c.Name, Want: c.Want, Got: got, Message: decision.Message,
			Passed: got == c.Want})
	}
	return results
}

// judgeCase makes the facts that GitHub would tell of a case, and judges them as the Action does,
// or, once merged, as the agent does.
func (t Tree) judgeCase(spec PolicyTestSpec, c TestCase) Decision {
	if t.Commit == "" {
		t.Commit = testCommit("base")
	}
	w := t.world(AccessPolicy{})
	account := func(login string) User {
		identity, ok := w.identities.find(login)
		if !ok {
			identity.GitHubID = testID(login)
		}
		return User{Login: login, ID: identity.GitHubID, Type: "User"}
	}
	name, content := c.file()
	head, author := testCommit("head"), account(cmp.Or(c.Author, c.Request.Requester))
	created := c.now().Add(-time.Duration(cmp.Or(c.Waited, waitedShort)))
	f := Facts{
		ObservedAt: requests.At(c.now()),
		Repository: Repository{ID: 1, Owner: cmp.Or(spec.Organization, "owner"), Name: "access",
			Organization: spec.Organization != "", DefaultBranch: "main"},
		PullRequest: PullRequest{Number: 1, State: "open", Draft: c.PullRequest == "draft",
			CreatedAt: requests.At(created), Author: author,
			BaseRef: "main", BaseRepoID: 1, HeadRef: "request", HeadRepoID: 1, HeadSHA: head},
		Files:   []File{{Path: name, Status: "added"}},
		Commits: []Commit{{SHA: head, Author: author, Committer: author}},
		Pushes: []Push{{Actor: author, After: head, Time: requests.At(created),
			Reason: "branch_creation"}},
		Base: t,
		Head: Tree{Commit: head, Files: map[string]TreeFile{name: NewTreeFile(PlainFile,
			testCommit(string(content)), content, int64(len(content)))}},
		Users: map[string]UserFacts{},
	}
	if c.Request.BreakGlass {
		f.Owed = c.owed()
	}
	f.Changes = t.changes(name, c)
	people := []User{author}
	for i, a := range c.Approvals {
		by, commit := account(a.By), head
		if a.At == "old" {
			commit = testCommit("old")
		}
		f.Reviews = append(f.Reviews, Review{ID: int64(i + 1), User: by, State: cmp.Or(a.State,
			testReviews[0]), CommitID: commit,
			SubmittedAt: requests.At(created.Add(time.Duration(min(i+1, mostApart)) * time.Second)),
			Words:       &Words{Text: a.Says}})
		people = append(people, by)
	}
	for _, u := range people {
		f.Users[strings.ToLower(u.Login)] = spec.rights(u)
	}
	f.Counts = c.counts(w.identities)
	if problem := cmp.Or(spec.answer(t, &f), c.reply(&f)); problem != "" {
		return Refuse(EvaluationError, "%s", problem)
	}
	switch c.PullRequest {
	case "closed":
		f.PullRequest.State = "closed"
	case "merged":
		merged := requests.At(c.now().Add(-time.Second))
		blob := f.Head.Files[name].Blob
		f.PullRequest.State, f.PullRequest.Merged, f.PullRequest.MergedAt = "closed", true, &merged
		f.PullRequest.MergeCommitSHA = testCommit("merge")
		f.Merge = &Merge{Commit: testCommit("merge"), FirstParent: t, Blob: blob,
			Introduced: []int{1}}
		return EvaluateMerged(f, name, blob, c.now())
	}
	return Evaluate(t, f, c.now())
}

// owed is what nobody has answered for in a case, on the cluster of its request.
func (c TestCase) owed() *Owed {
	owed := Owed{Debts: []Owing{}}
	for i, o := range c.Owed {
		owed.Debts = append(owed.Debts, Owing{Cluster: c.Request.Cluster, Policy: o.Policy,
			Requester: o.Requester, Name: fmt.Sprintf("%s-%s-%sowed-%d", c.now().Format("20060102"),
				requests.NamePart(o.Requester), requests.BreakGlassSlug, i+1)})
	}
	return &owed
}

// rights are what the test says that somebody may do.
func (s PolicyTestSpec) rights(u User) UserFacts {
	permission := testPermissions[0]
	for _, p := range s.Permissions {
		if strings.EqualFold(p.Login, u.Login) {
			permission = p.Permission
		}
	}
	return UserFacts{ID: u.ID, Permission: permission,
		Member: s.Organization != "" && permission != "none"}
}

// answer answers every question from the test's teams, or says which of them it does not know.
func (s PolicyTestSpec) answer(t Tree, f *Facts) (problem string) {
	f.Answers = Answers{}
	for _, q := range Questions(t, *f) {
		i := slices.IndexFunc(s.Teams, func(team TestTeam) bool {
			return strings.EqualFold(team.Name, q.Team)
		})
		if i < 0 {
			return fmt.Sprintf("the test does not say who is in the team %s; add it to spec.teams",
				q.Team)
		}
		f.Answers[q] = has(s.Teams[i].Members, q.User)
	}
	return ""
}

// testCommit is a git object name that stands for what.
func testCommit(what string) string {
	sum := sha1.Sum([]byte(what))
	return hex.EncodeToString(sum[:])
}

// testID is the account number of somebody whom identities.yaml does not know: above all that
// GitHub has given.
func testID(login string) int64 {
	sum := sha1.Sum([]byte(strings.ToLower(login)))
	return 1<<40 + int64(binary.BigEndian.Uint32(sum[:]))
}

// checkTest is what Validate says of a file under tests/.
func checkTest(name string, file TreeFile) []requests.Finding {
	if problem := file.problem(); problem != "" {
		return []requests.Finding{{File: name, Line: 1, Column: 1, Rule: "file", Message: problem}}
	}
	if path.Dir(name) != TestsFolder || path.Ext(name) != ".yaml" {
		return []requests.Finding{{File: name, Line: 1, Column: 1, Rule: "path",
			Message: TestsFolder + "/ holds one <name>.yaml a policy test, nothing else"}}
	}
	_, findings := ParsePolicyTest(name, []byte(file.Content))
	return findings
}
