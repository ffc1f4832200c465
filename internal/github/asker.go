package github

import (
	"context"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
)

// Asker gathers what GitHub tells of the person behind the token who is about to ask for the
// request at path under tree: who they are, what they may do, and which of the teams that may ask
// they are in. A person may not be able to read everything that the Action can: what they could not
// is left out of the facts and told in notes.
func (c *Client) Asker(ctx context.Context, tree policies.Tree,
	path string) (f policies.Facts, notes []string, err error) {
	if f.Repository, err = c.repository(ctx); err != nil {
		return f, nil, err
	}
	login, id, err := c.User(ctx)
	if err != nil {
		return f, nil, err
	}
	f.PullRequest.Author = policies.User{Login: login, ID: id, Type: "User"}
	f.Files = []policies.File{{Path: path, Status: "added"}}
	f.Base = tree
	note := func(err error) bool {
		if err != nil {
			notes = append(notes, unchecked(err))
		}
		return err == nil
	}
	if user, err := c.userFacts(ctx, f.Repository, f.PullRequest.Author); note(err) {
		f.Users = map[string]policies.UserFacts{strings.ToLower(login): user}
	}
	for _, q := range policies.Questions(tree, f) {
		if !note(c.answer(ctx, &f, []policies.Question{q})) && ctx.Err() != nil {
			break
		}
	}
	note(c.readCodeownersErrors(ctx, &f, snapshot{}))
	return f, notes, ctx.Err()
}

func unchecked(err error) string { return "not checked before the pull request: " + err.Error() }

// Beside adds to what Asker gathered what the one who asks for file has already at now, and what
// that goes on from. What they have is told in a note when it cannot be read; without the other the
// request cannot be judged, which is an error.
func (c *Client) Beside(ctx context.Context, f *policies.Facts, file policies.TreeFile,
	now time.Time) (notes []string, err error) {
	f.Head.Files = map[string]policies.TreeFile{f.Files[0].Path: file}
	if err := c.readLive(ctx, f, now); err != nil {
		notes = append(notes, unchecked(err))
	}
	if err := c.readOwed(ctx, f); err != nil {
		return notes, err
	}
	return notes, c.readExtended(ctx, f, now, 0)
}
