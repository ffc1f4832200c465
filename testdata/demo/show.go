package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// maxLateness is how long after its end a grant may still be there before the demo fails.
const maxLateness = 2 * time.Second

// show runs the ten steps of a request and prints what was observed of each.
func (s *stage) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	events, err := s.watch(ctx)
	if err != nil {
		return err
	}
	defer events.Stop()

	if err := s.expectCanI(ctx, "no"); err != nil {
		return err
	}
	number, err := s.ask(ctx)
	if err != nil {
		return err
	}
	if err := s.judgePending(ctx, number); err != nil {
		return err
	}
	if err := s.judgeAllowed(ctx, number); err != nil {
		return err
	}
	if err := s.merge(ctx, number); err != nil {
		return err
	}
	told := awaited("the agent, which looks every second")
	binding, err := next(ctx, events, watch.Added, "the binding")
	told()
	if err != nil {
		return err
	}
	if err := s.granted(ctx, binding); err != nil {
		return err
	}
	if err := s.expire(ctx, events, binding); err != nil {
		return err
	}
	if err := s.record(ctx, number); err != nil {
		return err
	}
	return s.kinds(ctx)
}

// awaited says what is waited for where that takes long enough to wonder, unless told is called before.
func awaited(what string) (told func()) {
	timer := time.AfterFunc(3*time.Second, func() { fmt.Printf("    waiting for %s …\n", what) })
	return func() { timer.Stop() }
}

func step(number int, name, format string, args ...any) {
	fmt.Printf("%2d. %-10s %s\n", number, name, strings.ReplaceAll(fmt.Sprintf(format, args...),
		"\n", "\n    "+strings.Repeat(" ", 11)))
}

// rights prints what the agent may do, as Kubernetes itself says it.
func (s *stage) rights(ctx context.Context) error {
	for _, in := range []string{namespace, "pullgrant-system", "default"} {
		fmt.Printf("\nThe agent may do in the namespace %s, beside asking who it is (kubectl "+
			"auth can-i --list):\n", in)
		r, err := s.kubectl(ctx, "agent", "auth", "can-i", "--list", "--no-headers", "-n", in)
		if err != nil || r.code != 0 {
			return fmt.Errorf("list the agent's rights: %w %s", err, r.err)
		}
		for line := range strings.Lines(r.out) {
			if !strings.HasPrefix(line, "selfsubject") && !strings.HasPrefix(line, " ") {
				fmt.Print("  " + line)
			}
		}
	}
	fmt.Println()
	return nil
}

