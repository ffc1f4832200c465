package sync

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// glass is an agent under a policy by which alice may break the glass, which root or bob answer for.
func (s *stage) glass(change ...string) *Agent {
	s.Helper()
	s.edit(policies.Path("payments-debug"), "challenges: [{kind: CodeOwnerReview, count: 1}]",
		"challenges: [{kind: CodeOwnerReview, count: 1}]\n  breakGlass:\n"+
			"    subjects: [{kind: User, name: alice}]\n    maxDuration: 30m\n"+
			"    owners: [{kind: User, name: bob}]\n    reviewWithin: 24h")
	for n := 0; n+1 < len(change); n += 2 {
		s.edit(policies.Path("payments-debug"), change[n], change[n+1])
	}
	s.edit(".github/CODEOWNERS", "/requests/ @bob\n", "/requests/ @bob\n/reviews/ @bob @root\n")
	return s.agent(options{github: true, root: s.git("rev-parse", "main")})
}

// breakGlass has alice ask for access before anybody looks at it.
func (s *stage) breakGlass(slug string) (name string, number int) {
	s.Helper()
	slug = "breakglass-" + slug
	name, path, content := s.requestFile(slug)
	return name, s.open("alice", slug, map[string]string{path: content + "  breakGlass: true\n"})
}

// review opens the review of break-glass by somebody.
func (s *stage) reviewGlass(login, name string) (number int) {
	s.Helper()
	return s.open(login, "review-"+name, map[string]string{requests.ReviewPath(name): fmt.Sprintf(
		`apiVersion: pullgrant.dev/v1alpha1
kind: BreakGlassReview
metadata: {name: %s}
spec:
  request: %[1]s
  verdict: Justified
  text: The payment service was down, and a log told why
`, name)})
}

// owed are the names of what the cluster's ledger says is owed.
func (s *stage) owed() (names []string) {
	s.Helper()
	for path := range strings.FieldsSeq(s.git("ls-tree", "-r", "--name-only", "main",
		requests.DebtsFolder(s.Cluster)+"/")) {
		names = append(names, nameOf(path))
	}
	return names
}

func (s *stage) wantPull(number int, want string) {
	s.Helper()
	if state := s.pullState(number); state != want {
		s.Fatalf("#%d is %s, want %s:\n%s", number, state, want, s.Log)
	}
}

// metric is a number of an agent's, as Prometheus reads it.
func (s *stage) metric(agent *Agent, name string) string {
	w := httptest.NewRecorder()
	(&monitor.Server{Metrics: agent.metrics}).Handler().ServeHTTP(w,
		httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "pullgrant_"+name+"{") {
			return strings.TrimSpace(line[strings.LastIndex(line, " "):])
		}
	}
	return ""
}

