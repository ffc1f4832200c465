package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
)

// Asking is an open pull request that adds a file.
type Asking struct {
	Number int
	URL    string
	Path   string
	File   policies.TreeFile
}

// OnBranch is what a branch asks for at a path; nil where there is no such branch. Without a file
// there the File is the zero one, and without an open pull request, or with one that GitHub does
// not list yet, the URL is empty.
func (c *Client) OnBranch(ctx context.Context, branch, path string) (*Asking, error) {
	head, err := c.readRef(ctx, branch)
	if is(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	asking := Asking{Path: path}
	found, ok, err := c.entry(ctx, head, path)
	if err == nil && ok {
		asking.File, err = c.file(ctx, found)
	}
	if err == nil {
		asking.URL, err = c.openFor(ctx, branch)
	}
	if err != nil {
		return nil, err
	}
	return &asking, nil
}

// AskedBy lists the open pull requests of a person that add a file at a wanted path, with the first
// such file, oldest first. It asks GitHub once for each that the person has open, and more for those
// that are listed.
func (c *Client) AskedBy(ctx context.Context, login string,
	wanted func(path string) bool) (all []Asking, err error) {
	open, err := c.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		if !strings.EqualFold(p.Author.Login, login) {
			continue
		}
		asking := Asking{Number: p.Number}
		if err := c.readAsking(ctx, p, wanted, &asking); err != nil {
			return nil, fmt.Errorf("read %s/%s#%d: %w", c.owner, c.repo, p.Number, err)
		}
		if asking.Path != "" {
			all = append(all, asking)
		}
	}
	return all, nil
}

func (c *Client) readAsking(ctx context.Context, p OpenPull, wanted func(path string) bool,
	asking *Asking) error {
	files, err := c.filesOf(ctx, p.Number)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Status != "added" || !wanted(f.Path) {
			continue
		}
		tree, err := c.files(ctx, p.HeadSHA, []string{f.Path})
		if err != nil {
			return err
		}
		pull, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, p.Number)
		if err != nil {
			return c.explain(err, "Pull requests: read", "read its address")
		}
		asking.Path, asking.File, asking.URL = f.Path, tree.Files[f.Path], pull.GetHTMLURL()
		return nil
	}
	return nil
}
