package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/testdata/forge"
	"github.com/pullgrant/pullgrant/testdata/roles"
)

var installFlags = []string{"install", "--cluster", "prod-eu", "--image",
	"registry.example.com/pullgrant@sha256:0123",
	"--repo-url", "https://github.com/acme/access.git", "--app-id", "1234", "--app-installation-id",
	"5678"}

// TestInstall installs the agent as somebody bound to cluster-admin, and compares after each of the
// things that happen to a cluster and its policies.
func TestInstall(t *testing.T) {
	s := newCatalogStage(t)
	s.apply("{apiVersion: v1, kind: Namespace, metadata: {name: payments}}\n---\n{apiVersion: " +
		"v1, kind: Namespace, metadata: {name: checkout}}")
	s.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: admins},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin},
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: dave@example.com}]}`)
	admin := filepath.Join(t.TempDir(), "admin")
	s.must(s.cluster.Kubeconfig(admin, s.cluster.User("dave@example.com")))
	install := func(from ...string) {
		t.Helper()
		manifests, _ := s.run(exitDone, append(slices.Clone(installFlags), from...)...)
		kubectl := exec.CommandContext(t.Context(), s.cluster.Kubectl, "--kubeconfig", admin,
			"apply", "-f", "-")
		kubectl.Stdin = strings.NewReader(manifests)
		if out, err := kubectl.CombinedOutput(); err != nil || bytes.Contains(out,
			[]byte("Warning")) {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	diff := func(code int, from ...string) string {
		t.Helper()
		out, talk := s.run(code, slices.Concat(installFlags, []string{"--diff", "--kubeconfig",
			admin}, from)...)
		if code == exitDone && !strings.Contains(talk, "the agent has in prod-eu what it needs, "+
			"and nothing else\n") {
			t.Errorf("it says %s", talk)
		}
		return out
	}
	here := []string{"--dir", s.dir}

	first := diff(exitFindings, here...)
	for _, line := range []string{"add: Namespace pullgrant-system\n",
		"add: ValidatingAdmissionPolicy pullgrant-managed\n",
		"add: Role payments/pullgrant-agent\n  + jobs.batch: create\n  + " +
			"clusterroles.rbac.authorization.k8s.io named \"payments-debug\": bind\n"} {
		if !strings.Contains(first, line) {
			t.Errorf("no %q in\n%s", line, first)
		}
	}
	install(here...)
	diff(exitDone, here...)
	s.must(s.cluster.AwaitFence(t.Context()))
	install(here...) // the fence lets whoever installs it do so again
	diff(exitDone, here...)
	s.admitted()

	// The policies change: another role, another namespace. They are on GitHub.
	s.setPolicy("[payments]", "[checkout]", ": payments\n", ": checkout\n", "name: payments-debug",
		"name: checkout-debug")
	there := []string{"--repo", "acme/access"}
	want := `add: Role checkout/pullgrant-agent
  + jobs.batch: create
  + clusterroles.rbac.authorization.k8s.io named "checkout-debug": bind
  + rolebindings.rbac.authorization.k8s.io: create
remove: Role payments/pullgrant-agent, which gives the agent too much: no policy needs it
  - jobs.batch: create, too much: no policy needs it
  - clusterroles.rbac.authorization.k8s.io named "payments-debug": bind, too much: no policy needs it
  - rolebindings.rbac.authorization.k8s.io: create, too much: no policy needs it
