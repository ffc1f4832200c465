package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-github/v60/github"
)

// explain turns an error of a call into one sentence: what was being done, what happened and what
// to do next. permission is what the token needs for it.
func (c *Client) explain(err error, permission, format string, args ...any) error {
	doing := fmt.Sprintf(format, args...)
	if advice := advise(err, permission); advice != "" {
		return fmt.Errorf("%s: %w; %s", doing, err, advice)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// incomplete is the error for an answer that lacks what GitHub always sends.
func (c *Client) incomplete(format string, args ...any) error {
	return fmt.Errorf("read %s: the answer lacks a field that GitHub always sends; check "+
		"GITHUB_API_URL (%s) and try again",
		fmt.Sprintf(format, args...), c.api.BaseURL)
}

func advise(err error, permission string) string {
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	var refused *github.ErrorResponse
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &limit):
		return resets(limit.Rate.Reset.Time)
	case errors.As(err, &abuse):
		if abuse.RetryAfter == nil {
			return "GitHub asks to be called less often; try again in a minute"
		}
		return fmt.Sprintf("GitHub asks to be called less often; try again in %s",
			*abuse.RetryAfter)
	case !errors.As(err, &refused) || refused.Response == nil:
		return "check the network and GITHUB_API_URL, then try again"
	}
	header := refused.Response.Header
	switch status := refused.Response.StatusCode; {
	case header.Get("X-RateLimit-Remaining") == "0" && (status == http.StatusForbidden ||
		status == http.StatusTooManyRequests):
		seconds, _ := strconv.ParseInt(header.Get("X-RateLimit-Reset"), 10, 64)
		return resets(time.Unix(seconds, 0))
	case status == http.StatusTooManyRequests || header.Get("Retry-After") != "":
		return "GitHub asks to be called less often; try again in a minute"
	case status == http.StatusUnauthorized:
		return "the token is wrong or has expired; get a new one"
	case status == http.StatusForbidden || status == http.StatusNotFound:
		return "it may not exist, or the token or GitHub App lacks a permission: " + permission
	case status >= 300 && status < 400:
		return "the repository has moved, or the token's user is no member of the organization"
	case status >= 500:
		return "GitHub is in trouble (https://www.githubstatus.com); try again"
	}
	return ""
}

func resets(at time.Time) string {
	return "GitHub's rate limit is used up; it resets at " + at.UTC().Format(time.RFC3339)
}

// is tells whether GitHub answered with this status.
func is(err error, status int) bool {
	var refused *github.ErrorResponse
	return errors.As(err, &refused) && refused.Response != nil &&
		refused.Response.StatusCode == status
}
