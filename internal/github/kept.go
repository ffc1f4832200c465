package github

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// kept holds answers that will be asked for again. GitHub is then told which one is known, and an
// answer that has not changed since costs nothing of the rate limit
// (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate).
// When full it takes no address that is new, but in place of what nobody asks for any more: a list is
// read from its first page to its last, so whatever else a new page replaced would be the one that is
// asked for next. The zero value is ready.
type kept struct {
	mu      sync.Mutex
	answers map[string]keptAnswer // by address
	size    int                   // of the bodies, in bytes
}

type keptAnswer struct {
	etag  string
	body  []byte
	asked time.Time // when it was asked for last
}

const (
	maxKept = 64 << 20  // bytes; a page of a hundred pull requests has up to 2 MB
	keptFor = time.Hour // longer than the pause between two looks at anything
)

// unmodified is set in the header of an answer that was known, to the ETag that it is known by.
// GitHub vouches for its body, and for nothing else that came with it: not for the Link header, which
// may have said that no page follows when there was none yet.
const unmodified = "Pullgrant-Unmodified"

type keep struct{}

// keeping marks calls whose answers are kept. They are complete either way: whoever calls does
// not see the difference.
func keeping(ctx context.Context) context.Context { return context.WithValue(ctx, keep{}, true) }

// ask tells GitHub which answer is known.
func (k *kept) ask(req *http.Request, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	address := req.URL.String()
	if known, ok := k.answers[address]; ok && req.Context().Value(keep{}) != nil {
		req.Header.Set("If-None-Match", known.etag)
		known.asked = now
		k.answers[address] = known
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
func (k *kept) take(req *http.Request, response *http.Response, body []byte, now time.Time) {
	etag := response.Header.Get("ETag")
	if response.StatusCode != http.StatusOK || etag == "" || req.Context().Value(keep{}) == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	address := req.URL.String()
	full := func() bool { return k.size-len(k.answers[address].body)+len(body) > maxKept }
	if full() {
		k.drop(now)
	}
	if full() {
		return
	}
	if k.answers == nil {
		k.answers = map[string]keptAnswer{}
	}
	k.size += len(body) - len(k.answers[address].body)
	k.answers[address] = keptAnswer{etag, body, now}
}

// drop forgets what was not asked for lately: the checks of heads that are gone would fill it for good.
func (k *kept) drop(now time.Time) {
	for address, known := range k.answers {
		if now.Sub(known.asked) > keptFor {
			delete(k.answers, address)
			k.size -= len(known.body)
		}
	}
}
