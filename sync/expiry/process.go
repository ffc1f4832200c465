package expiry

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/monitor"
)

const (
	limitsEvery   = time.Minute // between two looks at fence and rights
	limitsTimeout = 30 * time.Second
)

// Config is what a process needs that only expires.
type Config struct {
	Cluster    string // name in the access repository, for log and metrics
	Kubernetes *kube.Config
	Clock      func() time.Time // wall clock
	Version    string           // of this program, for the metrics
	Listener   net.Listener     // for probes and Prometheus; Run closes it; nil: nowhere
	Logger     *slog.Logger
}

// Process ends access on time and does nothing else. It shares no memory, no rights and no network
// with what fetches, judges and grants, so that nothing which holds that up or kills it has a part
// in when access ends.
type Process struct {
	*Expirer
	server monitor.Server
}

// NewProcess prepares one; nothing is called yet. Errors are about the configuration.
func NewProcess(c Config) (*Process, error) {
	clock := &kube.Clock{Wall: c.Clock}
	cluster, err := kube.NewCluster(c.Kubernetes, c.Cluster, 0, clock.Watch)
	if err != nil {
		return nil, err
	}
	metrics := monitor.NewExpirerMetrics(c.Cluster, c.Version, c.Clock)
	return &Process{Expirer: New(cluster, clock.Now, metrics, c.Logger),
		server: monitor.Server{Listener: c.Listener, Metrics: metrics,
			Log: c.Logger.With("cluster", c.Cluster)}}, nil
}

// Run works until ctx ends. The error is of a watch that could not even begin.
func (p *Process) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var beside gosync.WaitGroup
	defer beside.Wait()
	defer p.server.Serve(ctx)()
	defer cancel()
	p.log.Info("starting", "event", "start", "cluster", p.cluster.Name)
	beside.Go(func() { p.watchLimits(ctx) })
	return p.Expirer.Run(ctx)
}

// watchLimits looks at fence and rights from time to time, beside the work and without a part in
// it.
func (p *Process) watchLimits(ctx context.Context) {
	ticker := time.NewTicker(limitsEvery)
	defer ticker.Stop()
	for {
		if err := p.tellLimits(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("whether fence and rights are as they should be is not known", "event",
				"limits", "cluster", p.cluster.Name, "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tellLimits tells of what is amiss when it begins and when it has passed.
func (p *Process) tellLimits(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limitsTimeout)
	defer cancel()
	wrong, err := p.cluster.ExpirerLimits(ctx)
	if err != nil {
		return fmt.Errorf("looking at the expirer's limits: %w", err)
	}
	p.metrics.Unsafe(p.log.With("cluster", p.cluster.Name), wrong,
		"expiry goes on, but not as safely as it should")
	return nil
}
