package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// takeBack has the record no longer say that bindings are about to be made which were not, for
// certain. What an earlier try announced stays: nobody knows what came of that.
func (a *Agent) takeBack(ctx context.Context, r *plan.Record, before []plan.Object, why error) error {
	for i, o := range before {
		if !o.IsBackstop() && r.Objects[i].UID == "" {
			r.Objects[i].Content = o.Content
		}
	}
	if changed, is := errors.AsType[*kube.ChangedError](why); is {
		return changedBy(changed)
	}
	if kube.Objected(why) {
		return &refusal{policies.RefusedByCluster, false, why} // which is noted with the record
	}
	return errors.Join(why, a.cluster.Save(ctx, r))
}

// refusal says that a grant cannot be made, by what stands in the cluster or watches over it.
type refusal struct {
	code  policies.Code
	final bool // it is no use to try again
	why   error
}

func (n *refusal) Error() string { return n.why.Error() }

// changedBy is the refusal of what the cluster changes. Where the fence let none of that be it is tried
// again: for a moment after it became another one, the old fence is still in force.
func changedBy(err *kube.ChangedError) *refusal {
	return &refusal{policies.ChangedByCluster, err.UID != "", err}
}

// objection is an error as a refusal, when the cluster's words are one that may pass.
func objection(code policies.Code, err error) error {
	switch {
	case !kube.Objected(err):
		return err
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		code = policies.RefusedByCluster // whatever was asked for
	}
	return &refusal{code, false, err}
}

// refusedFor is how long a grant that the cluster refuses is tried.
const refusedFor = 5 * time.Minute

// refused notes since when the cluster refuses a grant, so that whoever tries next knows, and tells
// the one who asked. After a while, or at once where that is no use, the request is refused.
func (a *Agent) refused(ctx context.Context, r plan.Record, no *refusal) (plan.Record, error) {
	now := requests.At(a.clocks.now())
	if r.Refused == nil {
		r.Refused = &plan.Refusal{Since: now}
	}
	r.Refused = &plan.Refusal{Code: string(no.code), Message: kube.Words(no.why),
		Since: r.Refused.Since}
	if no.final || !now.Before(r.Refused.Since.Add(refusedFor)) {
		return a.giveUp(ctx, r)
	}
	a.tell.waits(r)
	return r, errors.Join(fmt.Errorf("granting %s: %w", r.Grant.Name, no.why),
		a.cluster.Save(ctx, &r))
}

// neverMade tells an error after which there is no binding for certain. After others, such as a
// connection that broke, there may be one.
func neverMade(err error) bool {
	_, changed := errors.AsType[*kube.ChangedError](err) // and refused, as none has a UID here
	return changed || errors.Is(err, errTooLate) || kube.Objected(err) || apierrors.IsForbidden(err) ||
		apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsNotFound(err)
}
