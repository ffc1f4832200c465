package kube

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// FollowRecords follows the records until ctx ends, and returns once they were listed, or ctx ended.
// What it returns lists them as they were told last; those that cannot be read are left out.
func (c *Cluster) FollowRecords(ctx context.Context, failed func(error)) (records func() []plan.Record,
	err error) {
	informer := c.recordInformer()
	err = errors.Join( // each is refused only once an informer was started
		informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) { failed(err) }),
		informer.SetTransform(func(object any) (any, error) {
			if m, is := object.(*corev1.ConfigMap); is {
				m.BinaryData, m.ManagedFields = nil, nil
			}
			return object, nil
		}))
	if err != nil {
		return nil, err
	}
	go informer.RunWithContext(ctx)
	cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)
	return func() (all []plan.Record) {
		for _, object := range informer.GetStore().List() {
			if m, is := object.(*corev1.ConfigMap); is {
				if r, err := readRecord(m); err == nil {
					all = append(all, r)
				}
			}
		}
		return all
	}, nil
}

func (c *Cluster) recordInformer() cache.SharedIndexInformer {
	return cache.NewSharedIndexInformer(cache.NewFilteredListWatchFromClient(c.core.RESTClient(),
		"configmaps", Namespace, func(o *metav1.ListOptions) { o.LabelSelector = c.selector() }),
		&corev1.ConfigMap{}, 0, cache.Indexers{})
}

// Record reads the record of a request as it is now; false when there is none any more.
func (c *Cluster) Record(ctx context.Context, request string) (plan.Record, bool, error) {
	name := requests.ObjectName(request, 0)
	m, err := c.core.ConfigMaps(Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return plan.Record{}, false, nil
	}
	if err != nil {
		return plan.Record{}, false, fmt.Errorf("reading the record %s/%s: %w", Namespace, name, err)
	}
	r, err := readRecord(m)
	return r, err == nil, err
}
