package monitor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	gosync "sync"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	maxDelivery   = 1 << 20 // bytes; of a larger one the next poll finds the news
	maxDeliveries = 1024    // that are remembered
)

// Results of a delivery.
const (
	deliveryAccepted = "accepted" // it has the branch looked at
	deliveryIgnored  = "ignored"  // authentic, but no news
	deliveryReplayed = "replayed"
	deliveryRefused  = "refused"
)

// newsEvents are the events after which the agent may have something to do, by the name GitHub
// gives them.
var newsEvents = []string{"push", "pull_request", "pull_request_review"}

// webhook takes deliveries of GitHub. An authentic one has the next pass begin early and nothing
// else: the agent believes no word of it and asks git and GitHub as ever. go-github's own check is
// not used: it takes SHA-1 signatures and, without a secret, none at all.
type webhook struct {
	secret  []byte
	wake    func()
	counter *prometheus.CounterVec // by result

	mu   gosync.Mutex
	seen []string // signatures of the last deliveries, as a ring
	next int      // in seen
}

// newWebhook wants a secret that is not empty. wake is called after a delivery that is news.
func newWebhook(secret []byte, wake func(), counter *prometheus.CounterVec) *webhook {
	return &webhook{secret: secret, wake: wake, counter: counter,
		seen: make([]string, maxDeliveries)}
}

func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, result, text := h.receive(w, r)
	h.counter.WithLabelValues(result).Inc()
	if result == deliveryAccepted {
		h.wake()
	}
	Answer(w, status, text)
}

// receive checks a delivery. Its body is read through and not kept: anybody can send one.
func (h *webhook) receive(w http.ResponseWriter, r *http.Request) (status int,
	result, text string) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		kind != "application/json" {
		return http.StatusUnsupportedMediaType, deliveryRefused,
			"set the webhook's content type to application/json"
	}
	// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
	written, ok := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
	signature, err := hex.DecodeString(written)
	if !ok || err != nil || len(signature) != sha256.Size {
		return http.StatusUnauthorized, deliveryRefused,
			"X-Hub-Signature-256 is missing or malformed; set the webhook's secret"
	}
	mac := hmac.New(sha256.New, h.secret)
	size, err := io.Copy(mac, http.MaxBytesReader(w, r.Body, maxDelivery))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return http.StatusRequestEntityTooLarge, deliveryRefused, "the delivery is too large"
	case err != nil:
		return http.StatusBadRequest, deliveryRefused, "the delivery is cut short"
	case !hmac.Equal(mac.Sum(nil), signature):
		return http.StatusUnauthorized, deliveryRefused,
			"the signature is wrong; the webhook has another secret than the agent"
	case size == 0:
		return http.StatusBadRequest, deliveryRefused, "the delivery is empty"
	case !slices.Contains(newsEvents, r.Header.Get("X-GitHub-Event")):
		// a ping, or an event that nobody subscribed to for us
		return http.StatusAccepted, deliveryIgnored, "no news"
	case h.replayed(string(signature)):
		return http.StatusAccepted, deliveryReplayed, "delivered before"
	}
	return http.StatusAccepted, deliveryAccepted, "the branch is looked at"
}

// replayed tells whether a delivery came before, and remembers it. It goes by the signature: that
// covers the whole body, while whoever replays one can write another id into X-GitHub-Delivery,
// which nothing protects.
func (h *webhook) replayed(signature string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(h.seen, signature) {
		return true
	}
	h.seen[h.next] = signature
	h.next = (h.next + 1) % len(h.seen)
	return false
}
