package execaudit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/sync/monitor"
)

const token = "a-token-that-nobody-guesses-0123456789"

// served is a receiver behind TLS, with a clock that stands.
type served struct {
	*testing.T
	url     string
	metrics *monitor.Metrics
	keeper  *Keeper
	roots   *x509.CertPool
	own     authority // of clients
}

func serve(t *testing.T, clients bool, token string) *served {
	t.Helper()
	s := &served{T: t, roots: x509.NewCertPool(), own: newAuthority(t)}
	server := newAuthority(t)
	s.roots.AddCert(server.cert)
	dir := t.TempDir()
	crt, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	pair := server.sign(t, x509.ExtKeyUsageServerAuth)
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	s.must(err)
	s.must(os.WriteFile(crt, encode("CERTIFICATE", pair.Certificate[0]), 0o600))
	s.must(os.WriteFile(key, encode("PRIVATE KEY", der), 0o600))
	var authority []byte
	if clients {
		authority = encode("CERTIFICATE", s.own.cert.Raw)
	}
	config, err := TLS(crt, key, authority)
	s.must(err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	s.must(err)
	now := func() time.Time { return noon }
	s.metrics = monitor.NewMetrics("prod-eu", "v1", now)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.keeper = NewKeeper(nil, now, s.metrics, log, nil)
	ctx, cancel := context.WithCancel(t.Context())
	wait := monitor.Serve(ctx, listener, NewReceiver(s.keeper, []byte(token), s.metrics, now), log)
	t.Cleanup(func() { cancel(); wait() })
	s.url = "https://" + listener.Addr().String() + Path
	return s
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func (s *served) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// client has the certificate of an authority, or none.
func (s *served) client(of *authority) *http.Client {
	config := &tls.Config{RootCAs: s.roots}
	if of != nil {
		own := of.sign(s.T, x509.ExtKeyUsageClientAuth)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &own, nil // whomever the server says it knows
		}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
}

// post sends a body and returns the answer.
func (s *served) post(c *http.Client, bearer string, body io.Reader) (int, string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url, body)
	s.must(err)
	r.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	answer, err := c.Do(r)
	s.must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	s.must(err)
	return answer.StatusCode, strings.TrimSpace(string(text))
}

// counted reads one number of the metrics.
func (s *served) counted(name, result string) string {
	s.Helper()
	w := httptest.NewRecorder()
	(&monitor.Server{Metrics: s.metrics}).Handler().ServeHTTP(w,
		httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if value, is := strings.CutPrefix(line, fmt.Sprintf(`pullgrant_%s{cluster="prod-eu",result=%q} `,
			name, result)); is {
			return strings.TrimSpace(value)
		}
	}
	return "none"
}

// list is an EventList with these items.
func list(items ...string) string {
	return `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` +
		strings.Join(items, ",") + `]}`
}

// event is alice's command date; changes replace parts of it.
func event(changes ...string) string {
	return strings.NewReplacer(changes...).Replace(`{"level":"Metadata",
"auditID":"1b0f0b47-5d0c-4a7e-8a2c-3a5d0b1c2d3e","stage":"ResponseStarted",
"requestURI":"/api/v1/namespaces/payments/pods/api-1/exec?command=date","verb":"create",
"user":{"username":"alice@example.com","groups":["system:authenticated"]},
"objectRef":{"resource":"pods","namespace":"payments","name":"api-1","apiVersion":"v1","subresource":"exec"},
"responseStatus":{"metadata":{},"code":101},
"requestReceivedTimestamp":"2026-11-22T11:59:59.123456Z","stageTimestamp":"2026-11-22T11:59:59.2Z",
"annotations":{"authorization.k8s.io/decision":"allow","pullgrant-exec/exec":"run payments/api-1/app date"}}`)
}

// TestReceiverAnswers: what is no list of events of somebody who may tell of them is refused for its
// reason, counted, and queues nothing.
func TestReceiverAnswers(t *testing.T) {
	s := serve(t, false, token)
	c := s.client(nil)
	endless := strings.Repeat(" ", maxBody)
	for name, test := range map[string]struct {
		bearer string
		body   io.Reader
		status int
		text   string // a part of the answer
		result string
	}{
		"no token":  {"", strings.NewReader(list(event())), 401, "the token is missing", "unauthorized"},
		"bad token": {token[1:], strings.NewReader(list(event())), 401, "or wrong", "unauthorized"},
		"garbage":   {token, strings.NewReader("\x00\xff{"), 400, "invalid character", "malformed"},
		"no list":   {token, strings.NewReader(`{"kind":"Event"}`), 400, `a "Event" of ""`, "malformed"},
		"old version": {token, strings.NewReader(strings.Replace(list(), "/v1", "/v1beta1", 1)),
			400, "v1beta1", "malformed"},
		"cut short":   {token, strings.NewReader(list(event())[:300]), 400, "cut short", "malformed"},
		"two lists":   {token, strings.NewReader(list(event()) + list(event())), 400, "something follows", "malformed"},
		"10 MiB told": {token, strings.NewReader(list(event()) + endless), 413, "fewer events", "too_large"},
		"10 MiB untold": {token, io.MultiReader(strings.NewReader(list(event())+endless),
			strings.NewReader(" ")), 413, "fewer events", "too_large"},
		"10001 events": {token, strings.NewReader(list(strings.Repeat("{},", maxEvents) + "{}")), 413,
			"fewer events", "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.counted("exec_audit_calls_total", test.result)
			status, text := s.post(c, test.bearer, test.body)
			if status != test.status || !strings.Contains(text, test.text) {
				t.Errorf("answered with %d %q, want %d %q", status, text, test.status, test.text)
			}
			if after := s.counted("exec_audit_calls_total", test.result); after == before {
				t.Errorf("%s stays %s", test.result, after)
			}
		})
	}
	if n := len(s.keeper.queued); n != 0 {
		t.Errorf("%d events are queued", n)
	}
	if status, text := s.post(c, token, strings.NewReader(list(event()))); status != 200 {
		t.Errorf("a good list is answered with %d %s", status, text)
	}
	if n := len(s.keeper.queued); n != 1 {
		t.Errorf("%d events are queued of a good list", n)
	}
}

