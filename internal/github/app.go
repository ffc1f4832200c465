package github

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"
)

// App is one installation of a GitHub App. It hands out the installation's tokens, which last an
// hour, for one repository only. It may be used from several goroutines.
type App struct {
	id, installation int64
	repo             string // name, without owner
	key              *rsa.PrivateKey
	now              func() time.Time
	api              *github.Client

	mu      sync.Mutex
	token   string
	expires time.Time
}

// AppConfig names an installation of a GitHub App.
type AppConfig struct {
	APIURL         string // as in Config
	ID             int64  // of the App
	InstallationID int64
	Repo           string // the one repository the tokens are for, without its owner
	Key            []byte // the App's private key as GitHub gives it out: PEM
	Now            func() time.Time
}

// NewApp checks the configuration. It calls nothing yet.
func NewApp(cfg AppConfig) (*App, error) {
	if cfg.ID < 1 || cfg.InstallationID < 1 {
		return nil, errors.New("a GitHub App needs its id and the id of its installation; both " +
			"are numbers on the App's pages on GitHub")
	}
	key, err := parseAppKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	if cfg.APIURL == "" {
		cfg.APIURL = DefaultAPIURL
	}
	base, err := parseAPIURL(cfg.APIURL)
	if err != nil {
		return nil, err
	}
	a := &App{id: cfg.ID, installation: cfg.InstallationID, repo: cfg.Repo, key: key, now: cfg.Now}
	a.api = github.NewClient(&http.Client{
		Transport: newTransport(base, func(context.Context) (string,
			error) {
			return a.assertion()
		}),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	})
	a.api.BaseURL, a.api.UserAgent = base, "pullgrant"
	return a, nil
}

// parseAppKey never puts any of the file into an error.
func parseAppKey(file []byte) (*rsa.PrivateKey, error) {
	const advice = "the GitHub App's key cannot be read; download a new private key from the " +
		"App's page on GitHub"
	block, _ := pem.Decode(file)
	if block == nil {
		return nil, errors.New(advice)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if rsaKey, ok := key.(*rsa.PrivateKey); err == nil && ok {
		return rsaKey, nil
	}
	return nil, errors.New(advice)
}

// tokenReserve is how long before its end a token is replaced, so that none ends in the middle of a
// pass.
const tokenReserve = 10 * time.Minute

// Token is a token of the installation that is good for at least another ten minutes.
func (a *App) Token(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" && a.now().Before(a.expires.Add(-tokenReserve)) {
		return a.token, nil
	}
	made, _, err := a.api.Apps.CreateInstallationToken(ctx, a.installation,
		&github.InstallationTokenOptions{Repositories: []string{a.repo}})
	if err != nil {
		return "", fmt.Errorf("get a token for installation %d of the GitHub App %d: %w; check "+
			"both numbers, the key, this machine's clock, "+
			"and that the App is installed on %s", a.installation, a.id, err, a.repo)
	}
	if made.GetToken() == "" || made.GetExpiresAt().IsZero() {
		return "", fmt.Errorf("get a token for installation %d of the GitHub App %d: the answer "+
			"lacks a field that GitHub always sends", a.installation, a.id)
	}
	a.token, a.expires = made.GetToken(), made.GetExpiresAt().Time
	return a.token, nil
}

// assertion is a JSON Web Token by which the App shows who it is: RS256, back-dated by a minute
// against clocks that differ and good for less than the ten minutes that GitHub allows at most
// (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app).
func (a *App) assertion() (string, error) {
	now := a.now()
	claims, err := json.Marshal(map[string]any{
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(8 * time.Minute).Unix(),
		"iss": strconv.FormatInt(a.id, 10)})
	if err != nil {
		return "", fmt.Errorf("write the App's assertion: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign the App's assertion: %w", err)
	}
	return text + "." + encode(signature), nil
}
