package faults

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/testdata/kube"
)

const aliceARN = "arn:aws:iam::111122223333:user/alice"

var aliceOnAWS = map[string]string{"policies/identities.yaml": `apiVersion: pullgrant.dev/v1alpha1
kind: IdentityMap
metadata: {name: identities}
spec:
  users:
    - github: alice
      githubID: 101
      kubernetes: {username: alice@example.com}
      aws: {arn: "` + aliceARN + `"}
    - {github: bob, githubID: 102, kubernetes: {username: bob@example.com}}
    - {github: carol, githubID: 103, kubernetes: {username: carol@example.com}}
    - {github: dave, githubID: 104, kubernetes: {username: dave@example.com}}
`}

// onEKS has the cluster be one that lets people in by aws-auth, where nobody is yet.
func (s *stage) onEKS() {
	s.Helper()
	s.must(s.kube.Apply(s.Context(), kube.AWSManifests()))
	s.must(s.kube.AwaitAWSFence(s.Context()))
	maps := s.admin.CoreV1().ConfigMaps("kube-system")
	_, err := maps.Create(s.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "aws-auth"}}, metav1.CreateOptions{})
	s.must(err)
	s.Cleanup(func() {
		ctx := context.WithoutCancel(s.Context())
		_ = maps.Delete(ctx, "aws-auth", metav1.DeleteOptions{})
		_ = s.admin.RbacV1().RoleBindings("kube-system").Delete(ctx, "pullgrant-agent",
			metav1.DeleteOptions{})
	})
}

// mapUsers is the list of aws-auth, to which another writer adds a line unless that is empty.
func (s *stage) mapUsers(line string) string {
	s.Helper()
	maps := s.admin.CoreV1().ConfigMaps("kube-system")
	for {
		m, err := maps.Get(s.Context(), "aws-auth", metav1.GetOptions{})
		s.must(err)
		if line == "" {
			return m.Data["mapUsers"]
		}
		m.Data = map[string]string{"mapUsers": m.Data["mapUsers"] + line}
		if _, err = maps.Update(s.Context(), m, metav1.UpdateOptions{}); !apierrors.IsConflict(
			err) {
			s.must(err)
			return m.Data["mapUsers"]
		}
	}
}

// killedAgain runs `pullgrant aws-auth` under its own ServiceAccount and kills it each time it has
// lived so long, until stop is called. Then one is left running. Each lives a little longer than the
// one before: on a machine where it starts slowly, one gets to do something.
func (s *stage) killedAgain(lives time.Duration) (stop func() (kills int)) {
	s.Helper()
	config, err := s.kube.ServiceAccount(s.Context(), system, "pullgrant-aws")
	s.must(err)
	path := filepath.Join(s.dir, fmt.Sprintf("aws-auth-%d", replicas.Add(1)))
	s.must(s.kube.Kubeconfig(path, config))
	ending, kills := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; n++ {
			cmd := exec.Command(binary, "aws-auth", "--cluster", cluster, "--kubeconfig", path)
			cmd.Stderr = s.log
			child, err := kube.StartChild(cmd)
			if err != nil {
				s.Error(err)
				kills <- n
				return
			}
			select {
			case <-time.After(lives):
			case <-ending:
				kills <- n
				<-s.Context().Done()
			}
			if err := child.End(syscall.SIGKILL); err != nil {
				s.Error(err)
			}
			lives += lives / 25
			if s.Context().Err() != nil {
				close(kills)
				return
			}
		}
	}()
	s.Cleanup(func() { <-kills })
	return func() int {
		close(ending)
		return <-kills
	}
}

// TestAWSAuthKilled: two grants of alice overlap while what lets her into an EKS cluster is killed
// all the time and somebody else writes the list; the agent dies meanwhile. She is in until her
// last grant ends, and out then, and nothing of the other writer's is lost.
func TestAWSAuthKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", aliceOnAWS)
	s.onEKS()
	s.startExpirer()
	r := s.startReplica()
	pace := s.pace()
	stop := s.killedAgain(700 * time.Millisecond)
	a := s.ask("first", pace*20*time.Second)
	b := s.ask("second", pace*32*time.Second)
	s.granted(a)
	s.granted(b)
	in := func(a asked) string {
		return "- userarn: " + aliceARN + " # pullgrant " + a.name +
			"\n  username: \"alice@example.com\"\n"
	}
	lines := 0
	write := func() string {
		lines++
		defer s.wait(50 * time.Millisecond)
		return s.mapUsers(fmt.Sprintf("# %d\n", lines))
	}
	s.until("alice is in for the second", func() bool { return strings.Contains(write(), in(b)) })
	r.kill()
	for time.Until(b.end) > time.Second {
		if list := write(); strings.Count(list, "userarn") != 1 {
			t.Fatalf("alice is in %q", list)
		}
	}
	kills := stop()
	s.until("alice is out", func() bool { return !strings.Contains(s.mapUsers(""), "userarn") })
	late := time.Since(b.end)
	if late < 0 || late > byAgent {
		t.Errorf("she was out %s after her end", late)
	}
	list := s.mapUsers("")
	for i := range lines {
		if !strings.Contains(list, fmt.Sprintf("# %d\n", i+1)) {
			t.Errorf("line %d of the other writer is lost", i+1)
		}
	}
	s.freeLease()
	r.start()
	s.finish(r, byAgent, a, b)
	s.row("What keeps aws-auth killed",
		fmt.Sprintf("SIGKILL after 0.7 s and more, %d times, while somebody "+
			"else writes the list %d times, across two grants of one person; the agent dead", kills,
			lines), fmt.Sprintf("one entry all the time, out %s after the last end; nothing of the other "+
			"writer's lost", late.Round(time.Millisecond)))
}
