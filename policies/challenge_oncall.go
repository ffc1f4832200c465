package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// onCallSources are the fields of an OnCall of which it has one: who knows who is on call.
var onCallSources = []string{"rota", "pagerDutySchedule", "pagerDutyPolicy", "opsgenieSchedule"}

// onCallChallenge is met while whoever receives the access is on call (R87): by the number that
// identities.yaml has of them in a service, never by a name, or by a rota of the repository (R88).
func onCallChallenge() challengeKind {
	return challengeKind{
		name: OnCall,
		about: "OnCall: whoever receives the access is on call, by the rota, the schedule or the escalation " +
			"policy that it names, when it is judged and again when the agent merges or grants.",
		unreviewed: true,
		fields:     kindFields{takes: slices.Concat(onCallSources, []string{"after"})},
		check: func(d *requests.Document, at string, _ Challenge) {
			if howMany(onCallSources, func(field string) bool { return d.Has(at + "." + field) }) != 1 {
				d.Add(at, "challenge", "an OnCall names exactly one of %s", strings.Join(onCallSources, ", "))
			}
		},
		who:  func(world, condition) []Party { return nil },
		asks: func(world, condition, tally) []Question { return nil },
		inquires: func(_ world, c condition, t tally) []Asking {
			id := c.onCallID(t.request.Receiver)
			if id == "" {
				return nil // there is nobody to ask about, or the repository knows
			}
			return []Asking{t.asks(c, c.onCallBy(), fmt.Sprintf("@%s (%s)", t.request.Receiver.GitHub, id))}
		},
		refusal: NotOnCall,
		met:     onCall,
		words:   Challenge.onCallBy,
	}
}

// onCallBy is what an OnCall asks, in words.
func (c Challenge) onCallBy() string {
	switch {
	case c.PagerDutySchedule != "":
		return "on call by the PagerDuty schedule " + c.PagerDutySchedule
	case c.PagerDutyPolicy != "":
		return "on call first by the PagerDuty escalation policy " + c.PagerDutyPolicy
	case c.OpsgenieSchedule != "":
		return "on call by the Opsgenie schedule " + c.OpsgenieSchedule
	}
	return "on call by the rota " + c.Rota
}

// onCallID is the number by which the service that is asked knows somebody; empty where it does not,
// and of a rota.
func (c Challenge) onCallID(i Identity) string {
	switch {
	case c.PagerDutySchedule != "" || c.PagerDutyPolicy != "":
		return i.OnCall.PagerDuty
	case c.OpsgenieSchedule != "":
		return i.OnCall.Opsgenie
	}
	return ""
}

// onCall is how an OnCall stands. What the repository knows itself holds at the merge, or before it
// now; waiting helps as long as somebody comes to be on call by a rota while the request may wait.
func onCall(w world, f Facts, c condition, t tally) ChallengeResult {
	who := t.request.Receiver
	if c.onCallID(who) != "" {
		return replied(w, f, c, t)
	}
	reply := Reply{Verdict: No, Text: fmt.Sprintf("%s has no number of theirs there under onCall",
		IdentitiesPath)}
	var next time.Time
	if c.Rota != "" {
		last := t.pushed.Add(time.Duration(w.policy.Spec.limits().MaxPending))
		reply, next = w.rotas[c.Rota].reply(who.GitHub, t.now, last)
	}
	result := ChallengeResult{Kind: c.Kind, Count: 1, Met: reply.Verdict == Yes, metAt: t.pushed,
		refusal: NotOnCall, Replies: []ReplyResult{{Of: c.onCallBy(), About: "@" + who.GitHub,
			Verdict: reply.Verdict, Text: reply.Text}}}
	if result.refused = !result.Met && next.IsZero(); !next.IsZero() {
		result.From = &requests.Time{Time: next}
	}
	return result
}

// OnCallIdentity is a person in the services that know who is on call. Names and addresses are none:
// there, people choose them.
type OnCallIdentity struct {
	PagerDuty string `yaml:"pagerDuty,omitempty" json:"pagerDuty,omitempty"`
	Opsgenie  string `yaml:"opsgenie,omitempty" json:"opsgenie,omitempty"`
}

const (
	pagerDutyForm = `^[A-Z0-9]{4,32}$`
	opsgenieForm  = `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`
)

var (
	formPagerDuty = numberForm(pagerDutyForm, "a number as PagerDuty has them, such as PXPGF42")
	formOpsgenie  = numberForm(opsgenieForm, "a UUID in lower case, as Opsgenie has them")
)

func numberForm(form, what string) requests.Form {
	pattern := regexp.MustCompile(form)
	return requests.Form{Rule: "number", Pattern: form, Check: func(s string) string {
		if pattern.MatchString(s) {
			return ""
		}
		return "it must be " + what
	}}
}

var onCallFields = requests.Fields{
	"Challenge.rota": {About: "Of an OnCall: name of the rota in " + RotasFolder + ".",
		Form: requests.FormName},
	"Challenge.pagerDutySchedule": {About: "Of an OnCall: number of the PagerDuty schedule, such as " +
		"PI7DH85. It must be in use by an escalation policy.", Form: formPagerDuty},
	"Challenge.pagerDutyPolicy": {About: "Of an OnCall: number of the PagerDuty escalation policy, of " +
		"which the first level counts.", Form: formPagerDuty},
	"Challenge.opsgenieSchedule": {About: "Of an OnCall: number of the Opsgenie schedule, a UUID; of " +
		"escalations in it, who is told at once counts.", Form: formOpsgenie},
}

// onCallAs says under which new number a person is on call by now.
func onCallAs(old, now Identity) (all []string) {
	add := func(service, was, is string) {
		if is != "" && is != was {
			all = append(all, fmt.Sprintf("%s (%d) is on call when the user %s of %s is", now.GitHub,
				now.GitHubID, is, service))
		}
	}
	add("PagerDuty", old.OnCall.PagerDuty, now.OnCall.PagerDuty)
	add("Opsgenie", old.OnCall.Opsgenie, now.OnCall.Opsgenie)
	return all
}
