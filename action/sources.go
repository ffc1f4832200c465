package action

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/internal/checks"
	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/internal/oncall"
	"github.com/pullgrant/pullgrant/policies"
)

// sources are those whom a judgement rests on: GitHub, and whom challenges ask beside it.
type sources struct {
	*github.Client
	answerers inquire.Answerers
	channels  *notify.Channels // that are told; nil: none
}

// Facts are those that GitHub tells, with what the others reply. What only the cluster knows is left
// to the agent.
func (s sources) Facts(ctx context.Context, number int, now time.Time) (policies.Facts, error) {
	facts, err := s.Client.Facts(ctx, number, now)
	if err == nil {
		s.answerers.Fill(ctx, &facts, func() time.Time { return now })
	}
	return facts, err
}

// answerers are those that the Action can ask: whom its inputs say, and nobody in a cluster. The
// clock of given tells when they are asked: a signature is believed for five minutes, and a run may
// take longer.
func answerers(a *githubactions.Action, given checks.Config) (inquire.Answerers, error) {
	all, err := checks.Answerers(given)
	if err != nil {
		return nil, err
	}
	maps.Copy(all, inquire.WithoutCluster())
	all[policies.OnCall], err = onCall(a, given.Clock)
	return all, err
}

// checksOf is whom a workflow lets the Action ask over HTTPS.
func checksOf(a *githubactions.Action, clock func() time.Time) (checks.Config, error) {
	secrets := map[string]string{checks.EnvSecret: a.GetInput("webhook-secret")}
	for n, line := range strings.Split(strings.TrimSpace(a.GetInput("webhook-tokens")), "\n") {
		host, token, ok := strings.Cut(strings.TrimSpace(line), " ")
		if line != "" && !ok { // the line may be a token, and is not shown
			return checks.Config{}, fmt.Errorf("input webhook-tokens, line %d: write a host, a space and its "+
				"token", n+1)
		}
		secrets[checks.EnvToken(host)] = strings.TrimSpace(token)
	}
	c := checks.Config{CA: []byte(a.GetInput("webhook-ca")), Clock: clock,
		Env: func(name string) string { return secrets[name] }}
	for _, host := range strings.Fields(a.GetInput("webhook-hosts")) {
		if err := c.Hosts.Set(host); err != nil {
			return c, fmt.Errorf("input webhook-hosts: %w", err)
		}
	}
	return c, nil
}

// onCall asks the services whose tokens are inputs.
func onCall(a *githubactions.Action, clock func() time.Time) (inquire.Answerer, error) {
	c := oncall.Config{Clock: clock,
		PagerDuty: oncall.Service{URL: a.GetInput("pagerduty-url"), Token: secret(a, "pagerduty-token")},
		Opsgenie:  oncall.Service{URL: a.GetInput("opsgenie-url"), Token: secret(a, "opsgenie-key")}}
	answerer, err := oncall.New(c)
	if err != nil {
		return nil, fmt.Errorf("inputs pagerduty-url, opsgenie-url: %w", err)
	}
	return answerer, nil
}

// secret is an input that no log may show.
func secret(a *githubactions.Action, input string) string {
	value := strings.TrimSpace(a.GetInput(input))
	if value != "" && a.Getenv("GITHUB_ACTIONS") == "true" { // elsewhere nobody swallows the line
		a.AddMask(value)
	}
	return value
}
