package policies

import (
	"fmt"
	"regexp"

	"github.com/pullgrant/pullgrant/requests"
)

// Webhook is the kind of a challenge that an organization's own check meets.
const Webhook = "Webhook"

// webhookChallenge is met when an organization's own check says yes (R89).
func webhookChallenge() challengeKind {
	return challengeKind{
		name: Webhook,
		about: "Webhook: the check of your own at the url says yes, to the Action and to the agent; both " +
			"call only hosts that they are told to.",
		unreviewed: true,
		fields:     kindFields{needs: []string{"url"}, takes: []string{"after"}},
		check:      func(*requests.Document, string, Challenge) {},
		who:        func(world, condition) []Party { return nil },
		asks:       func(world, condition, tally) []Question { return nil },
		inquires: func(_ world, c condition, t tally) []Asking {
			return []Asking{t.asks(c, c.URL, t.request.Request.Metadata.Name)}
		},
		refusal: WebhookDenied,
		met:     replied,
		words:   func(c Challenge) string { return fmt.Sprintf("a yes of %s", c.URL) },
	}
}

// urlForm is an address of HTTPS without anything in it that could hold a secret or mean another host.
const urlForm = `^https://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?$`

var (
	urlPattern = regexp.MustCompile(urlForm)
	formURL    = requests.Form{Rule: "url", Pattern: urlForm, Max: maxPattern, Check: checkURL}
)

// checkURL tells what is wrong with an address; empty when nothing is.
func checkURL(s string) string {
	if len(s) > maxPattern || !urlPattern.MatchString(s) {
		return "it must be an address such as https://checks.example.com/access: https, a host in " +
			"lower case, a path, and nothing else"
	}
	return ""
}
