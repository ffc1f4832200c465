package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/render"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// grant brings an allowed request from nothing, or from wherever an earlier try left it, to
// Granted. What the cluster refuses is tried again for a while, and refused then.
func (a *Agent) grant(ctx context.Context, r plan.Record, overlaps bool) (plan.Record, error) {
	if !r.Complete() && !a.prover.holds(r.Grant.Path) {
		return r, fmt.Errorf("granting %s: its judgement is from too long ago; it is judged again", r.Grant.Name)
	}
	err := a.make(ctx, &r, overlaps)
	if no, refused := errors.AsType[*refusal](err); refused {
		return a.refused(ctx, r, no)
	}
	if u, is := errors.AsType[*unlimited](err); is {
		return r, fmt.Errorf("granting %s (%s): %w", r.Grant.Name, u.code, err)
	}
	if err != nil {
		return r, fmt.Errorf("granting %s: %w", r.Grant.Name, err)
	}
	if !r.Complete() { // it begins later
		return r, a.cluster.Save(ctx, &r)
	}
	r.Phase, r.Refused, r.Told.After = plan.Granted, nil, a.branch.repository.Tip()
	return r, a.save(ctx, &r)
}

// make makes what is missing of a grant: first the Jobs that end it when the agent is gone, then,
// once these are armed, the Roles and bindings that they own. Before each of the two the record
// says what is about to be there.
func (a *Agent) make(ctx context.Context, r *plan.Record, overlaps bool) (err error) {
	fresh := len(r.Objects) == 0
	if fresh {
		r.Objects = plan.ObjectsOf(r.Grant, true)
	}
	if err := a.decideContainers(ctx, r); err != nil {
		return err
	}
	bindings, err := render.Render(r.Grant)
	if err != nil {
		return err
	}
	if err := a.sameRoles(ctx, r); err != nil {
		return err
	}
	if err := a.execGuarded(ctx, r.Grant); err != nil {
		return err
	}
	found, err := a.findMatched(ctx, r.Grant)
	if err != nil {
		return err
	}
	if err := a.letsIn(ctx, r); err != nil {
		return err
	}
	if err := a.backstop(ctx, r, bindings, fresh); err != nil {
		return err
	}
	if err := a.armed(ctx, r); err != nil {
		return err
	}
	if ready, err := a.starts(ctx, *r, overlaps); err != nil || !ready {
		return err
	}
	if err := a.sameRoles(ctx, r); err != nil { // arming takes seconds, and a start may be later
		return err
	}
	before := slices.Clone(r.Objects)
	if err := a.tie(ctx, r, bindings); err != nil {
		return err
	}
	log := a.log.With("event", string(plan.Grant), "cluster", a.cluster.Name,
		"request", r.Grant.Name, "expires_at", r.Grant.Window.End.String())
	for i := range bindings {
		o := r.Made(i)
		if o.UID != "" {
			continue
		}
		o.UID, err = a.create(ctx, bindings[i], r.Grant.Window.End.Time)
		if changed, is := errors.AsType[*kube.ChangedError](err); is && changed.UID != "" {
			o.UID = changed.UID
			return changedBy(changed)
		}
		if fresh && errors.Is(err, kube.ErrTaken) {
			return &refusal{policies.BindingConflict, true, err}
		}
		if err != nil && neverMade(err) {
			return a.takeBack(ctx, r, before, err)
		}
		if err != nil {
			return err
		}
		log.Info("created", "kind", o.Kind, "namespace", o.Namespace, "name", o.Name)
	}
	return a.names.Fill(ctx, *r, found)
}

