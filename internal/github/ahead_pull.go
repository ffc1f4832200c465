package github

import (
	"context"
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
)

const accountFragment = `fragment account on Actor {
  __typename login
  ... on User { databaseId } ... on Bot { databaseId } ... on Mannequin { databaseId }
}
`

const personFragment = `fragment person on GitActor { user { login databaseId } }`

const repositoryPart = `databaseId name owner { __typename login }
defaultBranchRef { name target { oid } }
`

const pullPart = repositoryPart + `pullRequest(number: %s) {
  number state isDraft merged createdAt updatedAt mergedAt mergeCommit { ...pulls }
  baseRefName baseRepository { databaseId } headRefName headRepository { databaseId } headRefOid
  changedFiles additions author { ...account }
  commits(first: 100) { totalCount nodes { commit {
    oid message parents { totalCount } author { ...person } committer { ...person }
    authors(first: 100) { totalCount nodes { email ...person } }
  } } }
  reviews(first: 100) { totalCount nodes {
    fullDatabaseId state submittedAt commit { oid } author { ...account }
  } }
  timelineItems(first: 100, itemTypes: [BASE_REF_CHANGED_EVENT, AUTOMATIC_BASE_CHANGE_SUCCEEDED_EVENT,
    CLOSED_EVENT, REOPENED_EVENT, READY_FOR_REVIEW_EVENT]) {
    filteredCount nodes {
      __typename ... on ClosedEvent { createdAt }
      ... on ReopenedEvent { createdAt } ... on ReadyForReviewEvent { createdAt }
      ... on BaseRefChangedEvent { createdAt } ... on AutomaticBaseChangeSucceededEvent { createdAt }
    }
  }
}`

// What a reading was told of the pull request that it is about.
func pullOf(number int) string        { return fmt.Sprintf("pull request %d", number) }
func commitsOf(number int) string     { return fmt.Sprintf("commits of %d", number) }
func authoredOf(number int) string    { return fmt.Sprintf("authors of %d", number) }
func reviewsOf(number int) string     { return fmt.Sprintf("reviews of %d", number) }
func baseChangesOf(number int) string { return fmt.Sprintf("base changes of %d", number) }
func tipOf(branch string) string      { return "tip of " + branch }

const theRepository = "repository"

// readPull asks at once for the repository, its tip and a pull request with what happened to it.
func (c *Client) readPull(ctx context.Context, number int) error {
	q := &query{}
	q.part(pullPart, q.variable("Int", number))
	told, ok, err := c.inRepository(ctx, q, pullsFragment+personFragment)
	if err != nil {
		return c.explain(err, "Pull requests: read", "read the pull request")
	}
	if !ok {
		return nil
	}
	forget(ctx, pullOf(number), commitsOf(number), authoredOf(number), reviewsOf(number),
		baseChangesOf(number)) // what was read of it before may not fit
	if p := told.field("pullRequest"); !p.null() {
		c.takePull(ctx, p, number)
		c.takeCommits(ctx, p, number)
		c.takeReviews(ctx, p, number)
		c.takeBaseChanges(ctx, p, number)
		if merge := p.field("mergeCommit"); !merge.null() {
			takePulls(ctx, merge)
		}
	}
	err = c.takeRepository(ctx, told)
	if wrong := *told.wrong; wrong != nil {
		err = fmt.Errorf("read the pull request: %w", wrong)
	}
	return err
}

func (c *Client) takeRepository(ctx context.Context, told node) error {
	branch := told.field("defaultBranchRef")
	if branch.null() || branch.field("target").null() || told.field("databaseId").null() {
		return nil
	}
	r := policies.Repository{ID: told.field("databaseId").number(),
		Owner: told.field("owner").field("login").text(), Name: told.field("name").text(),
		Organization:  told.field("owner").field("__typename").text() == "Organization",
		DefaultBranch: branch.field("name").text()}
	tip := branch.field("target").field("oid").name()
	if *told.wrong != nil {
		return nil
	}
	tell(ctx, theRepository, r)
	tell(ctx, tipOf(r.DefaultBranch), tip)
	return c.recognise(r.ID)
}

// accountIn converts who did something. ok is false of nobody, whom REST may name, and of an account
// without a number that fits here.
func accountIn(a node) (u policies.User, ok bool) {
	if a.null() {
		return policies.User{}, false
	}
	u = policies.User{Login: a.field("login").text(), Type: a.field("__typename").text()}
	object, _ := a.value.(map[string]any)
	if _, has := object["databaseId"]; !has && u.Type != "User" && u.Type != "Bot" &&
		u.Type != "Mannequin" || a.field("databaseId").null() {
		return policies.User{}, false
	}
	if u.ID = a.field("databaseId").number(); u.Type == "Bot" {
		u.Login += "[bot]" // which only REST writes
	}
	if u.ID == ghostID {
		u = policies.User{}
	}
	return u, true
}

