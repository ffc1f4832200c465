package sync

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/execaudit"
	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// onceCommand is strictCommand for a single use, on a node, and for two commands.
func onceCommand(mode string) *txtar.Archive {
	return txtar.Parse([]byte(strings.NewReplacer(
		"grants:\n", "mode: "+mode+"\ngrants:\n",
		"    commands: [[date]]\n", "    commands: [[date], [id]]\n    once: true\n",
		"spec: {containers:", "spec: {nodeName: here, containers:",
	).Replace(string(txtar.Format(strictCommand)))))
}

const auditToken = "a-token-that-nobody-guesses-0123456789"

// TestExecUsed: on a real control plane whose API server tells of commands as docs/exec-audit.md
// says, a grant for a single use ends while its first command runs. What was refused before does not
// end it. Both stand in the ledger.
func TestExecUsed(t *testing.T) {
	for mode, as := range map[string]string{requests.ModeDirect: "", requests.ModeImpersonate: "as "} {
		t.Run(mode, func(t *testing.T) { execUsed(t, mode, as) })
	}
}

func execUsed(t *testing.T, mode, as string) {
	g := newGiven(t, onceCommand(mode))
	g.sections["request"] = dateCommand
	g.node()
	g.SetClock(time.Now().Truncate(time.Second)) // by which the API server says when it was called
	listener := g.audited()
	name := g.pushed("once")
	a := g.agent(options{audit: listener, token: auditToken})
	g.running(a)
	path := "/api/v1/namespaces/" + g.Namespace + "/pods/api-1/exec?container=app&stdout=true&command="
	g.expect(name, as+"GET /api/v1/namespaces/"+g.Namespace+"/pods/api-1 200", false)
	g.expect(name, as+"POST "+path+"sh 403", false)
	g.Until("the refusal is told", func() bool {
		g.SetClock(time.Now())
		return strings.Contains(g.Records()[0].Data["uses"], `"refused":1`)
	})
	who := ""
	if as != "" {
		who = "Impersonate-User: " + requests.Grant{Name: name}.User() + "\r\n"
	}
	running := g.upgraded(path+"date", who)
	g.Until("it is over", func() bool {
		g.SetClock(time.Now())
		return len(g.Records()) == 0
	})
	select {
	case <-running:
		t.Error("the command was over before its grant")
	default:
	}
	used := g.leftNothing(name, requests.CauseExecUsed).Status.Uses
	if used == nil || used.Allowed != 1 || used.Refused != 1 || len(used.First) != 2 {
		t.Fatalf("the ledger has the uses %+v", used)
	}
	for i, want := range []requests.Use{
		{Command: "run " + g.Namespace + "/api-1/app sh", Code: http.StatusForbidden},
		{Command: "run " + g.Namespace + "/api-1/app date", Code: http.StatusSwitchingProtocols,
			Allowed: true},
	} {
		got := used.First[i]
		if got.AuditID == "" || got.Time.IsZero() {
			t.Errorf("use %d is %+v", i, got)
		}
		got.AuditID, got.Time = "", requests.Time{}
		if got != want {
			t.Errorf("use %d is %+v, want %+v", i, got, want)
		}
	}
	g.shows(a, "exec_uses_total", `result="allowed"`, "1")
	g.shows(a, "exec_uses_total", `result="refused"`, "1")
	g.shows(a, "exec_audit_events_total", `result="foreign"`, "0")
	bindings := "1"
	if as != "" {
		bindings = "2" // one of them lets alice act as the identity
	}
	g.shows(a, "bindings_ended_total", `cause="ExecUsed"`, bindings)
	g.shows(a, "exec_audit_on", "", "1")
}

// TestExecUsedHoweverCalled: nothing that a caller may choose about a call has its use go unnoticed: not
// the audit ID, and no command that the API server cuts, or that is no text.
func TestExecUsedHoweverCalled(t *testing.T) {
	g := newGiven(t, txtar.Parse([]byte(strings.Replace(string(txtar.Format(onceCommand(
		requests.ModeDirect))), "commands: [[date], [id]]", "anyCommand: true", 1))))
	g.sections["request"] = "  exec: {pod: api-1, container: app}\n"
	g.node()
	g.SetClock(time.Now().Truncate(time.Second))
	listener := g.audited()
	g.running(g.agent(options{audit: listener, token: auditToken}))
	pod := "/api/v1/namespaces/" + g.Namespace + "/pods/api-1"
	told := "run " + g.Namespace + "/api-1/app date " // before the argument, as the API server tells it
	within := "x"
	if len(told)%2 == 1 {
		within = "" // so that it is cut within an é
	}
	for what, call := range map[string]struct{ argument, headers string }{
		"id":   {"-u", "Audit-ID: " + strings.Repeat("a", 2000) + "\r\n"},
		"cut":  {within + strings.Repeat("%C3%A9", 6000), ""},
		"text": {strings.Repeat("%FF", 6000), ""},
	} {
		name := g.pushed(what)
		g.expect(name, "GET "+pod+" 200", false)
		g.upgraded(pod+"/exec?container=app&stdout=true&command=date&command="+call.argument,
			call.headers)
		g.Until("the grant of "+what+" is over", func() bool {
			g.SetClock(time.Now())
			return len(g.Records()) == 0
		})
		used := g.leftNothing(name, requests.CauseExecUsed).Status.Uses
		if used == nil || used.Allowed != 1 || !strings.HasPrefix(used.First[0].Command, told) {
			t.Errorf("%s: the ledger has the uses %+v", what, used)
		}
	}
}

