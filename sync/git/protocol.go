package git

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// Credential is asked once per operation, because an installation token of a GitHub App lives one
// hour. The two strings go into HTTP basic authentication (for GitHub: "x-access-token" and the
// token) and nowhere else. An error ends the operation before anything is sent.
type Credential func(ctx context.Context) (username, password string, err error)

// remote is one repository on a git server, spoken to over smart HTTP (git's gitprotocol-http and
// gitprotocol-v2).
type remote struct {
	url    string
	client *http.Client
	cred   Credential
}

// conn is a remote with the credential of one operation.
type conn struct {
	*remote
	username, password string
}

// newRemote checks the address: https, or http to loopback. A credential inside it is refused,
// since addresses end up in logs.
func newRemote(address string, client *http.Client, cred Credential) (*remote, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil: // the parser's error would quote the whole address
		return nil, errors.New("the repository URL cannot be parsed; write " +
			"https://HOST/OWNER/NAME.git")
	case u.User != nil:
		return nil, fmt.Errorf("repository URL %s: leave the credential out of the URL and give "+
			"it in a file", u.Redacted())
	case u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("repository URL %s: write https://HOST/OWNER/NAME.git",
			clean(u.Redacted()))
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("repository URL %s: use https (http only for loopback)",
			clean(u.Redacted()))
	}
	c := http.Client{}
	if client != nil {
		c = *client
	}
	// A redirect could carry the credential to another host (CVE-2026-41506), and a repository that
	// moved is for a person to look at, so none is followed.
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &remote{url: strings.TrimRight(u.String(), "/"), client: &c, cred: cred}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (m *remote) open(ctx context.Context) (*conn, error) {
	c := &conn{remote: m}
	if m.cred == nil {
		return c, nil
	}
	var err error
	if c.username, c.password, err = m.cred(ctx); err != nil {
		return nil, fmt.Errorf("getting the credential for %s: %w", m.url, err)
	}
	return c, nil
}

// exchange sends one request and gives the answer's body when its status is 200 and its type is the
// one asked for.
func (c *conn) exchange(ctx context.Context, method, path, service, kind string,
	body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", c.url, err)
	}
	if c.username != "" || c.password != "" {
		req.SetBasicAuth(c.username, c.password)
	}
	// some servers give the git protocol to clients that call themselves git only
	req.Header.Set("User-Agent", "git/2 (pullgrant)")
	if service == "git-upload-pack" {
		req.Header.Set("Git-Protocol", "version=2")
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-"+service+"-request")
	}
	want := "application/x-" + service + "-" + kind
	req.Header.Set("Accept", want)
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, c.secretless(err)
	}
	if resp.StatusCode == http.StatusOK {
		if got := resp.Header.Get("Content-Type"); got != want {
			resp.Body.Close()
			return nil, fmt.Errorf("%s answered %q instead of %q: it is no smart git server; "+
				"check the URL", c.url, clean(got), want)
		}
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024)) // only decoration for the error
	return nil, c.secretless(c.refusal(resp, string(text)))
}

// errForbidden marks an answer of status 403.
var errForbidden = errors.New("403")

func (c *conn) refusal(resp *http.Response, text string) error {
	said := ""
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") &&
		strings.TrimSpace(text) != "" {
		said = ": " + clean(text)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%s answered 401: the credential is missing, wrong or expired%s",
			c.url, said)
	case code == http.StatusForbidden:
		return fmt.Errorf("%s answered %w: the credential may not do this; check the App's "+
			"Contents permission%s", c.url, errForbidden, said)
	case code == http.StatusNotFound:
		return fmt.Errorf("%s answered 404: no such repository, or the credential cannot see it%s",
			c.url, said)
	case code >= 300 && code < 400:
		to := "elsewhere"
		if u, err := resp.Location(); err == nil {
			to = "to " + clean(u.Scheme+"://"+u.Host+u.Path)
		}
		return fmt.Errorf("%s redirects %s, which is not followed: if the repository moved, "+
			"change the URL", c.url, to)
	default:
		return fmt.Errorf("%s answered %d%s", c.url, code, said)
	}
}

// secretless drops an error's chain when its text holds the credential, which a server could echo.
func (c *conn) secretless(err error) error {
	if c.password == "" {
		return err
	}
	said := err.Error()
	sent := base64.StdEncoding.EncodeToString([]byte(c.username + ":" + c.password))
	if hidden := strings.NewReplacer(c.password, "***", sent, "***").Replace(said); hidden != said {
		return errors.New(hidden)
	}
	return err
}

// capabilities asks what the server can do, and refuses one that does not speak protocol version 2.
func (c *conn) capabilities(ctx context.Context) (capabilities, error) {
	body, err := c.exchange(ctx, http.MethodGet, "/info/refs?service=git-upload-pack",
		"git-upload-pack", "advertisement", nil)
	if err != nil {
		return capabilities{}, err
	}
	defer body.Close()
	caps, err := readCapabilities(io.LimitReader(body, maxTalk))
	if err != nil {
		return caps, c.secretless(fmt.Errorf("reading what %s can do: %w", c.url, err))
	}
	return caps, nil
}

// tip asks for the commit at ref; zero when there is no such ref.
func (c *conn) tip(ctx context.Context, ref plumbing.ReferenceName) (plumbing.Hash, error) {
	body, err := c.exchange(ctx, http.MethodPost, "/git-upload-pack", "git-upload-pack", "result",
		refsRequest(ref))
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer body.Close()
	hash, err := readRefs(io.LimitReader(body, maxTalk), ref)
	if err != nil {
		return hash, c.secretless(fmt.Errorf("listing %s at %s: %w", ref, c.url, err))
	}
	return hash, nil
}

// fetch asks for a pack, of at most limit bytes.
func (c *conn) fetch(ctx context.Context, f fetchRequest, limit int64) ([]byte, error) {
	body, err := c.exchange(ctx, http.MethodPost, "/git-upload-pack", "git-upload-pack", "result",
		f.encode())
	if err != nil {
		return nil, err
	}
	defer body.Close()
	pack, err := readFetch(body, limit)
	if err != nil {
		return nil, c.secretless(fmt.Errorf("fetching %s from %s: %w", f.wants[0], c.url, err))
	}
	return pack, nil
}

// push moves ref from old to new in one compare-and-swap: the server refuses when ref is not at old
// any more. An error without errRefused leaves open whether the server did it.
func (c *conn) push(ctx context.Context, ref plumbing.ReferenceName, old, new plumbing.Hash,
	pack []byte) error {
	req := packp.NewReferenceUpdateRequest()
	err := errors.Join(req.Capabilities.Set(capability.ReportStatus),
		req.Capabilities.Set(capability.Sideband64k))
	req.Commands = []*packp.Command{{Name: ref, Old: old, New: new}}
	req.Packfile = io.NopCloser(bytes.NewReader(pack))
	var out bytes.Buffer
	if err = errors.Join(err, req.Encode(&out)); err != nil {
		return fmt.Errorf("preparing the push: %w", err)
	}
	body, err := c.exchange(ctx, http.MethodPost, "/git-receive-pack", "git-receive-pack", "result",
		out.Bytes())
	if err != nil {
		return err
	}
	defer body.Close()
	if err := readReport(io.LimitReader(body, maxTalk), ref); err != nil {
		return c.secretless(fmt.Errorf("pushing to %s at %s: %w", ref, c.url, err))
	}
	return nil
}
