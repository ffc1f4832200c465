package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// Client calls hosts over HTTPS. It follows no redirect, takes no proxy from the environment, and looks
// at the address when it dials, so that a name cannot come to another one in between.
type Client struct {
	hosts    Hosts
	http     *http.Client
	resolver *net.Resolver // nil: the machine's
}

// NewClient is a client for the hosts. It believes certificates of roots, or those that the machine
// believes when that is nil.
func NewClient(hosts Hosts, roots *x509.CertPool) *Client {
	c := &Client{hosts: hosts}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            c.dial,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
	return c
}

// Through is a client for the hosts whose calls something else carries than connections of its own,
// which then sees to what they reach.
func Through(hosts Hosts, carrier http.RoundTripper) *Client {
	c := NewClient(hosts, nil)
	c.http.Transport = carrier
	return c
}

// Roots are the authorities that the machine believes, and those of a PEM beside them; nil without
// one, which NewClient takes for the machine's.
func Roots(ca []byte) (*x509.CertPool, error) {
	if len(ca) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // the machine believes nobody
	}
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("what is given as authorities of webhooks holds no certificate in PEM")
	}
	return roots, nil
}

// Answer is what a host said.
type Answer struct {
	Status int
	Body   []byte
}

// Do sends a request and reads the answer, of at most limit bytes. It ends when the request's context
// does. An answer of any status but a redirect is one.
func (c *Client) Do(r *http.Request, limit int64) (Answer, error) {
	if err := c.permits(r.URL); err != nil {
		return Answer{}, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		var inURL *url.Error // it repeats the address, which who asks names already
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return Answer{}, fmt.Errorf("ask %s: %w", r.URL.Host, err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 == 3 {
		return Answer{}, fmt.Errorf("%s answered %d, which leads elsewhere; no redirect is followed, so "+
			"name where it leads instead", r.URL.Host, response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("read the answer of %s: %w", r.URL.Host, err)
	case int64(len(body)) > limit:
		return Answer{}, fmt.Errorf("the answer of %s has more than %d KiB", r.URL.Host, limit>>10)
	}
	return Answer{response.StatusCode, body}, nil
}

// permits tells why an address may not be called, whatever the host's name comes to.
func (c *Client) permits(u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = fmt.Sprint(httpsPort)
	}
	if _, ok := c.hosts.Find(u.Hostname() + ":" + port); !ok {
		return fmt.Errorf("%s is not among the hosts that may be called from here (--webhook-host, or "+
			"webhook-hosts of the Action)", u.Host)
	}
	if u.Scheme != "https" || u.User != nil {
		return fmt.Errorf("%s may be called over https alone, without a password in the address", u.Host)
	}
	return nil
}

// Dial connects to a host by its address, HOST:PORT, for what is not spoken over HTTP.
func (c *Client) Dial(ctx context.Context, address string) (net.Conn, error) {
	return c.dial(ctx, "tcp", address)
}

// dial looks at each address that the name comes to, right before it is connected to.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, ok := c.hosts.Find(address)
	if !ok {
		return nil, fmt.Errorf("%s is not among the hosts that may be called from here", address)
	}
	dialer := net.Dialer{Resolver: c.resolver, Control: func(_, resolved string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", host.Name, err)
		}
		if problem := host.refusal(at.Addr()); problem != "" {
			return errors.New(problem)
		}
		return nil
	}}
	return dialer.DialContext(ctx, network, address)
}