add: RoleBinding checkout/pullgrant-agent
remove: RoleBinding payments/pullgrant-agent, which gives the agent too much: no policy needs it
`
	if got := diff(exitFindings, there...); got != want {
		t.Errorf("after the policies changed:\n%s\nwant\n%s", got, want)
	}
	// With what the agent keeps, what was needed once is told from what never was.
	client, err := kubernetes.NewForConfig(s.cluster.Admin())
	s.must(err)
	for offered, word := range map[string]string{
		"payments-debug": "no policy needs it any more (StaleRights)",
		"payments-other": "no policy ever needed it (OverPrivileged)"} {
		packed := kube.Pack([]requests.Item{{Kind: requests.KubernetesRoleBinding,
			Namespace: "payments",
			Role:      requests.Role{Kind: requests.KindClusterRole, Name: offered}}})
		_, err = client.CoreV1().ConfigMaps("pullgrant-system").Create(t.Context(),
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: kube.TrustName},
				BinaryData: map[string][]byte{"offered": packed}}, metav1.CreateOptions{})
		s.must(err)
		bound := "  - clusterroles.rbac.authorization.k8s.io named \"payments-debug\": bind, too much: "
		if got := diff(exitFindings, there...); !strings.Contains(got, bound+word+"\n") ||
			!strings.Contains(got, "  - jobs.batch: create, too much: no policy needs it any more "+
				"(StaleRights)\n") {
			t.Errorf("with %s kept:\n%s", offered, got)
		}
		s.must(client.CoreV1().ConfigMaps("pullgrant-system").Delete(t.Context(), kube.TrustName,
			metav1.DeleteOptions{}))
	}
	install(there...)
	if got := diff(exitFindings, there...); strings.Contains(got, "add") || !strings.Contains(got,
		"remove: Role payments/pullgrant-agent") {
		t.Errorf("after they were installed: %s", got)
	}
	install(here...)

	// The cluster turns out to be one of EKS, and then it does not.
	onAWS := append(slices.Clone(here), "--aws-auth")
	if got := diff(exitFindings, onAWS...); !strings.Contains(got,
		"add: ValidatingAdmissionPolicy pullgrant-aws\n") || !strings.Contains(got,
		"add: Role kube-system/pullgrant:aws\n  + configmaps named \"aws-auth\": get, update\n") ||
		!strings.Contains(got, "change: Deployment pullgrant-system/pullgrant-agent: ") {
		t.Errorf("on EKS: %s", got)
	}
	install(onAWS...)
	if got := diff(exitFindings, onAWS...); strings.Contains(got, "aws") ||
		strings.Contains(got, "add:") {
		t.Errorf("installed on EKS: %s", got)
	}
	s.must(s.cluster.AwaitAWSFence(t.Context()))
	install(onAWS...)
	s.alone(client, render.AWS, newAWSAuthCommand(world{}))
	got := diff(exitFindings, here...)
	for _, line := range []string{
		"remove: ClusterRoleBinding pullgrant:aws, which gives what keeps aws-auth too much: ",
		"remove: RoleBinding kube-system/pullgrant:aws, which gives what keeps aws-auth too much: ",
		"remove: RoleBinding kube-system/pullgrant-agent, which gives the agent too much: "} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	install(here...)

	// The API server is to tell which commands were used, and then it is not.
	audited := append(slices.Clone(here), "--exec-audit", "10.0.0.0/24")
	got = diff(exitFindings, audited...)
	for _, line := range []string{"add: Service pullgrant-system/pullgrant-exec-audit\n",
		"change: Deployment pullgrant-system/pullgrant-agent: ",
		"change: NetworkPolicy pullgrant-system/pullgrant-agent: spec.ingress"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	install(audited...)
	if got := diff(exitFindings, audited...); strings.Contains(got, "add:") ||
		strings.Contains(got, "change:") {
		t.Errorf("installed to be told: %s", got)
	}
	install(here...)

	// Somebody gives the agent more, and weakens its fence.
	s.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: oops},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin},
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io,
		name: "system:serviceaccount:pullgrant-system:pullgrant-agent"}]}`)
	s.apply(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding,
		metadata: {name: oops, namespace: payments},
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit},
subjects: [{kind: ServiceAccount, name: pullgrant-expirer, namespace: pullgrant-system}]}`)
	s.apply(`{apiVersion: admissionregistration.k8s.io/v1,
		kind: ValidatingAdmissionPolicyBinding, metadata: {name: pullgrant-agent},
spec: {policyName: pullgrant-agent, matchResources: {namespaceSelector: {matchLabels: {fenced: "yes"}}}}}`)
	got = diff(exitFindings, here...)
	for _, line := range []string{"remove: ClusterRoleBinding oops, which gives the agent too " +
		"much: no policy needs it\n",
		"remove: RoleBinding payments/oops, which gives the expirer too much: no policy needs it\n",
		"change: ValidatingAdmissionPolicyBinding pullgrant-agent: spec.matchResources\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}

	// Who may not look is told so, and not that all is well.
	s.must(s.cluster.Kubeconfig(admin, s.cluster.User("alice@example.com")))
	if _, talk := s.run(exitFailed, append(slices.Clone(installFlags), "--diff", "--kubeconfig",
		admin, "--dir", s.dir)...); !strings.Contains(talk, "forbidden") {
		t.Errorf("it says %s", talk)
	}
}

func (s *catalogStage) apply(manifests string) {
	s.Helper()
	s.must(s.cluster.Apply(s.Context(), []byte(manifests)))
}

// setPolicy replaces words, in pairs, in what the policy payments-debug gives, on GitHub.
func (s *catalogStage) setPolicy(words ...string) {
	s.Helper()
	policy := s.read("policies/payments-debug.yaml")
	target := strings.Index(policy, "target:")
	policy = policy[:target] + strings.NewReplacer(words...).Replace(policy[target:])
	_, err := s.Push(forge.Change{User: "root", Message: "Other",
		Files: roles.Catalogue(map[string]string{"policies/payments-debug.yaml": policy},
			roles.Harmless)})
	s.must(err)
}

// admitted holds the Deployment's pods to the Pod Security of the agent's namespace, and its
// arguments to the agent.
func (s *catalogStage) admitted() {
	s.Helper()
	client, err := kubernetes.NewForConfig(s.cluster.Admin())
	s.must(err)
	deployment, err := client.AppsV1().Deployments("pullgrant-system").Get(s.Context(),
		render.Agent,
		metav1.GetOptions{})
	s.must(err)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent"},
		Spec: deployment.Spec.Template.Spec}
	made, err := client.CoreV1().Pods("pullgrant-system").Create(s.Context(), pod,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	s.must(err)
	if made.Spec.Priority == nil || *made.Spec.Priority < 1_000_000 || len(made.Spec.Volumes) != 2 {
		s.Errorf("priority %v, volumes %v", made.Spec.Priority, made.Spec.Volumes)
	}
	var o syncOptions
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.flags(flags)
	args := pod.Spec.Containers[0].Args
	s.must(flags.Parse(args[1:]))
	if problem := o.problem(); args[0] != "sync" || problem != "" || o.cluster != "prod-eu" ||
		o.signingKey != render.SigningKeyFile {
		s.Errorf("the Deployment runs %q: %s", args, problem)
	}
	s.alone(client, render.Expirer, newExpireCommand(world{}))
}

// alone holds the Deployment of a process that does one thing to its command.
func (s *catalogStage) alone(client *kubernetes.Clientset, name string, command *cobra.Command) {
	s.Helper()
	deployment, err := client.AppsV1().Deployments("pullgrant-system").Get(s.Context(), name,
		metav1.GetOptions{})
	s.must(err)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: deployment.Spec.Template.Spec}
	_, err = client.CoreV1().Pods("pullgrant-system").Create(s.Context(), pod,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	s.must(err)
	args := pod.Spec.Containers[0].Args
	s.must(command.ParseFlags(args[1:]))
	if args[0] != command.Name() || command.Flag("cluster").Value.String() != "prod-eu" ||
		len(pod.Spec.Volumes) != 1 {
		s.Errorf("the Deployment %s runs %q with %v", name, args, pod.Spec.Volumes)
	}
}
