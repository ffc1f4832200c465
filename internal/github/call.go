package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-github/v60/github"
)

// call makes a call that go-github has no method for.
func (c *Client) call(
	ctx context.Context, method, url string, in, out any,
) (*github.Response, error) {
	request, err := c.api.NewRequest(method, url, in)
	if err != nil {
		return nil, err
	}
	return c.api.Do(ctx, request, out)
}

// ask sends a question to GraphQL past go-github's own accounts, which take the points of GitHub
// Enterprise for calls of REST.
func (c *Client) ask(ctx context.Context, text string, variables map[string]any, out any) error {
	request, err := c.api.NewRequest(http.MethodPost, c.wire.graphQL,
		map[string]any{"query": text, "variables": variables})
	if err != nil {
		return err
	}
	response, err := c.api.Client().Do(request.WithContext(ctx))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := github.CheckResponse(response); err != nil {
		return err
	}
	return json.NewDecoder(response.Body).Decode(out)
}

// query asks GraphQL, which refuses with an answer like any other.
func (c *Client) query(
	ctx context.Context, text string, variables map[string]any, data any,
) error {
	var answer struct {
		Data   any `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	answer.Data = data
	err := c.ask(ctx, text, variables, &answer)
	if err == nil && len(answer.Errors) > 0 {
		err = errors.New(answer.Errors[0].Message)
	}
	return err
}

// pages reads a list to its end, a hundred items at a time. A page that is as it was does not tell
// that it is the last; the one after it is asked for until there is nothing on it.
func pages[T any](read func(github.ListOptions) ([]T, *github.Response, error)) ([]T, error) {
	return pagesUntil(func([]T) bool { return false }, read)
}

// pagesUntil reads a list as far as the first page that is enough, which is never an empty one.
func pagesUntil[T any](enough func(page []T) bool,
	read func(github.ListOptions) ([]T, *github.Response, error)) ([]T, error) {
	all := []T{}
	options := github.ListOptions{PerPage: 100}
	for {
		items, response, err := read(options)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if len(items) > 0 && enough(items) {
			return all, nil
		}
		if response.Header.Get(unmodified) != "" && len(items) > 0 {
			response.NextPage = max(options.Page, 1) + 1
		}
		if response.NextPage == 0 {
			return all, checkLastPage(response)
		}
		if response.NextPage <= options.Page {
			return nil, errors.New("the list of pages runs in a circle")
		}
		options.Page = response.NextPage
	}
}

var nextPage = regexp.MustCompile(`(?i);\s*rel\s*=\s*"?\s*next\b`)

// checkLastPage guards against a Link header that names a next page in a form the client library
// passes over.
func checkLastPage(response *github.Response) error {
	if nextPage.MatchString(strings.Join(response.Header["Link"], ",")) {
		return errors.New("the answer names a next page in an unknown way")
	}
	return nil
}
