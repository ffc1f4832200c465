package main

import (
	"context"
	"fmt"
	"time"
)

// byHand leaves everything running and plays GitHub's runner: whenever an open pull request has a
// new head or review, the action judges it.
func (s *stage) byHand(ctx context.Context) error {
	token := s.forge.Token
	fmt.Printf(`
Everything is running. In another terminal:

  export GITHUB_API_URL=%s GITHUB_REPOSITORY=acme/access

  # alice has no access yet
  %s --kubeconfig %s auth can-i list pods -n %s

  # alice asks for ten minutes
  GITHUB_TOKEN=%s %s request --policy %s --cluster %s --duration 10m --reason "INC-123, checkout is slow"

  # bob, a code owner, approves pull request 1; auto-merge does the rest
  curl -fsS -o /dev/null -H "Authorization: Bearer %s" -d '{"event": "APPROVE"}' \
    $GITHUB_API_URL/repos/acme/access/pulls/1/reviews

  # what approvers saw, what the agent did, and what alice's RoleBinding looks like
  cat %s
  cat %s
  %s --kubeconfig %s get rolebindings -n %s

  # who had what, and why it ended: from the access repository, once access is over
  git clone -q %s %s
  %s audit --dir %s --allowed-signers %s

Ctrl-C ends it all.
`, s.forge.URL, s.kube.Kubectl, s.path("alice.kubeconfig"), namespace,
		token("alice"), s.binary, policy, cluster, token("bob"),
		s.path("summary.md"), s.log, s.kube.Kubectl, s.path("agent.kubeconfig"), namespace,
		s.forge.GitDir(), s.path("access"), s.binary, s.path("access"), s.path("allowed_signers"))
	seen := map[int]string{}
	for {
		select {
		case <-ctx.Done():
			fmt.Println("\nstopping …")
			return nil
		case <-s.agent.Exited():
			if ctx.Err() != nil {
				continue // Ctrl-C ended both
			}
			return fmt.Errorf("the agent ended: %s", s.agent.State())
		case <-time.After(time.Second):
		}
		if err := s.judgeChanged(ctx, seen); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (s *stage) judgeChanged(ctx context.Context, seen map[int]string) error {
	var pulls []struct {
		Number int `json:"number"`
		Head   struct {
			SHA string `json:"sha"`
		} `json:"head"`
	}
	if err := s.forge.Do(s.forge.Token("dave"), "GET", "/repos/acme/access/pulls?state=open&per_page=100", nil,
		&pulls); err != nil {
		return err
	}
	for _, pull := range pulls {
		var reviews []struct {
			ID    int64  `json:"id"`
			State string `json:"state"`
		}
		if err := s.forge.Do(s.forge.Token("dave"), "GET",
			fmt.Sprintf("/repos/acme/access/pulls/%d/reviews?per_page=100", pull.Number), nil,
			&reviews); err != nil {
			return err
		}
		state := fmt.Sprint(pull.Head.SHA, reviews)
		if seen[pull.Number] == state {
			continue
		}
		seen[pull.Number] = state
		r, err := s.act(ctx, "pull_request_target", "synchronize", pull.Number)
		if err != nil {
			return err
		}
		fmt.Printf("pull request #%d judged, exit %d\n%s", pull.Number, r.code, r.out)
	}
	return nil
}
