package github

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/go-github/v60/github"
)

// AgentMarker begins the agent's one comment on a pull request. GitHub shows nothing of it.
const AgentMarker = "<!-- pullgrant: access -->"

// Waiting begins the heading of what the agent says of a request that is merged and not granted
// yet. Its next two paragraphs say since when and why.
const Waiting = "Merged, not granted yet"

// Gone is the heading of what the agent says of a request that left the branch before it was judged.
const Gone = "Not granted: its file is off the branch"

// Scheduled begins the heading of what the agent says of a request that is approved and begins
// later.
const Scheduled = "Approved, access begins at"

// Headings of what the agent says of access that it gave; more follows some.
const (
	Granted = "Access until "
	Lasting = "Access should be over, and is not"
	Ended   = "Access ended: "
)

// AgentSaid is the heading of what the agent says on a pull request, empty when it says nothing:
// such as "Access until …". Of a request that waits it has since when and for what as well. Only a
// comment that was made by the App with the number app is the agent's: anybody can write one that
// looks like it, and a login can be taken over.
func (c *Client) AgentSaid(ctx context.Context, number int, app int64) (string, error) {
	type comment struct {
		Body string `json:"body"`
		App  struct {
			ID int64 `json:"id"`
		} `json:"performed_via_github_app"`
	}
	all, err := pages(func(o github.ListOptions) (page []comment, _ *github.Response, _ error) {
		response, err := c.call(ctx, http.MethodGet, fmt.Sprintf(
			"repos/%s/%s/issues/%d/comments?per_page=%d&page=%d", c.owner, c.repo,
			number, o.PerPage,
			max(o.Page, 1)), nil, &page)
		return page, response, err
	})
	if err != nil {
		return "", c.explain(err, "Pull requests: read", "list the comments on #%d", number)
	}
	for _, found := range all {
		rest, ok := strings.CutPrefix(found.Body, AgentMarker)
		if ok && app != 0 && found.App.ID == app {
			said := strings.Split(strings.TrimSpace(strings.ReplaceAll(rest, "\r", "")), "\n\n")
			heading, _, _ := strings.Cut(said[0], "\n")
			text := plain(strings.TrimLeft(heading, "# "))
			if strings.HasPrefix(text, Waiting) && len(said) > 1 {
				text += ". " + plain(strings.Join(said[1:min(len(said), 3)], " "))
			}
			return text, nil
		}
	}
	return "", nil
}

// plain is what GitHub shows of a line that the agent wrote.
func plain(text string) string {
	text = links.ReplaceAllString(tags.ReplaceAllString(text, ""), "$1")
	return strings.TrimSpace(html.UnescapeString(text))
}

var links = regexp.MustCompile(`\[(\w+)\]\(https://[^()\s]*\)`) // of Helped

var tags = regexp.MustCompile(`</?code>|<!--[^>]*-->`)
