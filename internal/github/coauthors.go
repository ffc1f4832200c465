package github

import (
	"context"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
)

const authorsQuery = `query($owner: String!, $repo: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $repo) { pullRequest(number: $number) {
    commits(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { commit { oid authors(first: 100) { nodes { email user { databaseId login } } } } }
    }
  } }
}`

// authored is a commit with the people that GitHub shows as its authors: the one of the commit, and
// those of its Co-authored-by trailers.
type authored struct {
	OID     string `json:"oid"`
	Authors struct {
		Nodes []struct {
			Email string `json:"email"`
			User  *struct {
				ID    int64  `json:"databaseId"`
				Login string `json:"login"`
			} `json:"user"` // nil when GitHub knows no account of theirs
		} `json:"nodes"`
	} `json:"authors"`
}

// readCoAuthors asks GitHub whose the addresses of co-authors are that do not say so themselves
// (R15). Only GraphQL tells; whoever it does not tell of stays unknown.
func (c *Client) readCoAuthors(ctx context.Context, f *policies.Facts, p snapshot) error {
	if !slices.ContainsFunc(f.Commits, func(c policies.Commit) bool {
		return len(c.Unattributed()) > 0
	}) {
		return nil
	}
	told, err := c.authored(ctx, p.Number)
	if err != nil {
		return err
	}
	for i, commit := range f.Commits {
		users := map[string]policies.User{}
		for _, author := range told[commit.SHA].Authors.Nodes {
			if author.User == nil {
				continue
			}
			if author.User.ID == 0 || author.User.Login == "" {
				return c.incomplete("the authors of commit %s", commit.SHA)
			}
			for _, address := range commit.Unattributed() {
				if strings.EqualFold(address, author.Email) {
					users[address] = policies.User{Login: author.User.Login, ID: author.User.ID,
						Type: "User"}
				}
			}
		}
		if len(users) > 0 {
			f.Commits[i].CoAuthorUsers = users
		}
	}
	return nil
}

// authored reads the commits of a pull request with their authors, by name.
func (c *Client) authored(ctx context.Context, number int) (map[string]authored, error) {
	all := map[string]authored{}
	variables := map[string]any{"owner": c.owner, "repo": c.repo, "number": number}
	for {
		var answer struct {
			Repository *struct {
				PullRequest *struct {
					Commits struct {
						PageInfo struct {
							HasNextPage bool   `json:"hasNextPage"`
							EndCursor   string `json:"endCursor"`
						} `json:"pageInfo"`
						Nodes []struct {
							Commit authored `json:"commit"`
						} `json:"nodes"`
					} `json:"commits"`
				} `json:"pullRequest"`
			} `json:"repository"`
		}
		err := c.query(reading(ctx), authorsQuery, variables, &answer)
		if err != nil {
			return nil, c.explain(err, "Contents: read", "ask for the authors of the commits")
		}
		if answer.Repository == nil || answer.Repository.PullRequest == nil {
			return nil, c.incomplete("the authors of the commits")
		}
		commits := answer.Repository.PullRequest.Commits
		before := len(all)
		for _, node := range commits.Nodes {
			if !isName(node.Commit.OID) {
				return nil, c.incomplete("the authors of the commits")
			}
			all[node.Commit.OID] = node.Commit
		}
		if !commits.PageInfo.HasNextPage {
			return all, nil
		}
		if len(all) == before || commits.PageInfo.EndCursor == "" {
			return nil, c.incomplete("the authors of the commits")
		}
		variables["after"] = commits.PageInfo.EndCursor
	}
}
