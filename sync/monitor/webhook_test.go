package monitor

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pullgrant/pullgrant/testdata/hook"
)

// testHook is a webhook that remembers whether it woke somebody.
type testHook struct {
	*webhook
	woke bool
}

func newHook() *testHook {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "deliveries"},
		[]string{"result"})
	h := &testHook{}
	h.webhook = newWebhook([]byte(hook.Secret), func() { h.woke = true }, counter)
	return h
}

// newsCame tells whether a delivery has the branch looked at, once.
func (h *testHook) newsCame() bool {
	defer func() { h.woke = false }()
	return h.woke
}

// header replaces the values of a header.
func header(key string, values ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(key)
		for _, value := range values {
			r.Header.Add(key, value)
		}
	}
}

// signature replaces that of a delivery.
func signature(values ...string) func(*http.Request) {
	return header("X-Hub-Signature-256", values...)
}

// chunked gives another body and leaves its length unsaid.
func chunked(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		signature(hook.Sign(hook.Secret, body))(r)
	}
}

// breaksOff gives a body that ends too early.
func breaksOff(r *http.Request) {
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broke{}))
}

func TestWebhook(t *testing.T) {
	old := hmac.New(sha1.New, []byte(hook.Secret))
	old.Write([]byte("{}"))
	sha1Signature := "sha1=" + hex.EncodeToString(old.Sum(nil))
	right := hook.Sign(hook.Secret, "{}")
	sha1Only := func(r *http.Request) {
		signature()(r)
		header("X-Hub-Signature", sha1Signature)(r)
	}
	const looked, malformed, wrong = "the branch is looked at", "missing or malformed",
		"the signature is wrong"
	for name, c := range map[string]struct {
		event  string
		change func(*http.Request)
		want   int
		text   string
		news   bool
	}{
		"push":         {"push", nil, 202, looked, true},
		"pull request": {"pull_request", nil, 202, looked, true},
		"review":       {"pull_request_review", nil, 202, looked, true},
		"type with a charset": {"push", header("Content-Type", "application/json; charset=utf-8"),
			202, looked, true},
		"chunked": {"push", chunked("{}"), 202, looked, true},
		"as large as may be": {"push", chunked(strings.Repeat(" ", maxDelivery)), 202,
			looked, true},
		"ping":               {"ping", nil, 202, "no news", false},
		"another event":      {"star", nil, 202, "no news", false},
		"no event":           {"", nil, 202, "no news", false},
		"no signature":       {"push", signature(), 401, malformed, false},
		"an empty signature": {"push", signature("sha256="), 401, malformed, false},
		"a short signature":  {"push", signature("sha256=00"), 401, malformed, false},
		"a longer signature": {"push", signature(right + "00"), 401, malformed, false},
		"a bare signature":   {"push", signature(right[7:]), 401, malformed, false},
		"SHA-1 only":         {"push", sha1Only, 401, malformed, false},
		"SHA-1 in its place": {"push", signature(sha1Signature), 401, malformed, false},
		"a wrong signature": {"push", signature(hook.Sign(hook.Secret, "{ }")), 401,
			wrong, false},
		"another secret": {"push", signature(hook.Sign("Hello", "{}")), 401, wrong, false},
		"no secret":      {"push", signature(hook.Sign("", "{}")), 401, wrong, false},
		"the right one second": {"push", signature(hook.Sign("Hello", "{}"), right), 401,
			wrong, false},
		"an empty body":          {"push", chunked(""), 400, "the delivery is empty", false},
		"a body that breaks off": {"push", breaksOff, 400, "cut short", false},
		"too large": {"push", chunked(strings.Repeat(" ", maxDelivery+1)), 413,
			"too large", false},
		"a form": {"push", header("Content-Type", "application/x-www-form-urlencoded"), 415,
			"application/json", false},
		"no type": {"push", header("Content-Type"), 415, "application/json", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHook()
			r := hook.Delivery(c.event, "{}")
			if c.change != nil {
				c.change(r)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if got := h.newsCame(); got != c.news {
				t.Errorf("news: %t", got)
			}
		})
	}
}

type broke struct{}

func (broke) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestWebhookReplay: what came before does nothing, whatever its headers say now; and only so much
// is remembered.
func TestWebhookReplay(t *testing.T) {
	h := newHook()
	deliver := func(body, id string) (news bool, text string) {
		r := hook.Delivery("push", body)
		r.Header.Set("X-GitHub-Delivery", id)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return h.newsCame(), w.Body.String()
	}
	if news, text := deliver("first", "1"); !news {
		t.Error(text)
	}
	for _, id := range []string{"1", "another"} {
		if news, text := deliver("first", id); news || text != "delivered before\n" {
			t.Errorf("id %s: news %t, %s", id, news, text)
		}
	}
	for i := range maxDeliveries {
		if news, text := deliver(fmt.Sprint(i), "1"); !news {
			t.Error(i, text)
		}
	}
	for i := range maxDeliveries {
		if news, _ := deliver(fmt.Sprint(i), "1"); news {
			t.Errorf("%d of the last %d is forgotten", i, maxDeliveries)
		}
	}
	if news, _ := deliver("first", "1"); !news || len(h.seen) != maxDeliveries {
		t.Errorf("news %t, %d remembered", news, len(h.seen))
	}
}

// FuzzWebhook: nothing but a signature over exactly this body, with this secret, is news.
func FuzzWebhook(f *testing.F) {
	f.Add("push", "application/json", hook.Sign(hook.Secret, "{}"), []byte("{}"))
	f.Add("push", "application/json", hook.Sign("", "{}"), []byte("{}"))
	f.Add("ping", "application/json;", "sha256=", []byte(nil))
	f.Add("star", "text/plain; a=b", "sha1=", []byte("\x00"))
	f.Fuzz(func(t *testing.T, event, kind, signature string, body []byte) {
		h := newHook()
		r := httptest.NewRequest(http.MethodPost, "/webhook", bytes.NewReader(body))
		r.Header = http.Header{"Content-Type": {kind}, "X-Github-Event": {event},
			"X-Hub-Signature-256": {signature}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if h.newsCame() && (!strings.EqualFold(signature, hook.Sign(hook.Secret, string(body))) ||
			!slices.Contains(newsEvents, event)) {
			t.Errorf("news by %q %q", event, signature)
		}
		if !slices.Contains([]int{202, 400, 401, 413, 415}, w.Code) {
			t.Errorf("status %d", w.Code)
		}
	})
}
