package sync

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/scene"
)

// unjudged has a request merged that cannot be judged, until the forge heals, and returns its name and
// the number of its pull request.
func (s *stage) unjudged() (name string, number int) {
	name, path, content := s.requestFile("unjudged")
	number = s.pull("unjudged", true, map[string]string{path: content})
	s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", number), -1,
		http.StatusInternalServerError, "{}")
	return name, number
}

// toldToWait has an agent find twice that such a request cannot be judged, and its pull request told.
func (s *stage) toldToWait() (agent *Agent, name string, number int) {
	s.Helper()
	name, number = s.unjudged()
	agent = s.agent(githubOnly)
	for range 2 {
		if agent.Once(s.Context()) == nil {
			s.Fatal("no error")
		}
		s.pause()
	}
	s.says(number, "### Merged, not granted yet")
	return agent, name, number
}

// TestWaitingIsTold: whoever merged a request that cannot be judged is told why after a minute,
// once, and what came of it in the same place.
func TestWaitingIsTold(t *testing.T) {
	s := newStage(t)
	name, number := s.unjudged()
	agent := s.agent(githubOnly)
	for range 2 {
		if agent.Once(t.Context()) == nil {
			t.Fatal("no error")
		}
	}
	if said := s.said(number); said != "" {
		t.Errorf("told at once: %s", said)
	}
	s.pause()
	if agent.Once(t.Context()) == nil {
		t.Fatal("no error")
	}
	s.says(number, "### Merged, not granted yet", "it waits ([EvaluationError](")
	s.Heal()
	s.SetClock(s.Clock().Add(longPause))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	s.says(number, "### Access until")
	if said := s.said(number); strings.Contains(said, "not granted yet") {
		t.Errorf("told in two places: %s", said)
	}
}

// TestWaitingIsToldByWhoPassesOnce: an agent that makes one pass each time tells as well that a request waits,
// since when it is on the branch, and says no more than that again in the next.
func TestWaitingIsToldByWhoPassesOnce(t *testing.T) {
	s := newStage(t)
	_, number := s.unjudged()
	once := func() {
		if s.agent(githubOnly).Once(t.Context()) == nil {
			t.Fatal("no error")
		}
	}
	once()
	if said := s.said(number); said != "" {
		t.Errorf("told at once: %s", said)
	}
	s.pause()
	once()
	s.says(number, "### Merged, not granted yet", "it waits ([EvaluationError](")
	said := s.said(number)
	s.pause()
	once()
	if again := s.said(number); again != said {
		t.Errorf("it said\n%s\nand says\n%s", said, again)
	}
}

// TestGoneBeforeItIsJudged: a request that was to wait and leaves the branch unjudged is said to be
// gone, not to wait for ever; not where the ledger has it, for then it was judged by another process, nor
// where the agent took its file away, as another cluster's ledger has its name.
func TestGoneBeforeItIsJudged(t *testing.T) {
	for slug, c := range map[string]struct {
		entered string // into the ledger of that cluster; own: of the agent's
		stays   bool   // its file
		says    string
	}{
		"gone":   {"", false, "### Not granted: its file is off the branch"},
		"judged": {"own", false, "### Merged, not granted yet"},
		"used":   {"prod-us", true, "### Refused: RequestIdReused"},
	} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			agent, name, number := s.toldToWait()
			_, path, _ := s.requestFile("unjudged")
			change := map[string]string{}
			if !c.stays {
				change[path] = forge.Removed
			}
			if c.entered != "" {
				cluster := strings.Replace(c.entered, "own", s.Cluster, 1)
				change[requests.RevocationPath(cluster, name)] = "{}"
			}
			s.pushFiles("root", "Take it", change)
			_ = agent.Once(t.Context())
			s.says(number, c.says)
		})
	}
}

// TestGoneThoughItsNameIsUsed: a request that had its name, and leaves the branch unjudged, is said to be gone
// also where another one for another cluster has the name; not one that had it after that, which some
// process of its own cluster discarded.
func TestGoneThoughItsNameIsUsed(t *testing.T) {
	for first, says := range map[bool]string{
		true:  "### Not granted: its file is off the branch",
		false: "### Merged, not granted yet",
	} {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			s := newStage(t)
			agent, _, number := s.toldToWait()
			_, path, content := s.requestFile("unjudged")
			elsewhere := strings.NewReplacer(s.Cluster, "prod-us").Replace
			s.pushFiles("root", "Take its name", map[string]string{elsewhere(path): elsewhere(content)})
			_ = agent.Once(t.Context())
			wait := agent.prover.waiting[path]
			wait.first = wait.first && first
			agent.prover.waiting[path] = wait
			s.pushFiles("root", "Take it", map[string]string{path: forge.Removed})
			_ = agent.Once(t.Context())
			s.says(number, says)
		})
	}
}

