package github

import (
	"context"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Asker gathers what GitHub tells of the person behind the token who is about to ask for the
// request at path under tree: who they are, what they may do, which of the teams that may ask they
// are in, and what they have already, at now. A person may not be able to read everything that the
// Action can: what they could not is left out of the facts and told in notes.
func (c *Client) Asker(ctx context.Context, tree policies.Tree,
	path string, file policies.TreeFile, now time.Time) (f policies.Facts, notes []string,
	err error) {
	f.ObservedAt = requests.At(now)
	if f.Repository, _, err = c.repository(ctx); err != nil {
		return f, nil, err
	}
	login, id, err := c.User(ctx)
	if err != nil {
		return f, nil, err
	}
	f.PullRequest.Author = policies.User{Login: login, ID: id, Type: "User"}
	f.Files = []policies.File{{Path: path, Status: "added"}}
	f.Base, f.Head.Files = tree, map[string]policies.TreeFile{path: file}
	note := func(err error) bool {
		if err != nil {
			notes = append(notes, "not checked before the pull request: "+err.Error())
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
	note(c.readLive(ctx, &f, now))
	if err := c.readExtended(ctx, &f, now, 0); err != nil {
		return f, nil, err
	}
	return f, notes, ctx.Err()
}
