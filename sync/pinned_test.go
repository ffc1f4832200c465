package sync

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// repositoryOf is the number that the Lease has.
func (s *stage) repositoryOf() string {
	s.Helper()
	lease, err := s.Admin.CoordinationV1().Leases(kube.Namespace).Get(s.Context(), kube.LeaseName,
		metav1.GetOptions{})
	s.Must(err)
	return lease.Annotations[kube.AnnotationRepository]
}

// annotate has the Lease say another number; nothing when that is empty.
func (s *stage) annotate(number string) {
	s.Helper()
	c := s.agent(options{}).cluster
	s.Must(c.Note(s.Context(), kube.AnnotationRepository, number))
}

// replaced wants an agent to grant nothing because another repository stands under the name.
func (s *stage) replaced(a *Agent, words string) {
	s.Helper()
	err := a.Once(s.Context())
	stops := a.gate.stops()
	if len(stops) != 1 || stops[0].Code != policies.RepositoryReplaced ||
		!strings.Contains(stops[0].Message, words) ||
		!strings.Contains(stops[0].Message, "find out who replaced it") {
		s.Errorf("stops %v; the pass: %v", stops, err)
	}
	if !strings.Contains(s.Log.String(), `"code":"RepositoryReplaced"`) {
		s.Error("the log does not tell")
	}
}

// TestRepositoryReplaced: whatever repository comes to stand under the name later, nothing of it is
// granted, also by an agent that starts anew, and what is live ends on time.
func TestRepositoryReplaced(t *testing.T) {
	s := newStage(t)
	live := s.request("live")
	running := s.agent(githubOnly)
	s.Must(running.Once(t.Context()))
	s.granted(live)
	if id := s.repositoryOf(); id != "9001" {
		t.Fatalf("the Lease has %q", id)
	}
	s.Recreate(9002)
	s.request("waits")
	_ = running.Once(t.Context()) // learns of it, at the latest, from what it asks of the request
	s.pause()
	s.replaced(running, "has the number 9002, and the agent is for the one with number 9001")
	s.replaced(s.agent(githubOnly), "has the number 9002")
	if names := s.Names(); len(names) != 1 || names[0] != requests.ObjectName(live, 0) {
		t.Errorf("bindings %v", names)
	}
	if id := s.repositoryOf(); id != "9001" {
		t.Errorf("the Lease has %q", id)
	}
	s.SetClock(noon.Add(time.Hour))
	_ = running.Once(t.Context())
	if names := s.Names(); len(names) != 0 {
		t.Errorf("bindings %v", names)
	}
	s.Recreate(9001)
	s.pause()
	again := s.request("again")
	s.Must(s.agent(githubOnly).Once(t.Context()))
	s.granted(again)
}

// TestRepositoryNumberOnTheLease: somebody who edits it stops the agent, unless it is what GitHub
// says; who takes it away changes nothing for one that runs.
func TestRepositoryNumberOnTheLease(t *testing.T) {
	s := newStage(t)
	a := s.agent(githubOnly)
	s.Must(a.Once(t.Context()))
	for number, words := range map[string]string{
		"9002": "has the number 9001, and the agent is for the one with number 9002",
		"it":   `the number of the access repository on the Lease is "it"`,
		"-1":   `on the Lease is "-1"`,
	} {
		s.annotate(number)
		s.replaced(a, words)
		s.replaced(s.agent(githubOnly), words)
	}
	s.annotate("9001")
	s.pause()
	s.Must(a.Once(t.Context()))
	s.annotate("")
	s.Recreate(9002)
	s.SetClock(noon.Add(2 * time.Hour))
	_ = a.Once(t.Context())
	s.replaced(a, "has the number 9002")
	if id := s.repositoryOf(); id != "" {
		t.Errorf("the Lease has %q", id)
	}
	s.annotate("9002") // a person accepts it
	s.SetClock(noon.Add(4 * time.Hour))
	s.Must(a.Once(t.Context()))
	if stops := a.gate.stops(); len(stops) != 0 {
		t.Errorf("stops %v", stops)
	}
}

// TestRepositoryIDFlag: --repository-id holds from the first pass on, and against the Lease.
func TestRepositoryIDFlag(t *testing.T) {
	s := newStage(t)
	other := options{github: true, repository: 9002}
	s.request("waits")
	s.replaced(s.agent(other), "has the number 9001, and the agent is for the one with number 9002")
	if len(s.Names()) != 0 {
		t.Errorf("bindings %v", s.Names())
	}
	s.pause()
	s.Must(s.agent(options{github: true, repository: 9001}).Once(t.Context()))
	if id := s.repositoryOf(); id != "9001" || len(s.Names()) != 1 { // what was asked for
		t.Errorf("the Lease has %q, bindings %v", id, s.Names())
	}
	s.Recreate(9002)
	s.replaced(s.agent(other), "--repository-id is 9002, and the agent was first run for the "+
		"repository with number 9001")
}
