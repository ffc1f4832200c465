// Package checks answers the challenges that ask over HTTPS: an organization's own check (Webhook) and
// its tracker (Ticket). Doubt about an answer is no answer.
package checks

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/outbound"
	"github.com/pullgrant/pullgrant/policies"
)

// EnvSecret is the variable that holds the secret by which questions to webhooks are signed: whsec_ and
// 24 to 64 bytes in Base64.
const EnvSecret = "PULLGRANT_CHECK_SECRET"

// EnvToken is the variable that holds the token for a host, such as PULLGRANT_CHECK_TOKEN_ACME_ATLASSIAN_NET:
// user:password for basic authentication, anything else as a bearer token. No other host is sent it,
// whatever a policy says.
func EnvToken(host string) string {
	return "PULLGRANT_CHECK_TOKEN_" + strings.ToUpper(noWord.ReplaceAllString(host, "_"))
}

var noWord = regexp.MustCompile(`[^a-z0-9]`)

// Config says who may be asked, and how.
type Config struct {
	Hosts outbound.Hosts           // that may be called; none: nobody is asked
	CA    []byte                   // PEM of authorities that are believed beside the machine's
	Env   func(name string) string // gives EnvSecret and EnvToken
	Clock func() time.Time
	// Transport makes the calls; nil: connections of the client's own, which look at each address.
	Transport http.RoundTripper
}

// asker asks over HTTPS.
type asker struct {
	client *outbound.Client
	signer *standardwebhooks.Webhook // nil: no secret is set
	clock  func() time.Time
	env    func(string) string
}

// Answerers answer Webhook and Ticket. An error says what is wrong with the config; it holds no secret.
func Answerers(c Config) (inquire.Answerers, error) {
	a := asker{clock: c.Clock, env: c.Env}
	variables := map[string]string{}
	for _, h := range c.Hosts {
		name := EnvToken(h.Name)
		if other, taken := variables[name]; taken && other != h.Name {
			return nil, fmt.Errorf("the hosts %s and %s would share the token in %s; list one of them",
				other, h.Name, name)
		}
		variables[name] = h.Name
	}
	var err error
	if a.signer, err = signer(c.Env(EnvSecret)); err != nil {
		return nil, err
	}
	roots, err := outbound.Roots(c.CA)
	if err != nil {
		return nil, err
	}
	a.client = outbound.NewClient(c.Hosts, roots)
	if c.Transport != nil {
		a.client = outbound.Through(c.Hosts, c.Transport)
	}
	return inquire.Answerers{policies.Webhook: a.webhook, policies.Ticket: a.ticket}, nil
}

// signer signs with a secret, as Standard Webhooks has it; nil without one.
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func signer(secret string) (*standardwebhooks.Webhook, error) {
	const prefix, least, most = "whsec_", 24, 64
	if secret == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, prefix))
	if err != nil || !strings.HasPrefix(secret, prefix) || len(key) < least || len(key) > most {
		return nil, fmt.Errorf("%s is no secret of Standard Webhooks: write %s and %d to %d bytes in Base64",
			EnvSecret, prefix, least, most)
	}
	return standardwebhooks.NewWebhookRaw(key)
}
