package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	netmail "net/mail"
	netsmtp "net/smtp"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
)

// inMail is plain text, in which nothing is markup.
var inMail = dialect{quote: func(text string) string { return text }, reason: true}

// maxSubject bounds the subject of a mail, in characters.
const maxSubject = 200

// openMail is a mail server: smtp://USER:PASSWORD@HOST:PORT/?from=…&to=…. It is spoken to over TLS
// alone, whose certificate is verified.
func openMail(u *url.URL) (string, sender, error) {
	var s smtp.Service
	if err := s.Initialize(u, nil); err != nil {
		return "", nil, err
	}
	c := s.Config
	c.FixEmailTags()
	if c.SkipTLSVerify || c.Encryption == smtp.EncNone || c.Host == "" {
		return "", nil, errUnreadable
	}
	if !c.UseStartTLS && !immediate(c) {
		return "", nil, errUnreadable
	}
	for _, a := range append([]string{c.FromAddress}, c.ToAddresses...) {
		if parsed, err := netmail.ParseAddress(a); err != nil || parsed.Address != a {
			return "", nil, errUnreadable
		}
	}
	if _, err := login(c); err != nil {
		return "", nil, err
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), mail{c}.send, nil
}

// mail is how a mail server is told.
type mail struct{ *smtp.Config }

// immediate tells whether TLS comes before SMTP.
func immediate(c *smtp.Config) bool {
	return c.Encryption == smtp.EncImplicitTLS || c.Encryption == smtp.EncAuto && c.Port == smtp.ImplicitTLSPort
}

func login(c *smtp.Config) (netsmtp.Auth, error) {
	switch c.Auth {
	case smtp.AuthTypes.None:
		return nil, nil
	case smtp.AuthTypes.Plain:
		return netsmtp.PlainAuth("", c.Username, c.Password, c.Host), nil
	case smtp.AuthTypes.CRAMMD5:
		return netsmtp.CRAMMD5Auth(c.Username, c.Password), nil
	case smtp.AuthTypes.OAuth2:
		return smtp.OAuth2Auth(c.Username, c.Password), nil
	}
	return nil, errUnreadable
}

// send hands a mail to the server. What the server says is left out of errors but for its number: it
// may repeat what it was told.
func (s mail) send(ctx context.Context, c channel, m Message) error {
	conn, err := c.dial(ctx, c.host)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	heard := &bounded{conn, maxAnswer}
	if err := s.speak(ctx, heard, c, m); err != nil {
		var answer *textproto.Error
		var garbage textproto.ProtocolError
		switch {
		case errors.Is(err, ErrPartly):
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("ask %s: %w", c.host, ctx.Err())
		case heard.left < 0:
			return fmt.Errorf("the answer of %s has more than %d KiB", c.host, maxAnswer>>10)
		case errors.As(err, &answer):
			return fmt.Errorf("%s answered %d", c.host, answer.Code)
		case errors.As(err, &garbage):
			return fmt.Errorf("what %s answers is no SMTP", c.host)
		}
		return fmt.Errorf("ask %s: %w", c.host, err)
	}
	return nil
}

// bounded is a connection of which no more is read than that: a line of SMTP has no end otherwise, and
// before TLS anybody on the way may write it.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func (s mail) speak(ctx context.Context, conn net.Conn, c channel, m Message) error {
	secure := &tls.Config{ServerName: s.Host, RootCAs: c.roots, MinVersion: tls.VersionTLS12}
	if immediate(s.Config) {
		wrapped := tls.Client(conn, secure)
		if err := wrapped.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = wrapped
	}
	client, err := netsmtp.NewClient(conn, s.Host)
	if err != nil {
		return err
	}
	if err := client.Hello("localhost"); err != nil {
		return err
	}
	if !immediate(s.Config) {
		if err := client.StartTLS(secure); err != nil {
			return err
		}
	}
	auth, err := login(s.Config)
	if err != nil {
		return err
	}
	if auth != nil {
		if err := client.Auth(auth); err != nil {
			return err
		}
	}
	if err := client.Mail(s.FromAddress); err != nil {
		return err
	}
	refused := 0
	for _, to := range s.ToAddresses {
		var answer *textproto.Error
		if err := client.Rcpt(to); errors.As(err, &answer) && refused+1 < len(s.ToAddresses) {
			refused++ // one that is gone keeps the mail from nobody else
		} else if err != nil {
			return err
		}
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(data, s.letter(m, c.clock())); err != nil {
		return err
	}
	if err := data.Close(); err != nil {
		return err
	}
	_ = client.Quit() // it has the mail
	if refused > 0 {
		return ErrPartly
	}
	return nil
}

// letter is the mail with its headers, each of one line whatever is in the message.
// https://www.rfc-editor.org/rfc/rfc5322
func (s mail) letter(m Message, now time.Time) string {
	subject := cut(inMail.heading(m), maxSubject)
	from := netmail.Address{Name: cut(s.FromName, maxName), Address: s.FromAddress}
	headers := []string{
		"Date: " + now.Format(time.RFC1123Z),
		"From: " + from.String(),
		"To: " + strings.Join(s.ToAddresses, ", "),
		"Subject: " + mime.QEncoding.Encode("utf-8", subject),
		"Auto-Submitted: auto-generated",
		"MIME-Version: 1.0",
		`Content-Type: text/plain; charset="utf-8"`,
		"Content-Transfer-Encoding: 8bit",
	}
	return strings.Join(headers, "\r\n") + "\r\n\r\n" + folded(inMail.lines(m)) + "\r\n"
}

// folded are lines none of which is longer than a mail's may be, cut between words: what is cut in a link
// is no link.
func folded(lines []string) string {
	const (
		usual = 200 // bytes, beyond which a line ends with its word
		most  = 990 // of a word; a line has at most 998
	)
	var all []string
	for _, line := range lines {
		part := ""
		for _, word := range strings.SplitAfter(line, " ") {
			for part += word; len(part) > most; {
				fits := most
				for !utf8.RuneStart(part[fits]) {
					fits--
				}
				all, part = append(all, part[:fits]), part[fits:]
			}
			if len(part) > usual {
				all, part = append(all, strings.TrimRight(part, " ")), ""
			}
		}
		if part != "" || line == "" {
			all = append(all, part)
		}
	}
	return strings.Join(all, "\r\n")
}
