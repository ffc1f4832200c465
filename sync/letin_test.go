package sync

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

var onAWS = options{github: true, awsAuth: true}

const aliceARN = "arn:aws:iam::111122223333:user/alice"

// known has identities.yaml say who alice is in AWS, in a change that root approves.
func (s *stage) known(also string) {
	s.Helper()
	_, err := s.Push(forge.Change{User: "alice", Branch: "aws", Message: "Know alice in AWS",
		Files: map[string]string{"policies/identities.yaml": `apiVersion: pullgrant.dev/v1alpha1
kind: IdentityMap
metadata: {name: identities}
spec:
  users:
    - github: alice
      githubID: 101
      kubernetes: {username: alice@example.com}
      aws: {arn: "` + aliceARN + `"}` + also + `
    - {github: bob, githubID: 102, kubernetes: {username: bob@example.com}}
`}})
	s.Must(err)
	number, err := s.Open("alice", "aws", "Know alice in AWS")
	s.Must(err)
	_, err = s.Review("root", number, "APPROVE")
	s.Must(err)
	_, err = s.Merge("root", number)
	s.Must(err)
	s.SetClock(s.Clock().Add(time.Minute)) // what is approved from now on goes by it
}

// TestNotInAWSAuth: whom the cluster's aws-auth does not let in gets nothing, and is told why and what
// to do; so it stays while that lasts.
func TestNotInAWSAuth(t *testing.T) {
	for slug, c := range map[string]struct {
		list  func(s *stage)
		also  func(s *stage) string // in the identity
		words string
	}{
		"another": {list: func(s *stage) {
			s.SetAWSAuth("- userarn: "+strings.ToUpper(aliceARN)+"\n  username: admin\n", "")
		}, words: `to the user "admin"`},
		"brackets": {list: func(s *stage) { s.SetAWSAuth("[]", "") },
			words: "is written as JSON or between brackets"},
		"no-yaml": {list: func(s *stage) { s.SetAWSAuth("- userarn: [", "") }, words: "is no YAML"},
		"missing": {list: func(s *stage) {
			s.Must(s.Admin.CoreV1().ConfigMaps("kube-system").Delete(t.Context(), "aws-auth",
				metav1.DeleteOptions{}))
		}, words: "leave --aws-auth out"},
		"name": {list: func(*stage) {}, also: func(s *stage) string {
			return fmt.Sprintf("\n      clusters: {%s: {username: \"oidc:alice\"}}", s.Cluster)
		}, words: `cannot hold the user name "oidc:alice"`},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.AWS()
			also := ""
			if c.also != nil {
				also = c.also(s)
			}
			s.known(also)
			name, path, content := s.requestFile(slug)
			number := s.pull(slug, true, map[string]string{path: content})
			c.list(s)
			agent := s.agent(onAWS)
			if err := agent.Once(t.Context()); err == nil ||
				!strings.Contains(err.Error(), c.words) {
				t.Fatalf("error: %v", err)
			}
			s.says(number, "### Merged, not granted yet")
			if said := plainly(s.said(number)); !strings.Contains(said, c.words) {
				t.Errorf("it does not say %q: %s", c.words, said)
			}
			if n := len(s.Bindings()) + len(s.Jobs()); n != 0 {
				t.Errorf("%d objects were made", n)
			}
			s.SetClock(s.Clock().Add(5 * time.Minute))
			_ = agent.Once(t.Context())
			s.Must(s.agent(onAWS).Once(t.Context()))
			if r := s.entry(name); r.Status.Cause != requests.CauseDenied ||
				r.Status.Code != string(policies.NotInAWSAuth) || r.Status.GrantedAt != nil {
				t.Errorf("the entry: %+v", r.Status)
			}
			s.says(number, "### Refused: "+string(policies.NotInAWSAuth))
		})
	}
}

// TestInAWSAuth: whom the list lets in, or can let in, gets access; and the agent has no right too
// many. Whoever has no ARN is none of that list's.
func TestInAWSAuth(t *testing.T) {
	for slug, list := range map[string]string{
		"empty":  "",
		"others": "- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob\n",
		"theirs": "- userarn: " + aliceARN + "\n  username: alice@example.com\n",
		"ours": "- userarn: " + aliceARN + " # pullgrant 20261101-alice-old\n" +
			"  username: \"al@example.com\"\n",
		"no-arn": "- userarn: [",
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			s.AWS()
			if slug != "no-arn" {
				s.known("")
			}
			s.SetAWSAuth(list, "")
			_, path, content := s.requestFile(slug)
			s.pull(slug, true, map[string]string{path: content})
			agent := s.agent(onAWS)
			s.Must(agent.Once(t.Context()))
			s.allowed(true)
			arn := `"arn":"` + aliceARN + `"`
			if got := s.Records()[0].Data["grant"]; strings.Contains(got, arn) == (slug == "no-arn") {
				t.Errorf("the record: %s", got)
			}
			s.shows(agent, "stale_rights", "", "0")
			if s.MapUsers() != list {
				t.Error("the agent wrote the list")
			}
		})
	}
}

// TestListIsNotAsked: where aws-auth is nobody's business, an ARN changes nothing.
func TestListIsNotAsked(t *testing.T) {
	s := newStage(t)
	s.known("")
	_, path, content := s.requestFile("elsewhere")
	s.pull("elsewhere", true, map[string]string{path: content})
	s.once(githubOnly)
	s.allowed(true)
}
