package expiry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	controlplane "github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// processOf runs one with the rights of the expirer and returns the address that it serves on.
func processOf(s *scene.Scene) (address string) {
	s.Helper()
	listener, err := (&net.ListenConfig{}).Listen(s.Context(), "tcp", "127.0.0.1:0")
	s.Must(err)
	p, err := NewProcess(Config{Cluster: s.Cluster, Kubernetes: s.Expirer, Clock: s.Clock,
		Version: "v1", Listener: listener, Logger: slog.New(slog.NewJSONHandler(s.Log, nil))})
	s.Must(err)
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// get asks for a page.
func get(s *scene.Scene, url string) (status int, body string) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url, http.NoBody)
	s.Must(err)
	response, err := http.DefaultClient.Do(request)
	s.Must(err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	s.Must(err)
	return response.StatusCode, string(data)
}

// TestProcess ends access with no more than the rights that are rendered for it, and says that it
// is well.
func TestProcess(t *testing.T) {
	s := scene.New(t)
	s.Managed("pullgrant-due", stamp(noon.Add(time.Minute)))
	s.Managed("pullgrant-due-later", stamp(noon.Add(time.Hour)))
	address := processOf(s)
	s.Until("it is ready", func() bool { code, _ := get(s, address+"/readyz"); return code == 200 })
	s.SetClock(noon.Add(time.Minute - time.Second))
	s.Until("it looked at the clock", func() bool {
		_, body := get(s, address+"/metrics")
		return strings.Contains(body, fmt.Sprintf(
			"pullgrant_expiry_heartbeat_timestamp_seconds{cluster=%q} %g", s.Cluster,
			float64(s.Clock().Unix())))
	})
	if len(s.Names()) != 2 {
		t.Fatal("ended a second early")
	}
	s.SetClock(noon.Add(time.Minute))
	s.Until("what is due is gone", func() bool { return len(s.Names()) == 1 })
	_, body := get(s, address+"/metrics")
	for _, want := range []string{`pullgrant_expirer_build_info{cluster="%s",version="v1"} 1`,
		`pullgrant_expirer_unsafe{cluster="%s",reason="Unfenced"} 0`,
		`pullgrant_expirer_unsafe{cluster="%s",reason="OverPrivileged"} 0`,
		`pullgrant_past_expiry{cluster="%s"} 0`,
		`pullgrant_last_error_timestamp_seconds{cluster="%s",stage="watch"} 0`} {
		if want = fmt.Sprintf(want, s.Cluster); !strings.Contains(body, want+"\n") {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	if code, body := get(s, address+"/healthz"); code != 200 {
		t.Errorf("healthz says %d %s", code, body)
	}
	if strings.Contains(s.Log.String(), `"level":"ERROR"`) ||
		strings.Contains(s.Log.String(), `"level":"WARN"`) {
		t.Error("it complains")
	}
}

// TestUnsafeExpires: a missing fence and a right too many are told, and access ends on time.
func TestUnsafeExpires(t *testing.T) {
	for code, weaken := range map[string]func(*scene.Scene){
		"Unfenced": func(s *scene.Scene) {
			s.Must(s.Admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(
				s.Context(), "pullgrant-expirer", metav1.DeleteOptions{}))
		},
		"OverPrivileged": func(s *scene.Scene) {
			_, err := s.Admin.RbacV1().ClusterRoleBindings().Create(s.Context(),
				&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "expirer-edits"},
					RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
						Name: "edit"},
					Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind,
						Namespace: "pullgrant-system", Name: "pullgrant-expirer"}}},
				metav1.CreateOptions{})
			s.Must(err)
			s.Until("it may create Jobs", func() bool {
				return s.May("system:serviceaccount:pullgrant-system:pullgrant-expirer",
					"batch", "create", "jobs")
			})
		},
	} {
		t.Run(code, func(t *testing.T) {
			s := scene.New(t)
			t.Cleanup(func() {
				ctx := context.WithoutCancel(t.Context())
				_ = s.Admin.RbacV1().ClusterRoleBindings().Delete(ctx, "expirer-edits",
					metav1.DeleteOptions{})
				cp := controlplane.ForTest(t)
				if err := cp.Apply(ctx, controlplane.AgentManifests([]string{s.Namespace},
					[]string{"payments-debug"})); err != nil {
					t.Error(err)
				}
			})
			weaken(s)
			s.Managed("pullgrant-due", stamp(noon.Add(time.Minute)))
			address := processOf(s)
			s.Until("it tells", func() bool {
				_, body := get(s, address+"/readyz")
				return strings.Contains(body, "it expires all the same, "+code+": ")
			})
			s.Until("it is ready all the same", func() bool {
				ready, _ := get(s, address+"/readyz")
				return ready == 200
			})
			if log := s.Log.String(); !strings.Contains(log, `"code":"`+code+`"`) ||
				strings.Count(log, "expiry goes on, but not as safely as it should") != 1 ||
				strings.Contains(log, "no longer amiss") {
				t.Error("the log does not tell")
			}
			s.SetClock(noon.Add(time.Minute))
			s.Until("what is due is gone", func() bool { return len(s.Names()) == 0 })
		})
	}
}
