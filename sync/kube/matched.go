package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Objects are those of a kind in a namespace that have a name and that a selector of labels finds;
// "" of either is all.
type Objects struct{ Namespace, Kind, Name, Selector string }

// String is what they are, for people.
func (o Objects) String() string {
	text := o.Kind
	if o.Name != "" {
		text += " named " + o.Name
	}
	if o.Selector != "" {
		text += " with " + o.Selector
	}
	return text + " in " + o.Namespace
}

// options has a list or a watch be of these objects.
func (o Objects) options(with metav1.ListOptions) metav1.ListOptions {
	with.LabelSelector = o.Selector
	if o.Name != "" {
		with.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, o.Name).String()
	}
	return with
}

// Seen is one of them, without its content.
type Seen struct {
	Name            string
	UID, Controller types.UID // Controller is that of what controls it; "" when nothing does
}

// SeenOf is what is seen of an object.
func SeenOf(o metav1.Object) Seen {
	s := Seen{Name: o.GetName(), UID: o.GetUID()}
	if by := metav1.GetControllerOfNoCopy(o); by != nil && isOfApps(*by) {
		s.Controller = by.UID
	}
	return s
}

// isOfApps tells whether a controller is a Deployment or a ReplicaSet. Whoever makes a pod may write a
// reference of another kind with the UID of one, which no controller would look at.
func isOfApps(by metav1.OwnerReference) bool {
	group, _, _ := strings.Cut(by.APIVersion, "/")
	return group == "apps" && (by.Kind == "Deployment" || by.Kind == "ReplicaSet")
}

// ErrNotServed says that the cluster has no such kind of objects in namespaces.
var ErrNotServed = errors.New("the cluster serves no such objects in namespaces")

// See lists objects; their content is not asked for.
func (c *Cluster) See(ctx context.Context, of Objects) (all []Seen, err error) {
	list, err := c.listObjects(ctx, of, of.options(metav1.ListOptions{}))
	if err != nil {
		return nil, err
	}
	for i := range list.Items {
		all = append(all, SeenOf(&list.Items[i]))
	}
	return all, nil
}

func (c *Cluster) listObjects(ctx context.Context, of Objects, o metav1.ListOptions) (
	*metav1.PartialObjectMetadataList, error) {
	resource, err := c.served(ctx, of.Kind)
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", of, err)
	}
	list, err := c.metadata.Resource(resource).Namespace(of.Namespace).List(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", of, err)
	}
	return list, nil
}

// SeeSource lists and watches objects without their content. asked is told what came of each
// list, and of each watch that was begun.
func (c *Cluster) SeeSource(of Objects, asked func(err error)) Source {
	return Source{What: of.String(), Example: &metav1.PartialObjectMetadata{},
		From: listWatch(of.options(metav1.ListOptions{}),
			func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				list, err := c.listObjects(ctx, of, o)
				asked(err)
				return list, err
			},
			func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				resource, err := c.served(ctx, of.Kind)
				if err != nil {
					asked(err)
					return nil, err
				}
				events, err := c.metadata.Resource(resource).Namespace(of.Namespace).Watch(ctx, o)
				asked(err)
				return events, err
			})}
}

// RolesSource lists and watches the Roles that say pullgrant manages them.
func (c *Cluster) RolesSource() Source {
	all := c.Sources()
	return all[slices.IndexFunc(all, func(s Source) bool {
		_, is := s.Example.(*rbacv1.Role)
		return is
	})]
}

// served is the version of a kind that the cluster prefers and serves in namespaces. It is asked
// each time: what extends the API comes and goes.
func (c *Cluster) served(ctx context.Context, kind string) (schema.GroupVersionResource, error) {
	resource, group := requests.SplitKind(kind)
	if group == "" {
		return c.servedBy(ctx, schema.GroupVersion{Version: "v1"}, resource)
	}
	var found metav1.APIGroup
	err := c.core.RESTClient().Get().AbsPath("/apis", group).Do(ctx).Into(&found)
	if apierrors.IsNotFound(err) {
		err = ErrNotServed
	}
	if err != nil {
		return schema.GroupVersionResource{}, err
	}
	versions := append([]metav1.GroupVersionForDiscovery{found.PreferredVersion}, found.Versions...)
	for _, v := range versions {
		in, err := c.servedBy(ctx, schema.GroupVersion{Group: group, Version: v.Version}, resource)
		if !errors.Is(err, ErrNotServed) {
			return in, err
		}
	}
	return schema.GroupVersionResource{}, ErrNotServed
}

func (c *Cluster) servedBy(ctx context.Context, version schema.GroupVersion, resource string) (
	schema.GroupVersionResource, error) {
	root := "/apis/" + version.Group
	if version.Group == "" {
		root = "/api"
	}
	var list metav1.APIResourceList
	err := c.core.RESTClient().Get().AbsPath(root, version.Version).Do(ctx).Into(&list)
	if err != nil && !apierrors.IsNotFound(err) {
		return schema.GroupVersionResource{}, err
	}
	if !slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool {
		return r.Name == resource && r.Namespaced
	}) {
		return schema.GroupVersionResource{}, ErrNotServed
	}
	return version.WithResource(resource), nil
}

// GrantedRole reads the Role of a grant, as it was made but for its names; an error tells that it
// is another one, or has other rules.
func (c *Cluster) GrantedRole(ctx context.Context, o plan.Object) (*rbacv1.Role, error) {
	role, err := c.rbac.Roles(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Role %s/%s: %w", o.Namespace, o.Name, err)
	}
	if !IsGranted(role, o) {
		return nil, fmt.Errorf("Role %s/%s is not as it was made", o.Namespace, o.Name)
	}
	return role, nil
}

// IsGranted tells whether a Role is that of a grant, as it was made but for its names.
func IsGranted(role *rbacv1.Role, o plan.Object) bool {
	return string(role.UID) == o.UID && o.UID != "" && roleContent(role) == o.Content
}

// SetNames gives the rules of a Role other names, if nobody changed it meanwhile.
func (c *Cluster) SetNames(ctx context.Context, role *rbacv1.Role, names [][]string) error {
	role = role.DeepCopy()
	for i := range role.Rules {
		role.Rules[i].ResourceNames = names[i]
	}
	_, err := c.rbac.Roles(role.Namespace).Update(ctx, role,
		metav1.UpdateOptions{FieldManager: render.ManagedBy})
	if err != nil {
		return fmt.Errorf("changing the names in Role %s/%s: %w", role.Namespace, role.Name, err)
	}
	return nil
}

// Matched are the names of the objects in the Role of an item beside those that it says itself,
// each once, in order.
func (c *Cluster) Matched(ctx context.Context, item requests.Item) (names []string, err error) {
	if !item.Matches() {
		return nil, nil
	}
	role, err := c.rbac.Roles(item.Namespace).Get(ctx, item.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Role %s/%s: %w", item.Namespace, item.Name, err)
	}
	for i, rule := range item.Allows {
		if i >= len(role.Rules) || len(rule.Match) == 0 || rule.Group == requests.CommandsGroup {
			continue
		}
		names = append(names, slices.DeleteFunc(slices.Clone(role.Rules[i].ResourceNames),
			func(name string) bool {
				return name == requests.Placeholder || slices.Contains(rule.Names, name)
			})...)
	}
	return slices.Compact(slices.Sorted(slices.Values(names))), nil
}
