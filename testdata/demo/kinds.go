package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// other is access of another kind than the ten steps show: what alice asks for, who approves it,
// and commands that work while it lasts.
type other struct {
	name, approver string
	ask            []string
	works          func(s *stage, ctx context.Context) (result, error)
	answer         string   // part of it while access lasts
	shown          string   // what is told of that
	refused        []string // kubectl's arguments of what stays refused; none: nothing is tried
}

// pod is where alice runs her command. It is on no node, so the API server lets a command through
// to where there is nobody, and says so.
const pod = "payments-1"

var others = []other{{
	name: "config", approver: "bob",
	ask: []string{"--policy", "app-config", "--exec", pod, "-c", "app", "--reason",
		"INC-125, which settings are live", "--", "cat", "/my/app/config/*"},
	works: func(s *stage, ctx context.Context) (result, error) {
		return s.kubectl(ctx, "alice", "exec", "-n", namespace, pod, "-c", "app", "--", "cat",
			"/my/app/config/app.yaml")
	},
	answer:  "does not have a host assigned",
	shown:   "kubectl exec " + pod + " -- cat /my/app/config/app.yaml is let through to the pod, which is on no node",
	refused: []string{"exec", "-n", namespace, pod, "-c", "app", "--", "sh"},
}, {
	name: "nodes", approver: "dave",
	ask: []string{"--policy", "node-triage", "--reason", "INC-126, nodes are lost"},
	works: func(s *stage, ctx context.Context) (result, error) {
		return s.pullgrantAs(ctx, "exec", s.requestName("nodes"), "--", s.kube.Kubectl,
			"get", "nodes")
	},
	answer:  "No resources found",
	shown:   "pullgrant exec … -- kubectl get nodes works: there are none",
	refused: []string{"get", "nodes"},
}}

// requestName is the name of today's request.
func (s *stage) requestName(slug string) string {
	return time.Now().UTC().Format("20060102") + "-alice-" + slug
}

// pullgrantAs runs the binary as alice, with her kubeconfig.
func (s *stage) pullgrantAs(ctx context.Context, args ...string) (result, error) {
	return s.pullgrant(ctx, s.forge.Token("alice"), []string{"KUBECONFIG=" +
		s.path("alice.kubeconfig")}, args...)
}

// kinds shows a grant of one command and one that is used as with sudo, both at a time.
func (s *stage) kinds(ctx context.Context) error {
	fmt.Println("\nAccess of two more kinds, one command in one container and one role as with sudo:")
	for _, o := range others {
		number, err := s.asked(ctx, append([]string{"request", "--cluster", cluster,
			"--slug", o.name},
			o.ask...)...)
		if err != nil {
			return err
		}
		if _, err := s.forge.Review(o.approver, number, "APPROVE"); err != nil {
			return err
		}
		if r, err := s.act(ctx, "pull_request_review", "submitted", number); err != nil ||
			r.code != 0 {
			return fmt.Errorf("judge pull request #%d: %w, exit %d: %s", number, err, r.code, r.out)
		}
		fmt.Printf("    #%d: alice asked for %s, %s approved, GitHub merged\n", number,
			s.requestName(o.name), o.approver)
	}
	for _, o := range others {
		if err := s.until(ctx, o, true); err != nil {
			return err
		}
		fmt.Printf("    %s\n", o.shown)
		no, err := s.kubectl(ctx, "alice", o.refused...)
		if err != nil || !strings.Contains(no.err, "forbidden") {
			return fmt.Errorf("kubectl %s is not refused: %w %s", strings.Join(o.refused, " "),
				err, no.err)
		}
		fmt.Printf("    kubectl %s stays refused\n", strings.Join(o.refused, " "))
	}
	for _, o := range others {
		if r, err := s.pullgrantAs(ctx, "drop", s.requestName(o.name)); err != nil || r.code != 0 {
			return fmt.Errorf("pullgrant drop: %w, exit %d: %s", err, r.code, r.err)
		}
	}
	for _, o := range others {
		if err := s.until(ctx, o, false); err != nil {
			return err
		}
		fmt.Printf("    alice gave %s back; the same command is refused\n", s.requestName(o.name))
	}
	return nil
}

// until runs what works while access lasts, until it does or does not.
func (s *stage) until(ctx context.Context, o other, works bool) error {
	defer awaited("the agent")()
	for {
		r, err := o.works(s, ctx)
		if err != nil || strings.Contains(r.out+r.err, o.answer) == works {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for what %s gives: %w: %s", o.name, ctx.Err(), r.out+r.err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
