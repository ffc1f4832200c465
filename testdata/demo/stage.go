package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/kube"
	"github.com/pullgrant/pullgrant/testdata/pipeline"
)

const (
	cluster   = pipeline.Cluster
	namespace = pipeline.Namespace
	policy    = pipeline.Policy
	alice     = pipeline.Alice
)

// stage is every part of the demo, running.
type stage struct {
	dir    string
	binary string // bin/pullgrant
	forge  *forge.Forge
	hub    string // where programs reach the forge
	kube   *kube.ControlPlane
	client kubernetes.Interface // as cluster administrator, to look
	agent  *kube.Child
	log    string // the agent's log file
}

// start brings everything up but the agent, with a GitHub of these manners.
func start(ctx context.Context, binary string, manners forge.Manners) (s *stage, err error) {
	s = &stage{binary: binary}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "pullgrant-demo-"); err != nil {
		return s, err
	}
	began := time.Now()
	fmt.Println("starting etcd, kube-apiserver and kube-controller-manager …")
	if s.kube, err = kube.Start(ctx, kube.Options{Dir: filepath.Join(s.dir, "kube")}); err != nil {
		return s, err
	}
	if s.client, err = kubernetes.NewForConfig(s.kube.Admin()); err != nil {
		return s, err
	}
	fmt.Printf("Kubernetes is up on %s after %.1f s\n", s.kube.URL, time.Since(began).Seconds())
	defer awaited("the cluster's namespaces, roles and the agent's rights")()
	if err := s.prepareCluster(ctx); err != nil {
		return s, err
	}
	if s.forge, err = pipeline.StartForge(s.path("forge"), forge.Options{Manners: manners, PageSize: 100},
		nil); err != nil {
		return s, err
	}
	s.hub = s.forge.URL
	return s, pipeline.WriteKey(s.dir)
}

// prepareCluster makes what the agent works in, and kubeconfigs for it and for alice.
func (s *stage) prepareCluster(ctx context.Context) error {
	agent, err := pipeline.PrepareCluster(ctx, s.kube)
	if err != nil {
		return err
	}
	if err := s.kube.Kubeconfig(s.path("agent.kubeconfig"), agent); err != nil {
		return err
	}
	return s.kube.Kubeconfig(s.path("alice.kubeconfig"), s.kube.User(alice))
}

// sync is the agent's command line under its own ServiceAccount.
func (s *stage) sync(flags ...string) (env, args []string) {
	env = []string{"GITHUB_API_URL=" + s.hub, "GITHUB_TOKEN=" +
		s.forge.AppToken("pullgrant-agent"), "KUBECONFIG="}
	return env, append([]string{"sync", "--cluster", cluster, "--repo-url",
		s.hub + strings.TrimPrefix(s.forge.CloneURL(), s.forge.URL),
		"--kubeconfig", s.path("agent.kubeconfig"), "--signing-key-file", s.path("agent.key")},
		flags...)
}

// startAgent leaves `pullgrant sync` running.
func (s *stage) startAgent(flags ...string) error {
	s.log = s.path("agent.log")
	log, err := os.Create(s.log)
	if err != nil {
		return err
	}
	defer log.Close() // the agent has its own
	env, args := s.sync(flags...)
	agent := exec.Command(s.binary, args...)
	agent.Env = append(os.Environ(), env...)
	agent.Stdout, agent.Stderr = log, log
	if s.agent, err = kube.StartChild(agent); err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	return nil
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// stop ends every part that was started and removes what they wrote.
func (s *stage) stop() {
	if s.agent != nil {
		if err := s.agent.End(syscall.SIGINT); err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
		}
	}
	if s.forge != nil {
		s.forge.Close()
	}
	if s.kube != nil {
		if err := s.kube.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
		}
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// tail prints the end of the agent's log, for a demo that failed.
func (s *stage) tail() {
	data, err := os.ReadFile(s.log)
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	fmt.Fprintln(os.Stderr, "the agent's last lines:")
	for _, line := range lines[max(0, len(lines)-15):] {
		fmt.Fprintln(os.Stderr, "  "+line)
	}
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// pullgrant runs the binary with a token, in the demo's folder, where there is no repository to
// fall back on.
func (s *stage) pullgrant(ctx context.Context, token string, env []string, args ...string) (result,
	error) {
	return s.command(ctx, append([]string{"GITHUB_API_URL=" + s.hub, "GITHUB_TOKEN=" + token,
		"GITHUB_REPOSITORY=acme/access"}, env...),
		s.binary, args...)
}

// kubectl runs the real kubectl with one of the demo's kubeconfigs.
func (s *stage) kubectl(ctx context.Context, who string, args ...string) (result, error) {
	return s.command(ctx, []string{"KUBECONFIG=" + s.path(who+".kubeconfig")},
		s.kube.Kubectl, args...)
}

func (s *stage) command(ctx context.Context, env []string, name string, args ...string) (result,
	error) {
	var out, talk bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = s.dir, append(os.Environ(), env...)
	c.Stdout, c.Stderr = &out, &talk
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	if err != nil {
		return result{}, fmt.Errorf("run %s: %w", filepath.Base(name), err)
	}
	return result{out: out.String(), err: talk.String(), code: c.ProcessState.ExitCode()}, nil
}

// canI asks Kubernetes, as alice, whether she may list pods.
func (s *stage) canI(ctx context.Context) (string, error) {
	r, err := s.kubectl(ctx, "alice", "auth", "can-i", "list", "pods", "-n", namespace)
	return strings.TrimSpace(r.out), err
}

// bindings counts the managed bindings in the cluster.
func (s *stage) bindings(ctx context.Context) (int, error) {
	list, err := s.client.RbacV1().RoleBindings("").List(ctx,
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"})
	if err != nil {
		return 0, err
	}
	return len(list.Items), nil
}
