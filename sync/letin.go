package sync

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/mapusers"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// letsIn refuses a grant to somebody whom the cluster's aws-auth does not let in under their name
// and cannot be made to, before there is a binding: access that nobody can use, or under a name
// that is somebody else's, is none. Who has no ARN comes in by other ways.
func (a *Agent) letsIn(ctx context.Context, r *plan.Record) error {
	if !a.cluster.AWSAuthKept || r.Grant.ARN == "" ||
		slices.ContainsFunc(r.Objects, func(o plan.Object) bool {
			return o.IsBinding() &&
				o.UID != ""
		}) {
		return nil
	}
	auth, err := a.cluster.AWSAuth(ctx)
	if apierrors.IsNotFound(err) {
		return &refusal{policies.NotInAWSAuth, false, errors.New("the cluster has no ConfigMap " +
			"kube-system/aws-auth to let people in by; make one, or leave --aws-auth out")}
	}
	if err != nil {
		return err
	}
	list, err := mapusers.Read(auth.MapUsers(), auth.MapRoles())
	if err == nil {
		err = list.Admits(mapusers.Entry{ARN: r.Grant.ARN, Username: r.Grant.Subject.Name,
			Request: r.Grant.Name})
	}
	if err != nil {
		return &refusal{policies.NotInAWSAuth, false, err}
	}
	return nil
}
