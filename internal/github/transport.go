package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	attempts    = 3                // of a GET that GitHub could not answer just now
	callTimeout = 30 * time.Second // of one attempt, body included
	longestWait = 30 * time.Second // that a Retry-After may ask for; a longer one is an error at once
	maxAnswer   = 32 << 20         // bytes of one answer; a blob of policies.MaxFileSize needs 4 MiB as base64
)

// transport sends calls to one host only, with the token, and gives back only whole answers.
type transport struct {
	base  *url.URL
	token func(context.Context) (string, error)
	next  http.RoundTripper
	pause time.Duration    // before the second attempt; doubled for the third
	clock func() time.Time // the own one; nil when nobody asks for the skew
	kept  kept

	mu    sync.Mutex
	dated bool          // GitHub told its time at least once
	ahead time.Duration // GitHub's clock, of the own one
}

func newTransport(base *url.URL, token func(context.Context) (string, error)) *transport {
	return &transport{base: base, token: token, next: http.DefaultTransport,
		pause: 500 * time.Millisecond}
}

// RoundTrip makes one call, tried again where that is safe and of use.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != t.base.Scheme || req.URL.Host != t.base.Host {
		return nil, fmt.Errorf("the call would leave %s", t.base.Host)
	}
	token, err := t.token(req.Context())
	if err != nil {
		return nil, fmt.Errorf("get a GitHub token: %w", err)
	}
	if token == "" {
		return nil, errors.New("the GitHub token is empty; set GITHUB_TOKEN")
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	t.kept.ask(req)
	for attempt := 1; ; attempt++ {
		response, err := t.attempt(req)
		if err != nil {
			return nil, err
		}
		wait, again := t.retry(response, attempt)
		if !again || req.Method != http.MethodGet || attempt == attempts {
			return response, nil
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// attempt makes the call once and reads the whole answer. go-github takes an empty body for an
// empty list, so what is not JSON is refused here.
func (t *transport) attempt(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), callTimeout)
	defer cancel()
	response, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	t.date(response)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	body = t.kept.recall(req, response, body)
	switch success := response.StatusCode >= 200 && response.StatusCode < 300; {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off after %d bytes: %w", len(body), err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case success && response.StatusCode != http.StatusNoContent && (!json.Valid(body) ||
		bytes.Equal(bytes.TrimSpace(body), []byte("null"))):
		return nil, fmt.Errorf("the answer's %d bytes are no complete JSON", len(body))
	}
	// what is in an answer may end in a log
	if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); ok {
		body = bytes.ReplaceAll(body, []byte(token), []byte("***"))
	}
	t.kept.take(req, response, body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// retry tells whether another attempt may help and when. A refusal for calling too often without
// a Retry-After asks for a minute or more: too long to hold up whoever waits.
func (t *transport) retry(response *http.Response, attempt int) (wait time.Duration, again bool) {
	trouble := slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout}, response.StatusCode)
	limited := response.StatusCode == http.StatusTooManyRequests ||
		response.StatusCode == http.StatusForbidden
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil &&
		seconds >= 0 && (trouble || limited) {
		wait = time.Duration(seconds) * time.Second
		return wait, wait <= longestWait
	}
	return t.pauseAfter(attempt), trouble
}

// pauseAfter is the pause after a try that was of no use, counted from 1: each is twice as long
// as the one before.
func (t *transport) pauseAfter(try int) time.Duration { return t.pause << (try - 1) }

// sleep waits, or returns the context's error as soon as that ends.
func sleep(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
