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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	attempts    = 3                // of a call that may be repeated and got no answer, or trouble
	callTimeout = 30 * time.Second // of one attempt, body included
	longestWait = 30 * time.Second // that a Retry-After may ask for; a longer one is an error at once
	calmPauses  = 120              // pauses in a minute, as GitHub asks to wait when it names no time
	maxAnswer   = 32 << 20         // bytes of one answer; a blob of policies.MaxFileSize needs 4 MiB as base64
)

// transport sends calls to one host only, with the token, and gives back only whole answers.
type transport struct {
	base    *url.URL
	graphQL string
	token   func(context.Context) (string, error)
	next    http.RoundTripper
	pause   time.Duration    // before the second attempt; doubled for the third
	clock   func() time.Time // the own one; nil: nothing goes by it
	kept    kept
	under   chan struct{} // an element for each call under way

	mu       sync.Mutex
	told     time.Time       // by GitHub, with its last answer; zero: it gave none
	answered time.Time       // when that was, by the own clock
	calm     context.Context // ends when GitHub may be called again; nil: it may

	calls, points Budget
}

// newTransport has connections of its own: http.DefaultTransport's can be closed by anybody.
func newTransport(base *url.URL, token func(context.Context) (string, error)) *transport {
	next := http.DefaultTransport.(*http.Transport).Clone()
	next.MaxIdleConnsPerHost = maxTogether
	return &transport{base: base, token: token, next: next, pause: 500 * time.Millisecond,
		under: make(chan struct{}, maxTogether)}
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
	t.kept.ask(req, t.now())
	for attempt := 1; ; attempt++ {
		response, err := t.turn(req)
		wait, again := t.retry(response, err, attempt)
		if !again || !repeatable(req) || attempt == attempts || !fits(req.Context(), wait) {
			return response, err
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

type read struct{}

// reading marks calls of POST that change nothing.
func reading(ctx context.Context) context.Context { return context.WithValue(ctx, read{}, true) }

// repeatable tells whether doing a call twice is the same as doing it once. Nobody knows how far
// one came that got no answer.
func repeatable(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Context().Value(read{}) != nil
}

// errCalm says that GitHub asked to be left alone for a while that whoever asks does not have.
var errCalm = errors.New("GitHub refused an earlier call for a secondary rate limit")

// quiet waits until GitHub may be called again; an error comes at once when ctx ends by then.
func (t *transport) quiet(ctx context.Context) error {
	t.mu.Lock()
	calm := t.calm
	t.mu.Unlock()
	if calm == nil || calm.Err() != nil {
		return nil
	}
	until, _ := calm.Deadline()
	if most, ok := ctx.Deadline(); ok && !until.Before(most) {
		return errCalm
	}
	select {
	case <-calm.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fits tells whether there is time for a wait.
func fits(ctx context.Context, wait time.Duration) bool {
	most, bounded := ctx.Deadline()
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	until, _ := waiting.Deadline()
	return !bounded || until.Before(most)
}

var errBroken = errors.New("no whole answer came")

// turn makes the call once, when fewer are under way than may be and GitHub is not to be left alone,
// which it may have asked for while this one waited for the others.
func (t *transport) turn(req *http.Request) (*http.Response, error) {
	for {
		if err := t.quiet(req.Context()); err != nil {
			return nil, err
		}
		select {
		case t.under <- struct{}{}:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		if err := req.Context().Err(); err != nil { // and not by chance where both were so
			<-t.under
			return nil, err
		}
		if !t.resting() {
			defer func() { <-t.under }()
			return t.attempt(req)
		}
		<-t.under
	}
}

// resting tells whether GitHub asked to be left alone.
func (t *transport) resting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calm != nil && t.calm.Err() == nil
}

// attempt makes the call once and reads the whole answer. go-github takes an empty body for an
// empty list, so what is not JSON is refused here.
func (t *transport) attempt(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), callTimeout)
	defer cancel()
	response, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	defer response.Body.Close()
	t.date(response)
	t.spend(req, response)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && t.kept.recall(req, response) {
		return response, nil
	}
	switch success := response.StatusCode >= 200 && response.StatusCode < 300; {
	case err != nil:
		return nil, fmt.Errorf("%w: the answer broke off after %d bytes: %w", errBroken,
			len(body), err)
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
	t.kept.take(req, response, body, t.now())
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// retry tells whether another attempt may help and when. A refusal for calling too often that names
// no time has every call wait for a minute
// (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit).
func (t *transport) retry(response *http.Response, err error, attempt int) (wait time.Duration,
	again bool) {
	if err != nil {
		return t.pauseAfter(attempt), errors.Is(err, errBroken)
	}
	trouble := slices.Contains([]int{http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout}, response.StatusCode)
	limited := response.StatusCode == http.StatusTooManyRequests ||
		response.StatusCode == http.StatusForbidden
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil &&
		seconds >= 0 && (trouble || limited) {
		wait = time.Duration(seconds) * time.Second
		return wait, wait <= longestWait
	}
	if isSecondary(response) {
		wait = calmPauses * t.pause
		t.rest(wait)
		return wait, true
	}
	return t.pauseAfter(attempt), trouble
}

var secondaryLimit = regexp.MustCompile(`(?i)secondary rate limit|abuse detection`)

// isSecondary tells whether a refusal is for calling too often, as opposed to the limit an hour,
// which comes with a time of its own.
func isSecondary(response *http.Response) bool {
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		return response.Header.Get("X-RateLimit-Remaining") != "0"
	case response.StatusCode != http.StatusForbidden:
		return false
	}
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && secondaryLimit.Match(body)
}

// rest has no call made for a while.
func (t *transport) rest(wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	calm, cancel := context.WithTimeout(context.Background(), wait)
	t.calm = calm
	context.AfterFunc(calm, cancel)
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