// TestGoneIsNotToldInTime: where GitHub takes no comment until a request is back on the branch, or another
// process entered it, it is not said to be gone; what became of it is told, as far as nobody else does.
func TestGoneIsNotToldInTime(t *testing.T) {
	for slug, c := range map[string]struct{ back, entered bool }{"back": {back: true}, "judged": {entered: true}} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			agent, name, number := s.toldToWait()
			_, path, content := s.requestFile("unjudged")
			s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/issues/%d/comments", number), -1,
				http.StatusInternalServerError, "{}")
			s.pushFiles("root", "Take it", map[string]string{path: forge.Removed})
			_ = agent.Once(t.Context())
			s.pause()
			s.Heal()
			change := map[string]string{"README.md": "Mine\n"}
			if c.back {
				change[path] = content
			}
			if c.entered {
				change[requests.RevocationPath(s.Cluster, name)] = "{}"
			}
			s.pushFiles("root", "Go on", change)
			_ = agent.Once(t.Context())
			s.says(number, "### Merged, not granted yet")
			s.SetClock(s.Clock().Add(patience))
			_ = agent.Once(t.Context())
			if c.back {
				s.says(number, "### Refused: ")
			}
		})
	}
}

// TestJudgedBeforeItIsToldToWait: what waits to be told of a request is told no more once another process
// judged it, which told what came of it.
func TestJudgedBeforeItIsToldToWait(t *testing.T) {
	s := newStage(t)
	name, number := s.unjudged()
	s.Fail(http.MethodGet, fmt.Sprintf("/repos/acme/access/issues/%d/comments", number), -1,
		http.StatusInternalServerError, "{}")
	agent := s.agent(githubOnly)
	for range 2 {
		_ = agent.Once(t.Context())
		s.pause()
	}
	if len(agent.tell.comments.pending) != 1 {
		t.Fatalf("nothing waits to be told: %v", agent.tell.comments.pending)
	}
	_, path, _ := s.requestFile("unjudged")
	s.pushFiles("root", "Take it", map[string]string{path: forge.Removed,
		requests.RevocationPath(s.Cluster, name): "{}"})
	s.Heal()
	_ = agent.Once(t.Context())
	if said := s.said(number); said != "" {
		t.Errorf("it says %s", said)
	}
}

// TestGoneWhileItsPullRequestIsNotKnown: nor to wait for ever where GitHub did not tell any more which
// pull request it is of, once that was told.
func TestGoneWhileItsPullRequestIsNotKnown(t *testing.T) {
	s := newStage(t)
	agent, _, number := s.toldToWait()
	s.Fail(http.MethodGet, "/repos/acme/access/commits/.*/pulls", -1,
		http.StatusInternalServerError, "{}")
	s.Fail(http.MethodPost, "/graphql", -1, http.StatusInternalServerError, "{}")
	if agent.Once(t.Context()) == nil {
		t.Fatal("no error")
	}
	s.pause()
	_, path, _ := s.requestFile("unjudged")
	s.Heal()
	s.pushFiles("root", "Take it", map[string]string{path: forge.Removed})
	_ = agent.Once(t.Context())
	s.says(number, "### Not granted: its file is off the branch")
}

// TestSlowHoldsUpNobody: a request that GitHub is slow to tell of, each time that it is asked, does not
// have what is judged beside it wait: what was allowed in the meantime is granted in the same pass.
func TestSlowHoldsUpNobody(t *testing.T) {
	s := newStage(t)
	_, slow := s.unjudged()
	name := s.request("quick")
	s.Heal()
	reviews := fmt.Sprintf("/repos/acme/access/pulls/%d/reviews", slow)
	s.Before(http.MethodGet, reviews, func() {
		for calls := -1; calls != len(s.Requests()); time.Sleep(time.Second) { // until nothing else is asked
			calls = len(s.Requests())
		}
		s.SetClock(s.Clock().Add(2 * proofFor))
	})
	s.Fail(http.MethodGet, reviews, -1, http.StatusInternalServerError, "{}")
	if err := s.agent(githubOnly).Once(t.Context()); err == nil || strings.Contains(err.Error(), name) {
		t.Errorf("error: %v", err)
	}
	s.granted(name)
}

// TestRefusedAsNobodys: nor is one said to wait for ever whose file somebody pushed anew, which is refused
// as nobody's.
func TestRefusedAsNobodys(t *testing.T) {
	s := newStage(t)
	agent, _, number := s.toldToWait()
	_, path, content := s.requestFile("unjudged")
	s.pushFiles("root", "Take it", map[string]string{path: forge.Removed})
	s.pushFiles("root", "Put it back", map[string]string{path: content, "README.md": "Mine\n"})
	for range 2 {
		_ = agent.Once(t.Context())
		s.SetClock(s.Clock().Add(patience))
	}
	s.says(number, "### Refused: ")
}

