package sync

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/grants"
)

// said is the agent's comment on a pull request, empty when there is none. It fails when there are
// several.
func (s *stage) said(number int) (body string) {
	s.Helper()
	var all []struct {
		Body string
		User struct{ Login string }
	}
	s.Must(s.Do(s.Token("root"), http.MethodGet, fmt.Sprintf(
		"/repos/acme/access/issues/%d/comments", number), nil, &all))
	for _, comment := range all {
		if comment.User.Login != "agent[bot]" {
			continue
		}
		if body != "" {
			s.Errorf("more than one comment on #%d:\n%s\n%s", number, body, comment.Body)
		}
		body = comment.Body
		if strings.Contains(body, "@") {
			s.Errorf("it mentions somebody:\n%s", body)
		}
	}
	return body
}

func (s *stage) says(number int, words ...string) {
	s.Helper()
	said := s.said(number)
	for _, w := range words {
		if !strings.Contains(said, w) {
			s.Errorf("the comment on #%d does not say %q:\n%s", number, w, said)
		}
	}
}

// open opens a pull request of a user's with the files.
func (s *stage) open(login, branch string, files map[string]string) (number int) {
	s.Helper()
	_, err := s.Push(forge.Change{User: login, Branch: branch, Message: "Change", Files: files})
	s.Must(err)
	number, err = s.Open(login, branch, "Change")
	s.Must(err)
	return number
}

// TestPullRequestIsTold: one comment, changed in place, says until when there is access and how it
// ended.
func TestPullRequestIsTold(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("told")
	number := s.pull("told", true, map[string]string{path: content})
	comments := fmt.Sprintf("/repos/acme/access/issues/%d/comments", number)
	forged := marker + "\n### Access until 2099-01-01"
	s.Must(s.Do(s.Token("alice"), http.MethodPost, comments, map[string]string{"body": forged},
		nil))
	s.once(githubOnly)
	s.says(number, "### Access until 2026-11-23 13:00:00 UTC", "<code><!-- -->&#64;alice</code> "+
		"as User <code>alice<!-- -->&#64;example&#46;com</code>",
		"<code>ClusterRole payments&#45;debug in namespace ", "from 2026-11-23 12:00:00 UTC",
		"open a pull request that deletes <code>requests&#47;")
	s.once(githubOnly) // says it again, so nothing is written
	s.SetClock(noon.Add(time.Hour))
	s.once(githubOnly)
	s.over(name, requests.CauseExpired, "")
	s.says(number, "### Access ended: Expired", "ended at 2026-11-23 13:00:00 UTC",
		"revocations&#47;", "commit "+s.Branch("main"))
	if strings.Contains(s.said(number), "RoleBindings") {
		t.Errorf("nobody made any:\n%s", s.said(number))
	}
	writes := 0
	for _, r := range s.Requests() {
		if r.User == "agent[bot]" && r.Method != http.MethodGet &&
			strings.Contains(r.Path, "/issues/") {
			writes++
		}
	}
	var all []struct{ Body string }
	s.Must(s.Do(s.Token("root"), http.MethodGet, comments, nil, &all))
	if writes != 2 || len(all) != 2 || all[0].Body != forged {
		t.Errorf("%d writes, comments %q", writes, all)
	}
}

func TestPullRequestIsToldOfARefusal(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("no")
	number := s.pull("no", false, map[string]string{path: content})
	s.once(githubOnly)
	s.over(name, requests.CauseDenied, "InsufficientApprovals")
	s.says(number, "### Refused: InsufficientApprovals", "<code>", "ask again under a new name",
		"commit "+s.Branch("main"))
}

// TestHostileBindingsAreTold: what others bound while access lasted is listed as text, and what
// they bound before is not.
func TestHostileBindingsAreTold(t *testing.T) {
	s := newStage(t)
	s.Foreign("before")
	s.Until("another second has begun", func() bool { return time.Now().Nanosecond() < 5e8 })
	s.SetClock(time.Now().Truncate(time.Second).Add(time.Second)) // the API server has its own clock
	s.Until("the stage's second has begun", func() bool { return !time.Now().Before(s.Clock()) })
	name, path, content := s.requestFile("hostile")
	number := s.pull("hostile", true, map[string]string{path: content})
	s.pull("longer", true, s.twoHours("longer")) // the agent's own binding of it is no news
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	_, err := s.Admin.RbacV1().RoleBindings(s.Namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "<img src=x>|`@acme`"},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole",
			Name: "payments-debug"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User",
			Name: "[x](https://evil.example) @acme/everyone"},
			{Kind: "ServiceAccount", Name: "builder", Namespace: s.Namespace}},
	}, metav1.CreateOptions{})
	s.Must(err)
	s.SetClock(s.Clock().Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	if r := s.entry(name); r.Status.Cause != requests.CauseExpired {
		t.Errorf("it ended by %s", r.Status.Cause)
	}
	s.says(number, "#### RoleBindings that others made meanwhile",
		"&#60;img src&#61;x&#62;&#124;&#96;<!-- -->&#64;acme&#96;</code> | ClusterRole "+
			"<code>payments&#45;debug</code> | User <code>",
		"everyone</code>, ServiceAccount <code>payments&#45;")
	said := s.said(number)
	if strings.Contains(said, "before") || strings.Contains(said, "<img") ||
		strings.Contains(said, "](https:") || strings.Contains(said, "pullgrant&#45;") {
		t.Errorf("it says\n%s", said)
	}
}

