package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// grant brings an allowed request from nothing, or from wherever an earlier try left it, to
// Granted: first the Jobs that end it when the agent is gone, then, once these are armed, the
// bindings that they own. Before each of the two the record says what is about to be there.
func (a *Agent) grant(ctx context.Context, r plan.Record) (plan.Record, error) {
	bindings, err := render.Render(r.Grant)
	if err != nil {
		return r, err
	}
	fresh := r.Version == ""
	if fresh {
		r.Objects = plan.ObjectsOf(r.Grant, true)
		if r.Roles, err = a.cluster.RoleDigests(ctx, r.Grant); err != nil {
			return r, err
		}
	}
	code, err := a.backstop(ctx, &r, fresh)
	if code != "" {
		return a.giveUp(ctx, r, code, err)
	}
	if err != nil {
		return r, err
	}
	if err := a.armed(ctx, &r); err != nil {
		return r, err
	}
	if err := a.tie(ctx, &r, bindings); err != nil {
		return r, err
	}
	log := a.log.With("event", string(plan.Grant), "cluster", a.cluster.Name,
		"request", r.Grant.Name, "expires_at", r.Grant.Window.End.String())
	for i := range bindings {
		o := r.Binding(i)
		if o.UID != "" {
			continue
		}
		uid, err := a.create(ctx, bindings[i].(*rbacv1.RoleBinding), r.Grant.Window.End.Time)
		if fresh && apierrors.IsAlreadyExists(err) {
			return a.giveUp(ctx, r, policies.BindingConflict, err)
		}
		if err != nil {
			err = fmt.Errorf("granting %s: %w", r.Grant.Name, err)
			if !neverMade(err) {
				return r, err
			}
			for j := range bindings {
				if o := r.Binding(j); o.UID == "" {
					o.Content = ""
				}
			}
			return r, errors.Join(err, a.cluster.Save(ctx, &r))
		}
		o.UID = uid
		log.Info("created", "namespace", o.Namespace, "binding", o.Name)
	}
	r.Phase = plan.Granted
	return r, a.save(ctx, &r)
}

var errTooLate = errors.New("its window ended meanwhile")

// create makes a binding before the end of its window: a call that is held up until then is given
// up.
func (a *Agent) create(ctx context.Context, b *rbacv1.RoleBinding, end time.Time) (
	uid string, err error) {
	left := end.Sub(a.clocks.now())
	if left <= 0 {
		return "", errTooLate
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return a.cluster.Create(ctx, b)
}

// neverMade tells an error after which there is no binding for certain. After others, such as a
// connection that broke, there may be one.
func neverMade(err error) bool {
	return errors.Is(err, errTooLate) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err) || apierrors.IsNotFound(err)
}

// backstop makes the Jobs that are missing. A code says that the grant cannot have one, and why:
// refused by the cluster, for example by a quota, where the policy asks for it, or a Job of that
// name that is not the agent's.
func (a *Agent) backstop(ctx context.Context, r *plan.Record, fresh bool) (policies.Code, error) {
	missing := map[*plan.Object]batchv1.Job{}
	for i := range r.Objects {
		o := &r.Objects[i]
		if o.UID != "" {
			continue
		}
		var err error
		if o.NamespaceUID, err = a.cluster.NamespaceUID(ctx, o.Namespace); err != nil {
			return "", err
		}
		if err := a.gate.fencedIn(ctx, o.Namespace, r.Grant); err != nil {
			return "", err
		}
		if o.IsBinding() {
			continue
		}
		job, err := render.Backstop(r.Grant, o.Namespace, a.clocks.now())
		if err != nil {
			return "", err
		}
		o.Content, missing[o] = kube.JobContent(&job), job
	}
	if err := a.cluster.Save(ctx, r); err != nil {
		return "", err
	}
	for o, job := range missing {
		var err error
		switch o.UID, err = a.cluster.CreateJob(ctx, &job); {
		case err == nil:
		case fresh && apierrors.IsAlreadyExists(err):
			return policies.BindingConflict, err
		case !objected(err):
			return "", fmt.Errorf("granting %s: %w", r.Grant.Name, err)
		case !r.Grant.BackstopOptional:
			return policies.NoBackstop, err
		default:
			a.log.Warn("granting without a backstop, as the policy lets be: only the agent ends "+
				"this access",
				"event", string(plan.Grant),
				"cluster", a.cluster.Name, "request", r.Grant.Name, "namespace", o.Namespace,
				"error", err.Error())
			r.Objects = slices.DeleteFunc(r.Objects,
				func(o plan.Object) bool { return !o.IsBinding() }) // Jobs that were made are swept
			return "", nil
		}
	}
	return "", nil
}

