package webhook

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/checks"
	"github.com/pullgrant/pullgrant/internal/inquire"
)

// Secret is one to sign by.
const Secret = "whsec_" + "cHVsbGdyYW50IHRlc3RzIHNpZ24gYnkgdGhpcw=="

// Serve serves over TLS on loopback until the test ends. stop has nobody answer at the address any more,
// and config lets it be asked.
func Serve(t testing.TB, handler http.Handler) (address string, config checks.Config, stop func()) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of those who do not believe it
	server.StartTLS()
	t.Cleanup(server.Close)
	config = checks.Config{Clock: time.Now, CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: server.Certificate().Raw}), Env: func(name string) string {
		return map[string]string{checks.EnvSecret: Secret}[name]
	}}
	if err := config.Hosts.Set(strings.TrimPrefix(server.URL, "https://") + "=127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	return server.URL, config, server.Close
}

// Ask serves as Serve does, and gives who asks there.
func Ask(t testing.TB, handler http.Handler) (address string, answerers inquire.Answerers) {
	t.Helper()
	address, config, _ := Serve(t, handler)
	answerers, err := checks.Answerers(config)
	if err != nil {
		t.Fatal(err)
	}
	return address, answerers
}
