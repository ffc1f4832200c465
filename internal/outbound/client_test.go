package outbound

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// secure is a server whose certificate is for example.com and 127.0.0.1, the port that it is at, and
// how often it was reached.
func secure(t *testing.T, handler http.HandlerFunc) (roots *x509.CertPool, port string, reached *atomic.Int32) {
	t.Helper()
	reached = new(atomic.Int32)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		handler(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of those who do not believe it
	server.StartTLS()
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return roots, at.Port(), reached
}

func get(t *testing.T, c *Client, address string) (Answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(r, 64<<10)
}

func listed(t *testing.T, texts ...string) (all Hosts) {
	t.Helper()
	for _, text := range texts {
		if err := all.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestOnlyListedHosts (R90): what a policy names is called only where it is listed, at the port and in the
// networks that are.
func TestOnlyListedHosts(t *testing.T) {
	roots, port, reached := secure(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	// nothing in the environment has a say
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	address := "https://127.0.0.1:" + port + "/access"
	for _, try := range []struct{ listed, address, want string }{
		{"", address, "is not among the hosts"},
		{"127.0.0.1=127.0.0.0/8", address, "is not among the hosts"}, // at 443
		{"127.0.0.1:" + port, address, "127.0.0.1 is at 127.0.0.1, which is no public address; where that " +
			"is meant, list it with its network, as in 127.0.0.1=127.0.0.1/32"},
		{"localhost:" + port, "https://localhost:" + port, "which is no public address"},
		{"127.0.0.1:" + port + "=10.0.0.0/8", address, "which is in none of its networks"},
		{"127.0.0.1:" + port + "=127.0.0.0/8", "http://127.0.0.1:" + port, "over https alone"},
		{"127.0.0.1:" + port + "=127.0.0.0/8", "https://a:b@127.0.0.1:" + port, "without a password"},
	} {
		var hosts Hosts
		if try.listed != "" {
			hosts = listed(t, try.listed)
		}
		_, err := get(t, NewClient(hosts, roots), try.address)
		if err == nil || !strings.Contains(err.Error(), try.want) {
			t.Errorf("listed %q, %s: %v", try.listed, try.address, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Fatalf("it was reached %d times", n)
	}
	answer, err := get(t, NewClient(listed(t, "127.0.0.1:"+port+"=127.0.0.0/8"), roots), address)
	if err != nil || string(answer.Body) != "hello" || answer.Status != 200 {
		t.Errorf("%+v, %v", answer, err)
	}
}

// TestRebinding: it is the address that is connected to that counts. A name that comes to a public
// address when somebody looks, and to a private one when it is dialed, is refused.
func TestRebinding(t *testing.T) {
	roots, port, reached := secure(t, func(http.ResponseWriter, *http.Request) {})
	for _, at := range []string{"127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1",
		"::ffff:127.0.0.1", "2002:7f00:1::1", "fd00:ec2::254", "0.0.0.0"} {
		c := NewClient(listed(t, "example.com:"+port), roots)
		c.resolver = resolver(t, netip.MustParseAddr(at))
		if _, err := get(t, c, "https://example.com:"+port); err == nil ||
			!strings.Contains(err.Error(), "which is no public address") {
			t.Errorf("at %s: %v", at, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Fatalf("it was reached %d times", n)
	}
	c := NewClient(listed(t, "example.com:"+port+"=127.0.0.0/8"), roots)
	c.resolver = resolver(t, netip.MustParseAddr("127.0.0.1"))
	if _, err := get(t, c, "https://example.com:"+port); err != nil || reached.Load() != 1 {
		t.Errorf("where it is listed: %v, reached %d times", err, reached.Load())
	}
}

// TestFaults: whatever a host does, there is an error and no waiting.
func TestFaults(t *testing.T) {
	faults := map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}, "no redirect is followed"},
		"not modified": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "no redirect"},
		"10 MiB": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, 10<<20))
		}, "more than 64 KiB"},
		"slow": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // else it says 200 to who is just about to hang up
		}, "context deadline exceeded"},
		"slow in the middle": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // else it ends its answer for who is just about to hang up
		}, "context deadline exceeded"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"endless header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
		}, "server response headers exceeded"},
	}
	for name, fault := range faults {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			roots, port, reached := secure(t, fault.handler)
			c := NewClient(listed(t, "127.0.0.1:"+port+"=127.0.0.0/8"), roots)
			patience := time.Minute
			if strings.HasPrefix(name, "slow") {
				patience = 2 * time.Second // the handshake takes of it too
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1:"+port, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Do(r, 64<<10); err == nil || !strings.Contains(err.Error(), fault.want) {
				t.Errorf("got %v", err)
			}
			if n := reached.Load(); n != 1 {
				t.Errorf("it was reached %d times", n)
			}
		})
	}
	_, port, _ := secure(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := get(t, NewClient(listed(t, "127.0.0.1:"+port+"=127.0.0.0/8"), nil),
		"https://127.0.0.1:"+port); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	roots, port, reached := secure(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := get(t, NewClient(listed(t, "localhost:"+port+"=127.0.0.0/8", "localhost:"+port+"=::1/128"),
		roots), "https://localhost:"+port); err == nil || !strings.Contains(err.Error(),
		"certificate is valid for") {
		t.Errorf("a certificate of another: %v", err)
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("it was asked %d times all the same", n)
	}
	if _, err := get(t, NewClient(listed(t, "127.0.0.1:1=127.0.0.0/8"), nil),
		"https://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("down: %v", err)
	}
}

// resolver is one of the machine's whose name server says that every name is at the address.
func resolver(t *testing.T, at netip.Addr) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer, err := says(buffer[:n], at); err == nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func says(question []byte, at netip.Addr) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Additionals = true, nil
	header := dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 1}
	switch asked := m.Questions[0].Type; {
	case asked == dnsmessage.TypeA && at.Is4():
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: at.As4()}}}
	case asked == dnsmessage.TypeAAAA && at.Is6():
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AAAAResource{AAAA: at.As16()}}}
	}
	return m.Pack()
}
