package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/pagerduty"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/pullgrant/pullgrant/policies"
)

// Hosts of the incident services, one for each region. No other is called, whatever an address says.
var (
	opsgenieHosts  = []string{"api.opsgenie.com", "api.eu.opsgenie.com"}
	pagerDutyHosts = []string{"events.pagerduty.com", "events.eu.pagerduty.com"}
)

const httpsPort = 443

// once has services that are told the same twice make one of it; empty for what may come about again.
func once(m Message) string {
	if m.Event == policies.NotifyEscalated || m.Event == policies.NotifyBreakGlass {
		return ""
	}
	return cut(fmt.Sprintf("pullgrant %s %s %s", m.Cluster, m.Request, m.Event), 250)
}

// openOpsgenie is an alert: opsgenie://HOST/KEY.
// https://docs.opsgenie.com/docs/alert-api#create-alert
func openOpsgenie(u *url.URL) (string, sender, error) {
	var s opsgenie.Service
	if err := s.Initialize(u, nil); err != nil {
		return "", nil, err
	}
	c := s.Config
	if !slices.Contains(opsgenieHosts, c.Host) || c.Port != httpsPort || c.APIKey == "" {
		return "", nil, errUnreadable
	}
	p := post{url: "https://" + c.Host + "/v2/alerts", header: http.Header{"Authorization": {"GenieKey " + c.APIKey}}}
	p.body = func(m Message) (any, error) {
		return opsgenie.AlertPayload{Message: cut(inWords.heading(m), opsgenie.MaxMessageLength), Alias: once(m),
			Description: strings.Join(inWords.lines(m), "\n"), Responders: c.Responders, VisibleTo: c.VisibleTo,
			Actions: c.Actions, Tags: c.Tags, Details: c.Details, Entity: c.Entity, Source: c.Source,
			Priority: c.Priority, User: c.User, Note: c.Note}, nil
	}
	return p.open()
}

// openPagerDuty is an event: pagerduty://HOST/KEY.
// https://developer.pagerduty.com/docs/send-alert-event
func openPagerDuty(u *url.URL) (string, sender, error) {
	var s pagerduty.Service
	if err := s.Initialize(u, nil); err != nil {
		return "", nil, err
	}
	c := s.Config
	c.Host = cmp.Or(c.Host, pagerDutyHosts[0])
	if !slices.Contains(pagerDutyHosts, c.Host) || c.Port != 0 && c.Port != httpsPort {
		return "", nil, errUnreadable
	}
	p := post{url: "https://" + c.Host + "/v2/enqueue", body: func(m Message) (any, error) {
		event := pagerduty.EventPayload{RoutingKey: c.IntegrationKey, EventAction: c.Action, DedupKey: once(m),
			Details: map[string]string{"message": strings.Join(inWords.lines(m), "\n")}, Client: c.Client,
			ClientURL: c.ClientURL,
			Payload:   pagerduty.Payload{Summary: inWords.heading(m), Severity: c.Severity, Source: c.Source}}
		if link := address(m.URL); link != "" {
			event.Contexts = []pagerduty.PagerDutyContext{{Type: "link", Href: link, Text: "the pull request"}}
		}
		return event, nil
	}}
	return p.open()
}

// openGeneric is a webhook of one's own: generic://HOST/PATH, with @Header=value for headers and
// $key=value for more fields.
func openGeneric(u *url.URL) (string, sender, error) {
	var s generic.Service
	if err := s.Initialize(u, nil); err != nil {
		return "", nil, err
	}
	c := *s.Config
	if c.DisableTLS || c.Template != "" && c.Template != generic.JSONTemplate && c.Template != "json" {
		return "", nil, errUnreadable
	}
	c.Template = generic.JSONTemplate
	p := post{url: c.WebhookURL().String(), method: c.RequestMethod, header: http.Header{}}
	for key, values := range u.Query() { // the library keeps them to itself
		if name, is := strings.CutPrefix(key, "@"); is {
			p.header.Set(name, values[0])
		}
	}
	p.body = func(m Message) (any, error) {
		payload, err := s.GetPayload(&c, fields(m, c))
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(payload)
		return json.RawMessage(body), err
	}
	return p.open()
}

// fields are the message as it is, for a program: a text in it is what its field says, and no more.
func fields(m Message, c generic.Config) types.Params {
	all := types.Params{c.TitleKey: inWords.heading(m), c.MessageKey: strings.Join(inWords.lines(m), "\n")}
	for name, text := range map[string]string{"event": m.Event, "cluster": m.Cluster, "policy": m.Policy,
		"request": m.Request, "url": address(m.URL), "requester": m.Requester, "reason": m.Reason,
		"happened": m.Happened, "next": m.Next, "who": strings.Join(m.Who[:min(len(m.Who), maxWho)], " ")} {
		all[name] = cut(text, maxLine)
	}
	return all
}
