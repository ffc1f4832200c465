package forge

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

// jwt signs an App's claim of identity.
func jwt(t *testing.T, key *rsa.PrivateKey, app int64, issued, expires time.Time) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(fmt.Appendf(nil,
		`{"iss":"%d","iat":%d,"exp":%d}`, app, issued.Unix(), expires.Unix()))
	sum := sha256.Sum256([]byte(text))
	return text + "." + encode(must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))(t))
}

// TestInstallationToken is an App's way to a token:
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
func TestInstallationToken(t *testing.T) {
	c := &clock{time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}
	f := start(t, Options{Now: c.now})
	key, other := must(rsa.GenerateKey(rand.Reader, 2048))(t),
		must(rsa.GenerateKey(rand.Reader, 2048))(t)
	f.SetAppKey("agent", &key.PublicKey)
	for words, token := range map[string]string{
		"could not be decoded":     jwt(t, other, 7002, c.t, c.t.Add(time.Minute)),
		"Integration not found":    jwt(t, key, 1, c.t, c.t.Add(time.Minute)),
		"too far in the future":    jwt(t, key, 7002, c.t, c.t.Add(time.Hour)),
		"numeric value":            jwt(t, key, 7002, c.t.Add(-time.Hour), c.t),
		"'Issued at' claim ('iat'": jwt(t, key, 7002, c.t.Add(time.Minute), c.t.Add(2*time.Minute)),
	} {
		_, _, err := client(t, f, token).Apps.Get(t.Context(), "")
		refused(t, err, 401, words)
	}
	app := client(t, f, jwt(t, key, 7002, c.t.Add(-time.Minute), c.t.Add(time.Minute)))
	installation, _, err := app.Apps.FindRepositoryInstallation(t.Context(), "acme", "access")
	if err != nil || installation.GetID() != InstallationID(7002) {
		t.Fatal(installation, err)
	}
	token, _, err := app.Apps.CreateInstallationToken(t.Context(), installation.GetID(), nil)
	if err != nil || !token.GetExpiresAt().Time.Equal(c.t.Add(time.Hour)) {
		t.Fatal(token, err)
	}
	list := func() error {
		_, _, err := client(t, f, token.GetToken()).PullRequests.List(t.Context(), "acme", "access",
			&github.PullRequestListOptions{})
		return err
	}
	if err := list(); err != nil {
		t.Error(err)
	}
	c.t = c.t.Add(time.Hour)
	refused(t, list(), 401, "Bad credentials")
}
