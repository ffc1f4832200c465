package sync

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/hook"
)

// TestNothingTellsASecret runs the agent against servers that echo whatever credential they were
// sent, and looks for it in everything the agent says.
func TestNothingTellsASecret(t *testing.T) {
	s := newStage(t)
	token := s.AppToken("agent")
	basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
	signer := newSigner(t)
	a := s.agent(options{github: true, signer: signer, secret: hook.Secret})
	echo := "you sent Bearer " + token + " and Basic " + basic
	asJSON := `{"message":"you sent Bearer ` + token + `"}`
	var said strings.Builder
	said.WriteString(s.failing(a, "git", func() {
		s.Fail("", "/acme/access.git/.*", -1, 401, echo,
			"Content-Type", "text/plain")
	}))
	said.WriteString(s.failing(a, "git elsewhere", func() {
		s.Fail("", "/acme/access.git/.*", -1, 302, "", "Location", "https://x-access-token:"+token+
			"@example.com/"+token)
	}))
	_, path, content := s.requestFile("secret")
	s.pull("secret", true, map[string]string{path: content})
	said.WriteString(s.failing(a, "GitHub", func() { s.Fail("", "/repos/.*", -1, 401, asJSON) }))
	s.SetClock(s.Clock().Add(time.Minute))
	said.WriteString(s.failing(
		a, "GitHub's server", func() { s.Fail("", "/repos/.*", -1, 500, asJSON) }))
	s.SetClock(s.Clock().Add(time.Minute))
	s.Must(a.Once(t.Context()))
	s.allowed(true)
	s.SetClock(noon.Add(2 * time.Hour))
	said.WriteString(s.failing(a, "a push", func() {
		s.Fail("", "/acme/access.git/git-receive-pack", -1, 403, echo, "Content-Type", "text/plain")
	}))
	for _, r := range []*http.Request{hook.Delivery("push", "{}"), hook.Delivery(hook.Secret, "{}"),
		httptest.NewRequest("GET", "/readyz?token="+token, nil)} {
		if r.Method == http.MethodPost {
			r.Header.Set("X-Hub-Signature-256", hook.Sign("x", hook.Secret))
		}
		w := httptest.NewRecorder()
		a.server.Handler().ServeHTTP(w, r)
		said.WriteString(w.Body.String())
	}
	_, numbers := get(a, "/metrics")
	said.WriteString(numbers + strings.Join(s.told(), "\n") + s.Log.String())
	if n := strings.Count(said.String(), "***"); n < 4 {
		t.Errorf("only %d echoes came so far as to be kept out; they are not tested:\n%s", n,
			said.String())
	}
	for name, secret := range map[string]string{"token": token, "token in base64": basic,
		"webhook secret":          hook.Secret,
		"webhook secret in a URL": url.QueryEscape(hook.Secret), "signing key": "PRIVATE KEY"} {
		if secret == "" || strings.Contains(said.String(), secret) {
			t.Errorf("the %s is told", name)
		}
	}
}

// failing takes a pass amid trouble, and returns its error.
func (s *stage) failing(a *Agent, what string, trouble func()) string {
	s.Helper()
	trouble()
	defer s.Heal()
	err := a.Once(s.Context())
	if err == nil {
		s.Errorf("no error with %s failing", what)
		return ""
	}
	return err.Error()
}
