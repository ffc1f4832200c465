package sync

import (
	"context"
	gosync "sync"

	"github.com/pullgrant/pullgrant/sync/execaudit"
	"github.com/pullgrant/pullgrant/sync/expiry"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// followUses prepares to take what the API server tells of commands that were used, in every replica:
// whichever is told notes it, and ends what is used up. The one that leads finds both. What it
// returns does so until ctx ends, and its wait returns when nothing is taken any more.
func followUses(c Config, cluster *kube.Cluster, expirer *expiry.Expirer, clocks *clocks,
	metrics *monitor.Metrics) (serve func(context.Context) (wait func())) {
	if c.Audit == nil {
		return func(context.Context) func() { return func() {} }
	}
	metrics.AuditOn()
	log := c.Logger.With("cluster", c.Cluster)
	keeper := execaudit.NewKeeper(cluster, c.Clock, metrics, log.With("event", "exec-audit"),
		func(l plan.Live) { expirer.Watch(l, clocks.now()) })
	receiver := execaudit.NewReceiver(keeper, c.AuditToken, metrics, c.Clock)
	return func(ctx context.Context) func() {
		keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
		var kept gosync.WaitGroup
		kept.Go(func() { keeper.Run(keeping) })
		served := monitor.Serve(ctx, c.Audit, receiver, log)
		return func() { // what was answered is noted first
			served()
			stop()
			kept.Wait()
		}
	}
}
