// Package github is the one place that speaks to GitHub's API: it gathers the facts a pull request
// is judged by, posts verdicts and opens pull requests. Facts are whole or there is an error: every
// page is read to its end, and an answer that is refused, cut short or lacks a field is never taken
// for "there is none" (R1).
package github

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Config says which repository to speak to, and as whom.
type Config struct {
	APIURL string // root of the REST API, as GITHUB_API_URL holds it; DefaultAPIURL when empty
	// GraphQLURL is where GraphQL is served, on the same host, as GITHUB_GRAPHQL_URL holds it; when
	// empty, where it is beside that API.
	GraphQLURL string
	Owner      string // organization or user
	Repo       string
	// Token gives the token for the next call. It is asked each time, because an App's tokens live
	// for an hour.
	Token     func(context.Context) (string, error)
	UserAgent string // "pullgrant" when empty
	// Clock is the own clock, which Skew compares with GitHub's; without it nothing is known of a
	// skew, and no answer that was kept makes room for another.
	Clock func() time.Time
	// CheckApp is the number of the Action's App; 0 when nobody pinned it. No other App's check run
	// is ever read.
	CheckApp int64
	// RepositoryID is the number of the repository; 0: that of the one which has the name first. A
	// name can be given to another repository, a number never is.
	RepositoryID int64
	// Transport makes the calls; nil: connections of the client's own.
	Transport http.RoundTripper
	// Together is how many calls are under way at most; 0: 8. Of those that wait, nobody says which
	// goes first: a simulation that is to be had again leaves none waiting.
	Together int
}

// DefaultAPIURL is the REST API of github.com.
const DefaultAPIURL = "https://api.github.com"

// Client speaks to GitHub about one repository. It may be used from several goroutines.
type Client struct {
	api      *github.Client
	owner    string
	repo     string
	wire     *transport
	objects  objects
	checkApp int64
	held     Held // nil: none are at hand
	byREST   bool // GraphQL is asked for nothing that REST tells

	mu   sync.Mutex
	id   int64 // of the repository; 0 while it is not known
	seen int64 // what GitHub gave last as its number
}

var repoPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// New makes a client. It calls nothing yet.
func New(cfg Config) (*Client, error) {
	if cfg.APIURL == "" {
		cfg.APIURL = DefaultAPIURL
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "pullgrant"
	}
	base, err := parseAPIURL(cfg.APIURL)
	if err != nil {
		return nil, err
	}
	graphQL, err := parseGraphQLURL(cfg.GraphQLURL, base)
	if err != nil {
		return nil, err
	}
	if problem := requests.CheckLogin(cfg.Owner); problem != "" {
		return nil, fmt.Errorf("the repository's owner is %s; %s", requests.Quote(cfg.Owner),
			problem)
	}
	if !repoPattern.MatchString(cfg.Repo) || strings.Trim(cfg.Repo, ".") == "" {
		return nil, fmt.Errorf("the repository's name is %s; give OWNER/NAME as in its address on GitHub",
			requests.Quote(cfg.Repo))
	}
	if cfg.Token == nil {
		return nil, errors.New("no GitHub token; set GITHUB_TOKEN")
	}
	wire := newTransport(base, cfg.Token)
	if cfg.Transport != nil {
		wire.next = cfg.Transport
	}
	if cfg.Together > 0 {
		wire.under = make(chan struct{}, cfg.Together)
	}
	wire.clock, wire.graphQL = cfg.Clock, graphQL
	api := github.NewClient(&http.Client{
		Transport: wire,
		// A redirect means that the repository was moved or that the asker is no member: neither is
		// an answer.
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	})
	api.BaseURL, api.UserAgent = base, cfg.UserAgent
	return &Client{api: api, owner: cfg.Owner, repo: cfg.Repo, wire: wire,
		checkApp: cfg.CheckApp, id: cfg.RepositoryID}, nil
}

// CheckApp is the number of the Action's App; 0 when nobody pinned it.
func (c *Client) CheckApp() int64 { return c.checkApp }

