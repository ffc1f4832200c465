package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	gosync "sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the server. Whoever reaches the port can call it.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second // of one whole request
	writeTimeout  = 30 * time.Second // of one whole answer
	idleTimeout   = time.Minute
	closeTimeout  = 2 * time.Second // for answers on their way when the agent ends
	maxHeader     = 16 << 10        // bytes
	maxScrapes    = 4               // at a time
)

// Server answers whoever asks for the agent's health and numbers, or has news for it.
type Server struct {
	Listener net.Listener // which it closes; nil: nobody is answered
	Secret   []byte       // of GitHub's webhook; empty: there is none
	Metrics  *Metrics
	Wake     func() // called when a webhook says that there is something to do
	Log      *slog.Logger
}

// Serve answers until ctx ends. wait returns when nobody is answered any more. A server that breaks
// does not end the agent: the probes notice.
func (s *Server) Serve(ctx context.Context) (wait func()) {
	if s.Listener == nil {
		return func() {}
	}
	return Serve(ctx, s.Listener, s.Handler(), s.Log.With("webhook", len(s.Secret) > 0))
}

// Serve has a handler answer until ctx ends, within the limits above, and closes the listener. wait
// returns when nobody is answered any more.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler,
	log *slog.Logger) (wait func()) {
	var parts gosync.WaitGroup
	log = log.With("event", "listen", "address", listener.Addr().String())
	server := &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout,
	}
	log.Info("listening")
	parts.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("nobody is answered any more", "error", err.Error())
		}
	})
	parts.Go(func() {
		<-ctx.Done()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(closing) != nil {
			_ = server.Close() // whoever is slower is cut off
		}
	})
	return parts.Wait
}

// Handler is everything that is served.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics.registry,
		promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	if len(s.Secret) > 0 {
		mux.Handle("POST /webhook", newWebhook(s.Secret, s.Wake, s.Metrics.deliveries))
	}
	return mux
}

// healthz fails when only a restart helps: the expiry loop has stopped. What the agent cannot reach
// has no part in it, for a restart would bring nothing but late revocations.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if silent := s.Metrics.silent(); silent > stuck {
		Answer(w, http.StatusServiceUnavailable, fmt.Sprintf(
			"%s has not looked at the clock for %s", s.Metrics.words().loop,
			silent.Round(time.Second)))
		return
	}
	Answer(w, http.StatusOK, s.Metrics.words().loop+" is running")
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	ready, lines := s.Metrics.ready()
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	Answer(w, status, lines...)
}

// Answer writes lines of plain text.
func Answer(w http.ResponseWriter, status int, lines ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	for _, line := range lines {
		_, _ = io.WriteString(w, line+"\n") // whoever asked may be gone
	}
}
