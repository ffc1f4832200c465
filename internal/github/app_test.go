package github

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

func newAppKey(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func TestAppToken(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f, err := forge.Start(t.TempDir(), forge.Options{Contract: true,
		Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.AddUser("root", 1)
	f.AddApp("agent", 7)
	key, file := newAppKey(t)
	f.SetAppKey("agent", &key.PublicKey)
	if _, err := f.Seed(map[string]string{"README.md": "hello"}, "start", "root"); err != nil {
		t.Fatal(err)
	}

	// A clock that is half a minute fast must not be refused.
	skew := 30 * time.Second
	app, err := NewApp(AppConfig{APIURL: f.URL, ID: 7, InstallationID: forge.InstallationID(7),
		Repo: "access", Key: file,
		Now: func() time.Time { return now.Add(skew) }})
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{APIURL: f.URL, Owner: "acme", Repo: "access", Token: app.Token})
	if err != nil {
		t.Fatal(err)
	}
	token := func() string {
		t.Helper()
		if _, err := client.Files(t.Context(), "", "requests"); err != nil {
			t.Fatal(err)
		}
		token, err := app.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	first := token()
	if now = now.Add(45 * time.Minute); token() != first {
		t.Error("a token that is good for another quarter of an hour was replaced")
	}
	if now = now.Add(6 * time.Minute); token() == first {
		t.Error("a token that is about to end was given out")
	}
	for _, violation := range f.Violations() {
		t.Errorf("against GitHub's contract: %s", violation)
	}
}

func TestAppRefuses(t *testing.T) {
	now := time.Now()
	f, err := forge.Start(t.TempDir(), forge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.AddApp("agent", 7)
	key, file := newAppKey(t)
	f.SetAppKey("agent", &key.PublicKey)
	_, stranger := newAppKey(t)
	good := AppConfig{APIURL: f.URL, ID: 7, InstallationID: forge.InstallationID(7), Repo: "access",
		Key: file, Now: func() time.Time { return now }}
	for name, c := range map[string]struct {
		change func(*AppConfig)
		want   string
	}{
		"another key": {func(c *AppConfig) { c.Key = stranger }, "check both numbers, the key"},
		"another id": {func(c *AppConfig) { c.ID = 8 },
			"installation 500007 of the GitHub App 8"},
		"a clock far off": {func(c *AppConfig) {
			c.Now = func() time.Time {
				return now.Add(
					time.Hour)
			}
		},
			"this machine's clock"},
		"no installation": {func(c *AppConfig) { c.InstallationID = 0 }, "both are numbers"},
		"no key": {func(c *AppConfig) { c.Key = []byte("sekrit") },
			"download a new private key"},
		"a broken key": {func(c *AppConfig) {
			c.Key = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("sekrit")})
		}, "download a new"},
		"plain http": {func(c *AppConfig) { c.APIURL = "http://example.com" },
			"only https is allowed"},
		"credential there": {func(c *AppConfig) { c.APIURL = "https://u:sekrit@example.com" },
			"GITHUB_API_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.change(&cfg)
			app, err := NewApp(cfg)
			if err == nil {
				_, err = app.Token(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "sekrit") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// TestNoAnswerEchoesACredential: a server that repeats what it was sent brings neither a token nor
// the App's assertion into an error.
func TestNoAnswerEchoesACredential(t *testing.T) {
	sent := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"message":"%s is no good"}`, sent)
	}))
	defer server.Close()
	_, file := newAppKey(t)
	app, err := NewApp(AppConfig{APIURL: server.URL, ID: 7, InstallationID: 8, Repo: "access",
		Key: file, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{APIURL: server.URL, Owner: "acme", Repo: "access",
		Token: func(context.Context) (string, error) { return "sekrit", nil }})
	if err != nil {
		t.Fatal(err)
	}
	_, asApp := app.Token(t.Context())
	assertion := sent
	_, _, asUser := client.User(t.Context())
	for secret, err := range map[string]error{assertion: asApp, "sekrit": asUser} {
		if err == nil || !strings.Contains(err.Error(), "*** is no good") ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
	}
}

// TestNoAppWithoutAKey: what is no private key is refused before anything is called.
func TestNoAppWithoutAKey(t *testing.T) {
	if app, err := NewApp(AppConfig{ID: 7, InstallationID: 8}); err == nil || app != nil {
		t.Errorf("app %v, error %v", app, err)
	}
}