// TestBreakGlass is the whole of it (R75, R76, R77): asked for, merged and given with nobody's review
// and no check; an issue; over and owed; refused meanwhile, whatever becomes of the issue; overdue;
// reviewed by who may not, and by who may; closed; and the glass can be broken again.
func TestBreakGlass(t *testing.T) {
	s := newStage(t)
	agent := s.glass()
	name, number := s.breakGlass("one")
	s.Must(agent.Once(t.Context()))
	s.wantPull(number, "merged")
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	issues := s.Issues()
	if len(issues) != 1 || issues[0].State != "open" || !strings.Contains(issues[0].Body, "@bob") ||
		!strings.Contains(issues[0].Body, name) || !strings.Contains(issues[0].Body, "checkout is slow") {
		t.Fatalf("issues %+v", issues)
	}
	if data := s.Records()[0].Data; data["issue"] != fmt.Sprint(issues[0].Number) {
		t.Errorf("the record has the issue %q", data["issue"])
	}

	// refused while it lasts, and once it is over
	refused := func(slug string) int {
		t.Helper()
		before := len(s.Log.String())
		_, number := s.breakGlass(slug)
		s.Must(agent.Once(t.Context()))
		s.wantPull(number, "open")
		if !strings.Contains(s.Log.String()[before:], string(policies.BreakGlassOwed)) {
			t.Errorf("nothing says %s:\n%s", policies.BreakGlassOwed, s.Log)
		}
		return number
	}
	refused("two")
	s.SetClock(s.Clock().Add(31 * time.Minute))
	s.Must(agent.Once(t.Context()))
	if r := s.entry(name); r.Status.Issue != issues[0].Number || r.Status.Cause != requests.CauseExpired ||
		len(r.Status.Approvers) > 0 {
		t.Errorf("the entry is %+v", r.Status)
	}
	if owed := s.owed(); len(owed) != 1 || owed[0] != name {
		t.Fatalf("owed %v", owed)
	}
	refused("three")

	// an issue that somebody closed, or that is gone, pays nothing
	s.Must(s.Do(s.Token("root"), http.MethodPatch, fmt.Sprintf("/repos/acme/access/issues/%d",
		issues[0].Number), map[string]string{"state": "closed"}, nil))
	refused("closed")
	s.LoseIssue(issues[0].Number, http.StatusGone)
	refused("four")
	s.LoseIssue(issues[0].Number, 0)

	// overdue
	if n := s.metric(agent, "breakglass_overdue"); n != "0" {
		t.Errorf("%s overdue at first", n)
	}
	s.SetClock(s.Clock().Add(24 * time.Hour))
	s.Must(agent.Once(t.Context()))
	if owed, n := s.metric(agent, "breakglass_owed"), s.metric(agent, "breakglass_overdue"); owed != "1" ||
		n != "1" {
		t.Errorf("%s owed, %s overdue", owed, n)
	}
	agent.tell.events.Wait()
	if told := strings.Join(s.told(), "\n"); strings.Count(told, eventOverdue+" Lease/pullgrant-agent "+
		name) != 1 {
		t.Errorf("events:\n%s", told)
	}

	// the review
	review := s.reviewGlass("alice", name)
	_, err := s.Review("bob", review, "APPROVE")
	s.Must(err)
	_, err = s.Merge("root", review)
	s.Must(err)
	s.Must(agent.Once(t.Context()))
	if owed := s.owed(); len(owed) != 0 {
		t.Fatalf("owed %v:\n%s", owed, s.Log)
	}
	if i := s.Issues()[0]; i.State != "closed" || len(i.Comments) != 1 ||
		!strings.Contains(i.Comments[0], "Answered for") {
		t.Errorf("the issue is %+v", i)
	}
	if body := s.git("log", "-1", "--format=%B", "main"); !strings.Contains(body,
		"Pullgrant-Event: reviewed") || !strings.Contains(body, "Approved-by: bob (102)") {
		t.Errorf("the commit says:\n%s", body)
	}
	again, number := s.breakGlass("five")
	s.Must(agent.Once(t.Context()))
	s.wantPull(number, "merged")
	s.Must(agent.Once(t.Context()))
	s.granted(again)
}

