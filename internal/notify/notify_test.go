package notify

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/internal/outbound"
	"github.com/pullgrant/pullgrant/policies"
)

// Secrets that stand in the addresses, and nowhere else.
const (
	slackHook  = "T0SECRET0/B0SECRET0/s3cretS3cretS3cretS3cret"
	slackBot   = "xoxb:1SECRET1SECRET-2SECRET2SECRET-s3cretS3cretS3cretS3cret"
	teamsPath  = "11111111-1111-4111-8111-111111111111@22222222-2222-4222-8222-222222222222"
	teamsAlt   = "33333333333333333333333333333333"
	teamsOwner = "44444444-4444-4444-8444-444444444444"
	teamsExtra = "V2SECRETextra"
	key32      = "0123456789abcdef0123456789abcdef"
)

// sent is what a service was sent.
type sent struct {
	method, path, authorization, body string
	header                            http.Header
}

// serve is a service on loopback, over TLS.
func serve(t *testing.T, status int, answer string) (server *httptest.Server, got *[]sent) {
	t.Helper()
	got = &[]sent{}
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, sent{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), string(body), r.Header})
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, got
}

// addresses are one of each service, with those of one's own at a host. The others have the real ones.
func addresses(host string) map[string]string {
	return map[string]string{
		"slack":     "slack://hook:" + strings.ReplaceAll(slackHook, "/", "-") + "@webhook",
		"slack-bot": "slack://" + slackBot + "@C0123456789",
		"teams": "teams://" + teamsPath + "/" + teamsAlt + "/" + teamsOwner + "/" + teamsExtra +
			"?host=acme.webhook.office.com",
		"discord":    "discord://s3cretDiscordToken@1234567890",
		"mattermost": "mattermost://pullgrant@" + host + "/s3cretMattermost/oncall",
		"opsgenie":   "opsgenie://api.eu.opsgenie.com/s3cret-opsgenie-key?tags=access,pullgrant&priority=P3",
		"pagerduty":  "pagerduty://events.pagerduty.com/" + key32 + "?severity=info&source=pullgrant",
		"generic":    "generic://" + host + "/hooks/s3cretPath?@Authorization=Bearer+s3cretBearer&$team=payments",
	}
}

var example = Message{Event: policies.NotifyRequested, Cluster: "prod-eu", Policy: "payments-debug",
	Request: "20261123-alice-inc-123", URL: "https://github.com/acme/access/pull/7", Requester: "alice",
	Reason: "INC-123, checkout is slow", Happened: "1 of bob and carol must approve",
	Next: "kubectl pullgrant review 20261123-alice-inc-123 --approve", Who: []string{"bob", "acme/squad-b"}}

// config lets the server be called.
func config(t *testing.T, server *httptest.Server) Config {
	t.Helper()
	c := Config{Clock: func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) },
		CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}
	if err := c.Hosts.Set(server.Listener.Addr().String() + "=127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	return c
}

// opened are channels of every service, all of which the server stands in for: what they are sent is
// what the service itself would be, at another host.
func opened(t *testing.T, server *httptest.Server) *Channels {
	t.Helper()
	c := config(t, server)
	channels, err := Open(addresses(server.Listener.Addr().String()), c)
	if err != nil {
		t.Fatal(err)
	}
	for name, ch := range channels.all {
		roots, err := outbound.Roots(c.CA)
		if err != nil {
			t.Fatal(err)
		}
		client := outbound.NewClient(c.Hosts, roots)
		ch.ask = func(r *http.Request, most int64) (outbound.Answer, error) {
			r.URL.Host = server.Listener.Addr().String()
			return client.Do(r, most)
		}
		channels.all[name] = ch
	}
	return channels
}

func TestHosts(t *testing.T) {
	server, _ := serve(t, 200, "ok")
	own := server.Listener.Addr().String()
	channels, err := Open(addresses(own), config(t, server))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, ch := range channels.all {
		got[name] = ch.host
	}
	want := map[string]string{"slack": "hooks.slack.com:443", "slack-bot": "slack.com:443",
		"teams": "acme.webhook.office.com:443", "discord": "discord.com:443", "mattermost": own,
		"opsgenie": "api.eu.opsgenie.com:443", "pagerduty": "events.pagerduty.com:443", "generic": own}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if names := channels.Names(); !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
		t.Errorf("got %v", names)
	}
}

