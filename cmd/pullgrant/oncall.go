package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/oncall"
	"github.com/pullgrant/pullgrant/policies"
)

// onCallOptions say where it is asked who is on call, and with which secrets.
type onCallOptions struct {
	pagerDuty, pagerDutyURL string // the file of the token
	opsgenie, opsgenieURL   string // the file of the key
}

func (o *onCallOptions) flags(flags *pflag.FlagSet) {
	flags.StringVar(&o.pagerDuty, "pagerduty-token-file", "", "read-only API token of PagerDuty "+
		"(default: nobody is on call there)")
	flags.StringVar(&o.pagerDutyURL, "pagerduty-url", oncall.PagerDutyURL, "address of PagerDuty's API, "+
		"such as https://api.eu.pagerduty.com")
	flags.StringVar(&o.opsgenie, "opsgenie-key-file", "", "API key of Opsgenie that may read "+
		"(default: nobody is on call there)")
	flags.StringVar(&o.opsgenieURL, "opsgenie-url", oncall.OpsgenieURL, "address of Opsgenie's API, "+
		"such as https://api.eu.opsgenie.com")
}

// answerers ask the services whose secrets there are.
func (o onCallOptions) answerers(w world) (inquire.Answerers, error) {
	pagerDuty, err := readSecret(o.pagerDuty)
	if err != nil {
		return nil, fmt.Errorf("read the token of PagerDuty: %w", err)
	}
	opsgenie, err := readSecret(o.opsgenie)
	if err != nil {
		return nil, fmt.Errorf("read the key of Opsgenie: %w", err)
	}
	answerer, err := oncall.New(oncall.Config{Clock: w.now,
		PagerDuty: oncall.Service{URL: o.pagerDutyURL, Token: pagerDuty},
		Opsgenie:  oncall.Service{URL: o.opsgenieURL, Token: opsgenie}})
	if err != nil {
		return nil, fmt.Errorf("ask who is on call: %w", err)
	}
	return inquire.Answerers{policies.OnCall: answerer}, nil
}

// readSecret is what is in a file that holds a secret in one line; without a file there is none.
func readSecret(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s holds no secret in one line of letters and digits", file)
	}
	return secret, nil
}
