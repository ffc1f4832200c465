package github

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Proposal is a pull request to open, on a new branch of the repository.
type Proposal struct {
	Branch        string            // without refs/heads/
	Apart         bool              // Branch gets the commit's name at its end, so that none is in the way
	Files         map[string][]byte // by path: the file added or replaced; nil removes the file
	Message       string            // of the commit
	Title, Body   string            // of the pull request
	Reviewers     []string
	TeamReviewers []string // slugs, without the organization
	// besides them: that one of these cannot be asked keeps none of those above from it
	Suggested, SuggestedTeams []string
	AutoMerge                 bool
}

// Proposed is an open pull request.
type Proposed struct {
	Number  int
	URL     string
	HeadSHA string
	Notes   []string // what could not be done and what to do instead; the pull request is open all the same
}

// cleanupTimeout bounds the removal of a half-made proposal after the caller has given up.
const cleanupTimeout = 15 * time.Second

// Propose opens a pull request from the tip of the default branch as the token's user: the commit
// is made through the Git Data API without an author, so GitHub fills in the account's. Nothing is
// left half-written: when the pull request cannot be opened, its branch is removed again.
func (c *Client) Propose(ctx context.Context, p Proposal) (Proposed, error) {
	repository, settings, err := c.settings(ctx)
	if err != nil {
		return Proposed{}, err
	}
	if !p.Apart {
		if err := c.checkBranch(ctx, p.Branch); err != nil {
			return Proposed{}, err
		}
	}
	head, err := c.propose(ctx, repository, p)
	if err != nil {
		return Proposed{}, err
	}
	if p.Apart {
		p.Branch += "-" + head[:12]
		if err := c.checkBranch(ctx, p.Branch); err != nil {
			return Proposed{}, err
		}
	}
	if _, _, err := c.api.Git.CreateRef(ctx, c.owner, c.repo, &github.Reference{
		Ref: github.String("refs/heads/" + p.Branch), Object: &github.GitObject{SHA: github.String(
			head)}}); err != nil {
		return Proposed{}, errors.Join(c.explain(err, "Contents: write", "make the branch %s",
			p.Branch), c.removeBranch(ctx, p.Branch, head))
	}
	pull, err := c.openPull(ctx, repository.DefaultBranch, p)
	if err != nil {
		return Proposed{}, errors.Join(err, c.removeBranch(ctx, p.Branch, head))
	}
	proposed := Proposed{Number: pull.GetNumber(), URL: pull.GetHTMLURL(), HeadSHA: head}
	proposed.Notes = slices.Concat(c.askReviewers(ctx, pull, p.Reviewers, p.TeamReviewers),
		c.askReviewers(ctx, pull, p.Suggested, p.SuggestedTeams), c.enableAutoMerge(ctx, p,
			pull, settings))
	return proposed, nil
}

// checkBranch refuses a branch that is there already, naming the pull request it belongs to.
func (c *Client) checkBranch(ctx context.Context, branch string) error {
	_, _, err := c.api.Git.GetRef(ctx, c.owner, c.repo, "refs/heads/"+branch)
	if is(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return c.explain(err, "Contents: read", "look for the branch %s", branch)
	}
	url, err := c.openFor(ctx, branch)
	if err != nil {
		return err
	}
	if url != "" {
		return fmt.Errorf("the branch %s is there already, with the open pull request %s; use "+
			"that one or choose another name", branch, url)
	}
	// deleting the branch would close what is open after all
	return fmt.Errorf("the branch %s is there already, and GitHub lists no open pull request of it "+
		"yet, which may be seconds behind; look again in a minute, with `pullgrant list` or on "+
		"GitHub, and delete the branch only when there is none, or choose another name", branch)
}

// openFor is the address of the open pull request of a branch, empty where GitHub lists none.
func (c *Client) openFor(ctx context.Context, branch string) (url string, err error) {
	open, _, err := c.api.PullRequests.List(ctx, c.owner, c.repo,
		&github.PullRequestListOptions{State: "open", Head: c.owner + ":" + branch,
			ListOptions: github.ListOptions{PerPage: 1}})
	switch {
	case err != nil:
		return "", c.explain(err, "Pull requests: read", "look for pull requests of the branch %s",
			branch)
	case len(open) == 0:
		return "", nil
	}
	return open[0].GetHTMLURL(), nil
}