func (s *stage) expectCanI(ctx context.Context, want string) error {
	got, err := s.canI(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("    kubectl auth can-i list pods -n %s, as %s: %s\n", namespace, alice, got)
	if got != want {
		return fmt.Errorf("alice's access is %q, expected %q", got, want)
	}
	return nil
}

func (s *stage) ask(ctx context.Context) (number int, err error) {
	number, err = s.asked(ctx, "request", "--policy", policy, "--cluster", cluster,
		"--duration", "1m", "--slug", "inc-123", "--reason", "INC-123, checkout is slow")
	if err == nil {
		step(1, "Ask", "alice ran pullgrant request; it opened pull request #%d", number)
	}
	return number, err
}

// asked has alice ask for something.
func (s *stage) asked(ctx context.Context, args ...string) (number int, err error) {
	r, err := s.pullgrant(ctx, s.forge.Token("alice"), nil, args...)
	if err != nil || r.code != 0 {
		return 0, fmt.Errorf("pullgrant request: %w, exit %d: %s", err, r.code, r.err)
	}
	url := strings.TrimSpace(r.out)
	if _, err := fmt.Sscanf(url[strings.LastIndex(url, "/")+1:], "%d", &number); err != nil {
		return 0, fmt.Errorf("read the pull request's number from %q: %w", url, err)
	}
	return number, nil
}

// act plays GitHub Actions: it writes the event's payload and runs the program that action.yml
// runs.
func (s *stage) act(ctx context.Context, event, kind string, number int) (result, error) {
	payload, err := json.Marshal(map[string]any{"action": kind, "pull_request": map[string]any{
		"number": number}})
	if err != nil {
		return result{}, err
	}
	if err := os.WriteFile(s.path("event.json"), payload, 0o644); err != nil {
		return result{}, err
	}
	if err := os.WriteFile(s.path("output"), nil, 0o644); err != nil {
		return result{}, err
	}
	defer awaited("the verdict, as this GitHub is seconds late to tell of a push")()
	return s.pullgrant(ctx, s.forge.AppToken("pullgrant"), []string{"GITHUB_EVENT_NAME=" + event,
		"GITHUB_EVENT_PATH=" + s.path("event.json"),
		"GITHUB_OUTPUT=" + s.path("output"), "GITHUB_STEP_SUMMARY=" + s.path("summary.md")},
		"action")
}

func (s *stage) check(want string) error {
	checks := s.forge.Checks()
	if len(checks) == 0 {
		return fmt.Errorf("no check run was posted")
	}
	last := checks[len(checks)-1]
	step(5, "Report", "check run %q on %s: %s, %s", last.Name, last.HeadSHA[:7], last.Conclusion,
		last.Title)
	if last.Conclusion != want {
		return fmt.Errorf("the check run concluded %q, expected %q", last.Conclusion, want)
	}
	return nil
}

func (s *stage) judgePending(ctx context.Context, number int) error {
	r, err := s.act(ctx, "pull_request_target", "opened", number)
	if err != nil {
		return err
	}
	step(2, "Trigger", "the demo ran pullgrant action, as GitHub's runner would for pull_request_target")
	facts, err := s.pullgrant(ctx, s.forge.AppToken("pullgrant"), nil, "facts", "--pr",
		fmt.Sprint(number))
	if err != nil || facts.code != 0 {
		return fmt.Errorf("pullgrant facts: %w %s", err, facts.err)
	}
	var f struct {
		Files, Commits, Reviews []any
		Base                    struct {
			Commit string
			Files  map[string]any
		}
	}
	if err := json.Unmarshal([]byte(facts.out), &f); err != nil {
		return fmt.Errorf("read the facts: %w", err)
	}
	step(3, "Gather", "%d file, %d commit, %d reviews; %d policy files at main %s", len(f.Files),
		len(f.Commits), len(f.Reviews), len(f.Base.Files), f.Base.Commit[:7])
	if r.code != 8 {
		return fmt.Errorf("the action exited %d without an approval, expected 8 (pending): %s",
			r.code, r.out)
	}
	step(4, "Judge", "exit %d, pending: nobody has approved", r.code)
	return s.check("action_required")
}

func (s *stage) judgeAllowed(ctx context.Context, number int) error {
	if _, err := s.forge.Review("alice", number, "APPROVE"); err == nil {
		return fmt.Errorf("alice could approve her own pull request")
	}
	if _, err := s.forge.Review("bob", number, "APPROVE"); err != nil {
		return err
	}
	fmt.Println("    alice's approval of her own request was refused; bob, a code owner, approved")
	r, err := s.act(ctx, "pull_request_review", "submitted", number)
	if err != nil {
		return err
	}
	step(4, "Judge", "exit %d after bob's approval", r.code)
	if r.code != 0 {
		return fmt.Errorf("the action exited %d after the approval, expected 0: %s", r.code, r.out)
	}
	return s.check("success")
}

func (s *stage) merge(ctx context.Context, number int) error {
	var pull struct {
		Merged   bool   `json:"merged"`
		MergedAt string `json:"merged_at"`
		SHA      string `json:"merge_commit_sha"`
		MergedBy struct {
			Login string `json:"login"`
		} `json:"merged_by"`
	}
	path := fmt.Sprintf("/repos/acme/access/pulls/%d", number)
	if err := s.forge.Do(s.forge.Token("alice"), "GET", path, nil, &pull); err != nil {
		return err
	}
	how := "auto-merge"
	if !pull.Merged {
		how = "alice pressed the button"
		if _, err := s.forge.Merge("alice", number); err != nil {
			return err
		}
		if err := s.forge.Do(s.forge.Token("alice"), "GET", path, nil, &pull); err != nil {
			return err
		}
	}
	step(6, "Merge", "GitHub merged it as %s at %s (%s); the window starts", pull.SHA[:7],
		pull.MergedAt, how)
	return nil
}

func (s *stage) watch(ctx context.Context) (watch.Interface, error) {
	return s.client.RbacV1().RoleBindings(namespace).Watch(ctx,
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"})
}

// next waits for an event of the watch.
func next(ctx context.Context, events watch.Interface, want watch.EventType,
	what string) (*rbacv1.RoleBinding, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s to be %s: %w", what, strings.ToLower(string(want)),
				ctx.Err())
		case event, ok := <-events.ResultChan():
			if !ok {
				return nil, fmt.Errorf("the watch ended while waiting for %s", what)
			}
			if binding, is := event.Object.(*rbacv1.RoleBinding); is && event.Type == want {
				return binding, nil
			}
		}
	}
}

