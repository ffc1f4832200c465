package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// remote is the access repository on GitHub.
type remote struct {
	checkout checkout
	repo     repoName // empty for the one the environment or the checkout names
}

// repoName is OWNER/NAME.
type repoName string

func (n *repoName) String() string { return string(*n) }
func (n *repoName) Type() string   { return "OWNER/NAME" }
func (n *repoName) Set(s string) error {
	if owner, name, _ := strings.Cut(s, "/"); owner == "" || name == "" ||
		strings.Contains(name, "/") {
		return errors.New("it must be OWNER/NAME, such as acme/access")
	}
	*n = repoName(s)
	return nil
}

func (r *remote) flags(cmd *cobra.Command) {
	cmd.Flags().Var(&r.repo, "repo",
		"access repository (default: $GITHUB_REPOSITORY, else the origin of the checkout)")
	r.checkout.flag(cmd)
}

// client speaks to the repository as whoever the token belongs to.
func (r remote) client(ctx context.Context, w world) (*github.Client, string, error) {
	return r.timed(ctx, w, 0)
}

// timed is client of which the clock of GitHub can be asked, and that knows the number of the
// Action's App; 0: nobody pinned it.
func (r remote) timed(ctx context.Context, w world, checkApp int64) (*github.Client, string, error) {
	apiURL := cmp.Or(w.env("GITHUB_API_URL"), github.DefaultAPIURL)
	host, err := webHost(apiURL)
	if err != nil {
		return nil, "", err
	}
	repo, err := r.name(ctx, w, host)
	if err != nil {
		return nil, "", err
	}
	token, err := token(ctx, w, host)
	if err != nil {
		return nil, "", err
	}
	owner, name, _ := strings.Cut(repo, "/")
	client, err := github.New(github.Config{APIURL: apiURL,
		GraphQLURL: w.env("GITHUB_GRAPHQL_URL"), Owner: owner, Repo: name,
		Clock: w.now, CheckApp: checkApp,
		Token: func(context.Context) (string, error) { return token, nil }})
	return client, repo, err
}

// tree reads the policies and the catalogue on the default branch.
func (r remote) tree(ctx context.Context, w world) (client *github.Client, tree policies.Tree,
	err error) {
	if client, _, err = r.client(ctx, w); err == nil {
		_, stop := w.awaiting("GitHub")
		defer stop()
		tree, err = client.Tree(ctx, "", policies.Wanted(policies.KindChange, ""))
	}
	return client, tree, err
}

// webHost is the host that serves git for an API: api.github.com and api.TENANT.ghe.com have a host
// of their own, GitHub Enterprise Server has one for both.
func webHost(apiURL string) (string, error) {
	u, err := url.Parse(apiURL)
	if err != nil || u.Host == "" {
		return "", errors.New("GITHUB_API_URL is not a URL; set it to something like " +
			github.DefaultAPIURL + ", or unset it")
	}
	return strings.TrimPrefix(u.Host, "api."), nil
}

// name finds OWNER/NAME: what the user says comes before what the environment and the checkout say.
func (r remote) name(ctx context.Context, w world, host string) (string, error) {
	switch {
	case r.repo != "":
		return string(r.repo), nil
	case r.checkout.dir == "" && w.env("GITHUB_REPOSITORY") != "":
		var named repoName
		if err := named.Set(w.env("GITHUB_REPOSITORY")); err != nil {
			return "", fmt.Errorf("GITHUB_REPOSITORY is %s: %w", requests.Quote(w.env("GITHUB_REPOSITORY")), err)
		}
		return string(named), nil
	}
	const hint = "name the access repository with --repo OWNER/NAME"
	dir, err := r.checkout.folder()
	if err != nil && r.checkout.dir != "" {
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("find the access repository: no --repo, and no checkout here; %s",
			hint)
	}
	originHost, repo, err := originOf(ctx, dir)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("find the access repository: git, which knows the origin of %s, "+
			"is not installed; %s", dir, hint)
	case err != nil:
		return "", fmt.Errorf("find the access repository: %s has no git remote named origin; %s",
			dir, hint)
	case !strings.EqualFold(originHost, host):
		return "", fmt.Errorf("find the access repository: the origin of %s is no repository on %s; %s",
			dir, host, hint)
	}
	return repo, nil
}

// originOf is the host and the repository, as OWNER/NAME, of the remote that git names origin in a
// folder: both empty where that is in no form in which git writes GitHub's addresses.
func originOf(ctx context.Context, dir string) (host, repo string, err error) {
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "remote", "get-url", "origin").Output()
	if err != nil {
		return "", "", err
	}
	if host, repo, ok := parseOrigin(strings.TrimSpace(string(out))); ok {
		return host, repo, nil
	}
	return "", "", nil
}

var scpPattern = regexp.MustCompile(`^(?:[^@/]+@)?([^:/]+):([^/].*)$`)

// parseOrigin reads the forms in which git writes GitHub's addresses: a URL, or
// user@host:owner/name.
func parseOrigin(origin string) (host, repo string, ok bool) {
	path := ""
	if u, err := url.Parse(origin); err == nil && u.Host != "" {
		host, path = u.Host, u.Path
		if u.Scheme == "ssh" {
			host = u.Hostname()
		}
	} else if m := scpPattern.FindStringSubmatch(origin); m != nil {
		host, path = m[1], m[2]
	}
	repo = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	return host, repo, host != "" && strings.Count(repo, "/") == 1
}

// token comes from the environment or from gh, never from a flag: other users of a machine can read
// its command lines.
func token(ctx context.Context, w world, host string) (string, error) {
	if t := strings.TrimSpace(w.env("GITHUB_TOKEN")); t != "" {
		return t, nil
	}
	if out, err := exec.CommandContext(ctx, "gh", "auth", "token", "--hostname",
		host).Output(); err == nil {
		if t := strings.TrimSpace(string(out)); t != "" {
			return t, nil
		}
	}
	return "", errors.New("find a GitHub token: GITHUB_TOKEN is not set and gh has none; set " +
		"it, or run \"gh auth login\"")
}
