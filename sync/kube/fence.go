package kube

import (
	"context"
	"fmt"

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
	api := c.admission
	for _, want := range render.FencePolicies() {
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
	for _, want := range render.FenceBindings() {
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
