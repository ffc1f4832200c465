package checks

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
)

// webhook asks the check at the challenge's address.
func (k asker) webhook(ctx context.Context, a policies.Asking) policies.Reply {
	reply, err := k.askWebhook(ctx, a)
	if err != nil {
		return inquire.Unknown(err)
	}
	return reply
}

func (k asker) askWebhook(ctx context.Context, a policies.Asking) (policies.Reply, error) {
	if k.signer == nil {
		return policies.Reply{}, fmt.Errorf("no secret is set to sign the question with (%s, or "+
			"webhook-secret of the Action)", EnvSecret)
	}
	question := a.WebhookRequest("msg_" + rand.Text())
	body, err := json.Marshal(question)
	if err != nil {
		return policies.Reply{}, fmt.Errorf("write the question: %w", err)
	}
	at := k.clock()
	signature, err := k.signer.Sign(question.ID, at, body)
	if err != nil {
		return policies.Reply{}, fmt.Errorf("sign the question: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Challenge.URL, bytes.NewReader(body))
	if err != nil {
		return policies.Reply{}, fmt.Errorf("ask the check: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set(standardwebhooks.HeaderWebhookID, question.ID)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	answer, err := k.client.Do(r, policies.MaxWebhookResponse)
	if err != nil {
		return policies.Reply{}, err
	}
	if answer.Status != http.StatusOK {
		return policies.Reply{}, fmt.Errorf("%s answered %d", r.URL.Host, answer.Status)
	}
	return question.Answered(answer.Body)
}

const userAgent = "pullgrant"
