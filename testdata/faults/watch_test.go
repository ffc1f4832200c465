package faults

import (
	"context"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// managed selects what agents make.
var managed = metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=pullgrant"}

// binding is one RoleBinding as the test saw it come and go.
type binding struct {
	uid     types.UID
	request string
	end     time.Time // as it says itself
	made    time.Time // by the API server's clock, in whole seconds; what it tells may be late
	came    time.Time
	went    time.Time // zero: it is there
}

// watcher sees every managed RoleBinding come and go, as cluster administrator and past every line.
type watcher struct {
	mu   sync.Mutex
	seen map[types.UID]*binding
}

// run watches until ctx ends. Whenever the API server breaks the watch off, it looks again as soon
// as that can be asked.
func (w *watcher) run(ctx context.Context, client kubernetes.Interface) {
	bindings := client.RbacV1().RoleBindings("")
	for ctx.Err() == nil {
		list, err := bindings.List(ctx, managed)
		if err == nil {
			w.compare(list.Items)
			options := managed
			options.ResourceVersion = list.ResourceVersion
			if events, err := bindings.Watch(ctx, options); err == nil {
				for event := range events.ResultChan() {
					w.take(event)
				}
				events.Stop()
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (w *watcher) take(event watch.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, ok := event.Object.(*rbacv1.RoleBinding)
	switch {
	case !ok:
	case event.Type == watch.Deleted:
		w.went(b.UID)
	default:
		w.came(b)
	}
}

// compare takes over a list.
func (w *watcher) compare(all []rbacv1.RoleBinding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	there := map[types.UID]bool{}
	for i := range all {
		w.came(&all[i])
		there[all[i].UID] = true
	}
	for uid := range w.seen {
		if !there[uid] {
			w.went(uid)
		}
	}
}

func (w *watcher) came(b *rbacv1.RoleBinding) {
	if w.seen[b.UID] != nil {
		return
	}
	end, _ := time.Parse(time.RFC3339, b.Annotations["pullgrant.dev/expires-at"])
	w.seen[b.UID] = &binding{uid: b.UID, request: b.Labels["pullgrant.dev/request"], end: end,
		made: b.CreationTimestamp.Time, came: time.Now()}
}

func (w *watcher) went(uid types.UID) {
	if seen := w.seen[uid]; seen != nil && seen.went.IsZero() {
		seen.went = time.Now()
	}
}

// of lists the bindings that a request ever had.
func (w *watcher) of(request string) (all []binding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, seen := range w.seen {
		if seen.request == request {
			all = append(all, *seen)
		}
	}
	return all
}

// count is how many bindings there ever were, live how many there are.
func (w *watcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

func (w *watcher) live() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, seen := range w.seen {
		if seen.went.IsZero() {
			n++
		}
	}
	return n
}
