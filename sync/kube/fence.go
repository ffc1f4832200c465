package kube

import (
	"context"
	"fmt"

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

// fenceProblem compares the live fence with the one that this program renders.
func (c *Cluster) fenceProblem(ctx context.Context) (string, error) {
	return c.otherThan(ctx, render.FencePolicies(), render.FenceBindings())
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
