package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/pullgrant/pullgrant/internal/outbound"
)

// post is how a message is told over HTTPS.
type post struct {
	url    string
	method string // "": POST
	header http.Header
	body   func(m Message) (any, error)
	// accepted looks at an answer of a status 2xx; nil: it took the message
	accepted func(outbound.Answer) error
}

// maxAnswer bounds what a service says to a message.
const maxAnswer = 64 << 10

// open is the host that is called, and how.
func (p post) open() (host string, send sender, err error) {
	u, err := url.Parse(p.url)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", nil, errUnreadable
	}
	if _, err := p.request(context.Background(), nil); err != nil {
		return "", nil, err
	}
	return u.Hostname() + ":" + cmp.Or(u.Port(), "443"), p.send, nil
}

func (p post) request(ctx context.Context, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, cmp.Or(p.method, http.MethodPost), p.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range p.header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}

func (p post) send(ctx context.Context, c channel, m Message) error {
	value, err := p.body(m)
	if err != nil {
		return err
	}
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	r, err := p.request(ctx, body)
	if err != nil {
		return errors.New("its address became one that cannot be called")
	}
	answer, err := c.ask(r, maxAnswer)
	switch {
	case err != nil:
		return err
	case answer.Status/100 != 2: // what else it says may repeat the secret
		return fmt.Errorf("%s answered %d", r.URL.Host, answer.Status)
	case p.accepted != nil:
		return p.accepted(answer)
	}
	return nil
}
