package faults

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fault answers a call in the place of the server behind a line, which next is.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// line is the way to a server on which a test can do harm: agents call it, and it calls the server.
type line struct {
	URL   string
	next  http.Handler
	fault atomic.Pointer[fault]
	ahead atomic.Int64 // nanoseconds that the clock in its answers is ahead of the machine's
}

// newLine leads to the server at target until the test ends.
func newLine(t testing.TB, target string, transport http.RoundTripper) *line {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{}
	l.next = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     transport,
		FlushInterval: -1, // watches
		ErrorHandler: func(http.ResponseWriter, *http.Request,
			error) {
			panic(http.ErrAbortHandler)
		},
		// The forge's own clock is set back while a request is asked for that began in the past.
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(time.Duration(l.ahead.Load())).UTC().
				Format(http.TimeFormat))
			return nil
		},
	}
	server := httptest.NewServer(l)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	l.URL = server.URL
	return l
}

func (l *line) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f := l.fault.Load(); f != nil {
		(*f)(w, r, l.next)
		return
	}
	l.next.ServeHTTP(w, r)
}

// harm has every call from now on meet the fault; heal ends it.
func (l *line) harm(f fault) { l.fault.Store(&f) }
func (l *line) heal()        { l.fault.Store(nil) }

// broken is a server whose connections all break before it says anything.
func broken(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// writes tells whether a call changes anything.
func writes(r *http.Request) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/git-upload-pack")
}

// isGit tells calls of git from those of GitHub's API.
func isGit(r *http.Request) bool { return strings.Contains(r.URL.Path, ".git/") }

// slow is a fault that lets one byte of each answer through per second, until it is healed.
func (l *line) slow(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(&drip{ResponseWriter: w, call: r, line: l}, r)
}

// drip lets bytes through one by one while its line has a fault.
type drip struct {
	http.ResponseWriter
	call *http.Request
	line *line
}

func (d *drip) Write(p []byte) (int, error) {
	for i := range p {
		if d.line.fault.Load() == nil {
			n, err := d.ResponseWriter.Write(p[i:])
			return i + n, err
		}
		select {
		case <-d.call.Context().Done():
			return i, d.call.Context().Err()
		case <-time.After(time.Second):
		}
		if _, err := d.ResponseWriter.Write(p[i : i+1]); err != nil {
			return i, err
		}
		if err := http.NewResponseController(d.ResponseWriter).Flush(); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// Unwrap lets the proxy flush.
func (d *drip) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// refusing has GitHub's API, but not git, answer with that status and those headers.
func refusing(status int, headers ...string) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isGit(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"message": "injected", "status": "` + strconv.Itoa(status) + `"}`))
	}
}

// limited has GitHub's API say that its rate limit is used up for five more seconds.
func limited(w http.ResponseWriter, r *http.Request, next http.Handler) {
	reset := strconv.FormatInt(time.Now().Add(5*time.Second).Unix(), 10)
	refusing(http.StatusForbidden, "X-RateLimit-Limit", "5000", "X-RateLimit-Remaining", "0",
		"X-RateLimit-Reset", reset)(w, r, next)
}
