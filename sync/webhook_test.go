package sync

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const hookSecret = "It's a Secret to Everybody"

func hook() *webhook {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "deliveries"}, []string{"result"})
	return newWebhook([]byte(hookSecret), make(chan struct{}, 1), counter)
}

func signed(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// delivery is one as GitHub makes it.
func delivery(event, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	r.Header.Set("X-Hub-Signature-256", signed(hookSecret, body))
	return r
}

// news tells whether a delivery has the branch looked at, once.
func (h *webhook) newsCame() bool {
	select {
	case <-h.news:
		return true
	default:
		return false
	}
}

func TestWebhook(t *testing.T) {
	old := hmac.New(sha1.New, []byte(hookSecret))
	old.Write([]byte("{}"))
	sha1Signature := "sha1=" + hex.EncodeToString(old.Sum(nil))
	header := func(key string, values ...string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Del(key)
			for _, value := range values {
				r.Header.Add(key, value)
			}
		}
	}
	// chunked leaves the length unsaid.
	chunked := func(body string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
			r.Header.Set("X-Hub-Signature-256", signed(hookSecret, body))
		}
	}
	for name, c := range map[string]struct {
		event  string
		change func(*http.Request)
		want   int
		text   string
		news   bool
	}{
		"push":                   {"push", nil, 202, "the branch is looked at", true},
		"pull request":           {"pull_request", nil, 202, "the branch is looked at", true},
		"review":                 {"pull_request_review", nil, 202, "the branch is looked at", true},
		"type with a charset":    {"push", header("Content-Type", "application/json; charset=utf-8"), 202, "the branch is looked at", true},
		"chunked":                {"push", chunked("{}"), 202, "the branch is looked at", true},
		"as large as may be":     {"push", chunked(strings.Repeat(" ", maxDelivery)), 202, "the branch is looked at", true},
		"ping":                   {"ping", nil, 202, "no news", false},
		"another event":          {"star", nil, 202, "no news", false},
		"no event":               {"", nil, 202, "no news", false},
		"no signature":           {"push", header("X-Hub-Signature-256"), 401, "missing or malformed", false},
		"an empty signature":     {"push", header("X-Hub-Signature-256", "sha256="), 401, "missing or malformed", false},
		"a short signature":      {"push", header("X-Hub-Signature-256", "sha256=00"), 401, "missing or malformed", false},
		"a longer signature":     {"push", header("X-Hub-Signature-256", signed(hookSecret, "{}")+"00"), 401, "missing or malformed", false},
		"a bare signature":       {"push", header("X-Hub-Signature-256", signed(hookSecret, "{}")[7:]), 401, "missing or malformed", false},
		"SHA-1 only":             {"push", func(r *http.Request) { header("X-Hub-Signature-256")(r); header("X-Hub-Signature", sha1Signature)(r) }, 401, "missing or malformed", false},
		"SHA-1 in its place":     {"push", header("X-Hub-Signature-256", sha1Signature), 401, "missing or malformed", false},
		"a wrong signature":      {"push", header("X-Hub-Signature-256", signed(hookSecret, "{ }")), 401, "the signature is wrong", false},
		"another secret":         {"push", header("X-Hub-Signature-256", signed("Hello", "{}")), 401, "the signature is wrong", false},
		"no secret":              {"push", header("X-Hub-Signature-256", signed("", "{}")), 401, "the signature is wrong", false},
		"the right one second":   {"push", header("X-Hub-Signature-256", signed("Hello", "{}"), signed(hookSecret, "{}")), 401, "the signature is wrong", false},
		"an empty body":          {"push", chunked(""), 400, "the delivery is empty", false},
		"a body that breaks off": {"push", func(r *http.Request) { r.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), broke{})) }, 400, "cut short", false},
		"too large":              {"push", chunked(strings.Repeat(" ", maxDelivery+1)), 413, "too large", false},
		"a form":                 {"push", header("Content-Type", "application/x-www-form-urlencoded"), 415, "application/json", false},
		"no type":                {"push", header("Content-Type"), 415, "application/json", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := hook()
			r := delivery(c.event, "{}")
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

// TestWebhookReplay: what came before does nothing, whatever its headers say now; and only so much is remembered.
func TestWebhookReplay(t *testing.T) {
	h := hook()
	deliver := func(body, id string) (news bool, text string) {
		r := delivery("push", body)
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
	if news, _ := deliver("first", "1"); !news || len(h.seen) != maxDeliveries {
		t.Errorf("news %t, %d remembered", news, len(h.seen))
	}
}

// TestWebhookBringsAPass is the way from a merge to access with a poll that never comes.
func TestWebhookBringsAPass(t *testing.T) {
	s := newStage(t)
	a := s.agent(options{poll: time.Hour, secret: hookSecret})
	s.running(a)
	s.until("the first pass is over", func() bool { return s.series(a, "passes_total", `result="complete"`) == "1" })
	s.ask("hook")
	for i := range 10 { // together they are one
		w := httptest.NewRecorder()
		a.handler().ServeHTTP(w, delivery("push", fmt.Sprint(i)))
		if w.Code != http.StatusAccepted {
			t.Error(w.Code, w.Body)
		}
	}
	s.allowed(true)
	s.shows(a, "webhook_deliveries_total", `result="accepted"`, "10")
	w := httptest.NewRecorder()
	a.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/webhook", nil))
	if w.Code != http.StatusMethodNotAllowed || len(a.news) > 1 {
		t.Errorf("%d, %d news wait", w.Code, len(a.news))
	}
}

// TestNewsHaveAGap: however many deliveries come, a pass does not begin within a second of the last one's end.
func TestNewsHaveAGap(t *testing.T) {
	s := newStage(t)
	a := s.agent(options{poll: time.Hour})
	signal(a.news)
	begin := time.Now()
	a.sleep(t.Context(), nil, 0)
	if gap := time.Since(begin); gap < newsGap || len(a.news) != 0 { // however slow this machine is, it is no less
		t.Errorf("the next pass begins after %s", gap)
	}
}

// FuzzWebhook: nothing but a signature over exactly this body, with this secret, is news.
func FuzzWebhook(f *testing.F) {
	f.Add("push", "application/json", signed(hookSecret, "{}"), []byte("{}"))
	f.Add("push", "application/json", signed("", "{}"), []byte("{}"))
	f.Add("ping", "application/json;", "sha256=", []byte(nil))
	f.Add("star", "text/plain; a=b", "sha1=", []byte("\x00"))
	f.Fuzz(func(t *testing.T, event, kind, signature string, body []byte) {
		h := hook()
		r := httptest.NewRequest(http.MethodPost, "/webhook", bytes.NewReader(body))
		r.Header = http.Header{"Content-Type": {kind}, "X-Github-Event": {event}, "X-Hub-Signature-256": {signature}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if h.newsCame() && (!strings.EqualFold(signature, signed(hookSecret, string(body))) || !slices.Contains(newsEvents, event)) {
			t.Errorf("news by %q %q", event, signature)
		}
		if !slices.Contains([]int{202, 400, 401, 413, 415}, w.Code) {
			t.Errorf("status %d", w.Code)
		}
	})
}
