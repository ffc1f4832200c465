package github

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
)

// kept holds answers that will be asked for again. GitHub is then told which one is known, and an
// answer that has not changed since costs nothing of the rate limit
// (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate).
// When full it takes no address that is new: a list is read from its first page to its last, so
// whatever a new page replaced would be the one that is asked for next. The zero value is ready.
type kept struct {
	mu      sync.Mutex
	answers map[string]keptAnswer // by address
	size    int                   // of the bodies, in bytes
}

type keptAnswer struct {
	etag string
	body []byte
}

const maxKept = 64 << 20 // bytes; a page of a hundred pull requests has up to 2 MB

// unmodified is set in the header of an answer that was known, to the ETag that it is known by.
// GitHub vouches for its body, and for nothing else that came with it: not for the Link header, which
// may have said that no page follows when there was none yet.
const unmodified = "Pullgrant-Unmodified"

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

// recall makes the answer "not modified" the one that is known, which was found to be whole when it
// was taken; false where it is no such answer.
func (k *kept) recall(req *http.Request, response *http.Response) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	known, ok := k.answers[req.URL.String()]
	if response.StatusCode != http.StatusNotModified || !ok ||
		req.Header.Get("If-None-Match") != known.etag {
		response.Header.Del(unmodified)
		return false
	}
	response.StatusCode, response.Status = http.StatusOK, "200 OK"
	response.Header.Del("Link")
	response.Header.Set(unmodified, known.etag)
	response.Body = io.NopCloser(bytes.NewReader(known.body))
	return true
}

// take keeps a whole answer.
func (k *kept) take(req *http.Request, response *http.Response, body []byte) {
	etag := response.Header.Get("ETag")
	if response.StatusCode != http.StatusOK || etag == "" || req.Context().Value(keep{}) == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	address := req.URL.String()
	size := k.size - len(k.answers[address].body) + len(body)
	if size > maxKept {
		return
	}
	if k.answers == nil {
		k.answers = map[string]keptAnswer{}
	}
	k.answers[address], k.size = keptAnswer{etag, body}, size
}
