package sync

import (
	"context"
	"errors"
	"maps"

	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// answerers are those that the agent can ask: what it is given, and its own cluster.
func answerers(given inquire.Answerers, cluster *kube.Cluster) inquire.Answerers {
	all := inquire.Answerers{}
	maps.Copy(all, given)
	all[policies.RBACAuthorization] = func(ctx context.Context, a policies.Asking) policies.Reply {
		review, ok := a.Asked()
		if !ok {
			return inquire.Unknown(errors.New("it is asked about no role"))
		}
		allowed, err := cluster.Authorized(ctx, review)
		switch {
		case err != nil:
			return inquire.Unknown(err)
		case allowed:
			return policies.Reply{Verdict: policies.Yes}
		}
		return policies.Reply{Verdict: policies.No}
	}
	return all
}
