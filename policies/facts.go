package policies

import (
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Facts is what GitHub said about one pull request, complete enough to be saved as JSON and judged
// again. Whoever gathers them returns an error rather than facts with a page, a team or a file
// missing (R1).
type Facts struct {
	ObservedAt  requests.Time `json:"observedAt"`
	Repository  Repository    `json:"repository"`
	PullRequest PullRequest   `json:"pullRequest"`
	Files       []File        `json:"files"`
	Commits     []Commit      `json:"commits"`
	Reviews     []Review      `json:"reviews"`
	Pushes      []Push        `json:"pushes"` // to the head branch
	// PushesFrom is the source of Pushes: FromActivity and so on. Facts of older agents do not name
	// it, nor do those of a fork, whose pushes nobody tells.
	PushesFrom string `json:"pushesFrom,omitempty"`
	// BaseChanges are the times at which the pull request was pointed at another base branch (R40).
	BaseChanges []requests.Time `json:"baseChanges,omitempty"`

	// Closed are the times at which it was closed without a merge, also when it was opened again since.
	Closed []requests.Time `json:"closed,omitempty"`

	// Opened is when it was last opened again, or marked as ready for review (R60).
	Opened requests.Time `json:"opened,omitzero"`

	// Changes tells, for every path of Reviewed, when it last changed before the merge, or before
	// now (R56).
	Changes []Change `json:"changes,omitempty"`

	// Stood tells how the files that decide stood on the default branch from the earliest approval
	// of the head on until now, newest first (R56). Facts of older agents do not.
	Stood []Stood `json:"stood,omitempty"`

	// Base is the tip of the default branch when the facts were gathered, not pull.base.sha, which
	// can be old (R27).
	Base Tree `json:"base"`
	// Head is the head commit's version of the files the pull request adds or changes.
	Head Tree `json:"head"`
	// Merge is where the pull request entered the default branch; nil unless it is merged.
	Merge *Merge `json:"merge,omitempty"`

	// CodeownersErrors is what GitHub says is wrong with CODEOWNERS on the base branch.
	CodeownersErrors []string `json:"codeownersErrors,omitempty"`
	// UsedNames are the paths on the base branch, under requests/ or revocations/, that carry the
	// name of the request; of a merged one without other requests that came later.
	UsedNames []string `json:"usedNames,omitempty"`
	// Live are the requester's other requests on the base branch in the cluster. They are shown,
	// and keep what is there already from being asked for once more.
	Live []Live `json:"live,omitempty"`
	// Extended is what a request goes on from; nil when it names nothing, or nothing that is on the
	// base branch.
	Extended *Extended `json:"extended,omitempty"`
	// Counts is what the limits of the request's policy count; nil when they count nothing.
	Counts *Counts `json:"counts,omitempty"`
	// Owed is what nobody has answered for, of a request that may break the glass: on the default
	// branch, or before its merge. nil where nobody asked.
	Owed *Owed `json:"owed,omitempty"`
	// Users holds the reviewers with an opinion and the author, as far as they are people. By login
	// in lower case.
	Users map[string]UserFacts `json:"users"`
	// Answers hold an answer to each of Questions, under the name of the first kind of question.
	Answers Answers `json:"teams,omitempty"`
	// Replies are what others than GitHub told of Inquiries, or that they told nothing.
	Replies Replies `json:"replies,omitempty"`
}

// Repository is the access repository.
type Repository struct {
	ID            int64  `json:"id"`
	Owner         string `json:"owner"`
	Name          string `json:"name"`
	Organization  bool   `json:"organization"` // the owner is an organization, so approvers must be members (R21)
	DefaultBranch string `json:"defaultBranch"`
}

// PullRequest is the part of GitHub's pull request that decides.
type PullRequest struct {
	Number         int            `json:"number"`
	State          string         `json:"state"` // open or closed
	Draft          bool           `json:"draft"`
	Merged         bool           `json:"merged"`
	CreatedAt      requests.Time  `json:"createdAt"`
	MergedAt       *requests.Time `json:"mergedAt,omitempty"`
	MergeCommitSHA string         `json:"mergeCommitSHA,omitempty"` // only when merged
	Author         User           `json:"author"`
	BaseRef        string         `json:"baseRef"` // a branch name without refs/heads/
	BaseRepoID     int64          `json:"baseRepoID"`
	HeadRef        string         `json:"headRef"`
	HeadRepoID     int64          `json:"headRepoID"` // 0 when the fork is gone
	HeadSHA        string         `json:"headSHA"`
}

// User is a GitHub account. The zero User is a deleted one ("ghost") or none at all, and never
// counts (R18).
type User struct {
	Login string `json:"login"`
	ID    int64  `json:"id"`
	Type  string `json:"type"` // User, Bot, Organization, Mannequin
}

// UserFacts is what one account may do now.
type UserFacts struct {
	ID         int64  `json:"id"`
	Permission string `json:"permission"` // admin, write, read or none (R19)
	Member     bool   `json:"member"`     // of the organization, active; false when the owner is a user
}

// File is one path a pull request changes, as GitHub lists it (R4).
type File struct {
	Path         string `json:"path"`
	PreviousPath string `json:"previousPath,omitempty"`
	Status       string `json:"status"` // added, removed, modified, renamed, copied, changed, unchanged
}

// Commit is one commit of a pull request. Author and Committer are the accounts GitHub ties it to,
// zero when none.
type Commit struct {
	SHA       string `json:"sha"`
	Author    User   `json:"author"`
	Committer User   `json:"committer"`
	// CoAuthors are the addresses of the Co-authored-by trailers.
	CoAuthors []string `json:"coAuthors,omitempty"`
	// CoAuthorUsers are the accounts that GitHub attributes CoAuthors to, by address; whoever it
	// does not tell of is not in it.
	CoAuthorUsers map[string]User `json:"coAuthorUsers,omitempty"`
	// Merges tells that it has several parents, as the button "Update branch" makes one.
	Merges bool `json:"merges,omitempty"`
}

// Unattributed are the addresses of co-authors that neither say an account themselves nor are
// attributed to one.
func (c Commit) Unattributed() []string {
	return slices.DeleteFunc(slices.Clone(c.CoAuthors), func(address string) bool {
		_, ok := c.coAuthor(address)
		return ok
	})
}

// coAuthor is the account behind a co-author's address.
func (c Commit) coAuthor(address string) (User, bool) {
	if account, ok := accountOf(address); ok {
		return account, true
	}
	account, ok := c.CoAuthorUsers[address]
	return account, ok && account.ID != 0
}

// Review is one submitted review.
type Review struct {
	ID          int64         `json:"id"`
	User        User          `json:"user"`
	State       string        `json:"state"`
	CommitID    string        `json:"commitID"`
	SubmittedAt requests.Time `json:"submittedAt"`
	// Words are nil where nobody asked for them (WordsWanted), or GitHub does not tell them.
	Words *Words `json:"words,omitempty"`
}

// Sources of who pushed (R16), in the order in which they are asked. Only the last is no word of
// GitHub's own.
const (
	FromActivity    = "activity"     // of the branch, by its name
	FromAllActivity = "all activity" // of the repository
	FromCheckRuns   = "check runs"   // what the Action's App recorded on each head
)

// Push is one movement of the head branch.
type Push struct {
	Actor  User          `json:"actor"`
	After  string        `json:"after"`
	Before string        `json:"before,omitempty"` // the head that it replaced, where that is told
	Time   requests.Time `json:"time"`
	Reason string        `json:"reason"` // push, force_push, branch_creation, ...
}

// Change is the last time a file of the default branch changed. Without a pull request, because it
// was pushed directly or never changed since the repository began, there is no time that GitHub
// vouches for.
type Change struct {
	Path        string         `json:"path"`
	PullRequest int            `json:"pullRequest,omitempty"`
	MergedAt    *requests.Time `json:"mergedAt,omitempty"`
}

// Stood is how the files that decide stood at one commit of the default branch's first-parent line,
// and at those before it up to the next older one.
type Stood struct {
	Tree
	// Since is a time at which the branch stood so already: of the merge that GitHub tells of, else
	// the commit's own.
	Since requests.Time `json:"since"`
	// Merged tells that the request was merged already.
	Merged bool `json:"merged,omitempty"`
	// First tells that the branch began with it.
	First bool `json:"first,omitempty"`
}

// Merge is how a pull request entered the default branch.
type Merge struct {
	Commit      string `json:"commit"`
	FirstParent Tree   `json:"firstParent"` // the policies in force just before
	// Blob is the git object name of the request file in the merge commit; empty when the commit
	// has no such file.
	Blob string `json:"blob"`
	// Introduced are the numbers of the merged pull requests that GitHub says introduced the commit
	// (R44).
	Introduced []int `json:"introduced"`
}

// Tree is a commit and those of its files that matter: for a request its policy, identities.yaml,
// groups.yaml, the rules, the rotas, CODEOWNERS and its cluster's role catalogue; for a change
// everything under policies/ and catalog/, and CODEOWNERS. A path that matters and is not in Files
// does not exist in the commit.
type Tree struct {
	Commit string              `json:"commit"`
	Files  map[string]TreeFile `json:"files"`
	// Owner of the repository, an organization or a user, where whoever reads the tree knows it
	// without facts.
	Owner string `json:"-"`
}

// TreeFile is one entry of a git tree with its content.
type TreeFile struct {
	Mode    string `json:"mode"` // 100644 for a plain file (R5)
	Blob    string `json:"blob"` // git object name
	Content string `json:"content,omitempty"`
	// Unreadable says why Content is empty although the file is not: not UTF-8, or too large to
	// matter.
	Unreadable string `json:"unreadable,omitempty"`
}

// pushes are the movements of the head branch that made the head what it is: none of them is the
// deletion of the branch, nor anything after the merge.
func (f Facts) pushes() []Push {
	return slices.DeleteFunc(slices.Clone(f.Pushes), func(p Push) bool {
		merged := f.PullRequest.MergedAt
		return p.Reason == "branch_deletion" || merged != nil && p.Time.After(merged.Time)
	})
}

// judgedAt is the moment a pull request is judged at: its merge, when there was one, for everything
// that must have held then.
func (f Facts) judgedAt(now time.Time) time.Time {
	if f.PullRequest.MergedAt != nil {
		return f.PullRequest.MergedAt.Time
	}
	return now
}
