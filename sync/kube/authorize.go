package kube

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/policies"
)

// Authorized asks the cluster whether a user may use a verb on a ClusterRole. The role is read first:
// of one that does not exist the cluster says what it says of any. An error says that nobody knows.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
func (c *Cluster) Authorized(ctx context.Context, r policies.AccessReview) (bool, error) {
	_, err := c.rbac.ClusterRoles().Get(ctx, r.Role, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading ClusterRole %s: %w", r.Role, err)
	}
	// every authenticated user is in that group, which no token names
	groups := append([]string{"system:authenticated"}, r.Groups...)
	review, err := c.authorization.SubjectAccessReviews().Create(ctx,
		&authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: r.User, Groups: groups,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: r.Verb,
				Group: rbacv1.GroupName, Version: "v1", Resource: "clusterroles", Name: r.Role,
				Namespace: r.Namespace}}}, metav1.CreateOptions{})
	switch {
	case apierrors.IsForbidden(err):
		return false, fmt.Errorf("the agent may not ask what others may do; apply what pullgrant "+
			"install prints: %w", err)
	case err != nil:
		return false, fmt.Errorf("asking whether %s may %s ClusterRole %s: %w", r.User, r.Verb, r.Role,
			err)
	case review.Status.EvaluationError != "" && !review.Status.Allowed:
		return false, fmt.Errorf("asking whether %s may %s ClusterRole %s: %s", r.User, r.Verb, r.Role,
			review.Status.EvaluationError)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}
