package awsauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// TestConflictEachTime: whenever it writes, somebody else has just written. Everything is read
// again, and nothing of theirs is lost.
func TestConflictEachTime(t *testing.T) {
	w := newWorld(t)
	w.SetAWSAuth("# 0\n", "")
	var writes atomic.Int32
	p := w.process(func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPut {
				if n := writes.Add(1); n%2 == 1 { // the try after that works
					w.SetAWSAuth(w.MapUsers()+fmt.Sprintf("# %d\n", n), "")
				}
			}
			return next.RoundTrip(r)
		})
	})
	const bob = "arn:aws:iam::111122223333:user/bob"
	w.record(first, alice, "alice@example.com", time.Hour)
	w.record("20261123-bob-inc-1", bob, "bob@example.com", time.Hour)
	w.looks(p)
	w.record("20261123-alice-inc-2", alice, "alice@example.com", 2*time.Hour)
	w.looks(p)
	in := "# 0\n# 1\n" + entry(alice, "alice@example.com", "20261123-alice-inc-2") + "# 3\n" +
		entry(bob, "bob@example.com", "20261123-bob-inc-1") + "# 5\n"
	if got := w.MapUsers(); got != in || writes.Load() != 6 {
		t.Errorf("%d writes: %q, want %q", writes.Load(), got, in)
	}
	w.SetClock(scene.Noon.Add(2 * time.Hour))
	w.looks(p)
	if got, want := w.MapUsers(), "# 0\n# 1\n# 3\n# 5\n# 7\n# 9\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if strings.Contains(w.Log.String(), `"level":"ERROR"`) {
		t.Error("it complains")
	}
}

// TestAlwaysTooLate: while somebody else writes before every write, that is told, and tried on.
func TestAlwaysTooLate(t *testing.T) {
	w := newWorld(t)
	var stop atomic.Bool
	p := w.process(func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPut && !stop.Load() {
				w.SetAWSAuth(w.MapUsers()+"#\n", "")
			}
			return next.RoundTrip(r)
		})
	})
	w.record(first, alice, "alice@example.com", time.Hour)
	if _, err := p.look(t.Context()); err == nil || !strings.Contains(err.Error(),
		"somebody else writes ConfigMap aws-auth before each write") || len(p.wake) != 1 {
		t.Errorf("error: %v", err)
	}
	stop.Store(true)
	w.looks(p)
	if !strings.HasSuffix(w.MapUsers(), entry(alice, "alice@example.com", first)) {
		t.Errorf("%q", w.MapUsers())
	}
}

// TestTwoAtOnce: two replicas that both see what is to be done do it once.
func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t)
	w.run()
	w.run()
	const n = 25
	for i := range n {
		name := fmt.Sprintf("20261123-alice-inc-%d", i)
		w.record(name, fmt.Sprintf("%s%d", alice, i), fmt.Sprintf("user%d", i), time.Hour)
	}
	w.Until("all are in", func() bool { return strings.Count(w.MapUsers(), "userarn") == n })
	w.SetClock(scene.Noon.Add(time.Hour))
	w.Until("all are out", func() bool { return w.MapUsers() == "" })
	if strings.Contains(w.Log.String(), `"level":"ERROR"`) {
		t.Error("they complain")
	}
}

// TestKilled: a process that goes away before a write, or after it and before the answer, leaves
// nothing that the next one does not make right.
func TestKilled(t *testing.T) {
	w := newWorld(t)
	gone := errors.New("the process is gone")
	for name, delivered := range map[string]bool{"before": false, "after": true} {
		dies := w.process(func(next http.RoundTripper) http.RoundTripper {
			return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPut && delivered {
					response, err := next.RoundTrip(r)
					if err == nil {
						response.Body.Close()
					}
				}
				if r.Method == http.MethodPut {
					return nil, gone
				}
				return next.RoundTrip(r)
			})
		})
		try := func(what string) {
			t.Helper()
			if _, err := dies.look(t.Context()); !delivered && !errors.Is(err, gone) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		r := w.record(first, alice, "alice@example.com", time.Hour)
		try("add")
		w.looks(w.process(nil))
		if got, want := w.MapUsers(), entry(alice, "alice@example.com", first); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		longer := w.record("20261123-alice-inc-2", alice, "alice@example.com", 2*time.Hour)
		try("mark")
		w.looks(w.process(nil))
		if got, want := w.MapUsers(), entry(alice, "alice@example.com",
			"20261123-alice-inc-2"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		w.Must(w.agent.Forget(t.Context(), *r))
		w.Must(w.agent.Forget(t.Context(), *longer))
		try("remove")
		w.looks(w.process(nil))
		if got := w.MapUsers(); got != "" {
			t.Errorf("%s: left: %q", name, got)
		}
	}
}

// TestUnfenced: without its fence it lets nobody in, and takes out all the same; it tells.
func TestUnfenced(t *testing.T) {
	for code, weaken := range map[string]func(*world){
		"Unfenced": func(w *world) {
			w.Must(w.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(
				w.Context(), "pullgrant-aws", metav1.DeleteOptions{}))
		},
		"OverPrivileged": func(w *world) {
			_, err := w.Admin.RbacV1().ClusterRoleBindings().Create(w.Context(),
				&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "aws-edits"},
					RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
						Name: "edit"},
					Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind,
						Namespace: "pullgrant-system", Name: "pullgrant-aws"}}},
				metav1.CreateOptions{})
			w.Must(err)
			w.Cleanup(func() {
				_ = w.Admin.RbacV1().ClusterRoleBindings().Delete(context.WithoutCancel(
					w.Context()),
					"aws-edits", metav1.DeleteOptions{})
			})
			w.Until("it may create Jobs", func() bool {
				return w.May("system:serviceaccount:pullgrant-system:pullgrant-aws", "batch",
					"create", "jobs")
			})
		},
	} {
		t.Run(code, func(t *testing.T) {
			w := newWorld(t)
			w.SetAWSAuth(entry("arn:aws:iam::111122223333:user/bob", "bob@example.com",
				"20261123-bob-inc-1"), "")
			w.record(first, alice, "alice@example.com", time.Hour)
			weaken(w)
			address := w.run()
			w.shows(address, `aws_auth_unsafe{reason="`+code+`"}`, "1")
			want := ""
			if code == "OverPrivileged" {
				want = entry(alice, "alice@example.com", first)
			}
			w.Until("bob is out", func() bool { return w.MapUsers() == want })
			w.Until("it is ready all the same", func() bool {
				code, _ := w.get(address + "/readyz")
				return code == 200
			})
			if _, body := w.get(address + "/readyz"); !strings.Contains(body,
				"it takes entries away all the same, "+code+": ") {
				t.Error(body)
			}
			if code != "Unfenced" {
				return
			}
			w.Must(controlplane.ForTest(t).Apply(t.Context(), controlplane.AWSManifests()))
			w.Until("alice is in once the fence stands", func() bool {
				return w.MapUsers() == entry(alice, "alice@example.com", first)
			})
			w.shows(address, `aws_auth_unsafe{reason="Unfenced"}`, "0")
		})
	}
}