// parseAPIURL returns the API's root with the trailing slash go-github asks for.
func parseAPIURL(text string) (*url.URL, error) {
	base, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the address of GitHub's API is not a URL; set GITHUB_API_URL, " +
			"for example to " + DefaultAPIURL)
	}
	if base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address of GitHub's API must be scheme://host/path and " +
			"nothing else; set GITHUB_API_URL, for example to " + DefaultAPIURL)
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !isLoopback(base.Hostname())) {
		return nil, fmt.Errorf("the address of GitHub's API is %s; only https is allowed, "+
			"except on this machine", requests.Quote(text))
	}
	base.Path = strings.TrimRight(base.Path, "/") + "/"
	return base, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseGraphQLURL returns where GraphQL is served: as given, else beside the REST API, under /api on
// GitHub Enterprise Server, whose REST API is /api/v3. The token goes to no other host.
func parseGraphQLURL(text string, base *url.URL) (string, error) {
	u := *base
	u.Path = strings.TrimSuffix(u.Path, "v3/") + "graphql"
	if text == "" {
		return u.String(), nil
	}
	given, err := url.Parse(text)
	if err != nil || given.Scheme != base.Scheme || given.Host != base.Host || given.User != nil ||
		given.RawQuery != "" || given.Fragment != "" {
		return "", fmt.Errorf("the address of GitHub's GraphQL API is not one on %s; correct "+
			"GITHUB_GRAPHQL_URL, for example to %s, or GITHUB_API_URL", base.Host, &u)
	}
	return given.String(), nil
}

// repository reads the repository and pins it by its number: a name can be given to another
// repository.
func (c *Client) repository(ctx context.Context) (policies.Repository, error) {
	return once(ctx, theRepository, func() (policies.Repository, error) {
		repository, _, err := c.settings(ctx)
		return repository, err
	})
}

// settings reads the repository with everything that GitHub tells of it.
func (c *Client) settings(ctx context.Context) (policies.Repository, *github.Repository, error) {
	found, _, err := c.api.Repositories.Get(ctx, c.owner, c.repo)
	if err != nil {
		return policies.Repository{}, nil, c.explain(err, "Metadata: read",
			"read the repository %s/%s", c.owner, c.repo)
	}
	repository := policies.Repository{ID: found.GetID(), Owner: found.GetOwner().GetLogin(),
		Name:          found.GetName(),
		Organization:  found.GetOwner().GetType() == "Organization",
		DefaultBranch: found.GetDefaultBranch()}
	if repository.ID == 0 || repository.Owner == "" || repository.Name == "" ||
		repository.DefaultBranch == "" ||
		!repository.Organization && found.GetOwner().GetType() != "User" {
		return policies.Repository{}, nil, c.incomplete("the repository %s/%s", c.owner, c.repo)
	}
	if err := c.recognise(repository.ID); err != nil {
		return policies.Repository{}, nil, err
	}
	return repository, found, nil
}

// recognise holds the number that GitHub gave against the one that is pinned, or pins it.
func (c *Client) recognise(id int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = id
	if c.id == 0 {
		c.id = id
	}
	if c.id != id {
		return fmt.Errorf("%s/%s is the repository with number %d, and not the one with number %d; "+
			"find out who replaced it", c.owner, c.repo, id, c.id)
	}
	return nil
}

// ParseRepositoryID reads a repository's number as GitHub writes it: decimal, one or more.
func ParseRepositoryID(text string) (id int64, err error) {
	if id, err = strconv.ParseInt(text, 10, 64); err == nil && id <= 0 {
		err = strconv.ErrRange
	}
	return id, err
}

// Pin has the client take no repository but the one with that number for its own.
func (c *Client) Pin(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id = id
}

// RepositoryID is the number that the repository must have, and the one that GitHub gave last; 0
// while they are not known.
func (c *Client) RepositoryID() (pinned, seen int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id, c.seen
}

// User is the account behind the token.
func (c *Client) User(ctx context.Context) (login string, id int64, err error) {
	user, _, err := c.api.Users.Get(ctx, "")
	if err != nil {
		return "", 0, c.explain(err, "a user's token, not an App's",
			"read the account behind the token")
	}
	if user.GetLogin() == "" || user.GetID() == 0 {
		return "", 0, c.incomplete("the account behind the token")
	}
	return user.GetLogin(), user.GetID(), nil
}