// TestWire: each service is sent what it takes, with who must act and the link.
func TestWire(t *testing.T) {
	for name, want := range map[string]struct{ path, authorization, answer, body string }{
		"slack": {"/services/" + slackHook, "", "ok", `{"text":"Access asked for: payments-debug on prod-eu, by ` +
			"alice\\n1 of bob and carol must approve\\nReason: INC-123, checkout is slow\\nWho must act: bob, " +
			"`acme/squad-b`\\nNext: kubectl pullgrant review 20261123-alice-inc-123 --approve\\nRequest: " +
			"20261123-alice-inc-123\\nhttps://github.com/acme/access/pull/7\"}"},
		"slack-bot": {"/api/chat.postMessage", "Bearer " + strings.Replace(slackBot, ":", "-", 1), `{"ok": true}`,
			`"channel":"C0123456789"`},
		"teams": {"/webhookb2/" + teamsPath + "/IncomingWebhook/" + teamsAlt + "/" + teamsOwner + "/" + teamsExtra,
			"", "1", `"sections":[{"text":"1 of bob and carol must approve"},{"text":"Who must act: bob, ` +
				`acme/squad-b"},{"text":"Next: kubectl pullgrant review`},
		"discord":    {"/api/webhooks/1234567890/s3cretDiscordToken", "", "", `"allowed_mentions":{"parse":[]}}`},
		"mattermost": {"/hooks/s3cretMattermost", "", "ok", `"username":"pullgrant","channel":"oncall"}`},
		"opsgenie": {"/v2/alerts", "GenieKey s3cret-opsgenie-key", "{}", `{"message":"Access asked for: ` +
			`payments-debug on prod-eu, by alice","alias":"pullgrant prod-eu 20261123-alice-inc-123 Requested",` +
			`"description":"1 of bob`},
		"pagerduty": {"/v2/enqueue", "", "{}", `{"payload":{"summary":"Access asked for: payments-debug on ` +
			`prod-eu, by alice","severity":"info","source":"pullgrant"},"routing_key":"` + key32 + `",` +
			`"event_action":"trigger","dedup_key":"pullgrant prod-eu 20261123-alice-inc-123 Requested"`},
		"generic": {"/hooks/s3cretPath", "Bearer s3cretBearer", "", `"reason":"INC-123, checkout is slow"`},
	} {
		t.Run(name, func(t *testing.T) {
			server, got := serve(t, 200, want.answer)
			if err := opened(t, server).Send(t.Context(), name, example); err != nil {
				t.Fatal(err)
			}
			if len(*got) != 1 || (*got)[0].method != "POST" || (*got)[0].path != want.path ||
				(*got)[0].authorization != want.authorization || !strings.Contains((*got)[0].body, want.body) {
				t.Errorf("it was sent %+v", *got)
			}
		})
	}
}

// TestOnce: a call that comes again is no repeat of the first for those who are woken by it.
func TestOnce(t *testing.T) {
	m := example
	for event, want := range map[string]bool{policies.NotifyRequested: true, policies.NotifyEscalated: false,
		policies.NotifyBreakGlass: false} {
		m.Event = event
		for _, address := range []string{"opsgenie://api.opsgenie.com/key", "pagerduty:///" + key32} {
			body := string(bodyOf(t, address, m))
			if got := strings.Contains(body, `"alias"`) || strings.Contains(body, `"dedup_key"`); got != want {
				t.Errorf("%s: %s", event, body)
			}
		}
	}
}

// TestFaults: whatever a service does, it is told in time, and without a part of the address.
func TestFaults(t *testing.T) {
	echo := strings.Join(slices.Collect(maps.Values(addresses("mattermost.example.com"))), " ")
	for name, fault := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"broken":    {500, echo, "answered 500"},
		"not found": {404, echo, "answered 404"},
		"slow down": {429, "", "answered 429"},
		"redirect":  {302, echo, "no redirect is followed"},
		"long":      {200, strings.Repeat(echo, 1000), "more than 64 KiB"},
	} {
		server, _ := serve(t, fault.status, fault.answer)
		channels := opened(t, server)
		for _, channel := range channels.Names() {
			err := channels.Send(t.Context(), channel, example)
			if err == nil || !strings.Contains(err.Error(), fault.want) ||
				!strings.HasPrefix(err.Error(), "tell the channel "+channel+" (") {
				t.Errorf("%s, %s: %v", name, channel, err)
			}
			silent(t, channel, err)
		}
	}
	server, _ := serve(t, 200, `{"ok": false, "error": "xoxb-s3cret"}`)
	err := opened(t, server).Send(t.Context(), "slack-bot", example)
	if err == nil || !strings.Contains(err.Error(), "did not take the message") {
		t.Errorf("refused: %v", err)
	}
	silent(t, "slack-bot", err)
	channels := opened(t, server)
	server.Close()
	for _, channel := range channels.Names() {
		err := channels.Send(t.Context(), channel, example)
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("down, %s: %v", channel, err)
		}
		silent(t, channel, err)
	}
	if err := channels.Send(t.Context(), "nobody", example); err == nil || !strings.Contains(err.Error(),
		`"nobody": no address is known here`) {
		t.Errorf("unknown: %v", err)
	}
}

// TestHangs: who takes and says nothing holds nobody up for longer than the context lets it.
func TestHangs(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // else it says 200 to who is just about to hang up
	}))
	server.StartTLS()
	t.Cleanup(server.Close)
	channels := opened(t, server)
	for _, channel := range channels.Names() {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := channels.Send(ctx, channel, example)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "deadline exceeded") {
			t.Errorf("%s: %v", channel, err)
		}
		silent(t, channel, err)
	}
}

// silent fails for an error with a part of an address in it.
func silent(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, part := range []string{"SECRET", "s3cret", key32, teamsPath, teamsAlt, teamsOwner, "1234567890"} {
		if strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v holds %s", what, err, part)
		}
	}
}