// TestTellingFails: a comment that cannot be written holds up nothing, and is written later.
func TestTellingFails(t *testing.T) {
	s := newStage(t)
	name, path, content := s.requestFile("mute")
	number := s.pull("mute", true, map[string]string{path: content})
	s.Fail("", "/repos/acme/access/issues/.*comments.*", -1, 403,
		`{"message": "Resource not accessible by integration"}`)
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	s.granted(name)
	if !strings.Contains(s.Log.String(), "it could not be told; trying again") {
		t.Error("the log does not tell")
	}
	s.Heal()
	s.Must(agent.Once(t.Context())) // at the same second: not yet
	if said := s.said(number); said != "" {
		t.Errorf("it was tried without a pause: %s", said)
	}
	s.pause()
	s.Must(agent.Once(t.Context()))
	s.says(number, "### Access until")
	s.Fail("", "/repos/acme/access/issues/.*comments.*", -1, 500, "")
	s.SetClock(noon.Add(time.Hour))
	s.Must(agent.Once(t.Context()))
	s.over(name, requests.CauseExpired, "")
	s.Heal()
	s.pause()
	s.Must(agent.Once(t.Context()))
	s.says(number, "### Access ended: Expired")
}

// TestToldAfterARestart: another process tells what the one before it could not, as long as that is
// news.
func TestToldAfterARestart(t *testing.T) {
	s := newStage(t)
	one := s.pull("one", true, s.twoHours("one"))
	s.Fail("", "/repos/acme/access/issues/.*comments.*", -1, 403,
		`{"message": "Resource not accessible by integration"}`)
	s.once(githubOnly)
	s.SetClock(noon.Add(50 * time.Minute))
	two := s.pull("two", true, s.twoHours("two"))
	s.once(githubOnly)
	s.Heal()
	s.SetClock(noon.Add(70 * time.Minute))
	agent := s.agent(githubOnly)
	s.Must(agent.Once(t.Context()))
	if said := s.said(one); said != "" {
		t.Errorf("old news: %s", said)
	}
	s.says(two, "### Access until")
	late := s.pull("late", true, s.twoHours("late"))
	s.SetClock(noon.Add(140 * time.Minute)) // this one is granted late, but it is news
	s.Must(agent.Once(t.Context()))
	s.says(late, "### Access until")
}

func (s *stage) twoHours(slug string) map[string]string {
	_, path, content := s.requestFile(slug)
	return map[string]string{path: content + "  duration: 2h\n"}
}

// TestNotesAreBounded: a note is given up when it is no news any more, and a newer one takes its
// place.
func TestNotesAreBounded(t *testing.T) {
	s := newStage(t)
	now := noon
	n := newComments(Config{GitHub: s.agent(githubOnly).github,
		Clock: func() time.Time { return now }, Logger: slog.New(slog.NewJSONHandler(s.Log, nil))})
	text := func(text string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return text, nil }
	}
	number := s.open("alice", "b", map[string]string{"b": "x"})
	n.put(comment{number: 0, what: "granted", compose: text("nowhere")})
	n.put(comment{number: 99, what: "granted", compose: text("gone")}) // there is no such pull request
	n.put(comment{number: number, what: "granted", compose: text("first")})
	n.put(comment{number: number, what: "granted", compose: text("the same again")})
	n.put(comment{number: number, what: "ended", compose: text("last")})
	tries := 0
	for end := noon.Add(2 * tellFor); now.Before(end); now = now.Add(time.Second) {
		for n.write(t.Context()) {
			tries++
		}
	}
	if len(n.pending) != 0 || tries < 10 || tries > 30 || s.said(number) != marker+"\nlast" {
		t.Errorf("%d wait after %d tries; the comment is %q", len(n.pending), tries, s.said(number))
	}
	for i := range maxComments + 1 {
		n.put(comment{number: i + 1, what: "granted", compose: text("x")})
	}
	if len(n.pending) != maxComments || !strings.Contains(s.Log.String(),
		"too much waits to be told") {
		t.Errorf("%d wait", len(n.pending))
	}
}

// TestRunTells is the loop that writes notes beside the passes.
func TestRunTells(t *testing.T) {
	s := newStage(t)
	_, path, content := s.requestFile("run")
	number := s.pull("run", true, map[string]string{path: content})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.agent(githubOnly).Run(ctx) }()
	s.Until("it is told", func() bool { return s.said(number) != "" })
	cancel()
	s.Must(<-ended)
}

// TestManyBindings: a comment names twenty and counts the others.
func TestManyBindings(t *testing.T) {
	var made []rbacv1.RoleBinding
	for i := range 25 {
		made = append(made, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "shop",
			Name:              fmt.Sprintf("b%02d", i),
			CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(i) * time.Minute))},
			Subjects: make([]rbacv1.Subject, 7)})
	}
	text := endedText(plan.Record{Grant: grants.Of("a", 1, 1), Cause: requests.CauseExpired,
		EndedAt: requests.At(noon)}, "", made)
	if rows := strings.Count(text, "<code>shop&#47;b"); rows != 20 ||
		!strings.Contains(text, "\nand 5 more\n") ||
		strings.Count(text, "and 2 more |") != 20 || !strings.Contains(text, "b19") ||
		strings.Contains(text, "b20") {
		t.Errorf("%d rows:\n%s", rows, text)
	}
}
