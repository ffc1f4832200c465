// Package oncall asks PagerDuty and Opsgenie who is on call now.
package oncall

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
)

// Addresses of the services in the USA; those of the EU are api.eu.pagerduty.com and
// api.eu.opsgenie.com.
const (
	PagerDutyURL = "https://api.pagerduty.com"
	OpsgenieURL  = "https://api.opsgenie.com"
)

// maxAnswer bounds each answer, in bytes, after it is unpacked.
const maxAnswer = 1 << 20

// Service is one of the two. Without a Token it is not asked.
type Service struct {
	URL   string // "": that of the USA
	Token string // secret
}

// Config is what an answerer needs.
type Config struct {
	PagerDuty Service
	Opsgenie  Service
	Roots     *x509.CertPool   // whose certificates are believed; nil: the system's
	Clock     func() time.Time // the clock
	// Transport makes the calls; nil: connections of the client's own.
	Transport http.RoundTripper
}

// New is an answerer for the challenges OnCall of both services. It says yes of those alone whom a
// service names as on call now by the number that identities.yaml has of them; what does not answer
// as asked is Unknown, with why.
func New(c Config) (inquire.Answerer, error) {
	pagerDuty, err := c.PagerDuty.endpoint("PagerDuty", PagerDutyURL)
	if err != nil {
		return nil, err
	}
	opsgenie, err := c.Opsgenie.endpoint("Opsgenie", OpsgenieURL)
	if err != nil {
		return nil, err
	}
	http := newCaller(c)
	return func(ctx context.Context, a policies.Asking) policies.Reply {
		var on bool
		var err error
		switch challenge := a.Challenge; {
		case challenge.PagerDutySchedule != "" || challenge.PagerDutyPolicy != "":
			on, err = pagerDuty.onCallAtPagerDuty(ctx, http, a, c.Clock())
		case challenge.OpsgenieSchedule != "":
			on, err = opsgenie.onCallAtOpsgenie(ctx, http, a)
		default:
			err = errors.New("no service is asked")
		}
		switch {
		case err != nil:
			return inquire.Unknown(err)
		case on:
			return policies.Reply{Verdict: policies.Yes}
		}
		return policies.Reply{Verdict: policies.No}
	}, nil
}

// endpoint is a service whose token goes to one host only, by https.
func (s Service) endpoint(name, standard string) (Service, error) {
	if s.URL == "" {
		s.URL = standard
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.Fragment != "" {
		return s, fmt.Errorf("%s: the address %q must be https:// and a host, such as %s", name, s.URL,
			standard)
	}
	s.URL = "https://" + u.Host
	return s, nil
}

// caller makes calls that are answered from where they were sent, whole and within bounds, or not at
// all. Its errors hold no words of whoever answers: an answer could repeat the token.
type caller struct{ http *http.Client }

func newCaller(c Config) caller {
	carrier := c.Transport
	if carrier == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.TLSClientConfig = &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
		carrier = own
	}
	return caller{&http.Client{Transport: carrier, Timeout: inquire.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it redirects, which is not followed")
		}}}
}

// Do is as the PagerDuty library wants its client.
func (c caller) Do(r *http.Request) (*http.Response, error) {
	response, err := c.http.Do(r)
	var call *url.Error
	switch {
	case r.Context().Err() != nil && err != nil:
		return nil, errors.New("it did not answer in time")
	case errors.As(err, &call):
		return nil, call.Err
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusOK:
		response.Body = &bounded{response.Body, maxAnswer}
		return response, nil
	}
	_ = response.Body.Close() // of an answer that is not read
	if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
		return nil, fmt.Errorf("it refuses the token (%d); make one that may read", response.StatusCode)
	}
	return nil, fmt.Errorf("it answers %d %s", response.StatusCode, http.StatusText(response.StatusCode))
}

// bounded is a body that is an error when it is longer.
type bounded struct {
	io.ReadCloser
	left int
}

func (b *bounded) Read(p []byte) (n int, err error) {
	n, err = b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	return n, err
}
