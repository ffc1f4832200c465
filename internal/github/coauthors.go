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

// author is one of those whom GitHub shows as a commit's: the one of the commit, and those of its
// Co-authored-by trailers.
type author struct {
	email string
	user  policies.User
}

// authored is a commit with its authors as GraphQL has them.
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
	told, err := once(ctx, authoredOf(p.Number), func() (map[string][]author, error) {
		return c.authored(ctx, p.Number)
	})
	if err != nil {
		return err
	}
	for i, commit := range f.Commits {
		users := map[string]policies.User{}
		for _, author := range told[commit.SHA] {
			for _, address := range commit.Unattributed() {
				if strings.EqualFold(address, author.email) {
					users[address] = author.user
				}
			}
		}
		if len(users) > 0 {
			f.Commits[i].CoAuthorUsers = users
		}
	}
	return nil
}

// authored reads the authors of a pull request's commits, as far as GitHub knows accounts of theirs,
// by the names of the commits.
func (c *Client) authored(ctx context.Context, number int) (map[string][]author, error) {
	all := map[string][]author{}
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
			all[node.Commit.OID] = []author{}
			for _, a := range node.Commit.Authors.Nodes {
				if a.User == nil {
					continue
				}
				if a.User.ID == 0 || a.User.Login == "" {
					return nil, c.incomplete("the authors of commit %s", node.Commit.OID)
				}
				all[node.Commit.OID] = append(all[node.Commit.OID], author{a.Email,
					policies.User{Login: a.User.Login, ID: a.User.ID, Type: "User"}})
			}
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
