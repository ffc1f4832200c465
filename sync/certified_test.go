package sync

import (
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

var certifiedPath = policies.CertificationPath("payments-debug")

// certification is the file that certifies the policy as the branch has it.
func (s *stage) certification() map[string]string {
	s.Helper()
	tree := policies.Tree{Files: map[string]policies.TreeFile{}}
	for _, path := range []string{policyPath, policies.IdentitiesPath} {
		tree.Files[path] = policies.TreeFile{Mode: policies.PlainFile, Content: s.read(path)}
	}
	policy, _, findings := tree.Policy("payments-debug")
	if len(findings) > 0 {
		s.Fatal(findings)
	}
	data, err := tree.Certify(policy, s.Clock())
	s.Must(err)
	return map[string]string{certifiedPath: string(data)}
}

// expiry is when what is granted ends.
func (s *stage) expiry() time.Time {
	s.Helper()
	var at requests.Time
	s.Must(at.UnmarshalText([]byte(s.Bindings()[0].Annotations["pullgrant.dev/expires-at"])))
	return at.Time
}

// recertify has the policy need to be certified every day.
func (s *stage) recertify() {
	s.Helper()
	s.change("recertify", "root", s.edited(policyPath, "  target:\n", "  recertify: 1d\n  target:\n"))
	s.pause()
}

// TestNotCertified: a policy grants for its time from the merge that brought it, then nothing, and
// again from the merge that certified it on; what was granted goes on. The audit says the same (R82).
func TestNotCertified(t *testing.T) {
	s := newStage(t)
	s.recertify()
	signer := newSigner(t)
	agent := s.agent(options{github: true, signer: signer})
	s.SetClock(noon.Add(24*time.Hour - time.Minute))
	live := s.request("live")
	s.Must(agent.Once(t.Context()))
	s.granted(live)
	s.SetClock(noon.Add(24*time.Hour + time.Minute))
	late := s.request("late")
	s.Must(agent.Once(t.Context()))
	if r := s.entry(late); r.Status.Code != string(policies.NotCertified) {
		t.Errorf("of a policy that nobody certified: %+v", r.Status)
	}
	if !strings.Contains(s.Log.String(), "run `pullgrant policy recertify`") {
		t.Error("the log does not tell what to do")
	}
	s.allowed(true)
	s.SetClock(s.expiry())
	s.Must(agent.Once(t.Context()))
	s.over(live, requests.CauseExpired, "")
	s.change("certify", "root", s.certification())
	s.pause()
	again := s.request("again")
	s.Must(agent.Once(t.Context()))
	s.granted(again)
	s.SetClock(s.expiry())
	s.Must(agent.Once(t.Context()))
	s.over(again, requests.CauseExpired, "")
	if rules := s.rules(signersOf(t, signer.AllowedSigner(s.Cluster)), s.Clock()); rules != "" {
		t.Errorf("the audit finds %s", rules)
	}
}

// TestCertifiedByNobody: what was pushed, or merged with nobody's approval, certifies nothing, and
// taking a certification away past all rules makes no policy younger.
func TestCertifiedByNobody(t *testing.T) {
	for what, certify := range map[string]func(s *stage){
		"pushed":     func(s *stage) { s.pushFiles("bob", "Certify", s.certification()) },
		"unapproved": func(s *stage) { s.change("certify", "", s.certification()) },
		"removed": func(s *stage) {
			s.change("certify", "root", s.certification())
			s.pause()
			s.pushFiles("bob", "Remove", map[string]string{certifiedPath: forge.Removed})
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := newStage(t)
			s.recertify()
			certify(s)
			s.pause()
			name := s.request(what)
			s.outlast(s.agent(githubOnly))
			s.once(githubOnly)
			code := "PolicyUnproven"
			if what == "pushed" {
				code = "NotCertified" // no merge tells since when
			}
			s.refused(name, code)
		})
	}
}

// TestCertificationTakenAway: a request that was merged while the policy was certified is granted
// after the certification was taken away.
func TestCertificationTakenAway(t *testing.T) {
	s := newStage(t)
	s.recertify()
	s.change("certify", "root", s.certification())
	s.pause()
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	name := s.request("before")
	s.pause()
	s.change("gone", "root", map[string]string{certifiedPath: forge.Removed})
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}

// TestBranchTellsNoMerge: on the branch as evidence nobody knows when a policy was certified.
func TestBranchTellsNoMerge(t *testing.T) {
	s := newStage(t)
	s.recertify()
	name := s.ask("branch")
	s.once(options{})
	s.over(name, requests.CauseDenied, string(policies.NotCertified))
}
