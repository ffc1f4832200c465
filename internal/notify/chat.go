package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/mattermost"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/teams"

	"github.com/pullgrant/pullgrant/internal/outbound"
)

var (
	inSlack    = dialect{quote: slackCode, reason: true}
	inMarkdown = dialect{quote: code, reason: true}
	inWords    = dialect{quote: words}
)

// openSlack is a webhook, slack://hook:…@webhook, or a bot, slack://xoxb:…@CHANNEL.
// https://docs.slack.dev/reference/methods/chat.postMessage
func openSlack(u *url.URL) (string, sender, error) {
	config, err := slack.CreateConfigFromURL(u)
	if err != nil {
		return "", nil, err
	}
	p := post{url: config.Token.WebhookURL(), header: http.Header{}}
	if config.Token.IsAPIToken() {
		p.url, p.accepted = "https://slack.com/api/chat.postMessage", slackAccepted
		p.header.Set("Authorization", config.Token.Authorization())
	}
	p.body = func(m Message) (any, error) {
		payload := slack.MessagePayload{Text: inSlack.text(m), BotName: config.BotName, ThreadTS: config.ThreadTS}
		payload.SetIcon(config.Icon)
		if config.Channel != "webhook" {
			payload.Channel = config.Channel
		}
		return payload, nil
	}
	return p.open()
}

// slackAccepted: Slack's API tells with status 200 too that it took nothing.
func slackAccepted(a outbound.Answer) error {
	var said slack.APIResponse
	if err := json.Unmarshal(a.Body, &said); err != nil || !said.Ok {
		return errors.New("it did not take the message; see that the bot is in the channel and may write there " +
			"(chat:write)")
	}
	return nil
}

// teamsCard is a card of Teams' connectors. The library's own cannot be had alone.
// https://learn.microsoft.com/outlook/actionable-messages/message-card-reference
type teamsCard struct {
	Type     string         `json:"@type"`
	Context  string         `json:"@context"`
	Summary  string         `json:"summary"`
	Title    string         `json:"title"`
	Markdown bool           `json:"markdown"`
	Sections []teamsSection `json:"sections"`
}

type teamsSection struct {
	Text string `json:"text"`
}

// openTeams is a webhook of a connector: teams://GROUP@TENANT/…?host=….webhook.office.com.
func openTeams(u *url.URL) (string, sender, error) {
	var s teams.Service
	if err := s.Initialize(u, nil); err != nil {
		return "", nil, err
	}
	c := s.Config
	p := post{url: teams.BuildWebhookURL(c.Host, c.Group, c.Tenant, c.AltID, c.GroupOwner, c.ExtraID)}
	if err := teams.ValidateWebhookURL(p.url); err != nil {
		return "", nil, err
	}
	p.body = func(m Message) (any, error) {
		card := teamsCard{Type: "MessageCard", Context: "http://schema.org/extensions", Summary: inWords.heading(m),
			Title: inWords.heading(m), Markdown: true}
		for _, line := range inWords.lines(m) {
			card.Sections = append(card.Sections, teamsSection{line})
		}
		return card, nil
	}
	return p.open()
}

// discordPayload is the library's with what keeps it from mentioning anybody.
// https://docs.discord.com/developers/resources/message#allowed-mentions-object
type discordPayload struct {
	discord.WebhookPayload
	AllowedMentions struct {
		Parse []string `json:"parse"`
	} `json:"allowed_mentions"`
}

var discordPattern = regexp.MustCompile(`^https://discord\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]+(\?|$)`)

// openDiscord is a webhook: discord://TOKEN@ID.
func openDiscord(u *url.URL) (string, sender, error) {
	var s discord.Service
	if err := s.Initialize(u, nil); err != nil {
		return "", nil, err
	}
	p := post{url: discord.CreateAPIURLFromConfig(s.Config)}
	if !discordPattern.MatchString(p.url) {
		return "", nil, errUnreadable
	}
	p.body = func(m Message) (any, error) {
		var payload discordPayload
		payload.Content = cutLines(inMarkdown.text(m), discord.ChunkSize)
		payload.Username, payload.AvatarURL = s.Config.Username, s.Config.Avatar
		payload.AllowedMentions.Parse = []string{}
		return payload, nil
	}
	return p.open()
}

// openMattermost is an incoming webhook: mattermost://[USER@]HOST/TOKEN[/CHANNEL].
func openMattermost(u *url.URL) (string, sender, error) {
	config, err := mattermost.CreateConfigFromURL(u)
	if err != nil || config.DisableTLS {
		return "", nil, errUnreadable
	}
	p := post{url: fmt.Sprintf("https://%s/hooks/%s", config.Host, url.PathEscape(config.Token)),
		body: func(m Message) (any, error) {
			body, err := mattermost.CreateJSONPayload(config, inMarkdown.text(m), nil)
			return json.RawMessage(body), err
		}}
	return p.open()
}

// cutLines is a text of at most some characters, without the lines that do not fit.
func cutLines(text string, most int) string {
	for len([]rune(text)) > most {
		end := strings.LastIndexByte(text, '\n')
		if end < 0 {
			return cut(text, most)
		}
		text = text[:end]
	}
	return text
}
