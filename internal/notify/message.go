package notify

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/pullgrant/pullgrant/policies"
)

// Message is what a channel is told of. All of it is taken for untrusted: none of it becomes markup or
// a mention, and what is too long is cut. What is empty is left out.
type Message struct {
	Event     string // one of policies.NotifyEvents
	Cluster   string
	Policy    string
	Request   string   // its name
	URL       string   // of the pull request
	Requester string   // login
	Reason    string   // of the request; some services are not sent it
	Happened  string   // in one line
	Next      string   // what is to be done next, in one line, such as a command
	Who       []string // must act: logins, and teams as organization/team
}

// Bounded is the message without what no service is sent of it, for whoever keeps it until it is.
func (m Message) Bounded() Message {
	for _, line := range []*string{&m.Reason, &m.Happened, &m.Next} {
		*line = cut(*line, maxLine)
	}
	return m
}

// headings are how a message begins, by its event.
var headings = map[string]string{
	policies.NotifyRequested:  "Access asked for",
	policies.NotifyWaiting:    "Approved, and still waiting for access",
	policies.NotifyEscalated:  "A review is urgently asked for",
	policies.NotifyApproved:   "Approved",
	policies.NotifyRefused:    "Refused",
	policies.NotifyGranted:    "Access given",
	policies.NotifyBreakGlass: "BREAK-GLASS, access before any review",
	policies.NotifyEnding:     "Access ends soon",
	policies.NotifyEnded:      "Access ended",
}

// Bounds of what is sent, in characters, and of how many people are named.
const (
	maxName = 100
	maxLine = 500
	maxWho  = 10
)

// dialect is how a service is told texts of others.
type dialect struct {
	quote  func(string) string // a text that shows as it is, and does nothing
	reason bool                // whether it can be made safe, whatever is in it
}

// heading is the message in one line.
func (d dialect) heading(m Message) string {
	heading, known := headings[m.Event]
	if !known {
		heading = "News"
	}
	by := "asked for by" // who approved, refused or ended it is somebody else
	if m.Event == policies.NotifyRequested || m.Event == policies.NotifyEscalated {
		by = "by"
	}
	return fmt.Sprintf("%s: %s on %s, %s %s", heading, d.name(m.Policy), d.name(m.Cluster), by,
		d.name(m.Requester))
}

// name is that of something; a question mark where nothing is left of it.
func (d dialect) name(text string) string {
	return cmp.Or(d.shown(text, maxName), "?")
}

// helpPattern is of policies.Code.Help, an address that does no harm wherever it comes from.
var helpPattern = regexp.MustCompile(regexp.QuoteMeta(policies.Code("").Help()) + `[a-z]{1,40}`)

// shown is a text of at most some characters, whose first link to what a code means stays one.
func (d dialect) shown(text string, most int) string {
	text = cut(text, most)
	parts := []string{text}
	if at := helpPattern.FindStringIndex(text); at != nil {
		parts = []string{strings.TrimSpace(text[:at[0]]), text[at[0]:at[1]], strings.TrimSpace(text[at[1]:])}
	}
	for i, part := range parts {
		if i != 1 && part != "" {
			parts[i] = d.quote(part)
		}
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// lines are the message below its heading.
func (d dialect) lines(m Message) (all []string) {
	add := func(label, text string, most int) {
		if text = d.shown(text, most); text != "" {
			all = append(all, label+text)
		}
	}
	add("", m.Happened, maxLine)
	if d.reason {
		add("Reason: ", m.Reason, maxLine)
	}
	var who []string
	for _, name := range m.Who[:min(len(m.Who), maxWho)] {
		who = append(who, d.name(name))
	}
	if more := len(m.Who) - len(who); more > 0 {
		who = append(who, fmt.Sprintf("%d more", more))
	}
	if len(who) > 0 {
		all = append(all, "Who must act: "+strings.Join(who, ", "))
	}
	add("Next: ", m.Next, maxLine)
	add("Request: ", m.Request, maxName)
	if url := address(m.URL); url != "" {
		all = append(all, url)
	}
	return all
}

// text is the whole message.
func (d dialect) text(m Message) string {
	return d.heading(m) + "\n" + strings.Join(d.lines(m), "\n")
}

// addressPattern is of a pull request's address: one that needs no escape anywhere.
var addressPattern = regexp.MustCompile(`^https?://[A-Za-z0-9.:-]{1,253}(/[A-Za-z0-9._-]{1,100}){0,8}$`)

func address(url string) string {
	if !addressPattern.MatchString(url) {
		return ""
	}
	return url
}

// cut is a text in one line of at most some characters, without those that nobody sees.
func cut(text string, most int) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	var kept []rune
	for _, r := range text {
		switch {
		case len(kept) == most:
			kept[most-1] = '…'
			return string(kept)
		case unicode.IsGraphic(r):
			kept = append(kept, r)
		}
	}
	return string(kept)
}

// code is a text in a code span, which Slack, Mattermost and Discord show as it is; prose needs none.
func code(text string) string {
	if prose(text) {
		return text
	}
	return "`" + strings.ReplaceAll(text, "`", "'") + "`"
}

// slackCode is code for Slack, which looks for mentions and links even there.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func slackCode(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(code(text))
}

// words is a text with nothing in it but words: whatever may be markup somewhere is gone.
func words(text string) string {
	runes := []rune(text)
	for i, r := range runes {
		if !plain(r) && r != '/' && (r != '_' || !within(runes, i)) && (r != '.' && r != ':' || link(runes, i)) {
			runes[i] = ' '
		}
	}
	return strings.Join(strings.Fields(string(runes)), " ")
}

// prose tells whether a text is nothing but words in every kind of Markdown.
func prose(text string) bool {
	runes := []rune(text)
	for i, r := range runes {
		if !plain(r) && (r != '.' && r != ':' || link(runes, i)) {
			return false
		}
	}
	return len(runes) > 0 && (unicode.IsLetter(runes[0]) || unicode.IsDigit(runes[0])) &&
		!listPattern.MatchString(text)
}

var listPattern = regexp.MustCompile(`^[0-9]+[.)]`)

func plain(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune(" ,;()-", r)
}

// link tells whether a dot or colon may be one of a host's name, an address or an emoji.
func link(runes []rune, i int) bool {
	return i+1 < len(runes) && runes[i+1] != ' ' && !unicode.IsDigit(runes[i+1])
}

// within tells whether letters or digits stand on both sides.
func within(runes []rune, i int) bool {
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	return word(i-1) && word(i+1)
}
