package sync

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/expiry"
)

// expirer runs `pullgrant expire` with its own rights, by a clock that is ahead of the others,
// until the test ends.
func (s *stage) expirer(ahead time.Duration) {
	s.Helper()
	process, err := expiry.NewProcess(expiry.Config{Cluster: s.Cluster, Kubernetes: s.Expirer,
		Clock:  func() time.Time { return s.Clock().Add(ahead) },
		Logger: slog.New(slog.NewJSONHandler(s.Log, nil))})
	s.Must(err)
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- process.Run(ctx) }()
	s.Cleanup(func() {
		cancel()
		s.Must(<-ended)
	})
}

// TestExpirerWhoseClockIsAhead: two seconds before the leader's clock says so it ends a grant. The
// ledger says that it expired, and when, whether the leader saw it go or came later.
func TestExpirerWhoseClockIsAhead(t *testing.T) {
	for name, watches := range map[string]bool{"seen": true, "not seen": false} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			if watches {
				s.run(options{})
			}
			request := s.ask("ahead")
			if !watches {
				s.once(options{})
			}
			s.Until("it is granted and noted", func() bool {
				r := s.Records()
				return len(r) == 1 && r[0].Data["phase"] == "Granted"
			})
			s.expirer(2 * time.Second)
			went := noon.Add(time.Hour - 2*time.Second)
			s.SetClock(went)
			s.Until("the expirer ended it", func() bool { return len(s.Bindings()) == 0 })
			if !watches {
				s.once(options{})
			}
			s.Until("it is in the ledger", func() bool {
				return s.entered(request) && len(s.Records()) == 0
			})
			r := s.over(request, requests.CauseExpired, "")
			if !r.Status.RevokedAt.Equal(went) {
				t.Errorf("the ledger says it went at %s, want %s", r.Status.RevokedAt, went)
			}
		})
	}
}

// TestCopiesOfOtherClusters: what a backup brought back is swept, whatever cluster it names; what
// merely has the label is told of, and nobody's to delete.
func TestCopiesOfOtherClusters(t *testing.T) {
	s := newStage(t)
	lives := s.ask("lives")
	s.once(options{})
	s.allowed(true)
	for name, labels := range map[string]map[string]string{
		"pullgrant-20261101-alice-none": {"app.kubernetes.io/managed-by": "pullgrant"},
		"pullgrant-20261101-alice-other": {"app.kubernetes.io/managed-by": "pullgrant",
			"pullgrant.dev/cluster": "another"},
		"helm-release": {"app.kubernetes.io/managed-by": "pullgrant"},
		"theirs": {"app.kubernetes.io/managed-by": "pullgrant",
			"pullgrant.dev/cluster": s.Cluster},
	} {
		b := s.Foreign(name)
		b.Labels = labels
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Update(t.Context(), b,
			metav1.UpdateOptions{})
		s.Must(err)
	}
	agent := s.agent(options{})
	s.Must(agent.Once(t.Context()))
	s.Must(agent.Once(t.Context()))
	want := []string{"helm-release", requests.ObjectName(lives, 0), "theirs"}
	if names := s.Names(); strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("left: %v, want %v", names, want)
	}
	if n := strings.Count(s.Log.String(), `"event":"misnamed"`); n != 2 {
		t.Errorf("it told %d times of two", n)
	}
	s.shows(agent, "misnamed_objects", "", "2")
	s.shows(agent, "bindings_ended_total", `cause="Swept"`, "2")
}