func (s *stage) granted(ctx context.Context, b *rbacv1.RoleBinding) error {
	judged, err := s.logged("judge")
	if err != nil {
		return err
	}
	step(7, "Prove", "the agent gathered the facts again and judged them itself: %s,\n%s",
		judged.Decision, judged.Message)
	step(8, "Apply", "RoleBinding %s/%s\ngives %s %s to %s until %s", b.Namespace, b.Name,
		b.RoleRef.Kind, b.RoleRef.Name,
		b.Subjects[0].Name, b.Annotations["pullgrant.dev/expires-at"])
	return s.expectCanI(ctx, "yes")
}

func (s *stage) expire(ctx context.Context, events watch.Interface, b *rbacv1.RoleBinding) error {
	end, err := time.Parse(time.RFC3339, b.Annotations["pullgrant.dev/expires-at"])
	if err != nil {
		return fmt.Errorf("read the end of the grant: %w", err)
	}
	fmt.Printf("    waiting %.0f s for the end of the window …\n", time.Until(end).Seconds())
	if _, err := next(ctx, events, watch.Deleted, "the binding"); err != nil {
		return err
	}
	late := time.Since(end)
	step(9, "Expire", "a watch saw the binding go %d ms after its end", late.Milliseconds())
	if late < 0 || late > maxLateness {
		return fmt.Errorf("the binding went %s after its end; allowed: 0 to %s", late, maxLateness)
	}
	return s.expectCanI(ctx, "no")
}

func (s *stage) record(ctx context.Context, number int) error {
	before := s.forge.Branch("main")
	told := awaited("the agent's commit")
	for {
		log, err := exec.CommandContext(ctx, "git", "-C", s.forge.GitDir(), "log", "-1",
			"--format=%h by %an: %s%n%(trailers:key=Pullgrant-Granted-At)"+
				"%(trailers:key=Pullgrant-Revoked-At)%(trailers:key=Approved-by)", "main", "--",
			"revocations").Output()
		if err != nil {
			return fmt.Errorf("read the history: %w", err)
		}
		if len(log) > 0 {
			told()
			step(10, "Record", "main moved to %s", strings.TrimSpace(string(log)))
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the revocation after %s: %w", before[:7], ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	if n, err := s.bindings(ctx); err != nil || n != 0 {
		return fmt.Errorf("%d managed bindings are left: %w", n, err)
	}
	clone := exec.CommandContext(ctx, "git", "clone", "-q", s.forge.GitDir(), s.path("access"))
	if out, err := clone.CombinedOutput(); err != nil {
		return fmt.Errorf("clone the access repository: %w: %s", err, out)
	}
	r, err := s.pullgrant(ctx, s.forge.Token("bob"), nil, "audit", "--dir", s.path("access"),
		"--allowed-signers", s.path("allowed_signers"))
	if err != nil || r.code != 0 {
		return fmt.Errorf("pullgrant audit: %w, exit %d: %s", err, r.code, r.err)
	}
	fmt.Printf("\npullgrant audit:\n%s", r.out)
	if !strings.Contains(r.out, "inc-123") && !strings.Contains(r.out, "alice") {
		return fmt.Errorf("pullgrant audit does not show the grant of pull request #%d", number)
	}
	r, err = s.pullgrant(ctx, s.forge.Token("bob"), nil, "audit", "verify", "--repo", "acme/access",
		"--dir", s.path("access"), "--allowed-signers", s.path("allowed_signers"))
	if err != nil || r.code != 0 {
		return fmt.Errorf("pullgrant audit verify: %w, exit %d: %s%s", err, r.code, r.out, r.err)
	}
	fmt.Printf("\npullgrant audit verify judged it again, by the facts in the ledger: %s", r.err)
	return nil
}

// line is one line of the agent's log.
type line struct{ Event, Decision, Message string }

// logged is the agent's last log line of an event.
func (s *stage) logged(event string) (line, error) {
	data, err := os.ReadFile(s.log)
	if err != nil {
		return line{}, fmt.Errorf("read the agent's log: %w", err)
	}
	var found line
	for text := range strings.Lines(string(data)) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err == nil && l.Event == event {
			found = l
		}
	}
	if found.Event == "" {
		return found, fmt.Errorf("the agent's log has no event %q", event)
	}
	return found, nil
}