// objected tells a refusal by what watches over a namespace (a quota, a policy engine) from one by
// RBAC or the fence, which is about the agent.
func objected(err error) bool {
	return (apierrors.IsForbidden(err) || apierrors.IsInvalid(err) ||
		apierrors.IsBadRequest(err)) &&
		!strings.Contains(err.Error(), "cannot create resource") && !kube.RefusedByFence(err)
}

// tie ties each binding that is missing to the Job of its namespace, and notes what is about to be
// made: a binding that ends before the agent learns that it was made is known to the ledger by
// that.
func (a *Agent) tie(ctx context.Context, r *plan.Record, bindings []render.Object) error {
	for i := range bindings {
		o, uid := r.Binding(i), ""
		for _, job := range r.Objects {
			if !job.IsBinding() && job.Namespace == o.Namespace {
				uid = job.UID
			}
		}
		render.Own(bindings[i], requests.ObjectName(r.Grant.Name, 0), uid)
		if o.UID == "" {
			o.Content = kube.BindingContent(bindings[i].(*rbacv1.RoleBinding))
		}
	}
	return a.cluster.Save(ctx, r)
}

// A Job that was complete only some time after it was made acts that much later: it is made again.
const (
	armTime = 5 * time.Second // how long a pass waits for a Job to be complete
	armLate = maxSkew         // how much later a backstop may act
)

// armed waits until the TTL of each Job runs: a backstop that Kubernetes' controllers have not
// taken note of is none.
func (a *Agent) armed(ctx context.Context, r *plan.Record) error {
	waiting, cancel := context.WithTimeout(ctx, armTime)
	defer cancel()
	for i := range r.Objects {
		o := &r.Objects[i]
		if o.IsBinding() {
			continue
		}
		late, err := a.cluster.Finished(waiting, *o)
		if err != nil {
			return fmt.Errorf("granting %s: %w", r.Grant.Name, err)
		}
		if late.Abs() <= armLate {
			continue
		}
		if _, err := a.cluster.Delete(
			ctx, plan.Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name,
				UID: o.UID}); err != nil {
			return err
		}
		o.UID = ""
		return errors.Join(fmt.Errorf(
			"granting %s: Job %s/%s was complete only after %s, so it would end access that much "+
				"too late; it is made again",
			r.Grant.Name, o.Namespace, o.Name, late), a.cluster.Save(ctx, r))
	}
	return nil
}

// giveUp ends a grant that cannot be made, and takes back what was made of it. What stands under
// the name of one of its objects is left as it is, whatever it says.
func (a *Agent) giveUp(ctx context.Context, r plan.Record, code policies.Code, why error) (
	plan.Record, error) {
	r.Cause, r.Code = requests.CauseDenied, string(code)
	a.announce(ctx, &r)
	for _, o := range slices.Backward(r.Objects) {
		if o.UID == "" {
			continue
		}
		if _, err := a.cluster.Delete(
			ctx, plan.Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name,
				UID: o.UID}); err != nil {
			return r, err
		}
	}
	r.Phase, r.EndedAt = plan.Ended, requests.At(a.clocks.now())
	a.log.Error("refused", "event", string(plan.Deny), "cluster", a.cluster.Name,
		"request", r.Grant.Name, "code", r.Code, "error", why.Error())
	return r, a.save(ctx, &r)
}
