package names

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const (
	calm  = 100 * time.Millisecond // between two rounds of changes, so that many are one
	again = 10 * time.Second       // after which what did not work is tried again
)

// run writes what changed: a first time at once, and then with a pause after each round.
func (k *Keeper) run(t *term) {
	retry := time.NewTicker(again)
	defer retry.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-k.changed:
		case <-retry.C:
		}
		if !k.settle(t) {
			continue
		}
		select {
		case <-t.ctx.Done():
			return
		case <-time.After(calm):
		}
	}
}

// settle writes the names of every Role that has not those it should have. Other Roles than those
// that were made are left to the plan, which ends them. It tells whether there was something to
// write.
func (k *Keeper) settle(t *term) (wrote bool) {
	k.mu.Lock()
	roles := maps.Clone(t.roles)
	k.mu.Unlock()
	for _, at := range slices.Sorted(maps.Keys(roles)) {
		r := roles[at]
		object, there, err := t.live.store.GetByKey(at)
		if err != nil || !there || !kube.IsGranted(object.(*rbacv1.Role), r.object) {
			continue
		}
		role := object.(*rbacv1.Role)
		k.mu.Lock()
		names, tooMany := wanted(r.rules, namesOf(role), t.found)
		why := t.failing(r)
		k.mu.Unlock()
		did, err := k.write(t.ctx, role, names)
		if wrote = wrote || did; err != nil {
			why = err.Error()
		}
		k.mu.Lock()
		r.empty = none(r.rules, names)
		k.mu.Unlock()
		switch {
		case tooMany != nil:
			k.note(r, tooMany.Error(), true)
		case t.ctx.Err() == nil:
			k.note(r, why, false)
		}
	}
	return wrote
}

// failing is why what matches a Role is not known any more; empty when it is.
func (t *term) failing(r *role) string {
	for _, rule := range r.rules {
		for _, m := range rule.matches {
			for _, of := range m.seen {
				if s := t.sources[of]; s != nil && s.failed != nil {
					return fmt.Sprintf("watching %s does not work: %s", of, kube.Words(s.failed))
				}
			}
		}
	}
	return ""
}

// write gives a Role its names, unless it has them. When somebody else changed it meanwhile, or
// took it away, the watch tells, and it is looked at again.
func (k *Keeper) write(ctx context.Context, role *rbacv1.Role, names [][]string) (wrote bool,
	err error) {
	if reflect.DeepEqual(names, namesOf(role)) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, kube.CallTimeout)
	defer cancel()
	err = k.cluster.SetNames(ctx, role, names)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return true, nil
	}
	if err == nil {
		k.log.Info("names changed", "namespace", role.Namespace, "name", role.Name, "names",
			len(slices.Concat(names...)))
	}
	return true, err
}

// none tells whether no rule whose names are kept has one.
func none(rules []rule, names [][]string) bool {
	for n, r := range rules {
		if len(r.matches) > 0 && !slices.Equal(names[n], []string{requests.Placeholder}) {
			return false
		}
	}
	return true
}

func namesOf(role *rbacv1.Role) (names [][]string) {
	for _, r := range role.Rules {
		names = append(names, r.ResourceNames)
	}
	return names
}

// trim keeps out of memory what nobody reads.
func trim(object any) (any, error) {
	switch o := object.(type) {
	case *metav1.PartialObjectMetadata:
		kept := metav1.ObjectMeta{Namespace: o.Namespace, Name: o.Name, UID: o.UID,
			ResourceVersion: o.ResourceVersion}
		if by := metav1.GetControllerOf(o); by != nil {
			kept.OwnerReferences = []metav1.OwnerReference{*by}
		}
		o.ObjectMeta = kept
	case metav1.Object:
		o.SetManagedFields(nil)
	}
	return object, nil
}

// Found is what matches a grant.
type Found map[kube.Objects][]kube.Seen

// Find lists what matches a grant now. It is a TooManyError when a Role cannot name all of it, and
// kube.ErrNotServed when the cluster has no such objects.
func (k *Keeper) Find(ctx context.Context, g requests.Grant) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, kube.CallTimeout)
	defer cancel()
	found := Found{}
	for _, item := range g.Items {
		rules, err := rulesOf(item)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			for _, m := range r.matches {
				if err := k.see(ctx, m.seen, found); err != nil {
					return nil, err
				}
			}
		}
		have := make([][]string, len(rules))
		if _, tooMany := wanted(rules, have, found.seen); tooMany != nil {
			return nil, tooMany
		}
	}
	return found, nil
}

// see lists what is not found yet.
func (k *Keeper) see(ctx context.Context, seen []kube.Objects, found Found) error {
	for _, of := range seen {
		if _, known := found[of]; known {
			continue
		}
		all, err := k.cluster.See(ctx, of)
		if err != nil {
			return err
		}
		found[of] = all
	}
	return nil
}

func (f Found) seen(of kube.Objects) (all []kube.Seen, known bool) {
	all, known = f[of]
	return all, known
}

// Refresh is Find and Fill for all live grants, where nobody watches.
func (k *Keeper) Refresh(ctx context.Context, records []plan.Record) error {
	k.mu.Lock()
	watching := k.term != nil
	k.mu.Unlock()
	var errs []error
	for _, r := range records {
		if watching || r.Phase != plan.Granted {
			continue
		}
		found, err := k.Find(ctx, r.Grant)
		if err == nil {
			err = k.Fill(ctx, r, found)
		}
		if err != nil {
			err = fmt.Errorf("the names of what matches %s stand still: %w", r.Grant.Name, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Fill gives the Roles of a grant that were made the names of what was found.
func (k *Keeper) Fill(ctx context.Context, r plan.Record, found Found) error {
	var errs []error
	for _, one := range rolesOf(r) {
		role, err := k.cluster.GrantedRole(ctx, one.object)
		if err == nil {
			names, _ := wanted(one.rules, namesOf(role), found.seen)
			_, err = k.write(ctx, role, names)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
