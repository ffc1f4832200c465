package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/pullgrant/pullgrant/render"
)

// AwaitFence returns when all policies of the fence that AgentManifests brought refuse what they
// must, which it finds out by dry runs; that is also when agent and expirer have their cluster-wide
// rights.
// ctx bounds the wait, which is 30 seconds at most.
func (cp *ControlPlane) AwaitFence(ctx context.Context) error {
	// A controller that may create Jobs everywhere, so that nothing but the fence can refuse it.
	other, err := kubernetes.NewForConfig(cp.User("system:serviceaccount:kube-system:cronjob-controller"))
	if err != nil {
		return fmt.Errorf("making another's client: %w", err)
	}
	probes := map[string]func(context.Context) error{
		render.FenceManaged: func(ctx context.Context) error {
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "pullgrant-probe"},
				Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
					Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever,
						Containers: []corev1.Container{{Name: "none", Image: "none"}}}}}}
			_, err := other.BatchV1().Jobs(metav1.NamespaceDefault).Create(ctx, job,
				metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			return err
		},
	}
	for policy, account := range map[string]string{render.FenceAgent: render.Agent,
		render.FenceExpirer: render.Expirer} {
		config, err := cp.ServiceAccount(ctx, "pullgrant-system", account)
		if err != nil {
			return err
		}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("making the client of %s: %w", account, err)
		}
		probes[policy] = func(ctx context.Context) error { // a binding of Kubernetes' own
			return client.RbacV1().RoleBindings("kube-system").Delete(ctx,
				"system::leader-locking-kube-scheduler",
				metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
		}
	}
	for policy, probe := range probes {
		if err := awaitRefusal(ctx, policy, probe); err != nil {
			return err
		}
	}
	return nil
}

// AwaitAWSFence is AwaitFence for what AWSManifests brought.
func (cp *ControlPlane) AwaitAWSFence(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(cp.User("system:serviceaccount:pullgrant-system:"+
		render.AWS, "system:masters"))
	if err != nil {
		return fmt.Errorf("making the client of %s: %w", render.AWS, err)
	}
	return awaitRefusal(ctx, render.FenceAWS, func(ctx context.Context) error {
		_, err := client.CoreV1().ConfigMaps(metav1.NamespaceDefault).Create(ctx,
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "pullgrant-probe"}},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
}

func awaitRefusal(ctx context.Context, policy string, probe func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true,
		func(ctx context.Context) (bool, error) {
			last = probe(ctx)
			return last != nil && strings.Contains(last.Error(), "ValidatingAdmissionPolicy '"+
				policy+"'"), nil
		})
	if err != nil {
		return fmt.Errorf("waiting for the policy %s to refuse: %w; the last answer: %v",
			policy, err, last)
	}
	return nil
}