// TestExecUsedInAFlood: calls that are refused, which whoever reaches the API server can make, hold up
// nothing that is told of a use.
func TestExecUsedInAFlood(t *testing.T) {
	g := newGiven(t, onceCommand(requests.ModeDirect))
	g.sections["request"] = dateCommand
	g.node()
	g.SetClock(time.Now().Truncate(time.Second))
	listener := g.audited()
	name := g.pushed("flood")
	g.running(g.agent(options{audit: listener, token: auditToken}))
	pod := "/api/v1/namespaces/" + g.Namespace + "/pods/api-1"
	g.expect(name, "GET "+pod+" 200", false)
	config := controlplane.ForTest(t).User("nobody@example.com") // who has no right
	client, err := rest.HTTPClientFor(config)
	g.Must(err)
	const flood, atOnce = 600, 6
	var calls gosync.WaitGroup
	for range atOnce {
		calls.Go(func() {
			for range flood / atOnce {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
					config.Host+pod+"/exec?command=date", http.NoBody)
				if err == nil {
					var answer *http.Response
					if answer, err = client.Do(r); err == nil {
						_ = answer.Body.Close()
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	used := time.Now()
	g.upgraded(pod+"/exec?container=app&stdout=true&command=date", "")
	g.Until("it is over", func() bool {
		g.SetClock(time.Now())
		return len(g.Records()) == 0
	})
	if took := time.Since(used); took > 20*time.Second {
		t.Errorf("it was over only %s after its use", took)
	}
	g.leftNothing(name, requests.CauseExecUsed)
}

// TestUsesAsTold: whoever has the webhook's credentials can tell what they like, and only what somebody
// did who has a live grant counts, once. A flood of it is written a few times, and kept in part.
func TestUsesAsTold(t *testing.T) {
	g := newGiven(t, onceCommand(requests.ModeDirect))
	g.sections["request"] = dateCommand
	cp := controlplane.ForTest(t)
	listener := g.listens()
	name := g.pushed("told")
	var writes atomic.Int32
	record := "/api/v1/namespaces/pullgrant-system/configmaps/" + requests.ObjectName(name, 0)
	a := g.agent(options{audit: listener, token: auditToken, poll: time.Hour,
		wire: func(next http.RoundTripper) http.RoundTripper {
			return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPut && r.URL.Path == record {
					writes.Add(1)
				}
				return next.RoundTrip(r)
			})
		}})
	g.running(a)
	g.expect(name, "GET /api/v1/namespaces/"+g.Namespace+"/pods/api-1 200", false)
	g.Until("it is noted as granted", func() bool { return g.Records()[0].Data["phase"] == "Granted" })
	client, err := rest.HTTPClientFor(&rest.Config{TLSClientConfig: cp.User("kube-apiserver-audit").
		TLSClientConfig})
	g.Must(err)
	tell := func(events ...string) {
		t.Helper()
		body := `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[` +
			strings.Join(events, ",") + `]}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"https://"+listener.Addr().String()+execaudit.Path, strings.NewReader(body))
		g.Must(err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+auditToken)
		answer, err := client.Do(r)
		g.Must(err)
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("answered with %s", answer.Status)
		}
	}
	at := g.Clock()
	event := func(id int, user, namespace, command string, code int, at time.Time) string {
		return fmt.Sprintf(`{"auditID":"id-%d","stage":"ResponseComplete","user":{"username":%q},
"objectRef":{"resource":"pods","subresource":"exec","namespace":%q},"responseStatus":{"code":%d},
"requestReceivedTimestamp":%q,"annotations":{"pullgrant-exec/exec":"run %[3]s/api-1/app %[6]s"}}`,
			id, user, namespace, code, at.Format(time.RFC3339Nano), command)
	}
	const alice = "alice@example.com"
	tell(event(1, "bob@example.com", g.Namespace, "date", 101, at),
		event(2, "system:serviceaccount:pullgrant-grants:x", g.Namespace, "date", 101, at),
		event(3, alice, "default", "date", 101, at),
		event(4, alice, g.Namespace, "sh", 101, at), // which the grant does not allow
		event(5, alice, g.Namespace, "date", 101, at.Add(-time.Hour)),
		event(6, alice, g.Namespace, "date", 101, at.Add(time.Hour)))
	g.Until("the forged are known", func() bool {
		return g.series(a, "exec_audit_events_total", `result="foreign"`) == "4"
	})
	g.shows(a, "exec_audit_events_total", `result="stale"`, "1")
	if n, uses := writes.Load(), g.Records()[0].Data["uses"]; uses != "" {
		t.Fatalf("the record was written %d times, and has the uses %s", n, uses)
	}
	before, begin := writes.Load(), time.Now()
	const flood = 300
	for n := range flood / 3 { // so many calls may come at once
		var some []string
		for i := 3 * n; i < 3*n+3; i++ {
			one := event(100+i, alice, g.Namespace, fmt.Sprintf(`x\u202e%d`, i), 403, at)
			some = append(some, one, one)
		}
		tell(some...)
		time.Sleep(20 * time.Millisecond) // long enough in all for many rounds
	}
	g.Until("the flood is known", func() bool {
		return g.series(a, "exec_audit_events_total", `result="kept"`) == strconv.Itoa(flood)
	})
	most := int32(time.Since(begin)/time.Second) + 2
	if n := writes.Load() - before; n > most {
		t.Errorf("the record was written %d times, want %d at most", n, most)
	}
	g.shows(a, "exec_audit_events_total", `result="replayed"`, strconv.Itoa(flood+1)) // with the end
	// of what began an hour before
	used := event(7, alice, g.Namespace, "date", 101, at)
	tell(used, used)
	g.Until("it is over", func() bool { return len(g.Records()) == 0 })
	uses := g.leftNothing(name, requests.CauseExecUsed).Status.Uses
	if uses.Allowed != 1 || uses.Refused != flood || len(uses.First) != requests.MaxUses/2+1 {
		t.Errorf("the ledger has %s, %d of them whole", uses, len(uses.First))
	}
	if got, want := uses.First[0].Command, "run "+g.Namespace+`/api-1/app x\u202e0`; got != want {
		t.Errorf("the first is %q, want %q", got, want)
	}
	if strings.Contains(g.Log.String(), "\u202e") {
		t.Error("the log has what a reader may fail to see")
	}
}

// listens is where the agent takes what it is told, from whom the cluster's authority knows.
func (g *given) listens() net.Listener {
	g.Helper()
	cp := controlplane.ForTest(g.T)
	authority, err := os.ReadFile(filepath.Join(cp.Dir, "ca.crt"))
	g.Must(err)
	config, err := execaudit.TLS(filepath.Join(cp.Dir, "serving.crt"),
		filepath.Join(cp.Dir, "serving.key"), authority)
	g.Must(err)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	g.Must(err)
	return listener
}

// audited has the API server tell of commands, and returns where.
func (g *given) audited() net.Listener {
	g.Helper()
	cp, listener := controlplane.ForTest(g.T), g.listens()
	page, err := os.ReadFile("../docs/exec-audit.md")
	g.Must(err)
	_, policy, _ := strings.Cut(string(page), "```yaml\n")
	policy, _, _ = strings.Cut(policy, "```")
	var flags []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "--audit-webhook-") && !strings.Contains(line, "-config-file=") {
			flags = append(flags, strings.TrimSpace(line))
		}
	}
	to := cp.User("kube-apiserver-audit")
	to.Host, to.BearerToken = "https://"+listener.Addr().String()+execaudit.Path, auditToken
	restore, err := cp.Audit(g.Context(), []byte(policy), to, flags...)
	g.Must(err)
	g.Cleanup(func() { g.Must(restore(context.WithoutCancel(g.Context()))) })
	return listener
}

// node makes a node whose kubelet runs whatever it is told to, until the caller goes.
func (g *given) node() {
	g.Helper()
	kubelet := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"+
			"Upgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(io.Discard, conn)
	}))
	g.Cleanup(kubelet.Close)
	host, port, err := net.SplitHostPort(kubelet.Listener.Addr().String())
	g.Must(err)
	number, err := strconv.Atoi(port)
	g.Must(err)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "here"}}
	node, err = g.Admin.CoreV1().Nodes().Create(g.Context(), node, metav1.CreateOptions{})
	g.Must(err)
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
	node.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(number)
	_, err = g.Admin.CoreV1().Nodes().UpdateStatus(g.Context(), node, metav1.UpdateOptions{})
	g.Must(err)
	g.Cleanup(func() {
		g.Must(g.Admin.CoreV1().Nodes().Delete(context.WithoutCancel(g.Context()), "here",
			metav1.DeleteOptions{}))
	})
}

// upgraded has alice run a command, as kubectl does, with more headers, and tells when it is over.
func (g *given) upgraded(path, headers string) (over <-chan struct{}) {
	g.Helper()
	config := controlplane.ForTest(g.T).User("alice@example.com")
	secure, err := rest.TLSConfigFor(config)
	g.Must(err)
	conn, err := tls.Dial("tcp", strings.TrimPrefix(config.Host, "https://"), secure)
	g.Must(err)
	g.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"+
		"Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"+
		"Content-Length: 0\r\n%s\r\n", path, headers)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	g.Must(err)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(answer.Body)
		g.Fatalf("running the command is answered with %s %s", answer.Status, text)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, conn)
	}()
	return done
}
