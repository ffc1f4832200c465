// Package webhook is an example of an organization's own check, as a challenge of kind Webhook asks it,
// which the tests ask too.
package webhook

import (
	"encoding/json"
	"io"
	"net/http"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Decide says what becomes of a request: allowed, denied or pending, and why, for people. It is asked
// several times about one request: by the Action whenever it judges, and by the agent before it grants.
// Repository, PullRequest and Head tell which it is. What it once denied it should go on to deny.
type Decide func(policies.WebhookRequest) (decision, text string)

// Handler is a check. secret is the one that Action and agent sign by. It must be served over HTTPS.
func Handler(secret string, decide Decide) (http.Handler, error) {
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the question cannot be read", http.StatusBadRequest)
			return
		}
		// who does not have the secret, or repeats an old question, learns nothing
		if err := verifier.Verify(body, r.Header); err != nil {
			http.Error(w, "the signature does not fit", http.StatusUnauthorized)
			return
		}
		var question policies.WebhookRequest
		if err := json.Unmarshal(body, &question); err != nil || question.ID != r.Header.Get(
			standardwebhooks.HeaderWebhookID) {
			http.Error(w, "this is no question", http.StatusBadRequest)
			return
		}
		decision, text := decide(question)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(policies.WebhookResponse{APIVersion: requests.APIVersion,
			Kind: policies.KindWebhookResponse, ID: question.ID, Decision: decision, Text: text})
	}), nil
}
