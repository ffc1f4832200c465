package policies

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Ticket is the kind of a challenge that an open ticket meets.
const Ticket = "Ticket"

// Trackers of a Ticket.
const (
	Jira         = "Jira"
	ServiceNow   = "ServiceNow"
	GitHubIssues = "GitHubIssues"
)

// tracker is what is known of one: how its projects are named, how a text names a ticket, and what a
// ticket's name is. Each holds %s for the project.
type tracker struct {
	project string // form of Challenge.Project
	says    string // what is wrong with another
	found   string // default of Challenge.Pattern
	name    string
}

var trackers = map[string]tracker{
	Jira: {`^[A-Z][A-Z0-9_]{1,30}$`, "the key of a project, such as OPS",
		`\b%s-[0-9]+\b`, `^%s-[1-9][0-9]{0,8}$`},
	ServiceNow: {`^[a-z][a-z0-9_]{0,79}$`, "the name of a table, such as incident",
		`\b[A-Z]{2,10}[0-9]{4,12}\b`, `^[A-Z]{2,10}[0-9]{4,12}$`},
	GitHubIssues: {`^[A-Za-z0-9-]{1,39}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`, "a repository, such as acme/ops",
		`#([0-9]+)\b`, `^[1-9][0-9]{0,8}$`},
}

// ticketChallenge is met when the ticket that a request names is there and open (R91).
func ticketChallenge() challengeKind {
	return challengeKind{
		name: Ticket,
		about: "Ticket: the first ticket that the reason names, or that a field has, is there and open, " +
			"by the tracker at the url.",
		unreviewed: true,
		fields: kindFields{needs: []string{"url", "tracker", "project"},
			takes: []string{"field", "pattern", "after"}},
		check: checkTicket,
		who:   func(world, condition) []Party { return nil },
		asks:  func(world, condition, tally) []Question { return nil },
		inquires: func(_ world, c condition, t tally) []Asking {
			name, ok := t.request.ticket(c.Challenge)
			if !ok {
				return nil
			}
			return []Asking{t.asks(c, fmt.Sprintf("the ticket %s of %s in %s", name, c.Project, c.URL), "")}
		},
		refusal: TicketNotOpen,
		met: func(w world, f Facts, c condition, t tally) ChallengeResult {
			if _, ok := t.request.ticket(c.Challenge); !ok {
				return ChallengeResult{Kind: c.Kind, Count: 1, refused: true, refusal: TicketNotOpen,
					Replies: []ReplyResult{{Of: fmt.Sprintf("a ticket of %s in %s", c.Project, c.URL),
						Verdict: No, Text: c.Challenge.names() + " names none"}}}
			}
			return replied(w, f, c, t)
		},
		words: func(c Challenge) string {
			return fmt.Sprintf("an open ticket of %s in %s, which %s names", c.Project, c.URL, c.names())
		},
	}
}

// names is what of a request names the ticket.
func (c Challenge) names() string {
	if c.Field != "" {
		return "the field " + c.Field
	}
	return "the reason"
}

// ticket is the name of the ticket that a request is about, as its tracker writes it. Only a name of
// the policy's project is one.
func (a Asking) ticket(c Challenge) (name string, ok bool) {
	t, ok := trackers[c.Tracker]
	if !ok {
		return "", false
	}
	name = a.Request.Spec.Fields[c.Field]
	if c.Field == "" || c.Pattern != "" {
		text := name
		if c.Field == "" {
			text = a.Request.Spec.Reason
		}
		p := patternOf(cmp.Or(c.Pattern, inProject(t.found, c.Project)))
		if p.match == nil {
			return "", false
		}
		found := p.match.FindStringSubmatch(text)
		if len(found) == 0 {
			return "", false
		}
		name = cmp.Or(found[min(len(found)-1, 1)], found[0])
	}
	whole := patternOf(inProject(t.name, c.Project))
	return name, whole.matches(name)
}

// Ticket is the name of the ticket that is asked about.
func (a Asking) Ticket() (name string, ok bool) { return a.ticket(a.Challenge) }

func inProject(pattern, project string) string {
	return strings.ReplaceAll(pattern, "%s", regexp.QuoteMeta(project))
}

func checkTicket(d *requests.Document, at string, c Challenge) {
	if t, ok := trackers[c.Tracker]; ok && !patternOf(t.project).matches(c.Project) {
		d.Check(at+".project", "project", c.Project, "it must be "+t.says)
	}
	if c.Pattern != "" && tooLong(c.Pattern, maxPattern) == "" {
		d.Check(at+".pattern", "pattern", c.Pattern, patternOf(c.Pattern).problem)
	}
}

// checkTickets finds tickets that stand in a field that the policy does not declare, which no request
// could have (R67).
func checkTickets(d *requests.Document, s PolicySpec) {
	for at, c := range parts("spec", s.Challenges) {
		declared := func(f CustomField) bool { return f.Name == c.Field && f.Type == TypeString }
		if c.Field != "" && !slices.ContainsFunc(s.Fields, declared) {
			d.Check(at+".field", "field", c.Field, "the policy declares no such field of type: string")
		}
	}
}

var ticketFields = requests.Fields{
	"Challenge.url": {About: "Of a Webhook: the address of the check. Of a Ticket: that of the tracker, " +
		"such as https://acme.atlassian.net, https://acme.service-now.com or https://api.github.com. " +
		"Action and agent call it only where they list its host.", Form: formURL},
	"Challenge.tracker": {About: "Of a Ticket: which kind of tracker it is in.",
		Form: requests.OneOf("tracker", GitHubIssues, Jira, ServiceNow)},
	"Challenge.project": {About: "Of a Ticket: where it must be. In Jira the key of a project, in " +
		"ServiceNow a table, on GitHub a repository.", Form: requests.Form{Min: 1, Max: 140}},
	"Challenge.field": {About: "Of a Ticket: the field of the request that names it. Default: the reason.",
		Form: requests.FormField},
	"Challenge.pattern": {About: "Of a Ticket: regular expression (RE2) that finds it in the reason or " +
		"field; where it has a group, that is the ticket. Default: as the tracker writes them.",
		Form: formPattern},
}