// TestReviewThatPaysNothing: what was owed stays when the review is by or approved by who may not.
func TestReviewThatPaysNothing(t *testing.T) {
	for name, try := range map[string]struct {
		author, approver, code string
	}{
		"nobody approved":       {"alice", "", string(policies.InsufficientApprovals)},
		"the requester did":     {"bob", "alice", string(policies.SelfApproval)},
		"no owner of the debt":  {"alice", "root", string(policies.InsufficientApprovals)},
		"pushed to the branch":  {"", "", string(policies.NoPullRequest)},
		"beside something else": {"alice", "bob", string(policies.NoPullRequest)},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s := newStage(t)
			agent := s.glass()
			glass, number := s.breakGlass("one")
			s.Must(agent.Once(t.Context()))
			s.wantPull(number, "merged")
			s.Must(agent.Once(t.Context()))
			s.SetClock(s.Clock().Add(31 * time.Minute))
			s.Must(agent.Once(t.Context()))
			switch {
			case try.author == "":
				s.pushFiles("root", "Pay", map[string]string{requests.ReviewPath(glass): "x"})
			default:
				review := s.reviewGlass(try.author, glass)
				if name == "beside something else" {
					_, err := s.Push(forge.Change{User: try.author, Branch: "review-" + glass,
						Message: "More", Files: map[string]string{"README.md": "x"}})
					s.Must(err)
				}
				if try.approver != "" {
					_, err := s.Review(try.approver, review, "APPROVE")
					s.Must(err)
				}
				_, err := s.Merge("root", review)
				s.Must(err)
			}
			before := len(s.Log.String())
			err := agent.Once(t.Context())
			if try.code == string(policies.NoPullRequest) { // GitHub may be late to know of one
				if said := s.said(s.Issues()[0].Number); said != "" {
					t.Errorf("told at once: %s", said)
				}
				s.SetClock(s.Clock().Add(patience))
				err = agent.Once(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), "pays nothing") ||
				!strings.Contains(s.Log.String()[before:], try.code) {
				t.Errorf("want %s, got %v:\n%s", try.code, err, s.Log)
			}
			if owed := s.owed(); len(owed) != 1 || s.Issues()[0].State != "open" {
				t.Errorf("owed %v, issues %+v", owed, s.Issues())
			}
			s.says(s.Issues()[0].Number, "### Answered, and still owed", "pays nothing (["+try.code+"](",
				"It is judged again", "<code>reviews&#47;")
			if try.author != "" {
				return
			}
			s.pushFiles("root", "Take it away", map[string]string{requests.ReviewPath(glass): forge.Removed})
			review := s.reviewGlass("alice", glass)
			_, err = s.Review("bob", review, "APPROVE")
			s.Must(err)
			_, err = s.Merge("root", review)
			s.Must(err)
			s.SetClock(s.Clock().Add(longPause))
			s.Must(agent.Once(t.Context()))
			if i := s.Issues()[0]; len(s.owed()) != 0 || i.State != "closed" || len(i.Comments) != 1 ||
				!strings.Contains(i.Comments[0], "### Answered for") {
				t.Errorf("answered again: owed %v, the issue is %+v", s.owed(), i)
			}
		})
	}
}

// TestIssueIsFoundAgain: an agent that dies between an issue and its note opens no second one; and one
// that could open none while access lasted opens it later, and notes it in the ledger.
func TestIssueIsFoundAgain(t *testing.T) {
	s := newStage(t)
	agent := s.glass()
	name, _ := s.breakGlass("one")
	s.Must(agent.Once(t.Context()))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	maps := s.Admin.CoreV1().ConfigMaps(requests.AgentNamespace)
	m, err := maps.Get(t.Context(), requests.ObjectName(name, 0), metav1.GetOptions{})
	s.Must(err)
	delete(m.Data, "issue")
	_, err = maps.Update(t.Context(), m, metav1.UpdateOptions{})
	s.Must(err)
	s.Must(agent.Once(t.Context()))
	if issues, r := s.Issues(), s.Records(); len(issues) != 1 || r[0].Data["issue"] != fmt.Sprint(issues[0].Number) {
		t.Fatalf("issues %+v, the record has %q", issues, r[0].Data["issue"])
	}
	m, err = maps.Get(t.Context(), requests.ObjectName(name, 0), metav1.GetOptions{})
	s.Must(err)
	delete(m.Data, "issue")
	_, err = maps.Update(t.Context(), m, metav1.UpdateOptions{})
	s.Must(err)
	s.SetClock(s.Clock().Add(31 * time.Minute))
	s.Must(agent.Once(t.Context()))
	debt, findings := policies.ParseDebt(requests.DebtPath(s.Cluster, name),
		[]byte(s.git("show", "main:"+requests.DebtPath(s.Cluster, name))+"\n"))
	if len(findings) > 0 || debt.Spec.Issue != s.Issues()[0].Number || len(s.Issues()) != 1 {
		t.Errorf("the debt is %+v, %v", debt, findings)
	}
}