// TestAllowedIsTriedSoon: a request that could not be judged for long, and then could be, is tried again
// at once where one call of the grant is lost.
func TestAllowedIsTriedSoon(t *testing.T) {
	s := newStage(t)
	name, _ := s.unjudged()
	lost := false
	agent := s.agent(options{github: true, wire: func(next http.RoundTripper) http.RoundTripper {
		return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/jobs") && !lost &&
				r.URL.Query().Get("dryRun") == "" {
				lost = true
				return nil, errors.New("the connection broke")
			}
			return next.RoundTrip(r)
		})
	}})
	for range 4 {
		_ = agent.Once(t.Context())
		s.SetClock(s.Clock().Add(time.Minute))
	}
	s.Heal()
	s.SetClock(s.Clock().Add(longPause))
	if err := agent.Once(t.Context()); err == nil || !lost {
		t.Fatalf("%v; a call was lost: %t", err, lost)
	}
	s.SetClock(s.Clock().Add(2 * firstPause))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}

// TestOtherTroubleIsTriedSoon: a grant that did not work for long is tried again at once where it was not
// tried at all, as the cluster could not be looked at, and where its Job was complete too late.
func TestOtherTroubleIsTriedSoon(t *testing.T) {
	for slug, late := range map[string]bool{"looked": false, "armed": true} {
		t.Run(slug, func(t *testing.T) {
			s := newStage(t)
			name, path, content := s.requestFile(slug)
			s.pull(slug, true, map[string]string{path: content})
			standing, looks, lost := true, -1, false
			agent := s.agent(options{github: true, wire: func(next http.RoundTripper) http.RoundTripper {
				return scene.RoundTripper(func(r *http.Request) (*http.Response, error) {
					switch job := strings.Contains(r.URL.Path, "/jobs/"); {
					case standing && job:
						return nil, errCut
					case r.URL.Query().Has("labelSelector") && strings.HasSuffix(r.URL.Path, "/rolebindings"):
						if looks++; !standing && !late && looks == 1 {
							lost = true
							return nil, errCut
						}
					case !standing && late && job && !lost:
						return changedJob(next, r, func(job *batchv1.Job) {
							lost = true
							complete(job, time.Minute)
						})
					}
					return next.RoundTrip(r)
				})
			}})
			for range 8 {
				if agent.Once(t.Context()) == nil {
					t.Fatal("no error")
				}
				s.SetClock(s.Clock().Add(longPause))
			}
			standing, looks = false, -1
			if err := agent.Once(t.Context()); err == nil || !lost {
				t.Fatalf("error %v; something else went wrong: %t", err, lost)
			}
			s.SetClock(s.Clock().Add(2 * firstPause))
			s.Must(agent.Once(t.Context()))
			s.granted(name)
		})
	}
}

// TestStopIsTold: while nothing is granted, whoever merged a request is told at once.
func TestStopIsTold(t *testing.T) {
	s := newStage(t)
	s.Protect(forge.Rules{Off: true})
	name, path, content := s.requestFile("stopped")
	number := s.pull("stopped", true, map[string]string{path: content})
	agent := s.agent(githubOnly)
	if err := agent.Once(t.Context()); err == nil {
		t.Fatal("no error")
	}
	s.says(number, "### Merged, not granted yet", "it waits ([RulesetWeakened](")
	if s.entered(name) || len(s.Bindings()) != 0 {
		t.Error("granted or refused")
	}
}

// TestSpoiledRecord: what is there and cannot be ended is neither said to wait nor refused once its record
// cannot be read any more, until it is gone.
func TestSpoiledRecord(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("spoiled")
	number := s.pull("spoiled", true, map[string]string{path: content})
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	object := requests.ObjectName(name, 0)
	keep := func(finalizers string) {
		_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Patch(t.Context(), object,
			types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`), metav1.PatchOptions{})
		s.Must(err)
	}
	keep(`["example.com/keep"]`)
	s.SetClock(s.Clock().Add(time.Hour))
	_ = agent.Once(t.Context())
	s.says(number, "### Access should be over, and is not")
	_, err := s.Admin.CoreV1().ConfigMaps(kube.Namespace).Patch(t.Context(), object, types.MergePatchType,
		[]byte(`{"data":null}`), metav1.PatchOptions{})
	s.Must(err)
	s.pause()
	if err := agent.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "no record says so") {
		t.Fatalf("error: %v", err)
	}
	s.says(number, "### Access should be over, and is not")
	if s.entered(name) {
		t.Error("it is in the ledger, and there")
	}
	keep("null")
	s.Until("it is gone", func() bool { _ = agent.Once(t.Context()); return len(s.Names()) == 0 })
	s.Must(s.Admin.CoreV1().ConfigMaps(kube.Namespace).Delete(t.Context(), object, metav1.DeleteOptions{}))
	s.pause()
	s.Must(agent.Once(t.Context()))
	s.says(number, "### Refused: ExpiredBeforeGrant")
}