// propose makes the commit, which no branch holds yet, and returns its name.
func (c *Client) propose(ctx context.Context, repository policies.Repository, p Proposal) (string,
	error) {
	tip, err := c.tip(ctx, repository.DefaultBranch)
	if err != nil {
		return "", err
	}
	base, err := c.commit(ctx, tip)
	if err != nil {
		return "", err
	}
	var changes []*github.TreeEntry
	paths := slices.Sorted(maps.Keys(p.Files))
	for _, path := range paths {
		// no SHA: remove
		change := &github.TreeEntry{Path: &path, Mode: github.String(policies.PlainFile),
			Type: github.String("blob")}
		if p.Files[path] != nil {
			if change.SHA, err = c.store(ctx, path, p.Files[path]); err != nil {
				return "", err
			}
		}
		changes = append(changes, change)
	}
	tree, _, err := c.api.Git.CreateTree(ctx, c.owner, c.repo, base.tree, changes)
	if err != nil {
		return "", c.explain(err, "Contents: write", "make the tree with %s",
			requests.Quote(strings.Join(paths, " ")))
	}
	if tree.GetSHA() == base.tree {
		return "", fmt.Errorf("%s is the same on %s already; there is nothing to propose",
			requests.Quote(strings.Join(paths, " ")), repository.DefaultBranch)
	}
	made, _, err := c.api.Git.CreateCommit(ctx, c.owner, c.repo, &github.Commit{Message: &p.Message,
		Tree:    tree,
		Parents: []*github.Commit{{SHA: &tip}}}, nil)
	if err != nil {
		return "", c.explain(err, "Contents: write", "make the commit")
	}
	if !isName(made.GetSHA()) {
		return "", c.incomplete("the new commit")
	}
	return made.GetSHA(), nil
}

// store makes a blob and returns its name, which must be the one git gives the content.
func (c *Client) store(ctx context.Context, path string, content []byte) (*string, error) {
	blob, _, err := c.api.Git.CreateBlob(ctx, c.owner, c.repo, &github.Blob{
		Encoding: github.String("base64"),
		Content:  github.String(base64.StdEncoding.EncodeToString(content))})
	if err != nil {
		return nil, c.explain(err, "Contents: write", "store the file %s", requests.Quote(path))
	}
	if blob.GetSHA() != blobName(content) {
		return nil, c.incomplete("the stored file %s", requests.Quote(path))
	}
	return blob.SHA, nil
}

func (c *Client) openPull(ctx context.Context, base string, p Proposal) (*github.PullRequest,
	error) {
	pull, _, err := c.api.PullRequests.Create(ctx, c.owner, c.repo,
		&github.NewPullRequest{Title: &p.Title, Body: &p.Body, Head: &p.Branch, Base: &base})
	if err != nil {
		return nil, c.explain(err, "Pull requests: write",
			"open the pull request for the branch %s",
			p.Branch)
	}
	if pull.GetNumber() == 0 || pull.GetHTMLURL() == "" || pull.GetNodeID() == "" {
		return nil, c.incomplete("the new pull request")
	}
	return pull, nil
}

// removeBranch takes a half-made proposal back, also when the caller has been cancelled. Only a
// branch with the proposal's own commit is: another one is somebody else's. There may be none, or
// one whose making got no answer.
func (c *Client) removeBranch(ctx context.Context, branch, head string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	ref, _, err := c.api.Git.GetRef(ctx, c.owner, c.repo, "refs/heads/"+branch)
	if is(err, http.StatusNotFound) || err == nil && ref.GetObject().GetSHA() != head {
		return nil
	}
	if err == nil {
		_, err = c.api.Git.DeleteRef(ctx, c.owner, c.repo, "refs/heads/"+branch)
	}
	if err != nil {
		return c.explain(err, "Contents: write", "remove the branch %s again (delete it by hand)",
			branch)
	}
	return nil
}

// askReviewers asks for reviews; GitHub refuses to ask the author.
func (c *Client) askReviewers(ctx context.Context, pull *github.PullRequest, people,
	teams []string) []string {
	people = slices.DeleteFunc(slices.Clone(people), func(login string) bool {
		return strings.EqualFold(login, pull.GetUser().GetLogin())
	})
	if len(people)+len(teams) == 0 {
		return nil
	}
	_, _, err := c.api.PullRequests.RequestReviewers(ctx, c.owner, c.repo, pull.GetNumber(),
		github.ReviewersRequest{Reviewers: people, TeamReviewers: teams})
	if err != nil {
		return []string{fmt.Sprintf("no reviewer could be asked (%v); ask one of %s yourself", err,
			strings.Join(slices.Concat(people, teams), ", "))}
	}
	return nil
}

const autoMergeMutation = `mutation($pull: ID!, $method: PullRequestMergeMethod!) {
  enablePullRequestAutoMerge(input: {pullRequestId: $pull, mergeMethod: $method}) { pullRequest { id } }
}`

// enableAutoMerge turns on auto-merge, which only GraphQL can. A refusal is a note: somebody then
// merges by hand.
func (c *Client) enableAutoMerge(ctx context.Context, p Proposal, pull *github.PullRequest,
	settings *github.Repository) []string {
	if !p.AutoMerge {
		return nil
	}
	method := "MERGE"
	if settings.AllowMergeCommit != nil && !settings.GetAllowMergeCommit() {
		method = "SQUASH"
	}
	err := c.query(ctx, autoMergeMutation, map[string]any{"pull": pull.GetNodeID(),
		"method": method}, nil)
	if err != nil {
		return []string{fmt.Sprintf("auto-merge is off (%v); merge the pull request by hand "+
			"once its checks are green, or allow auto-merge in the repository's settings", err)}
	}
	return nil
}
