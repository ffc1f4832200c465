package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// log is what a running command says, as far as it got.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestSyncListens runs the agent with its flags against a cluster that does not answer: it lives,
// is not ready, shows its numbers and takes what GitHub delivers.
func TestSyncListens(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kubeconfig := write("kubeconfig",
		`{apiVersion: v1, kind: Config, current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: a, user: {}}]}`)
	secret := write("secret", "sekrit\n") // as an editor leaves it
	channels := t.TempDir()
	for name, address := range map[string]string{"ops": "generic://hooks.example/sekrit",
		"sre": "pagerduty://events.pagerduty.com/" + strings.Repeat("a1", 16)} {
		if err := os.WriteFile(filepath.Join(channels, name), []byte(address), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	said := &log{}
	w := world{in: strings.NewReader(""), out: io.Discard, err: said,
		env: func(string) string { return "" }, now: time.Now}
	ctx, cancel := context.WithCancel(t.Context())
	root := newRoot(w, program)
	root.SetArgs([]string{"sync", "--cluster", "prod-eu", "--repo-url",
		"http://127.0.0.1:1/acme/access.git", "--evidence", "branch",
		"--kubeconfig", kubeconfig, "--listen", "127.0.0.1:0", "--webhook-secret-file", secret,
		"--channels-dir", channels})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	address := ""
	for deadline := time.Now().Add(20 * time.Second); address == ""; time.Sleep(
		10 * time.Millisecond) {
		if m := regexp.MustCompile(`"address":"([^"]+)"`).FindStringSubmatch(
			said.String()); m != nil {
			address = m[1]
		} else if time.Now().After(deadline) {
			t.Fatalf("it does not say where it listens:\n%s", said)
		}
	}
	mac := hmac.New(sha256.New, []byte("sekrit"))
	mac.Write([]byte("{}"))
	for _, c := range []struct {
		method, path, want string
		status             int
	}{
		{http.MethodGet, "/healthz", "the expiry loop is running", http.StatusOK},
		{http.MethodGet, "/readyz", "not ready: ", http.StatusServiceUnavailable},
		{http.MethodGet, "/metrics", `pullgrant_build_info{cluster="prod-eu",version="` +
			thisBuild().Version + `"} 1`, http.StatusOK},
		{http.MethodPost, "/webhook", "the branch is looked at", http.StatusAccepted},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+address+c.path,
			strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"Content-Type": {"application/json"},
			"X-Github-Event":      {"push"},
			"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.status ||
			!strings.Contains(string(body), c.want) {
			t.Errorf("%s: %d %s %v", c.path, response.StatusCode, body, err)
		}
	}
	if !strings.Contains(said.String(), "not every channel of policies can be told") ||
		!strings.Contains(said.String(), "the channel ops: ") {
		t.Errorf("the log does not tell of the channel that is of no use:\n%s", said)
	}
	if strings.Contains(said.String(), "sekrit") {
		t.Errorf("the log has the secret:\n%s", said)
	}
}
