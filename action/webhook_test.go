package action

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/answers"
	"github.com/pullgrant/pullgrant/testdata/cases"
	"github.com/pullgrant/pullgrant/testdata/webhook"
)

// TestActionAsksAWebhook: the Action asks a check that its inputs let it ask, and no other.
func TestActionAsksAWebhook(t *testing.T) {
	var asked []policies.WebhookRequest
	// the example in testdata/webhook would find a scenario's time too old
	url, config, _ := webhook.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q policies.WebhookRequest
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Header.Get("webhook-signature") == "" {
			t.Errorf("it is asked %+v, %v", r.Header, err)
		}
		asked = append(asked, q)
		_ = json.NewEncoder(w).Encode(policies.WebhookResponse{APIVersion: requests.APIVersion,
			Kind: policies.KindWebhookResponse, ID: q.ID, Decision: "allowed",
			Text: "she leads <b>INC-123</b>"})
	}))
	for _, c := range cases.All(t) {
		if c.Name != "approval/pending_webhook_no_answer" {
			continue
		}
		path := policies.Path("payments-debug")
		policy := strings.Replace(c.Facts.Base.Files[path].Content, "https://checks.example.com", url, 1)
		c.Facts.Base.Files[path] = policies.NewTreeFile(policies.PlainFile, c.Facts.Base.Files[path].Blob,
			[]byte(policy), int64(len(policy)))
		s := answers.Start(t, c, memory.NewStorage())
		_, files := runOn(t, s, "INPUT_WEBHOOK-SECRET", webhook.Secret)
		if got := outputs(files["output"]); !strings.HasPrefix(got, "decision=pending") || len(asked) > 0 ||
			!strings.Contains(files["summary"], "is not among the hosts") {
			t.Errorf("where no host is listed: %s, asked %v\n%s", got, asked, files["summary"])
		}
		s = answers.Start(t, c, memory.NewStorage())
		log, files := runOn(t, s, "INPUT_WEBHOOK-HOSTS", config.Hosts.String(), "INPUT_WEBHOOK-SECRET",
			webhook.Secret, "INPUT_WEBHOOK-CA", string(config.CA))
		if got := outputs(files["output"]); !strings.HasPrefix(got, "decision=allowed") {
			t.Errorf("where it is listed: %s\n%s", got, files["summary"])
		}
		if len(asked) != 1 || asked[0].PullRequest != 7 || asked[0].Repository != "acme/access" {
			t.Errorf("it was asked %+v", asked)
		}
		if strings.Contains(files["summary"], "<b>") || strings.Contains(log+files["summary"],
			webhook.Secret) {
			t.Errorf("its words are no text, or the secret is shown:\n%s\n%s", log, files["summary"])
		}
		return
	}
	t.Fatal("the scenario is gone")
}
