package kube

import (
	"context"
	"reflect"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// kind is how the agent reaches one kind of the objects that grants are made of. A new kind is a
// row in kinds (docs/new-kind.md).
type kind struct {
	name     string // as plan.Object says it
	resource string // as the API server says it
	client   func(c *Cluster) rest.Interface
	example  render.Object
	list     func(ctx context.Context, c *Cluster, namespace string,
		o metav1.ListOptions) (runtime.Object, error)
	watch func(ctx context.Context, c *Cluster, o metav1.ListOptions) (watch.Interface, error)
	get   func(ctx context.Context, c *Cluster, namespace, name string) (render.Object, error)
	make  func(ctx context.Context, c *Cluster, o render.Object,
		with metav1.CreateOptions) (render.Object, error)
	// content is a digest of what gives access and of what decides when it ends.
	content func(o render.Object) string
	// changed names the first of these fields that is not as it was asked for; "" when none is.
	changed func(asked, made render.Object) string
	// special tells that only some grants are made of it.
	special bool
	// goes tells whether an object that is being deleted is as good as gone.
	goes bool
}

// kinds is the closed list of the kinds. What gives access is listed first: a backstop that is seen
// without what it owns is swept, one that is seen before it never is.
var kinds = []kind{
	rbacKind(render.KindRoleBinding, "rolebindings",
		func(c *Cluster, namespace string) api[*rbacv1.RoleBinding, *rbacv1.RoleBindingList] {
			return c.rbac.RoleBindings(namespace)
		}, BindingContent, changedBinding),
	rbacKind(render.KindClusterRoleBinding, "clusterrolebindings",
		func(c *Cluster, _ string) api[*rbacv1.ClusterRoleBinding, *rbacv1.ClusterRoleBindingList] {
			return c.rbac.ClusterRoleBindings()
		}, clusterBindingContent, changedClusterBinding),
	rbacKind(render.KindRole, "roles",
		func(c *Cluster, namespace string) api[*rbacv1.Role, *rbacv1.RoleList] {
			return c.rbac.Roles(namespace)
		}, roleContent, changedRole),
	rbacKind(render.KindClusterRole, "clusterroles",
		func(c *Cluster, _ string) api[*rbacv1.ClusterRole, *rbacv1.ClusterRoleList] {
			return c.rbac.ClusterRoles()
		}, clusterRoleContent, changedClusterRole),
	jobKind(),
}

// api is the client of one kind of object, of a namespace or of the whole cluster.
type api[O render.Object, L runtime.Object] interface {
	Create(ctx context.Context, asked O, o metav1.CreateOptions) (O, error)
	Get(ctx context.Context, name string, o metav1.GetOptions) (O, error)
	List(ctx context.Context, o metav1.ListOptions) (L, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// row is that of a kind, but for the client of its API.
func row[T any, L runtime.Object, O interface {
	*T
	render.Object
}](name, resource string, in func(c *Cluster, namespace string) api[O, L],
	content func(O) string, changed func(asked, made O) string) kind {
	return kind{name: name, resource: resource, example: O(new(T)),
		list: func(ctx context.Context, c *Cluster, namespace string,
			o metav1.ListOptions) (runtime.Object, error) {
			return in(c, namespace).List(ctx, o)
		},
		watch: func(ctx context.Context, c *Cluster, o metav1.ListOptions) (watch.Interface,
			error) {
			return in(c, "").Watch(ctx, o)
		},
		get: func(ctx context.Context, c *Cluster, namespace, name string) (render.Object, error) {
			return in(c, namespace).Get(ctx, name, metav1.GetOptions{})
		},
		make: func(ctx context.Context, c *Cluster, o render.Object,
			with metav1.CreateOptions) (render.Object, error) {
			return in(c, o.GetNamespace()).Create(ctx, o.(O), with)
		},
		content: func(o render.Object) string { return content(o.(O)) },
		changed: func(asked, made render.Object) string { return changed(asked.(O), made.(O)) },
	}
}

func rbacKind[T any, L runtime.Object, O interface {
	*T
	render.Object
}](name, resource string, in func(c *Cluster, namespace string) api[O, L],
	content func(O) string, changed func(asked, made O) string) kind {
	k := row(name, resource, in, content, changed)
	k.client = func(c *Cluster) rest.Interface { return c.rbac.RESTClient() }
	k.special = name != render.KindRoleBinding
	return k
}

func jobKind() kind {
	k := row(render.KindJob, "jobs",
		func(c *Cluster, namespace string) api[*batchv1.Job, *batchv1.JobList] {
			return c.batch.Jobs(namespace)
		}, JobContent, changedJob)
	k.client = func(c *Cluster) rest.Interface { return c.batch.RESTClient() }
	k.goes = true
	return k
}

// objects are those of a kind in a namespace, or with "" in all of the cluster.
func (k kind) objects(ctx context.Context, c *Cluster, namespace string,
	o metav1.ListOptions) (all []render.Object, err error) {
	list, err := k.list(ctx, c, namespace, o)
	if err != nil {
		return nil, err
	}
	err = meta.EachListItem(list, func(item runtime.Object) error {
		all = append(all, item.(render.Object))
		return nil
	})
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

// of is the row of an object that was made, read or listed here; the API server leaves the kind
// out of what it lists.
func of(o any) (k kind, known bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool {
		return reflect.TypeOf(k.example) == reflect.TypeOf(o)
	})
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// live is an object as the plan sees it; false when it is as good as gone.
func (c *Cluster) live(k kind, o render.Object) (plan.Live, bool) {
	says := o.GetLabels()[render.LabelManagedBy] == render.ManagedBy
	return plan.Live{Kind: k.name, Namespace: o.GetNamespace(), Name: o.GetName(),
		UID: string(o.GetUID()), Labelled: says, Managed: c.manages(o.GetLabels()),
		Content: k.content(o)}, !k.goes || o.GetDeletionTimestamp() == nil
}

// manages tells whether labels are those of what this cluster's agent made.
func (c *Cluster) manages(labels map[string]string) bool {
	return labels[render.LabelManagedBy] == render.ManagedBy &&
		labels[render.LabelCluster] == requests.LabelValue(c.Name)
}
