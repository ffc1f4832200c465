package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/memory"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
)

func TestNewRepositoryChecksTheAddress(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"https://github.com/acme/access.git", ""},
		{"https://git.example.com:8443/access", ""},
		{"http://127.0.0.1:1234/access.git", ""},
		{"http://localhost/access.git", ""},
		{"http://[::1]:80/access.git", ""},
		{"http://github.com/acme/access.git", "use https"},
		{"http://127.0.0.1.example.com/x", "use https"},
		{"ssh://git@github.com/acme/access.git", "leave the credential out"},
		{"git@github.com:acme/access.git", "cannot be parsed"},
		{"file:///etc", "write https://"},
		{"/srv/git/access.git", "write https://"},
		{"https://alice:hunter2@github.com/acme/access.git", "leave the credential out"},
		{"https://alice:hunter2@git\x7f/", "cannot be parsed"},
		{"https://github.com/acme/access.git?token=hunter2", "write https://"},
		{"", "write https://"},
	} {
		_, err := NewRepository(c.url, "main", nil, nil)
		if c.want == "" && err != nil || c.want != "" &&
			(err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.url, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), ":hunter2") {
			t.Errorf("%q: the error has the password: %v", c.url, err)
		}
	}
	for _, branch := range []string{"", "a..b", "a b", "a\nb", "x.lock", "-x~1"} {
		if _, err := NewRepository("https://h/x", branch, nil, nil); err == nil {
			t.Errorf("branch %q is taken", branch)
		}
	}
}

func TestFetchAgainstBadServers(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the other host was asked for %s, with credential %q", r.URL,
			r.Header.Get("Authorization"))
	}))
	defer other.Close()
	plain := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	advert := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
			io.WriteString(w, text)
		}
	}
	for _, c := range []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{"401", "401: the credential is missing, wrong or expired", plain(401, "no")},
		{"403", "403: the credential may not do this", plain(403, "no")},
		{"404", "404: no such repository", plain(404, "no")},
		{"500", "answered 500: it ?[31mbroke?", plain(500, "it \x1b[31mbroke\u202e\n")},
		{"503 without end", "answered 503", plain(503, strings.Repeat("x", 1<<20))},
		{"echoed credential", "answered 500: bad ***", plain(500, "bad s3cret-token")},
		{"redirect to another host", "is not followed",
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+"/access.git", http.StatusMovedPermanently)
			}},
		{"redirect that keeps the method", "is not followed",
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+"/access.git", http.StatusTemporaryRedirect)
			}},
		{"web page", "no smart git server", func(w http.ResponseWriter,
			_ *http.Request) {
			io.WriteString(w, "<html>Sign in</html>")
		}},
		{"dumb server", "no smart git server",
			plain(200, "0123456789012345678901234567890123456789\trefs/heads/main\n")},
		{"version 0", "does not speak git protocol version 2", advert(
			"001e# service=git-upload-pack\n0000" +
				pktLine("0123456789012345678901234567890123456789 HEAD\x00thin-pack\n") + "0000")},
		{"sha256", "object format is sha256",
			advert(pktLine("version 2\n") + pktLine("fetch=shallow\n") +
				pktLine("object-format=sha256\n") + "0000")},
		{"no shallow", "does not offer shallow fetches",
			advert(pktLine("version 2\n") + pktLine("fetch\n") + "0000")},
		{"another kind of fetches only", "does not offer shallow fetches",
			advert(pktLine("version 2\n") + pktLine("fetch=wait-for-done filter\n") + "0000")},
		{"cut short", "cut short", advert(pktLine("version 2\n") + pktLine("fetch=shallow\n"))},
		{"cut in a packet", "cut short", advert("00ffversion 2")},
		{"no packets", "none of git's", advert("hello world")},
		{"an error packet", "the server said: go ?[1m away",
			advert(pktLine("ERR go \x1b[1m\r\n away\n"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := gitserver.New(t)
			s.Intercept(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				c.handler(w,
					r)
			})
			_, err := open(t, s).Fetch(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "s3cret") || strings.ContainsFunc(err.Error(),
				isControl) || len(err.Error()) > 600 {
				t.Errorf("not fit for a log: %q", err)
			}
		})
	}
}

func pktLine(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }

func TestFetchWhenTheServerIsDown(t *testing.T) {
	s := gitserver.New(t)
	tip := s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	s.Intercept(func(http.ResponseWriter, *http.Request,
		http.Handler) {
		panic(http.ErrAbortHandler)
	})
	if _, err := r.Fetch(t.Context()); err == nil {
		t.Error("no error though the connection was cut")
	}
	if r.Tip() != tip || readFile(t, r, tip, "a") != "1" {
		t.Error("the old tip is gone")
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.Intercept(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // else it says 200 to who is just about to hang up
	})
	if _, err := r.Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a server that hangs: %v, want the context's error", err)
	}
}

