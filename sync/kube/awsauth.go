package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// AWSAuth is the ConfigMap by which an EKS cluster lets people in, as it was read.
type AWSAuth struct{ read *corev1.ConfigMap }

// MapUsers and MapRoles are the texts of its two lists; empty where it has none.
func (a AWSAuth) MapUsers() string { return a.read.Data[render.MapUsers] }

// MapRoles is that of roles, which goes before that of users.
func (a AWSAuth) MapRoles() string { return a.read.Data[render.MapRoles] }

// AWSAuth reads it.
func (c *Cluster) AWSAuth(ctx context.Context) (AWSAuth, error) {
	read, err := c.core.ConfigMaps(render.AWSAuthNamespace).Get(ctx, render.AWSAuth,
		metav1.GetOptions{})
	if err != nil {
		return AWSAuth{}, fmt.Errorf("reading ConfigMap %s/%s: %w", render.AWSAuthNamespace,
			render.AWSAuth, err)
	}
	return AWSAuth{read}, nil
}

// SetMapUsers writes another list of users. Where somebody else wrote since it was read, that is a
// conflict, and nothing is written.
func (c *Cluster) SetMapUsers(ctx context.Context, a AWSAuth, text string) error {
	write := a.read.DeepCopy()
	if write.Data == nil {
		write.Data = map[string]string{}
	}
	write.Data[render.MapUsers] = text
	_, err := c.core.ConfigMaps(render.AWSAuthNamespace).Update(ctx, write,
		metav1.UpdateOptions{FieldManager: render.ManagedBy})
	if err != nil {
		return fmt.Errorf("writing ConfigMap %s/%s: %w", render.AWSAuthNamespace, render.AWSAuth,
			err)
	}
	return nil
}

// WatchRecords tells that records changed, and keeps nothing of them.
func (c *Cluster) WatchRecords(changed func(), failed func(error)) (cache.SharedIndexInformer,
	error) {
	informer := c.recordInformer()
	// Each of these is refused only once an informer was started.
	_, handler := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { changed() }, UpdateFunc: func(_, _ any) { changed() },
		DeleteFunc: func(any) { changed() }})
	return informer, errors.Join(handler,
		informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) { failed(err) }),
		informer.SetTransform(func(object any) (any, error) {
			if m, is := object.(*corev1.ConfigMap); is {
				m.Data, m.BinaryData, m.ManagedFields = nil, nil, nil
			}
			return object, nil
		}))
}

// AWSLimits tells what is wrong with the fence of what keeps aws-auth, and what that may do beyond
// what it needs.
func (c *Cluster) AWSLimits(ctx context.Context) (wrong []plan.Stop, err error) {
	policy, binding := render.AWSFence()
	problem, fenceErr := c.otherThan(ctx, []admissionv1.ValidatingAdmissionPolicy{policy},
		[]admissionv1.ValidatingAdmissionPolicyBinding{binding})
	if problem != "" {
		wrong = append(wrong, plan.Stop{Code: policies.Unfenced,
			Message: problem + "; apply what pullgrant install --aws-auth prints"})
	}
	for _, namespace := range []string{Namespace, render.AWSAuthNamespace} {
		more, err := c.awsExcess(ctx, namespace)
		if err != nil {
			return wrong, errors.Join(fenceErr, err)
		}
		if len(more) > 0 {
			wrong = append(wrong, plan.Stop{Code: policies.OverPrivileged,
				Message: fmt.Sprintf("what keeps aws-auth may %s %s in namespace %s; take that "+
					"right from it, pullgrant install --diff shows what is too much",
					more[0].Does(),
					more[0].What(), namespace)})
			break
		}
	}
	return wrong, fenceErr
}

// awsExcess are rights of what keeps aws-auth in a namespace that nobody of ours may have, or that
// write what it has no business with, beyond what is rendered for it.
func (c *Cluster) awsExcess(ctx context.Context, namespace string) ([]rbac.Permission, error) {
	held, incomplete, err := c.held(ctx, namespace)
	if err != nil {
		return nil, err
	}
	rendered := roleRules(render.Allowed(render.Footprint{AWSAuth: true}, render.AWS, namespace))
	if incomplete {
		more, err := c.asked(ctx, namespace, neverForExpirer, slices.Concat(held, rendered))
		if err != nil {
			return nil, err
		}
		held = append(held, more...)
	}
	excess, _ := apart(rules(rbac.Beyond(held, rendered)), neverForExpirer)
	return rbac.Permissions(excess), nil
}
