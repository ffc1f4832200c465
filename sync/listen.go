package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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

// serve answers whoever asks for the agent's health and numbers, or has news for it, until ctx ends. wait returns when
// nobody is answered any more. A server that breaks does not end the agent: the probes notice.
func (a *Agent) serve(ctx context.Context) (wait func()) {
	var parts gosync.WaitGroup
	if a.listener == nil {
		return parts.Wait
	}
	log := a.log.With("event", "listen", "cluster", a.cluster.Name, "address", a.listener.Addr().String())
	server := &http.Server{
		Handler: a.handler(), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
	log.Info("listening", "webhook", len(a.webhookSecret) > 0)
	parts.Go(func() {
		if err := server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
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

// handler is everything that is served.
func (a *Agent) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	if len(a.webhookSecret) > 0 {
		mux.Handle("POST /webhook", newWebhook(a.webhookSecret, a.news, a.metrics.deliveries))
	}
	return mux
}

// healthz fails when only a restart helps: the expiry loop has stopped. What the agent cannot reach has no part in it, for
// a restart would bring nothing but late revocations.
func (a *Agent) healthz(w http.ResponseWriter, _ *http.Request) {
	if silent := a.metrics.silent(); silent > stuck {
		answer(w, http.StatusServiceUnavailable, fmt.Sprintf("the expiry loop has not looked at the clock for %s", silent.Round(time.Second)))
		return
	}
	answer(w, http.StatusOK, "the expiry loop is running")
}

func (a *Agent) readyz(w http.ResponseWriter, _ *http.Request) {
	ready, lines := a.metrics.ready()
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, lines...)
}

// answer writes lines of plain text.
func answer(w http.ResponseWriter, status int, lines ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	for _, line := range lines {
		_, _ = io.WriteString(w, line+"\n") // whoever asked may be gone
	}
}