// TestFreezeHoldsForBreakGlass: unless the rule says that it does not.
func TestFreezeHoldsForBreakGlass(t *testing.T) {
	for _, except := range []bool{false, true} {
		s := newStage(t)
		s.glass()
		text := fmt.Sprintf("apiVersion: pullgrant.dev/v1alpha1\nkind: AccessRule\nmetadata: {name: freeze}\n"+
			"spec:\n  deny: {clusters: [%s]}\n  reason: Nothing for now, ask later\n", s.Cluster)
		if except {
			text += "  except: [BreakGlass]\n"
		}
		s.pushFiles("root", "Freeze", map[string]string{policies.RulePath("freeze"): text})
		agent := s.agent(options{github: true, root: s.git("rev-parse", "main")})
		_, number := s.breakGlass("one")
		s.Must(agent.Once(t.Context()))
		if want := map[bool]string{false: "open", true: "merged"}[except]; s.pullState(number) != want {
			t.Errorf("except %t: it is %s", except, s.pullState(number))
		}
		if said := strings.Contains(s.Log.String(), string(policies.AccessDenied)); said == except {
			t.Errorf("except %t: %s", except, s.Log)
		}
	}
}

// TestOwedBeforeTheLedgerHasIt: what people took from the branch is owed also while nobody knows yet who
// did, so that neither the branch nor the ledger has anything of it; and no more once it is paid, though
// the agent keeps its record until the window is over.
func TestOwedBeforeTheLedgerHasIt(t *testing.T) {
	s := newStage(t)
	agent := s.glass()
	name, number := s.breakGlass("one")
	s.Must(agent.Once(t.Context()))
	s.wantPull(number, "merged")
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.pushFiles("root", "Take it away", removed(requests.Path(s.Cluster, "payments-debug", name)))
	s.Must(agent.Once(t.Context()))
	if s.entered(name) || len(s.owed()) > 0 || len(s.Bindings()) > 0 {
		t.Fatalf("entered %v, owed %v, bindings %+v", s.entered(name), s.owed(), s.Bindings())
	}
	_, again := s.breakGlass("two")
	s.SetClock(s.Clock().Add(time.Minute))
	before := len(s.Log.String())
	s.Must(agent.Once(t.Context()))
	s.wantPull(again, "open")
	if !strings.Contains(s.Log.String()[before:], string(policies.BreakGlassOwed)) {
		t.Errorf("nothing says %s:\n%s", policies.BreakGlassOwed, s.Log)
	}
	s.setState("alice", again, "closed")
	merged, by := s.breakGlass("by-hand")
	_, err := s.Merge("root", by)
	s.Must(err)
	s.Must(agent.Once(t.Context()))
	if status := s.entry(merged).Status; status.Code != string(policies.BreakGlassOwed) {
		t.Errorf("what was merged by hand is %+v", status)
	}

	s.outlast(agent)
	s.Must(agent.Once(t.Context()))
	if owed := s.owed(); len(owed) != 1 || owed[0] != name {
		t.Fatalf("owed %v", owed)
	}
	review := s.reviewGlass("alice", name)
	_, err = s.Review("bob", review, "APPROVE")
	s.Must(err)
	_, err = s.Merge("root", review)
	s.Must(err)
	s.Must(agent.Once(t.Context()))
	if owed, records := s.owed(), s.Scene.Records(); len(owed) > 0 || len(records) == 0 {
		t.Fatalf("owed %v, records %+v", owed, records)
	}
	paid, last := s.breakGlass("paid")
	s.Must(agent.Once(t.Context()))
	s.wantPull(last, "merged")
	s.Must(agent.Once(t.Context()))
	s.granted(paid)
}
