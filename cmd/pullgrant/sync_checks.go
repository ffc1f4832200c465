package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/internal/checks"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/internal/outbound"
	"github.com/pullgrant/pullgrant/render"
)

// checkOptions are whom challenges of kind Webhook and Ticket may ask.
type checkOptions struct {
	hosts outbound.Hosts
	ca    string
}

func (o *checkOptions) flags(flags *pflag.FlagSet) {
	flags.Var(&o.hosts, "webhook-host", "host that Webhook and Ticket challenges may call, such as "+
		"checks.example.com, or checks.internal=10.0.0.0/8 where it has no public address (default: none)")
	flags.StringVar(&o.ca, "webhook-ca-file", "", "certificates (PEM) of authorities by which these "+
		"hosts are believed beside the machine's")
}

func (o checkOptions) problem() string {
	if o.ca != "" && len(o.hosts) == 0 {
		return "--webhook-ca-file is of no use without --webhook-host"
	}
	return ""
}

func (o checkOptions) answerers(w world) (inquire.Answerers, error) {
	ca, err := o.authorities()
	if err != nil {
		return nil, err
	}
	return checks.Answerers(checks.Config{Hosts: o.hosts, CA: ca, Clock: w.now, Env: w.env})
}

// authorities are the PEM of --webhook-ca-file; nil without one.
func (o checkOptions) authorities() ([]byte, error) {
	if o.ca == "" {
		return nil, nil
	}
	ca, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, fmt.Errorf("read the authorities of webhooks: %w", err)
	}
	return ca, nil
}

// outside are the hosts as the agent's Deployment needs them: the way to them, and the variables of
// their secrets.
func (o checkOptions) outside() (all []render.Outside) {
	for _, h := range o.hosts {
		one := render.Outside{Port: int32(h.Port), Variables: []string{checks.EnvSecret,
			checks.EnvToken(h.Name)}}
		for _, n := range h.Networks {
			one.Networks = append(one.Networks, n.String())
		}
		all = append(all, one)
	}
	return all
}
