package kube

import (
	"context"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Fence tells what is wrong with the fence; nothing when it stands.
func (c *Cluster) Fence(ctx context.Context) ([]plan.Stop, error) {
	problem, err := c.fenceProblem(ctx)
	if problem == "" || err != nil {
		return nil, err
	}
	return []plan.Stop{{Code: policies.Unfenced,
		Message: problem + "; apply what pullgrant install prints"}}, nil
}

// ExecProblem tells what is wrong with what limits commands in a namespace, for everybody or only
// for identities of grants; "" when nothing is.
func (c *Cluster) ExecProblem(ctx context.Context, namespace string, everybody bool) (string,
	error) {
	problem, err := c.fenceProblem(ctx, render.FenceExec)
	if problem != "" || err != nil || !everybody {
		return problem, err
	}
	there, err := c.core.Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	if there.Labels[render.LabelExec] != render.ExecStrict {
		return fmt.Sprintf("namespace %s has no label %s=%s, so nothing limits which command somebody "+
			"runs who may run one; label it, or have the policy say mode: Impersonate", namespace,
			render.LabelExec, render.ExecStrict), nil
	}
	return "", nil
}

// fenceProblem compares the live fence with the one that this program renders, or only the part of
// it with one of the names.
func (c *Cluster) fenceProblem(ctx context.Context, only ...string) (string, error) {
	left := func(name string) bool { return len(only) > 0 && !slices.Contains(only, name) }
	return c.otherThan(ctx, slices.DeleteFunc(render.FencePolicies(),
		func(p admissionv1.ValidatingAdmissionPolicy) bool { return left(p.Name) }),
		slices.DeleteFunc(render.FenceBindings(),
			func(b admissionv1.ValidatingAdmissionPolicyBinding) bool { return left(b.Name) }))
}

// otherThan names the first of some admission policies and their bindings that is not in force as it
// is rendered; empty when all are.
func (c *Cluster) otherThan(ctx context.Context, policies []admissionv1.ValidatingAdmissionPolicy,
	bindings []admissionv1.ValidatingAdmissionPolicyBinding) (string, error) {
	api := c.admission
	for _, want := range policies {
		live, err := api.ValidatingAdmissionPolicies().Get(ctx, want.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil &&
			!equality.Semantic.DeepEqual(live.Spec, want.Spec) {
			return fmt.Sprintf("ValidatingAdmissionPolicy %s is missing or another than this program's",
				want.Name), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading ValidatingAdmissionPolicy %s: %w", want.Name, err)
		}
	}
	for _, want := range bindings {
		live, err := api.ValidatingAdmissionPolicyBindings().Get(ctx, want.Name,
			metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil &&
			!equality.Semantic.DeepEqual(live.Spec, want.Spec) {
			return fmt.Sprintf("ValidatingAdmissionPolicyBinding %s is missing or another than "+
				"this program's",
				want.Name), nil
		}
		if err != nil {
			return "", fmt.Errorf("reading ValidatingAdmissionPolicyBinding %s: %w", want.Name, err)
		}
	}
	return "", nil
}
