package notify

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/internal/outbound"
	"github.com/pullgrant/pullgrant/policies"
)

// hostile are texts that would be markup, mentions, links or lines of their own somewhere.
var hostile = []string{"<!channel> <@U012> <https://evil.example.com|click>", "@everyone @here @channel @bob",
	"<@123456> <@&123456> <#1> <t:0>", "**bold** _it_ ~~no~~ `code` ```block```", "[click](https://evil.example.com)",
	"a\nWho must act: nobody\r\nBcc: x@y.se", "![x](https://evil.example.com/a.png)", "<img src=x onerror=alert(1)>",
	"&lt;!channel&gt;", "|| spoiler || :smile: \u202eright to left\u200b", "# heading", "1. list", "> quote",
	"https://evil.example.com evil.example.com http://[::1]", "``double`` `", "$(id) {{.Secret}} %s%n", "\xff\xfe",
	`"}],"allowed_mentions":{"parse":["everyone"]}`, "mailto:x@y.se tel:1", "- item", "* item", "___", "<at>bob</at>"}

// hostileMessage has a text in all of its places.
func hostileMessage(text string) Message {
	return Message{Event: text, Cluster: text, Policy: text, Request: text, URL: text, Requester: text, Reason: text,
		Happened: text, Next: text, Who: []string{text, text}}
}

// known is how many lines a message of one text has: none of it is another.
const known = 7

var (
	span     = regexp.MustCompile("`[^`\n]+`")
	entity   = regexp.MustCompile(`&(amp|lt|gt);`)
	noWords  = regexp.MustCompile(`[^\p{L}\p{M}\p{Nd} ?,;()./:_-]|[.:][^ 0-9,]|(^|[^\p{L}\p{Nd}])_`)
	markdown = regexp.MustCompile(`[\x60*_~<>|\[\]#@!\\{}]|https?:/|[.:][^ \n0-9,]`)
)

// checkMarkdown holds that outside of code spans there is nothing but words.
func checkMarkdown(t *testing.T, what, text string) {
	t.Helper()
	rest := span.ReplaceAllString(text, "")
	for label := range map[string]bool{"Reason: ": true, "Who must act: ": true, "Next: ": true, "Request: ": true} {
		rest = strings.ReplaceAll(rest, label, "")
	}
	if found := markdown.FindString(rest); found != "" {
		t.Errorf("%s: %q is outside of code spans of\n%s", what, found, text)
	}
	if n := strings.Count(text, "\n") + 1; n > known-1 {
		t.Errorf("%s has %d lines:\n%s", what, n, text)
	}
}

func checkText(t *testing.T, text string) {
	t.Helper()
	m := hostileMessage(text)
	if address(m.URL) != "" { // which is one, and shows as one
		m.URL = ""
	}
	checkMarkdown(t, "Markdown", inMarkdown.text(m))
	slackText := inSlack.text(m)
	if bare := entity.ReplaceAllString(slackText, ""); strings.ContainsAny(bare, "<>&") {
		t.Errorf("Slack is sent\n%s", slackText)
	}
	checkMarkdown(t, "Slack", entity.ReplaceAllString(slackText, " "))
	for _, line := range append(inWords.lines(m), inWords.heading(m)) {
		for _, label := range []string{"Access", "Who must act: ", "Next: ", "Request: ", "News: "} {
			line = strings.TrimPrefix(line, label)
		}
		if found := noWords.FindString(line); found != "" {
			t.Errorf("in words, %q is in %q", found, line)
		}
	}
	for _, d := range []dialect{inMarkdown, inSlack, inWords, inMail} {
		for _, r := range d.text(m) {
			if r != '\n' && !unicode.IsGraphic(r) {
				t.Errorf("%q is in %q", r, d.text(m))
			}
		}
	}
	if d := inWords.text(m); d != inWords.text(Message{Event: m.Event, Cluster: m.Cluster, Policy: m.Policy,
		Request: m.Request, URL: m.URL, Requester: m.Requester, Happened: m.Happened, Next: m.Next, Who: m.Who}) {
		t.Errorf("the reason is in %q", d)
	}
	discord := bodyOf(t, "discord://token@1", m)
	var payload struct {
		Content  string
		Mentions struct{ Parse []string } `json:"allowed_mentions"`
	}
	if err := json.Unmarshal(discord, &payload); err != nil || payload.Mentions.Parse == nil ||
		len(payload.Mentions.Parse) > 0 || utf8.RuneCountInString(payload.Content) > 2000 {
		t.Errorf("Discord is sent %s, %v", discord, err)
	}
}

// bodyOf is what a service is sent of a message.
func bodyOf(t *testing.T, address string, m Message) []byte {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	_, send, err := services[u.Scheme].open(u)
	if err != nil {
		t.Fatal(err)
	}
	var body []byte
	ch := channel{ask: func(r *http.Request, _ int64) (outbound.Answer, error) {
		body = make([]byte, r.ContentLength)
		_, err := r.Body.Read(body)
		return outbound.Answer{Status: 200}, err
	}}
	if err := send(t.Context(), ch, m); err != nil {
		t.Fatal(err)
	}
	return body
}

// TestHostileText: no text is markup, a mention, a link or a line of its own, in any service.
func TestHostileText(t *testing.T) {
	for _, text := range hostile {
		checkText(t, text)
		checkText(t, strings.Repeat(text, 100))
	}
}

func FuzzText(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(checkText)
}

// TestWords: what policies, people and the agent are called stands as it is.
func TestWords(t *testing.T) {
	for _, text := range []string{"payments-debug", "acme/squad-b", "alice_acme", "20261123-alice-inc-123",
		"it ends at 20:15 UTC, in 10 minutes", "pullgrant extend 20261123-alice-inc-123"} {
		if got := words(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
		if got := strings.Trim(code(text), "`"); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := code("it ends at 20:15 UTC, in 10 minutes"); strings.Contains(got, "`") {
		t.Errorf("prose became %q", got)
	}
	for _, event := range policies.NotifyEvents() {
		if headings[event] == "" {
			t.Errorf("%s has no heading", event)
		}
	}
	help := "ask again; what to do first: " + policies.ExpiredBeforeGrant.Help()
	if got := inWords.shown(help, maxLine); got != help {
		t.Errorf("the help is %q", got)
	}
	m := example
	m.Who = strings.Fields(strings.Repeat("bob ", 13))
	if got := inWords.text(m); !strings.Contains(got, "bob, 3 more") {
		t.Errorf("many people are %q", got)
	}
}

// TestHeadingSaysWhoAsked: nobody is taken for who approved, refused or ended what they asked for.
func TestHeadingSaysWhoAsked(t *testing.T) {
	for event, heading := range headings {
		m := Message{Event: event, Policy: "debug", Cluster: "prod-eu", Requester: "alice"}
		want := heading + ": debug on prod-eu, asked for by alice"
		if event == policies.NotifyRequested || event == policies.NotifyEscalated {
			want = heading + ": debug on prod-eu, by alice"
		}
		if got := inMail.heading(m); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