func TestCredential(t *testing.T) {
	s := gitserver.New(t)
	tip := s.Commit("one", "a", "1")
	var seen []string
	s.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		user, password, _ := r.BasicAuth()
		seen = append(seen, user+":"+password)
		next.ServeHTTP(w, r)
	})
	calls := 0
	broken := errors.New("the key file is gone")
	r, err := NewRepository(s.URL, "main", func(context.Context) (string, string, error) {
		if calls++; calls == 3 {
			return "", "", broken
		}
		return "x-access-token", strings.Repeat("t", calls), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustFetch(t, r)
	mustFetch(t, r)
	want := []string{"x-access-token:t", "x-access-token:t", "x-access-token:t",
		"x-access-token:tt"}
	if !slices.Equal(seen, want) {
		t.Errorf("credentials %q, want %q", seen, want)
	}
	if _, err := r.Fetch(t.Context()); !errors.Is(err, broken) || len(seen) != len(want) {
		t.Errorf("%v after %d requests, want the credential's error before any", err, len(seen))
	}
	if r.Tip() != tip {
		t.Error("the tip moved")
	}
}

// Every answer that ends too early is an error and leaves the old tip.
func TestFetchOfTruncatedAnswers(t *testing.T) {
	s := gitserver.New(t)
	old := s.Commit("one", "a", "1")
	r := open(t, s)
	mustFetch(t, r)
	tip := s.Commit("two", "a", "2", "b", "2")
	for cut := 0; ; cut += 41 {
		whole := true
		s.Intercept(func(w http.ResponseWriter, req *http.Request, next http.Handler) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, req)
			body := rec.Body.Bytes()
			if len(body) > cut {
				body, whole = body[:cut], false
			}
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			_, _ = w.Write(body)
		})
		got, err := r.Fetch(t.Context())
		if whole {
			if got != tip || err != nil {
				t.Errorf("the whole answer: %s, %v", got, err)
			}
			return
		}
		// The flush after the pack may be missing: the pack's own checksum says that it is whole.
		if err == nil && cut < 8 || err != nil && (r.Tip() != old || got != "") {
			t.Fatalf("cut at %d: %q, %v, tip %s", cut, got, err, r.Tip())
		}
		if err == nil {
			return
		}
	}
}

func TestFetchOfAMissingBranch(t *testing.T) {
	s := gitserver.New(t)
	s.Commit("one", "a", "1")
	s.Git("branch", "main2", "main")
	s.Git("update-ref", "-d", "refs/heads/main")
	if _, err := open(t, s).Fetch(t.Context()); err == nil || !strings.Contains(err.Error(),
		"has no branch main") {
		t.Errorf("%v, want that main is missing", err)
	}
}

func TestReadReport(t *testing.T) {
	band := func(channel byte, s string) string { return pktLine(string(channel) + s) }
	report := func(lines ...string) string {
		var out string
		for _, l := range lines {
			out += pktLine(l + "\n")
		}
		return band(1, out+"0000") + "0000"
	}
	for _, c := range []struct {
		name, answer, want string
		refused            bool
	}{
		{"good", report("unpack ok", "ok refs/heads/main"), "", false},
		{"not forward", report("unpack ok", "ng refs/heads/main fetch first"), "fetch first", true},
		{"with a hook's words", band(2, "denied\x1b[0m\n") + report("unpack ok",
			"ng refs/heads/main hook declined"), "hook declined denied?[0m", true},
		{"bad pack", report("unpack index-pack abnormal exit", "ng refs/heads/main unpacker error"),
			"abnormal exit", true},
		{"another ref", report("unpack ok", "ok refs/heads/other"), "does not mention", false},
		{"nothing", "0000", "cannot be read", false},
		{"empty", "", "cannot be read", false},
		{"cut", report("unpack ok", "ok refs/heads/main")[:20], "stopped", false},
		{"fatal", band(3, "disk full\n"), "disk full", false},
		{"an HTML page", "<html>", "stopped", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := readReport(strings.NewReader(c.answer), "refs/heads/main")
			if c.want == "" && err != nil || c.want != "" &&
				(err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if errors.Is(err, errRefused) != c.refused {
				t.Errorf("%v: refused is %v, want %v", err, !c.refused, c.refused)
			}
		})
	}
}

