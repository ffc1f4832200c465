package notify

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailServer is one on loopback that speaks SMTP: with STARTTLS unless TLS comes first. It keeps what it
// is sent.
type mailServer struct {
	net.Listener
	config *tls.Config
	first  bool           // TLS comes before SMTP
	gone   string         // a recipient whom it refuses
	refuse string         // the word of the command that it answers with 550, and with what it was told
	hang   string         // the word of the command that it does not answer
	mute   bool           // it offers no STARTTLS
	plain  bool           // it offers AUTH without TLS, as one in the middle would
	greet  func(net.Conn) // nil: as others do

	mu    sync.Mutex
	heard []string
	mail  string
}

// got is what it has heard and was sent so far.
func (s *mailServer) got() (said, mail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, "\n"), s.mail
}

func serveMail(t *testing.T, change func(*mailServer)) (*mailServer, Config) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	t.Cleanup(web.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	s := &mailServer{Listener: listener, config: web.TLS}
	change(s)
	go s.serve()
	c := Config{Clock: func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) },
		CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})}
	if err := c.Hosts.Set(listener.Addr().String() + "=127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func (s *mailServer) serve() {
	for {
		conn, err := s.Accept()
		if err != nil {
			return
		}
		if s.first {
			conn = tls.Server(conn, s.config)
		}
		s.speak(conn)
	}
}