// TestReceiverReadsNoMoreThanItsBound: of a body that says it is too large nothing is read, of one
// that does not say how large it is no more than the bound and what lay in buffers.
func TestReceiverReadsNoMoreThanItsBound(t *testing.T) {
	metrics := monitor.NewMetrics("prod-eu", "v1", func() time.Time { return noon })
	h := NewReceiver(NewKeeper(nil, nil, metrics, nil, nil), nil, metrics,
		func() time.Time { return noon })
	for length, most := range map[int64]int{maxBody + 1: 0, -1: maxBody + 1} {
		body := &counting{Reader: io.MultiReader(strings.NewReader(list()), &spaces{})}
		r := httptest.NewRequest(http.MethodPost, Path, body)
		r.ContentLength = length
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || body.n > most {
			t.Errorf("of length %d, %d bytes were read, and it is answered with %d", length, body.n,
				w.Code)
		}
	}
}

type spaces struct{}

func (*spaces) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// TestReceiverFlood: more calls than can be meant, and more events than can be kept, are answered
// with 429, which has the API server send them again, and counted.
func TestReceiverFlood(t *testing.T) {
	s := serve(t, false, token)
	c := s.client(nil)
	many := list(strings.TrimSuffix(strings.Repeat(event()+",", maxQueued-1), ","))
	for n, want := range []int{200, 200, 429} {
		body := list(event())
		if n == 0 {
			body = many
		}
		if status, text := s.post(c, token, strings.NewReader(body)); status != want {
			t.Fatalf("call %d is answered with %d %s, want %d", n, status, text, want)
		}
	}
	if n := len(s.keeper.queued); n != maxQueued {
		t.Errorf("%d events are queued, want %d", n, maxQueued)
	}
	s.keeper.queued = nil
	for n := range maxBurst - 3 {
		if status, text := s.post(c, token, strings.NewReader(list())); status != 200 {
			t.Fatalf("call %d is answered with %d %s", n, status, text)
		}
	}
	if status, _ := s.post(c, token, strings.NewReader(list())); status != 429 {
		t.Errorf("a call too many is answered with %d", status)
	}
	if status, _ := s.post(c, "", strings.NewReader(list())); status != 401 {
		t.Errorf("a call without a token uses up those of others: %d", status)
	}
	if n := s.counted("exec_audit_calls_total", "flood"); n != "2" {
		t.Errorf("%s calls count as a flood, want 2", n)
	}
}

// TestReceiverReadsFewAtATime: no more bodies are read at a time than fit into memory.
func TestReceiverReadsFewAtATime(t *testing.T) {
	s := serve(t, false, token)
	c := s.client(nil)
	var slow []*io.PipeWriter
	answers := make(chan int, maxCalls)
	for range maxCalls {
		reader, writer := io.Pipe()
		slow = append(slow, writer)
		go func() {
			status, _ := s.post(c, token, reader)
			answers <- status
		}()
		_, err := writer.Write([]byte("{")) // returns once the connection took it
		s.must(err)
	}
	for n, status := 0, 0; status != 429; n++ {
		if n == maxBurst/2 {
			t.Fatal("one more is read than fit")
		}
		time.Sleep(10 * time.Millisecond) // until the others are being read
		status, _ = s.post(c, token, strings.NewReader(list()))
	}
	waits := make(chan int, 1)
	go func() { // for a moment, which is all that a burst of calls takes
		status, _ := s.post(c, token, strings.NewReader(list()))
		waits <- status
	}()
	for _, w := range slow {
		_, err := w.Write([]byte(list()[1:]))
		s.must(err)
		s.must(w.Close())
	}
	for range maxCalls {
		if status := <-answers; status != 200 {
			t.Errorf("a slow call is answered with %d", status)
		}
	}
	if status := <-waits; status != 200 {
		t.Errorf("a call that waited is answered with %d", status)
	}
}

// TestReceiverAsksForACertificate: without one of the authority that was given nobody is heard, with
// the token or not.
func TestReceiverAsksForACertificate(t *testing.T) {
	s := serve(t, true, token)
	other := newAuthority(t)
	for name, of := range map[string]*authority{"none": nil, "another authority's": &other} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url,
			strings.NewReader(list(event())))
		s.must(err)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := s.client(of).Do(r)
		if err == nil {
			answer.Body.Close()
			t.Errorf("with the certificate of %s it is answered with %s", name, answer.Status)
		} else if !strings.Contains(err.Error(), "certificate") {
			t.Errorf("with the certificate of %s: %v", name, err)
		}
	}
	c := s.client(&s.own)
	if status, _ := s.post(c, "", strings.NewReader(list(event()))); status != 401 {
		t.Errorf("without the token it is answered with %d", status)
	}
	if n := len(s.keeper.queued); n != 0 {
		t.Errorf("%d events are queued", n)
	}
	if status, text := s.post(c, token, strings.NewReader(list(event()))); status != 200 {
		t.Errorf("with both it is answered with %d %s", status, text)
	}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) (a authority) {
	t.Helper()
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true,
		Subject:   pkix.Name{CommonName: fmt.Sprintf("authority %p", a.key)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) sign(t *testing.T, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{usage}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