// TestOddAnswers: what is no answer to the question is an error.
func TestOddAnswers(t *testing.T) {
	id := strings.Repeat("a", 40)
	for answer, want := range map[string]string{
		pktLine(id+" refs/heads/main\n") + "0000":  "",
		pktLine(id+" refs/heads/main2\n") + "0000": "",
		pktLine("abc refs/heads/main\n") +
			"0000": "is no answer",
		pktLine(id+" refs/heads/main\n") + pktLine(id+" refs/heads/main\n") +
			"0000": "is no answer",
	} {
		hash, err := readRefs(strings.NewReader(answer), "refs/heads/main")
		if want == "" && (err != nil || hash.IsZero() == !strings.Contains(answer, "main2")) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %s, %v, want %q", answer, hash, err, want)
		}
	}
	for want, answer := range map[string]io.Reader{
		"holds no pack":         strings.NewReader(pktLine("acknowledgments\n") + "0000"),
		"too many lines before": strings.NewReader(strings.Repeat(pktLine("x"), 1<<20)),
	} {
		if pack, err := readFetch(answer, 1<<20); err == nil || pack != nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestHalfACredential is sent as it is.
func TestHalfACredential(t *testing.T) {
	for _, c := range [][2]string{{"", "token"}, {"user", ""}, {"", ""}} {
		s := gitserver.New(t)
		s.Commit("one", "a", "1")
		s.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			user, password, sent := r.BasicAuth()
			if user != c[0] || password != c[1] || sent != (c != [2]string{}) {
				t.Errorf("%q: sent %t, %q, %q", c, sent, user, password)
			}
			next.ServeHTTP(w, r)
		})
		r, err := NewRepository(s.URL, "main", func(context.Context) (string, string, error) {
			return c[0], c[1], nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		mustFetch(t, r)
	}
}

// TestPushOfNothing is not sent.
func TestPushOfNothing(t *testing.T) {
	s := gitserver.New(t)
	c := &conn{remote: &remote{url: s.URL, client: &http.Client{}}}
	err := c.push(t.Context(), "refs/heads/main", plumbing.ZeroHash, plumbing.ZeroHash, nil)
	if err == nil || !strings.Contains(err.Error(), "preparing the push") || s.Seen.Load() != 0 {
		t.Errorf("%v after %d requests", err, s.Seen.Load())
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"  a\r\n\tb  ":              "a b",
		"\x1b]0;x\x07\u202etxt\x00": "?]0;x??txt?",
		"\xff\xfeå":                 "?å",
		strings.Repeat("é", 400):    strings.Repeat("é", 300) + "…",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzReadAnswers(f *testing.F) {
	f.Add([]byte("001e# service=git-upload-pack\n0000000eversion 2\n0012fetch=shallow\n0000"))
	f.Add([]byte(pktLine(strings.Repeat("a", 40)+" refs/heads/main\n") + "0000"))
	f.Add([]byte(pktLine("shallow-info\n") + pktLine("shallow "+strings.Repeat("a", 40)) + "0001" +
		pktLine("packfile\n") + pktLine("\x01PACK") + "0000"))
	f.Add([]byte(pktLine("\x01"+pktLine("unpack ok\n")+pktLine("ng refs/heads/main no\n")+
		"0000") + "0000"))
	f.Add([]byte(pktLine("ERR \x1b[31m")))
	f.Add([]byte("0004"))
	f.Add([]byte("ffff"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		_, e1 := readCapabilities(bytes.NewReader(answer))
		hash, e2 := readRefs(bytes.NewReader(answer), "refs/heads/main")
		pack, e3 := readFetch(bytes.NewReader(answer), 1<<16)
		e4 := readReport(bytes.NewReader(answer), "refs/heads/main")
		for _, err := range []error{e1, e2, e3, e4} {
			if err != nil && (strings.ContainsFunc(err.Error(), isControl) ||
				len(err.Error()) > 2000) {
				t.Errorf("not fit for a log: %q", err)
			}
		}
		if e2 == nil && !hash.IsZero() && !plumbing.IsHash(hash.String()) || e3 == nil &&
			len(pack) > 1<<16 {
			t.Errorf("let in %s, %d bytes", hash, len(pack))
		}
		o := &objects{Storage: memory.NewStorage(), below: memory.NewStorage()}
		if err := o.unpack(answer, limits{pack: 1 << 16, object: 1 << 12, total: 1 << 16,
			objects: 100}); err == nil && len(answer) < 32 {
			t.Errorf("%q is taken for a pack", answer)
		}
	})
}