// TestOpen: an address of no use is told by its channel, without any of it.
func TestOpen(t *testing.T) {
	const own = "chat.example.com:8443"
	var c Config
	if err := c.Hosts.Set(own); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                                                      "does not begin with one of",
		"s3cret":                                                                "does not begin with one of",
		"https://hooks.slack.com/s3cret":                                        "does not begin with one of",
		"telegram://s3cret@telegram":                                            "does not begin with one of",
		"slack://s3cret\x7f":                                                    "its address is no URL",
		"slack://s3cret":                                                        "none that slack:// has",
		"slack://xoxb:s3cret@C0123":                                             "none that slack:// has",
		"slack://dummy@dummy.com":                                               "none that slack:// has",
		"teams://dummy@dummy.com":                                               "none that teams:// has",
		"teams://s3cret@x/y/z/w?host=a.com":                                     "none that teams:// has",
		"discord://s3cret@1/more":                                               "none that discord:// has",
		"discord://s3cret@..":                                                   "none that discord:// has",
		"discord://s3cret@1?s3cretKey=x":                                        "none that discord:// has",
		"opsgenie://evil.example.com/s3cret":                                    "none that opsgenie:// has",
		"opsgenie://api.opsgenie.com:8443/s3cret":                               "none that opsgenie:// has",
		"pagerduty://evil.example.com/" + key32:                                 "none that pagerduty:// has",
		"pagerduty://events.pagerduty.com/s3cret":                               "none that pagerduty:// has",
		"mattermost://s3cret.example.com/s3cret":                                "not among those that may be called",
		"mattermost://" + own + "/s3cret?disabletls=yes":                        "none that mattermost:// has",
		"generic://" + own + "/s3cret?disabletls=yes":                           "none that generic:// has",
		"generic://" + own + "/s3cret?template=s3cret":                          "none that generic:// has",
		"generic://" + own + "/s3cret?method=s3cret+x":                          "none that generic:// has",
		"generic://169.254.169.254/s3cret":                                      "not among those that may be called",
		"generic://u:s3cret@" + own + "/x":                                      "none that generic:// has",
		"smtp://u:s3cret@mail.example.com:587/?from=a@b.se&to=c@d.se":           "not among those that may be called",
		"smtp://u:s3cret@" + own + "/?from=a@b.se":                              "none that smtp:// has",
		"smtp://u:s3cret@" + own + "/?from=a@b.se&to=s3cret":                    "none that smtp:// has",
		"smtp://u:s3cret@" + own + "/?from=a@b.se&to=c@d.se&starttls=no":        "none that smtp:// has",
		"smtp://u:s3cret@" + own + "/?from=a@b.se&to=c@d.se&skiptlsverify=yes":  "none that smtp:// has",
		"smtp://u:s3cret@" + own + "/?from=a@b.se%0d%0aBcc:+x@y.se&to=c@d.se":   "none that smtp:// has",
		"smtp://u:s3cret@" + own + "/?from=a@b.se&to=c@d.se&encryption=s3cretx": "none that smtp:// has",
	} {
		channels, err := Open(map[string]string{"oncall": text}, c)
		if err == nil || !strings.Contains(err.Error(), "the channel oncall: ") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
		silent(t, text, err)
		if names := channels.Names(); len(names) > 0 {
			t.Errorf("%q became %v", text, names)
		}
	}
	if _, err := Open(map[string]string{"On Call": "x"}, c); err == nil || !strings.Contains(err.Error(),
		`the channel "On Call": it must be`) {
		t.Errorf("name: %v", err)
	}
}

// FuzzOpen: no address makes the program fail, and no error repeats one.
func FuzzOpen(f *testing.F) {
	for _, text := range addresses("chat.example.com") {
		f.Add(text)
	}
	f.Add("smtp://user:password@mail.example.com:587/?from=a@b.se&to=c@d.se")
	f.Add("slack://C123")
	f.Fuzz(func(t *testing.T, text string) {
		var c Config
		if err := c.Hosts.Set("chat.example.com,mail.example.com:587"); err != nil {
			t.Fatal(err)
		}
		_, err := Open(map[string]string{"oncall": text}, c)
		if err != nil && !openErrors.MatchString(err.Error()) {
			t.Errorf("%v is of %q", err, text)
		}
	})
}

// openErrors are all that can be wrong with the address of a channel, none of them with a part of it.
var openErrors = func() *regexp.Regexp {
	names := slices.Sorted(maps.Keys(services))
	return regexp.MustCompile(`^the channel oncall: its (address is no URL; docs/messages\.md shows the forms|` +
		`address does not begin with one of ` + strings.Join(names, "://, ") + `://; docs/messages\.md ` +
		`shows the forms|` +
		`address is none that (` + strings.Join(names, "|") + `):// has, or asks for what is not done; ` +
		`docs/messages\.md shows the form|host and port are not among those that may be called from here ` +
		`\(--webhook-host, or webhook-hosts of the Action\))$`)
}()