// sameRoles lets nothing be bound but what was judged. The judgement looked at the roles too, but
// they may have changed between that and now, or between two tries; then drift ends the grant.
func (a *Agent) sameRoles(ctx context.Context, r *plan.Record) error {
	now, err := a.cluster.RoleDigests(ctx, r.Grant)
	if err != nil {
		return err
	}
	if len(r.Roles) > 0 && !maps.Equal(now, r.Roles) {
		return errors.New("its role is changed in the cluster while access is made; the next " +
			"pass ends it")
	}
	for _, item := range r.Grant.Items {
		if item.Rules != "" && !kube.HasRules(now[item.Role.Name], item.Rules) {
			return &refusal{policies.RoleChanged, true, fmt.Errorf("the role %s does not have "+
				"the rules any more that were judged; ask again",
				requests.Quote(item.Role.Name))}
		}
	}
	r.Roles = now
	return nil
}

var errTooLate = errors.New("its window ended meanwhile")

// create makes an object before the end of its window: a call that is held up until then is given
// up.
func (a *Agent) create(ctx context.Context, o render.Object, end time.Time) (uid string, err error) {
	left := end.Sub(a.clocks.now())
	if left <= 0 {
		return "", errTooLate
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return a.cluster.Create(ctx, o)
}

// backstop makes the Jobs that are missing. Where the cluster does not take one, or changes it, the
// policy may have said that the grant can do without.
func (a *Agent) backstop(ctx context.Context, r *plan.Record, bindings []render.Object,
	fresh bool) error {
	type missingJob struct {
		*plan.Object
		job batchv1.Job
	}
	var missing []missingJob
	begun, now := false, a.clocks.now()
	for i := range r.Objects {
		o := &r.Objects[i]
		if o.UID != "" {
			continue
		}
		begun = true
		if o.Namespace == "" {
			continue // what is in the whole cluster has no backstop of its own
		}
		uid, ending, err := a.cluster.NamespaceState(ctx, o.Namespace)
		if err != nil {
			return err
		}
		if ending {
			return &refusal{policies.RefusedByCluster, false,
				fmt.Errorf("namespace %s is being terminated", o.Namespace)}
		}
		o.NamespaceUID = uid
		if err := a.gate.fencedIn(ctx, o.Namespace, r.Grant, bindings); err != nil {
			code := policies.NoBackstop // what is only tried tells of both kinds
			if r.Grant.BackstopOptional {
				code = policies.RefusedByCluster
			}
			return objection(code, err)
		}
		if !o.IsBackstop() {
			continue
		}
		job, err := render.Backstop(r.Grant, o.Namespace, now)
		if err != nil {
			return err
		}
		o.Content = kube.JobContent(&job)
		missing = append(missing, missingJob{o, job})
	}
	if err := a.cluster.Save(ctx, r); err != nil {
		return err
	}
	if begun {
		if err := a.branch.latest.has(ctx, r.Grant); err != nil {
			return err
		}
	}
	for _, o := range missing {
		if late := a.clocks.now().Sub(now); late > armTime { // less is left of the window by now
			return fmt.Errorf("the backstop of %s could be made only after %s, %w", o.Namespace, late, errArmedLate)
		}
		uid, err := a.cluster.Create(ctx, &o.job)
		o.UID = uid
		changed, is := errors.AsType[*kube.ChangedError](err)
		if is {
			o.UID = changed.UID
		}
		switch {
		case err == nil:
			continue
		case fresh && errors.Is(err, kube.ErrTaken):
			return &refusal{policies.BindingConflict, true, err}
		case !is && !kube.Objected(err):
			return err
		case r.Grant.BackstopOptional:
			return a.withoutBackstop(ctx, r, err)
		case is:
			return changedBy(changed)
		}
		return objection(policies.NoBackstop, err)
	}
	return nil
}

// withoutBackstop has a grant go on without Jobs, and deletes those that were made.
func (a *Agent) withoutBackstop(ctx context.Context, r *plan.Record, why error) error {
	a.log.Warn("granting without a backstop, as the policy lets be: only the agent ends this access",
		"event", string(plan.Grant), "cluster", a.cluster.Name, "request", r.Grant.Name,
		"error", why.Error())
	made := r.Objects
	r.Objects = slices.DeleteFunc(slices.Clone(made), plan.Object.IsBackstop)
	if err := a.cluster.Save(ctx, r); err != nil { // first: what is noted and gone, somebody else deleted
		return err
	}
	for _, o := range made {
		if !o.IsBackstop() || o.UID == "" {
			continue
		}
		if _, err := a.cluster.Delete(ctx, liveOf(o)); err != nil {
			return err
		}
	}
	return nil
}

// liveOf is an object as Delete takes it.
func liveOf(o plan.Object) plan.Live {
	return plan.Live{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, UID: o.UID}
}

// tie ties each binding that is missing to the Job of its namespace, and notes what is about to be
// made: a binding that ends before the agent learns that it was made is known to the ledger by
// that. The record is another one after it, whoever announced the same before: they can no longer
// take that back.
func (a *Agent) tie(ctx context.Context, r *plan.Record, bindings []render.Object) error {
	version := r.Version
	for i := range bindings {
		o, uid := r.Made(i), ""
		for _, job := range r.Objects {
			if job.IsBackstop() && job.Namespace == o.Namespace {
				uid = job.UID
			}
		}
		render.Own(bindings[i], requests.ObjectName(r.Grant.Name, 0), uid)
		if o.UID == "" {
			o.Content = kube.Content(bindings[i])
			r.Try = version
		}
	}
	return a.cluster.Save(ctx, r)
}

// A Job that was complete only some time after it was made acts that much later: it is made again.
const (
	armTime = 5 * time.Second // how long a pass waits for a Job to be complete, and before that to make it
	armLate = plan.MaxSkew    // how much later a backstop may act
)

var errArmedLate = errors.New("so it would end access that much too late; it is made again")

// armed waits until the TTL of each Job runs: a backstop that Kubernetes' controllers have not
// taken note of is none.
func (a *Agent) armed(ctx context.Context, r *plan.Record) error {
	waiting, cancel := context.WithTimeout(ctx, armTime)
	defer cancel()
	for i := range r.Objects {
		o := &r.Objects[i]
		if !o.IsBackstop() {
			continue
		}
		late, err := a.cluster.Finished(waiting, *o)
		if err != nil {
			return err
		}
		if late.Abs() <= armLate {
			continue
		}
		job := liveOf(*o)
		o.UID = ""
		err = a.cluster.Save(ctx, r) // first: what is noted and gone, somebody else deleted
		if err == nil {
			_, err = a.cluster.Delete(ctx, job)
		}
		return errors.Join(fmt.Errorf("the backstop, Job %s/%s, was complete only after %s, %w", o.Namespace, o.Name,
			late, errArmedLate), err)
	}
	return nil
}

// giveUp ends a grant that cannot be made, and takes back what was made of it. What stands under
// the name of one of its objects is left as it is, whatever it says. A binding of it that went
// meanwhile, though nobody knew that it was made, was access: then the next plan says how it ended.
func (a *Agent) giveUp(ctx context.Context, r plan.Record) (plan.Record, error) {
	if slices.ContainsFunc(a.expirer.Gone(), r.Announced) {
		return r, fmt.Errorf("granting %s: a binding of it is gone that an earlier try made; what "+
			"came of it is planned again", r.Grant.Name)
	}
	r.Cause, r.Code = requests.CauseDenied, r.Refused.Code
	a.announce(ctx, &r)
	for _, o := range slices.Backward(r.Objects) {
		if o.UID == "" {
			continue
		}
		if _, err := a.cluster.Delete(ctx, liveOf(o)); err != nil {
			return r, err
		}
	}
	r.Phase, r.EndedAt = plan.Ended, requests.At(a.clocks.now())
	a.log.Error("refused", "event", string(plan.Deny), "cluster", a.cluster.Name,
		"request", r.Grant.Name, "code", r.Code, "error", r.Refused.Message)
	return r, a.save(ctx, &r)
}
