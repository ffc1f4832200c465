package execaudit

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/sync/monitor"
)

// Limits of the receiver, above what an API server sends: one call for each event, also of calls that
// it refuses, which anybody may make and which hold up no use.
const (
	maxCalls  = 4           // that are read at a time
	maxWait   = time.Second // of others, for one of these to be read
	maxRate   = 1000        // calls a second
	maxBurst  = 2000        // calls at once, after a pause
	maxQueued = 5000
)

// Path is where the API server is to send its events.
const Path = "/audit"

// Receiver takes the calls of the audit webhook and hands on the events about commands. It answers
// before those are noted: the API server sends again only what was not taken.
type Receiver struct {
	Token   []byte // that a call must bear; empty: the connection told who it is by its certificate
	Metrics *monitor.Metrics
	Now     func() time.Time

	keeper *Keeper
	slots  chan struct{}

	mu   gosync.Mutex
	left float64   // calls that may come at once
	last time.Time // when that was reckoned
}

// NewReceiver prepares a receiver that hands events on to the keeper.
func NewReceiver(keeper *Keeper, token []byte, metrics *monitor.Metrics,
	now func() time.Time) *Receiver {
	return &Receiver{Token: token, Metrics: metrics, Now: now, keeper: keeper,
		slots: make(chan struct{}, maxCalls), left: maxBurst, last: now()}
}

// ServeHTTP answers 200 for a list that was taken.
func (h *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, result, text := h.receive(w, r)
	h.Metrics.AuditCall(result)
	monitor.Answer(w, status, text)
}

// receive checks a call before it reads anything of it.
func (h *Receiver) receive(w http.ResponseWriter, r *http.Request) (status int, result,
	text string) {
	if !h.authorized(r.Header.Get("Authorization")) {
		return http.StatusUnauthorized, monitor.CallUnauthorized,
			"the token is missing or wrong; put that of --audit-token-file into the kubeconfig of " +
				"--audit-webhook-config-file"
	}
	if r.Method != http.MethodPost || r.URL.Path != Path {
		return http.StatusNotFound, monitor.CallMalformed, "send events to POST " + Path
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, monitor.CallMalformed, "send application/json"
	}
	const tooLarge = "send fewer events at a time, by --audit-webhook-batch-max-size"
	if r.ContentLength > maxBody {
		return http.StatusRequestEntityTooLarge, monitor.CallTooLarge, tooLarge
	}
	const flood = "more than is taken at a time; send it again"
	if !h.inTime() {
		return http.StatusTooManyRequests, monitor.CallFlood, flood
	}
	wait := time.NewTimer(maxWait)
	defer wait.Stop()
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-wait.C:
		return http.StatusTooManyRequests, monitor.CallFlood, flood
	}
	events, others, err := read(http.MaxBytesReader(w, r.Body, maxBody))
	switch {
	case errors.As(err, new(*http.MaxBytesError)), errors.Is(err, errTooMany):
		return http.StatusRequestEntityTooLarge, monitor.CallTooLarge, tooLarge
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return http.StatusBadRequest, monitor.CallMalformed, "the list is cut short"
	case err != nil:
		return http.StatusBadRequest, monitor.CallMalformed, fmt.Sprintf("no list of events: %.200v", err)
	case !h.keeper.take(events):
		return http.StatusTooManyRequests, monitor.CallFlood, flood
	}
	for reason, n := range others {
		h.Metrics.AuditEvents(reason, n)
	}
	return http.StatusOK, monitor.CallAccepted, "taken"
}

// authorized compares hashes, so that neither the time nor the length tells anything.
func (h *Receiver) authorized(header string) bool {
	if len(h.Token) == 0 {
		return true
	}
	given, is := strings.CutPrefix(header, "Bearer ")
	want, got := sha256.Sum256(h.Token), sha256.Sum256([]byte(given))
	return is && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// inTime tells whether another call may come now.
func (h *Receiver) inTime() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.Now()
	passed := max(now.Sub(h.last).Seconds(), 0)
	h.left, h.last = min(h.left+passed*maxRate, maxBurst), now
	if h.left < 1 {
		return false
	}
	h.left--
	return true
}
