package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/kube"
)

const (
	cluster   = "prod-eu"
	namespace = "payments"
	policy    = "payments-debug"
	alice     = "alice@example.com"
)

// stage is every part of the demo, running.
type stage struct {
	dir     string
	binary  string // bin/pullgrant
	forge   *forge.Forge
	kube    *kube.ControlPlane
	client  kubernetes.Interface // as cluster administrator, to look
	agent   *exec.Cmd
	agentIs chan error // carries the agent's end
	log     string     // the agent's log file
}

// start brings everything up but the agent.
func start(ctx context.Context, binary string) (s *stage, err error) {
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
	if err := s.prepareCluster(ctx); err != nil {
		return s, err
	}
	if err := s.startForge(); err != nil {
		return s, err
	}
	return s, s.writeKey()
}

// prepareCluster makes the namespace, the role that the policy grants and the agent with its rights.
func (s *stage) prepareCluster(ctx context.Context) error {
	manifests := fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %s}
rules:
- {apiGroups: [""], resources: [pods, pods/log, events], verbs: [get, list, watch]}
`, namespace, policy)
	if err := s.kube.Apply(ctx, []byte(manifests)); err != nil {
		return err
	}
	if err := s.kube.Apply(ctx, kube.AgentManifests([]string{namespace}, []string{policy})); err != nil {
		return err
	}
	if err := s.kube.AwaitFence(ctx); err != nil {
		return err
	}
	agent, err := s.kube.ServiceAccount(ctx, "pullgrant-system", "pullgrant-agent")
	if err != nil {
		return err
	}
	if err := s.kube.Kubeconfig(s.path("agent.kubeconfig"), agent); err != nil {
		return err
	}
	return s.kube.Kubeconfig(s.path("alice.kubeconfig"), s.kube.User(alice))
}

// startForge makes the organisation acme with the access repository acme/access.
func (s *stage) startForge() (err error) {
	if err := os.Mkdir(s.path("forge"), 0o755); err != nil {
		return err
	}
	if s.forge, err = forge.Start(s.path("forge"), forge.Options{}); err != nil {
		return err
	}
	for i, login := range []string{"alice", "bob", "carol", "dave", "erin"} {
		s.forge.AddUser(login, int64(101+i))
		s.forge.SetPermission(login, "write")
	}
	s.forge.SetPermission("dave", "admin")
	s.forge.AddTeam("squad-a", 1, "", "alice")
	s.forge.AddTeam("squad-b", 2, "", "bob", "carol")
	s.forge.SetTeamPermission("squad-b", "write")
	s.forge.AddApp("pullgrant", 7001)
	s.forge.AddApp("pullgrant-agent", 7002)
	s.protect()
	files := map[string]string{}
	root := os.DirFS("testdata/accessrepo")
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.forge.Seed(files, "Start the access repository", "dave")
	return err
}

// protect is the ruleset of docs/setup.md.
func (s *stage) protect() {
	rules := forge.DefaultRules()
	rules.Bypass = []string{"pullgrant-agent[bot]"}
	s.forge.Protect(rules)
}

// writeKey makes the key that the agent signs its records with, and the list of signers that audits trust.
func (s *stage) writeKey() error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "pullgrant-agent")
	if err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	signer := cluster + " " + string(ssh.MarshalAuthorizedKey(key))
	return errors.Join(os.WriteFile(s.path("agent.key"), pem.EncodeToMemory(block), 0o600),
		os.WriteFile(s.path("allowed_signers"), []byte(signer), 0o644))
}

// sync is the agent's command line under its own ServiceAccount.
func (s *stage) sync(flags ...string) (env, args []string) {
	env = []string{"GITHUB_API_URL=" + s.forge.URL, "GITHUB_TOKEN=" + s.forge.AppToken("pullgrant-agent"), "KUBECONFIG="}
	return env, append([]string{"sync", "--cluster", cluster, "--repo-url", s.forge.CloneURL(),
		"--kubeconfig", s.path("agent.kubeconfig"), "--signing-key-file", s.path("agent.key")}, flags...)
}

// startAgent leaves `pullgrant sync` running.
func (s *stage) startAgent(ctx context.Context) error {
	s.log = s.path("agent.log")
	log, err := os.Create(s.log)
	if err != nil {
		return err
	}
	env, args := s.sync("--poll", "1s")
	s.agent = exec.CommandContext(ctx, s.binary, args...)
	s.agent.Env = append(os.Environ(), env...)
	s.agent.Stdout, s.agent.Stderr = log, log
	s.agent.Cancel = func() error { return s.agent.Process.Signal(os.Interrupt) }
	s.agent.WaitDelay = 10 * time.Second
	if err := s.agent.Start(); err != nil {
		return fmt.Errorf("start the agent: %w", err)
	}
	s.agentIs = make(chan error, 1)
	go func() {
		s.agentIs <- s.agent.Wait()
		log.Close()
	}()
	return nil
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// stop ends every part that was started and removes what they wrote.
func (s *stage) stop() {
	if s.agentIs != nil {
		_ = s.agent.Process.Signal(os.Interrupt)
		<-s.agentIs
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

// pullgrant runs the binary with a token, in the demo's folder, where there is no repository to fall back on.
func (s *stage) pullgrant(ctx context.Context, token string, env []string, args ...string) (result, error) {
	return s.command(ctx, append([]string{"GITHUB_API_URL=" + s.forge.URL, "GITHUB_TOKEN=" + token, "GITHUB_REPOSITORY=acme/access"}, env...),
		s.binary, args...)
}

// kubectl runs the real kubectl with one of the demo's kubeconfigs.
func (s *stage) kubectl(ctx context.Context, who string, args ...string) (result, error) {
	return s.command(ctx, []string{"KUBECONFIG=" + s.path(who+".kubeconfig")}, s.kube.Kubectl, args...)
}

func (s *stage) command(ctx context.Context, env []string, name string, args ...string) (result, error) {
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
	list, err := s.client.RbacV1().RoleBindings("").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"})
	if err != nil {
		return 0, err
	}
	return len(list.Items), nil
}