func (c *Client) takePull(ctx context.Context, p node, number int) {
	author, ok := accountIn(p.field("author"))
	s := snapshot{PullRequest: policies.PullRequest{
		Number: int(p.field("number").number()), State: "closed", Draft: p.field("isDraft").flag(),
		Merged: p.field("merged").flag(), CreatedAt: p.field("createdAt").time(), Author: author,
		BaseRef: p.field("baseRefName").text(), HeadRef: p.field("headRefName").text(),
		HeadSHA: p.field("headRefOid").name(),
	}, updatedAt: p.field("updatedAt").time().Time,
		commits:   int(p.field("commits").field("totalCount").number()),
		files:     int(p.field("changedFiles").number()),
		additions: int(p.field("additions").number())}
	base, head := p.field("baseRepository"), p.field("headRepository")
	if base.null() || base.field("databaseId").null() ||
		!head.null() && head.field("databaseId").null() || s.Number != number ||
		s.files >= policies.MaxFiles || s.commits >= policies.MaxCommits {
		return
	}
	s.BaseRepoID = base.field("databaseId").number()
	if !head.null() {
		s.HeadRepoID = head.field("databaseId").number()
	}
	if p.field("state").text() == "OPEN" {
		s.State = "open"
	}
	if s.Merged {
		at, commit := p.field("mergedAt"), p.field("mergeCommit")
		if at.null() || commit.null() {
			return
		}
		merged := at.time()
		s.MergedAt, s.MergeCommitSHA = &merged, commit.field("oid").name()
	}
	if ok && *p.wrong == nil {
		tell(ctx, pullOf(number), s)
	}
}

// takeCommits keeps the commits when GitHub names an account for each author and committer: of
// others, a bot's above all, REST may name one.
func (c *Client) takeCommits(ctx context.Context, p node, number int) {
	nodes, whole := p.field("commits").whole()
	commits, authors := []policies.Commit{}, map[string][]author{}
	for _, node := range nodes {
		n := node.field("commit")
		made := policies.Commit{SHA: n.field("oid").name(),
			Merges: n.field("parents").field("totalCount").number() > 1}
		message, _ := n.field("message").value.(string)
		made.CoAuthors = coAuthors(message)
		for who, user := range map[string]*policies.User{"author": &made.Author,
			"committer": &made.Committer} {
			if p := n.field(who); p.null() || p.field("user").null() ||
				p.field("user").field("databaseId").null() {
				whole = false
			} else {
				u := p.field("user")
				*user = policies.User{Login: u.field("login").text(),
					ID: u.field("databaseId").number(), Type: "User"}
				whole = whole && user.ID != ghostID
			}
		}
		commits = append(commits, made)
		all, every := n.field("authors").whole()
		whole = whole && every
		by := []author{}
		for _, a := range all {
			if u := a.field("user"); !u.null() && !a.field("email").null() &&
				!u.field("databaseId").null() {
				by = append(by, author{a.field("email").text(), policies.User{
					Login: u.field("login").text(), ID: u.field("databaseId").number(), Type: "User"}})
			}
		}
		authors[made.SHA] = by
	}
	if whole && *p.wrong == nil {
		tell(ctx, commitsOf(number), commits)
		tell(ctx, authoredOf(number), authors)
	}
}

func (c *Client) takeReviews(ctx context.Context, p node, number int) {
	if p.field("reviews").null() {
		return
	}
	nodes, whole := p.field("reviews").whole()
	reviews := []policies.Review{}
	for _, r := range nodes {
		state := r.field("state").text()
		if state == "PENDING" {
			continue
		}
		by, ok := accountIn(r.field("author"))
		if !ok || r.field("commit").null() || r.field("submittedAt").null() ||
			r.field("fullDatabaseId").null() {
			return
		}
		reviews = append(reviews, policies.Review{ID: r.field("fullDatabaseId").number(), User: by,
			State: state, CommitID: r.field("commit").field("oid").name(),
			SubmittedAt: r.field("submittedAt").time()})
	}
	if whole && *p.wrong == nil {
		tell(ctx, reviewsOf(number), reviews)
	}
}

// eventNames are the names of REST, by those of GraphQL.
var eventNames = map[string]string{"BaseRefChangedEvent": "base_ref_changed",
	"AutomaticBaseChangeSucceededEvent": "automatic_base_change_succeeded", "ClosedEvent": "closed",
	"ReopenedEvent": "reopened", "ReadyForReviewEvent": "ready_for_review"}

func (c *Client) takeBaseChanges(ctx context.Context, p node, number int) {
	items := p.field("timelineItems")
	nodes, count := items.field("nodes").list(), items.field("filteredCount").number()
	var changes happened
	for _, n := range nodes {
		changes.add(eventNames[n.field("__typename").text()], n.field("createdAt").time())
	}
	if int64(len(nodes)) == count && *p.wrong == nil {
		tell(ctx, baseChangesOf(number), changes)
	}
}
