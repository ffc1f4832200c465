package github

import (
	"context"
	"net/http"
	"sync"
)

// kept holds answers that will be asked for again. GitHub is then told which one is known, and an
// answer that has not changed since costs nothing of the rate limit
// (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate).
// When full it starts again empty. The zero value is ready.
type kept struct {
	mu      sync.Mutex
	answers map[string]keptAnswer // by address
}

type keptAnswer struct {
	etag string
	link []string // the Link header: how the pages go on
	body []byte
}

const maxKept = 16 // pages of lists; one of pull requests has up to 2 MB

type keep struct{}

// keeping marks calls whose answers are kept. They are complete either way: whoever calls does
// not see the difference.
func keeping(ctx context.Context) context.Context { return context.WithValue(ctx, keep{}, true) }

// ask tells GitHub which answer is known.
func (k *kept) ask(req *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.answers[req.URL.String()]; ok && req.Context().Value(keep{}) != nil {
		req.Header.Set("If-None-Match", known.etag)
	}
}

// recall makes the answer "not modified" the one that is known.
func (k *kept) recall(req *http.Request, response *http.Response, body []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.answers[req.URL.String()]
	if response.StatusCode != http.StatusNotModified || !ok ||
		req.Header.Get("If-None-Match") != known.etag {
		return body
	}
	response.StatusCode, response.Status = http.StatusOK, "200 OK"
	response.Header["Link"] = known.link
	return known.body
}

// take keeps a whole answer.
func (k *kept) take(req *http.Request, response *http.Response, body []byte) {
	etag := response.Header.Get("ETag")
	if response.StatusCode != http.StatusOK || etag == "" || req.Context().Value(keep{}) == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answers == nil || len(k.answers) >= maxKept {
		k.answers = map[string]keptAnswer{}
	}
	k.answers[req.URL.String()] = keptAnswer{etag, response.Header["Link"], body}
}
