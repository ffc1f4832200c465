// Package names keeps Roles current whose objects come and go: it adds to them the names of what
// matches, and takes away those of what is gone. With nobody who does, names stand still until the
// grant ends.
package names

import (
	"context"
	"log/slog"
	"maps"
	gosync "sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Keeper keeps the names of live grants while it runs. Find and Fill need no Begin.
type Keeper struct {
	cluster *kube.Cluster // whose calls last as long as their contexts
	now     func() time.Time
	log     *slog.Logger
	changed chan struct{} // has an element when something may have to be written

	mu   gosync.Mutex // never held while waiting for anything
	term *term        // nil: nothing is watched
}

// term is one time of keeping names.
type term struct {
	ctx     context.Context
	watches gosync.WaitGroup
	live    *source          // the Roles of grants
	roles   map[string]*role // that are kept, by namespace and name
	sources map[kube.Objects]*source
}

// role is the Role of a live grant.
type role struct {
	path    string // of the request
	request string // its name
	object  plan.Object
	rules   []rule
	problem Problem
	empty   bool // nothing matches, as far as was looked
}

// Problem is why the names of a grant stand still.
type Problem struct {
	Text  string // empty: they do not
	Since time.Time
	// Lasting tells what waiting does not mend.
	Lasting bool
}

// source is some objects that are watched.
type source struct {
	store  cache.Store
	synced func() bool
	stop   context.CancelFunc
	failed error // of the last call; the store is as it was before
}

// NewKeeper prepares a keeper; log says of which cluster it is.
func NewKeeper(cluster *kube.Cluster, now func() time.Time, log *slog.Logger) *Keeper {
	return &Keeper{cluster: cluster, now: now, log: log.With("event", "names"),
		changed: make(chan struct{}, 1)}
}

// Begin keeps names until ctx ends. What it returns waits for that.
func (k *Keeper) Begin(ctx context.Context) (wait func()) {
	t := &term{ctx: ctx, roles: map[string]*role{}, sources: map[kube.Objects]*source{}}
	t.live = k.watch(t, func(func(error)) kube.Source { return k.cluster.RolesSource() })
	k.mu.Lock()
	k.term = t
	k.mu.Unlock()
	t.watches.Go(func() { k.run(t) })
	return func() {
		k.mu.Lock()
		k.term = nil
		k.mu.Unlock()
		t.watches.Wait()
	}
}

// Follow says which grants are live: their names are kept from now on, and no others.
func (k *Keeper) Follow(records []plan.Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := k.term
	if t == nil || t.ctx.Err() != nil {
		return
	}
	roles, needed := map[string]*role{}, map[kube.Objects]bool{}
	for _, r := range records {
		for _, one := range rolesOf(r) {
			if r.Phase != plan.Granted {
				continue
			}
			at := one.object.Namespace + "/" + one.object.Name
			if known := t.roles[at]; known != nil && known.object == one.object {
				one = known
			}
			roles[at] = one
			for _, rule := range one.rules {
				for _, m := range rule.matches {
					for _, of := range m.seen {
						needed[of] = true
					}
				}
			}
		}
	}
	t.roles = roles
	for of := range needed {
		if t.sources[of] == nil {
			t.sources[of] = k.watch(t, func(asked func(error)) kube.Source {
				return k.cluster.SeeSource(of, asked)
			})
		}
	}
	maps.DeleteFunc(t.sources, func(of kube.Objects, s *source) bool {
		if !needed[of] {
			s.stop()
		}
		return !needed[of]
	})
	k.signal()
}

// rolesOf are the Roles of a grant whose names are to be kept.
func rolesOf(r plan.Record) (all []*role) {
	for _, item := range r.Grant.Items {
		if !item.Matches() {
			continue
		}
		rules, err := rulesOf(item)
		for _, o := range r.Objects {
			if err == nil && o.Kind == render.KindRole && o.Namespace == item.Namespace &&
				o.Name == item.Name {
				all = append(all, &role{path: r.Grant.Path, request: r.Grant.Name, object: o,
					rules: rules})
			}
		}
	}
	return all
}

// Problems tells, by the paths of their requests, of the grants whose names stand still.
func (k *Keeper) Problems() map[string]Problem {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]Problem{}
	if k.term == nil {
		return all
	}
	for _, r := range k.term.roles {
		if r.problem.Text != "" {
			all[r.path] = r.problem
		}
	}
	return all
}

// Empty tells, by the paths of their requests, of which grants nothing matches now.
func (k *Keeper) Empty() map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]bool{}
	if k.term == nil {
		return all
	}
	for _, r := range k.term.roles {
		before, several := all[r.path]
		all[r.path] = r.empty && (before || !several)
	}
	return all
}

// watch begins to follow objects.
func (k *Keeper) watch(t *term, from func(asked func(error)) kube.Source) *source {
	s := &source{}
	ctx, stop := context.WithCancel(t.ctx)
	s.stop = stop
	of := from(func(err error) { k.asked(ctx, s, err) })
	store, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: of.From, ObjectType: of.Example, Transform: trim,
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { k.signal() },
			UpdateFunc: func(before, object any) { // nothing else changes what matches
				_, is := object.(*rbacv1.Role)
				if is || seenOf(before) != seenOf(object) {
					k.signal()
				}
			},
			DeleteFunc: func(any) { k.signal() },
		}})
	s.store, s.synced = store, controller.HasSynced
	t.watches.Go(func() { controller.RunWithContext(ctx) })
	return s
}

// asked notes what came of a call for objects.
func (k *Keeper) asked(ctx context.Context, s *source, err error) {
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	s.failed = err
	k.mu.Unlock()
	k.signal()
}

func (k *Keeper) signal() {
	select {
	case k.changed <- struct{}{}:
	default: // it is looked at soon
	}
}

// found are some objects as the watch told last, false when it did not yet.
func (t *term) found(of kube.Objects) (all []kube.Seen, known bool) {
	s := t.sources[of]
	if s == nil || !s.synced() {
		return nil, false
	}
	for _, object := range s.store.List() {
		all = append(all, seenOf(object))
	}
	return all, true
}

// seenOf is what is seen of an object of a store.
func seenOf(object any) kube.Seen { return kube.SeenOf(object.(metav1.Object)) }

// note remembers why the names of a Role stand still, or that they do not, and tells when that
// changes.
func (k *Keeper) note(r *role, text string, lasting bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := r.problem
	if text == before.Text {
		return
	}
	r.problem = Problem{Text: text, Lasting: lasting}
	log := k.log.With("request", r.request, "namespace", r.object.Namespace, "name",
		r.object.Name)
	if text == "" {
		log.Info("the names of what matches are kept current again")
		return
	}
	r.problem.Since = before.Since
	if before.Text == "" {
		r.problem.Since = k.now()
	}
	log.Error("the names of what matches stand still", "error", text)
}
