// Package notify tells channels, such as a room of Slack or a mailbox, what becomes of requests. What
// it is told of comes from pull requests, and the addresses of channels are secrets: no text of the
// first becomes markup or a mention, and no error holds a part of the second.
//
// The addresses have the forms of the library shoutrrr, which reads them and makes what most services
// are sent. The way there is ours, since the library's client is one for the whole program with some
// services, and has no time limit with others.
package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/outbound"
	"github.com/pullgrant/pullgrant/requests"
)

// Timeout is how long a channel may take to take a message.
const Timeout = 15 * time.Second

// Config says which hosts may be called, and how.
type Config struct {
	// Hosts that may be called beside those of the services themselves: of generic webhooks, of
	// Mattermost, of mail servers. With none, no such channel opens.
	Hosts outbound.Hosts
	CA    []byte           // PEM of authorities that are believed beside the machine's
	Clock func() time.Time // dates mails
}

// Channels are those that can be told, by name. It is safe for use by several goroutines.
type Channels struct {
	all map[string]channel
}

// channel is one that is open.
type channel struct {
	service string
	host    string   // HOST:PORT that is called
	secrets []string // parts of its address
	ask     func(r *http.Request, most int64) (outbound.Answer, error)
	dial    func(ctx context.Context, address string) (net.Conn, error)
	roots   *x509.CertPool
	clock   func() time.Time
	send    sender
}

// sender tells a message over a channel, within the time of the context.
type sender func(ctx context.Context, c channel, m Message) error

// service is what the services of one scheme have in common.
type service struct {
	// own is whether it runs on a host of one's own, which must be listed.
	own bool
	// open reads an address. An error of it is not shown; it may hold the address.
	open func(u *url.URL) (host string, send sender, err error)
}

var services = map[string]service{
	"slack":      {open: openSlack},
	"teams":      {open: openTeams},
	"discord":    {open: openDiscord},
	"mattermost": {open: openMattermost, own: true},
	"smtp":       {open: openMail, own: true},
	"opsgenie":   {open: openOpsgenie},
	"pagerduty":  {open: openPagerDuty},
	"generic":    {open: openGeneric, own: true},
}

// Open reads the addresses of channels by their names. Nobody is called. An error says which channel
// has an address of no use, without any part of it.
func Open(addresses map[string]string, c Config) (*Channels, error) {
	roots, err := outbound.Roots(c.CA)
	if err != nil {
		return nil, err
	}
	opened := &Channels{all: map[string]channel{}}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		if problem := requests.CheckName(name); problem != "" {
			problems = append(problems, fmt.Errorf("the channel %s: %s", requests.Quote(name), problem))
			continue
		}
		ch, err := open(strings.TrimSpace(addresses[name]), c.Hosts)
		if err != nil {
			problems = append(problems, fmt.Errorf("the channel %s: %w", name, err))
			continue
		}
		host, _ := c.Hosts.Find(ch.host)
		if host.Name == "" {
			host = hostOf(ch.host)
		}
		client := outbound.NewClient(outbound.Hosts{host}, roots)
		ch.ask, ch.dial, ch.roots, ch.clock = client.Do, client.Dial, roots, c.Clock
		opened.all[name] = ch
	}
	return opened, errors.Join(problems...)
}

func open(text string, hosts outbound.Hosts) (ch channel, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return ch, errors.New("its address is no URL; docs/messages.md shows the forms")
	}
	s, known := services[u.Scheme]
	if !known {
		return ch, fmt.Errorf("its address does not begin with one of %s://; docs/messages.md shows the forms",
			strings.Join(slices.Sorted(maps.Keys(services)), "://, "))
	}
	ch.service, ch.secrets = u.Scheme, parts(u)
	if ch.host, ch.send, err = s.read(u); err != nil {
		return ch, fmt.Errorf("its address is none that %s:// has, or asks for what is not done; "+
			"docs/messages.md shows the form", u.Scheme)
	}
	if _, listed := hosts.Find(ch.host); s.own && !listed { // the host may be a slip, and the secret
		return ch, errors.New("its host and port are not among those that may be called from here " +
			"(--webhook-host, or webhook-hosts of the Action)")
	}
	return ch, nil
}

// read is open of a service. The library panics on some addresses that lack a part.
func (s service) read(u *url.URL) (host string, send sender, err error) {
	defer func() {
		if recover() != nil {
			err = errUnreadable
		}
	}()
	if u.Host == "dummy.com" { // which the library takes for a part of its documentation, unchecked
		return "", nil, errUnreadable
	}
	return s.open(u)
}

var errUnreadable = errors.New("the address cannot be read")

// hostOf is a host of a service itself, which has a public address.
func hostOf(address string) outbound.Host {
	name, port, _ := strings.Cut(address, ":")
	number, _ := strconv.Atoi(port)
	return outbound.Host{Name: name, Port: number}
}

// Names are those of the channels that can be told, sorted.
func (c *Channels) Names() []string {
	if c == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(c.all))
}

// ErrUnknown is that a channel has no address here.
var ErrUnknown = errors.New("no address is known here")

// ErrPartly is that a mail was taken, and not for all who are to have it.
var ErrPartly = errors.New("the mail server refused some of the recipients; the others have it")

// Send tells a channel a message. It ends when the context does, and after Timeout at the latest. An
// error says what went wrong without any part of the channel's address but its host; the message may
// have arrived all the same. It is ErrUnknown when there is no such channel, and ErrPartly when trying
// again would tell some of its recipients twice.
func (c *Channels) Send(ctx context.Context, name string, m Message) error {
	ch, known := channel{}, false
	if c != nil {
		ch, known = c.all[name]
	}
	if !known {
		return fmt.Errorf("tell the channel %s: %w", requests.Quote(name), ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	switch err := ch.send(ctx, ch, m); {
	case errors.Is(err, ErrPartly):
		return fmt.Errorf("tell the channel %s (%s): %w", name, ch.service, ErrPartly)
	case err != nil:
		return fmt.Errorf("tell the channel %s (%s): %s", name, ch.service, ch.without(err.Error()))
	}
	return nil
}

// parts are those of an address that no error may hold. What is shorter is no secret, and words of an
// error would go with it.
func parts(u *url.URL) (all []string) {
	const least = 6
	password, _ := u.User.Password()
	found := append(strings.Split(u.Path, "/"), u.User.Username(), password)
	for key, values := range u.Query() {
		found = append(append(found, key), values...)
	}
	for _, part := range found {
		if len(part) >= least {
			all = append(all, part)
		}
	}
	return all
}

// without is a text without the parts of the channel's address, should a server or the library have
// put one in.
func (c channel) without(text string) string {
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}
