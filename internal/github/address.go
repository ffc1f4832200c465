package github

import (
	"fmt"
	"strings"
)

// PullURL is the page of a pull request of the repository. github.com and each tenant of ghe.com
// serve pages beside the host of their API, GitHub Enterprise Server on the same host.
func (c *Client) PullURL(number int) string {
	base := c.api.BaseURL
	return fmt.Sprintf("%s://%s/%s/%s/pull/%d", base.Scheme, strings.TrimPrefix(base.Host, "api."),
		c.owner, c.repo, number)
}
