package faults

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

// startExpirer runs `pullgrant expire` under its own ServiceAccount, with the log that it returns,
// until the test ends.
func (s *stage) startExpirer() *log {
	s.Helper()
	config, err := s.kube.ServiceAccount(s.Context(), system, "pullgrant-expirer")
	s.must(err)
	path := filepath.Join(s.dir, fmt.Sprintf("expirer-%d", replicas.Add(1)))
	s.must(s.kube.Kubeconfig(path, config))
	said := &log{}
	cmd := exec.Command(binary, "expire", "--cluster", cluster, "--kubeconfig", path)
	cmd.Stderr = said
	child, err := kube.StartChild(cmd)
	s.must(err)
	s.Cleanup(func() {
		if err := child.End(syscall.SIGKILL); err != nil {
			s.Error(err)
		}
		if s.Failed() {
			s.Logf("the expirer's log:\n%s", said)
		}
	})
	return said
}

// TestExpirerAlone kills the agent every second for a minute, and has none of its deletions reach
// the API server in the seconds that it lives.
func TestExpirerAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	expirers := []*log{s.startExpirer(), s.startExpirer()}
	r := s.startReplica()
	var all []asked
	first := time.Now().Add(s.pace() * 40 * time.Second)
	for i := range 20 {
		end := first.Add(time.Duration(i) * 3 * time.Second)
		all = append(all, s.ask(fmt.Sprintf("loop-%d", i), time.Until(end)))
	}
	for _, a := range all {
		s.granted(a)
	}
	s.wait(time.Until(first.Add(-time.Second)))
	r.api.harm(func(w http.ResponseWriter, call *http.Request, next http.Handler) {
		if call.Method == http.MethodDelete {
			broken(w, call, next)
		}
		next.ServeHTTP(w, call)
	})
	kills := 0
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); kills++ {
		r.kill()
		r.start()
		s.wait(time.Second)
	}
	r.kill()
	for _, a := range all {
		s.gone(a)
	}
	byExpirer := 0
	for _, said := range expirers {
		byExpirer += strings.Count(said.String(), `"msg":"expired"`)
	}
	if byExpirer != len(all) {
		t.Errorf("the expirers ended %d of %d", byExpirer, len(all))
	}
	r.heal()
	s.restart(r)
	r.start()
	s.finish(r, byAgent, all...)
	for _, a := range all {
		s.caused(a, requests.CauseExpired)
	}
	s.row("Agent in a crash loop", fmt.Sprintf("SIGKILL every second for a minute, %d times, "+
		"across the ends of %d grants", kills, len(all)),
		fmt.Sprintf("the expirers ended each, %s after its end at most; the next agent recorded "+
			"them as expired", s.latest(all)))
}

// TestExpirerTellsWhenItWent: what an expirer ends while the agent runs is recorded as expired,
// with the time that it went; an expirer that is killed changes nothing for the agent.
func TestExpirerTellsWhenItWent(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	expirer := s.startExpirer()
	r := s.newReplica()
	r.api.harm(func(w http.ResponseWriter, call *http.Request, next http.Handler) {
		if call.Method == http.MethodDelete && strings.Contains(call.URL.Path, "/rolebindings/") {
			broken(w, call, next)
		}
		next.ServeHTTP(w, call)
	})
	r.start()
	a := s.live("seen", 8*time.Second)
	s.gone(a)
	s.finish(r, byAgent, a)
	s.caused(a, requests.CauseExpired)
	if !expirer.has(`"msg":"expired"`) {
		t.Error("the expirer did not end it")
	}
	went := s.bindings.of(a.name)[0].went
	if told := s.entry(a).Status.RevokedAt; told.Sub(went).Abs() > 2*time.Second {
		t.Errorf("the ledger says %s, it went at %s", told, went)
	}
	s.row("Agent that cannot delete", "every deletion of a binding by it breaks",
		fmt.Sprintf("the expirer ended it %s after its end, and the ledger says when it went",
			s.late(a)))
}

// TestExpirerCopies: a copy of a binding that a backup brought back for another cluster ends at its
// end by the expirer alone.
func TestExpirerCopies(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	a := s.ask("original", 60*time.Second)
	s.granted(a)
	original, err := s.admin.RbacV1().RoleBindings(namespace).Get(s.Context(),
		requests.ObjectName(a.name, 0), metav1.GetOptions{})
	s.must(err)
	s.withdraw(a)
	s.gone(a)
	s.finish(r, byAgent, a)
	r.kill()
	end := time.Now().Add(4 * time.Second).Truncate(time.Second)
	restored := original.DeepCopy()
	restored.ObjectMeta = metav1.ObjectMeta{Name: original.Name, Namespace: original.Namespace,
		Labels: original.Labels, Annotations: original.Annotations}
	restored.Labels["pullgrant.dev/cluster"] = "another"
	restored.Annotations["pullgrant.dev/expires-at"] = requests.At(end).String()
	_, err = s.admin.RbacV1().RoleBindings(namespace).Create(s.Context(), restored,
		metav1.CreateOptions{})
	s.must(err)
	s.startExpirer()
	s.until("the copy is gone", func() bool { return s.left() == "" })
	late := time.Since(end)
	if late < 0 || late > byAgent {
		t.Errorf("it went %s after its end", late)
	}
	s.row("Binding restored from a backup",
		"a copy with the label of another cluster, and no agent",
		fmt.Sprintf("the expirer ended it %s after its end", late.Round(time.Millisecond)))
}
