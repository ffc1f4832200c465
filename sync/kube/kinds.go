package kube

import (
	"context"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// kind is how the agent reaches one kind of the objects that grants are made of. A new kind is a
// row in kinds (docs/new-kind.md).
type kind struct {
	name     string // as plan.Object says it
	resource string // as the API server says it
	client   func(c *Cluster) rest.Interface
	list     func(ctx context.Context, c *Cluster, o metav1.ListOptions) ([]render.Object, error)
	get      func(ctx context.Context, c *Cluster, namespace, name string) (render.Object, error)
	// content is a digest of what gives access and of what decides when it ends.
	content func(o render.Object) string
	// goes tells whether an object that is being deleted is as good as gone.
	goes bool
}

// kinds is the closed list of the kinds. What gives access is listed first: a backstop that is seen
// without its binding is swept, one that is seen before it never is.
var kinds = []kind{
	{
		name: render.KindRoleBinding, resource: "rolebindings",
		client: func(c *Cluster) rest.Interface { return c.rbac.RESTClient() },
		list: func(ctx context.Context, c *Cluster, o metav1.ListOptions) ([]render.Object, error) {
			list, err := c.rbac.RoleBindings("").List(ctx, o)
			return objects(list.Items, err)
		},
		get: func(ctx context.Context, c *Cluster, namespace, name string) (render.Object, error) {
			return c.rbac.RoleBindings(namespace).Get(ctx, name, metav1.GetOptions{})
		},
		content: func(o render.Object) string { return BindingContent(o.(*rbacv1.RoleBinding)) },
	}, {
		name: render.KindJob, resource: "jobs",
		client: func(c *Cluster) rest.Interface { return c.batch.RESTClient() },
		list: func(ctx context.Context, c *Cluster, o metav1.ListOptions) ([]render.Object, error) {
			list, err := c.batch.Jobs("").List(ctx, o)
			return objects(list.Items, err)
		},
		get: func(ctx context.Context, c *Cluster, namespace, name string) (render.Object, error) {
			return c.batch.Jobs(namespace).Get(ctx, name, metav1.GetOptions{})
		},
		content: func(o render.Object) string { return JobContent(o.(*batchv1.Job)) },
		goes:    true,
	},
}

// objects are the items of a list as objects.
func objects[T any, O interface {
	*T
	render.Object
}](items []T, err error) ([]render.Object, error) {
	var all []render.Object
	for i := range items {
		all = append(all, O(&items[i]))
	}
	return all, err
}

// kindOf is the row of a kind that plan.ObjectsOf names, or that was listed.
func kindOf(name string) kind {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		panic("kube: no kind " + name)
	}
	return kinds[i]
}

// live is an object as the plan sees it; false when it is as good as gone.
func (c *Cluster) live(k kind, o render.Object) (plan.Live, bool) {
	return plan.Live{Kind: k.name, Namespace: o.GetNamespace(), Name: o.GetName(),
			UID:     string(o.GetUID()),
			Managed: c.manages(o.GetLabels()), Content: k.content(o)}, !k.goes ||
			o.GetDeletionTimestamp() == nil
}