func (s *mailServer) speak(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in, secured := bufio.NewReader(conn), s.first
	say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
	if s.greet != nil {
		s.greet(conn)
		return
	}
	say("220 mail.example.com ESMTP")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		word, _, _ := strings.Cut(line, " ")
		s.mu.Lock()
		s.heard = append(s.heard, line)
		s.mu.Unlock()
		switch {
		case word == s.hang:
			_, _ = in.ReadByte()
			return
		case s.gone != "" && strings.Contains(line, s.gone):
			say("550 no such user")
		case word == s.refuse:
			said, _ := s.got()
			say("550 no: " + strings.ReplaceAll(said, "\n", " "))
		case word == "EHLO" && !secured && !s.mute:
			say("250-mail.example.com\r\n250 STARTTLS")
		case word == "EHLO" && (secured || s.plain):
			say("250-mail.example.com\r\n250 AUTH PLAIN")
		case word == "STARTTLS":
			say("220 go on")
			conn, secured = tls.Server(conn, s.config), true
			in = bufio.NewReader(conn)
		case word == "AUTH":
			say("235 welcome")
		case word == "DATA":
			say("354 go on")
			body, err := textproto.NewReader(in).ReadDotBytes()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.mail = string(body)
			s.mu.Unlock()
			say("250 taken")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// mailAddress is that of a server, with a password.
func mailAddress(s *mailServer, query string) map[string]string {
	user := url.UserPassword("agent@example.com", "s3cret/Password?")
	return map[string]string{"mail": fmt.Sprintf("smtp://%s@%s/?from=agent@example.com&fromname=Pullgrant&"+
		"to=a@example.com,b@example.com%s", user, s.Addr(), query)}
}

// TestMail: a mail goes over TLS to all who are to have it, with what it is told as text.
func TestMail(t *testing.T) {
	for name, first := range map[string]bool{"": false, "&encryption=ImplicitTLS": true} {
		s, c := serveMail(t, func(s *mailServer) { s.first = first })
		channels, err := Open(mailAddress(s, name), c)
		if err != nil {
			t.Fatal(err)
		}
		m := example
		m.Reason = "INC-123, <b>slow</b>\r\nBcc: mallory@example.com\r\n\r\n.\r\nMAIL FROM:<x@y.se> " +
			strings.Repeat("långsam ", 100)
		link := "https://example.com/" + strings.Repeat("x", 250)
		m.Happened = strings.Repeat("word ", 38) + link + " more"
		m.Policy = "payments-debug\r\nBcc: mallory@example.com"
		if err := channels.Send(t.Context(), "mail", m); err != nil {
			t.Fatal(err)
		}
		said, mail := s.got()
		letter, err := netmail.ReadMessage(strings.NewReader(mail))
		if err != nil {
			t.Fatal(err)
		}
		for header, want := range map[string]string{"From": `"Pullgrant" <agent@example.com>`, "Bcc": "",
			"To": "a@example.com, b@example.com", "Date": "Mon, 23 Nov 2026 10:00:00 +0000",
			"Content-Type": `text/plain; charset="utf-8"`, "Auto-Submitted": "auto-generated"} {
			if got := letter.Header.Get(header); got != want {
				t.Errorf("%s is %q", header, got)
			}
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(letter.Header.Get("Subject"))
		if err != nil || subject != "Access asked for: payments-debug Bcc: mallory@example.com on prod-eu, by alice" {
			t.Errorf("the subject is %q, %v", subject, err)
		}
		for line := range strings.Lines(mail) {
			if len(line) > 998 {
				t.Errorf("a line has %d bytes", len(line))
			}
		}
		if !strings.Contains(mail, link+"\nmore") {
			t.Errorf("the link is cut in\n%s", mail)
		}
		if !strings.Contains(mail, "INC-123, <b>slow</b> Bcc: mallory@example.com . MAIL FROM:<x@y.se> lång") ||
			strings.Count(said, "RCPT TO:<") != 2 || !strings.Contains(said, "AUTH PLAIN") ||
			strings.Contains(said, "STARTTLS") == first {
			t.Errorf("it heard\n%s\n%s", said, mail)
		}
	}
}

// TestMailPartly: a recipient whom the server refuses keeps the mail from nobody else, and is not forgotten.
func TestMailPartly(t *testing.T) {
	for _, gone := range []string{"a@example.com", "b@example.com"} {
		s, c := serveMail(t, func(s *mailServer) { s.gone = "<" + gone })
		channels, err := Open(mailAddress(s, ""), c)
		if err != nil {
			t.Fatal(err)
		}
		err = channels.Send(t.Context(), "mail", example)
		if _, mail := s.got(); !errors.Is(err, ErrPartly) || !strings.Contains(mail, "payments-debug") {
			t.Errorf("without %s: %v\n%s", gone, err, mail)
		}
		silent(t, gone, err)
	}
}

// TestMailFaults: a server that refuses, hangs, or does not speak TLS has no mail and no password, and no
// error repeats what it says.
func TestMailFaults(t *testing.T) {
	for name, fault := range map[string]struct {
		change func(*mailServer)
		want   string
	}{
		"refuses the password":  {func(s *mailServer) { s.refuse = "AUTH" }, "answered 550"},
		"refuses a recipient":   {func(s *mailServer) { s.refuse = "RCPT" }, "answered 550"},
		"refuses the mail":      {func(s *mailServer) { s.refuse = "DATA" }, "answered 550"},
		"has no TLS":            {func(s *mailServer) { s.mute, s.refuse = true, "STARTTLS" }, "answered 550"},
		"takes passwords plain": {func(s *mailServer) { s.mute, s.plain, s.refuse = true, true, "STARTTLS" }, "550"},
		"hangs at once":         {func(s *mailServer) { s.hang = "EHLO" }, "deadline exceeded"},
		"hangs at the mail":     {func(s *mailServer) { s.hang = "DATA" }, "deadline exceeded"},
		"speaks no TLS":         {func(s *mailServer) { s.config = &tls.Config{} }, "ask 127.0.0.1"},
		"speaks no SMTP": {func(s *mailServer) {
			s.greet = func(conn net.Conn) { fmt.Fprint(conn, "HTTP/1.1 400 not this\r\n\r\n") }
		}, "what 127.0.0.1"},
		"another's certificate": {func(s *mailServer) {}, "certificate"},
	} {
		s, c := serveMail(t, fault.change)
		if strings.HasPrefix(name, "another") {
			c.CA = nil
		}
		channels, err := Open(mailAddress(s, ""), c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err = channels.Send(ctx, "mail", example)
		cancel()
		said, mail := s.got()
		if err == nil || !strings.Contains(err.Error(), fault.want) || mail != "" ||
			strings.Contains(err.Error(), "not this") {
			t.Errorf("%s: %v", name, err)
		}
		silent(t, name, err)
		if strings.Contains(name, "TLS") || strings.Contains(name, "plain") || strings.Contains(name, "another") {
			if strings.Contains(said, "AUTH") || strings.Contains(said, "MAIL") {
				t.Errorf("%s: it heard\n%s", name, said)
			}
		}
	}
}

// TestMailNeverStops: of a server that says one line for ever, before TLS or behind it, little is read.
func TestMailNeverStops(t *testing.T) {
	for name, first := range map[string]bool{"": false, "&encryption=ImplicitTLS": true} {
		sent := make(chan int)
		s, c := serveMail(t, func(s *mailServer) {
			s.first = first
			s.greet = func(conn net.Conn) {
				n := 0
				for n < 64<<20 {
					wrote, err := conn.Write(bytes.Repeat([]byte("2"), 64<<10))
					if n += wrote; err != nil {
						break
					}
				}
				sent <- n
			}
		})
		channels, err := Open(mailAddress(s, name), c)
		if err != nil {
			t.Fatal(err)
		}
		err = channels.Send(t.Context(), "mail", example)
		if err == nil || !strings.Contains(err.Error(), "more than 64 KiB") {
			t.Errorf("%s: %v", name, err)
		}
		if n := <-sent; n >= 32<<20 { // what is not read waits in the system's buffers
			t.Errorf("%s: %d MiB were read", name, n>>20)
		}
	}
}
