// Package awsauth keeps the ConfigMap aws-auth of an EKS cluster in step with the grants: whoever
// has access is let in under their name, and nobody else of pullgrant's making. It needs neither
// git nor GitHub; it goes by what the agent remembers of each grant.
package awsauth

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	gosync "sync"
	"time"

	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/mapusers"
	"github.com/pullgrant/pullgrant/sync/monitor"
)

const (
	lookEvery   = 30 * time.Second       // between two looks when nothing is known to have changed
	againAfter  = 2 * time.Second        // a look that did not work
	lookGap     = 200 * time.Millisecond // after a look
	lookTimeout = 8 * monitor.Tick       // of one look, with all that it writes
)

// Config is what a process needs that only keeps aws-auth.
type Config struct {
	Cluster    string // name in the access repository, for log and metrics
	Kubernetes *kube.Config
	Clock      func() time.Time // wall clock
	Version    string           // of this program, for the metrics
	Listener   net.Listener     // for probes and Prometheus; Run closes it; nil: nowhere
	Logger     *slog.Logger
}

// Process keeps aws-auth. Any number of them may run: whoever comes first writes, and the others
// find it done.
type Process struct {
	cluster *kube.Cluster
	now     func() time.Time
	metrics *monitor.Metrics
	server  monitor.Server
	log     *slog.Logger
	wake    chan struct{} // has an element when a record changed

	mu     gosync.Mutex
	barred string // why nobody is let in; empty: nothing is amiss

	known bool                      // list and records were read at least once
	ours  map[string]mapusers.Entry // by ARN in lower case, entries of pullgrant's that were seen
	told  map[string]string         // by ARN, or what else it is about, what the log has of it
}

// NewProcess prepares one; nothing is called yet. Errors are about the configuration.
func NewProcess(c Config) (*Process, error) {
	clock := &kube.Clock{Wall: c.Clock}
	cluster, err := kube.NewCluster(c.Kubernetes, c.Cluster, 0, clock.Watch)
	if err != nil {
		return nil, err
	}
	metrics := monitor.NewAWSAuthMetrics(c.Cluster, c.Version, c.Clock)
	log := c.Logger.With("cluster", c.Cluster)
	return &Process{cluster: cluster, now: clock.Now, metrics: metrics, log: log,
		server: monitor.Server{Listener: c.Listener, Metrics: metrics, Log: log},
		wake:   make(chan struct{}, 1), barred: unknown, ours: map[string]mapusers.Entry{},
		told: map[string]string{}}, nil
}

// Run works until ctx ends. The error is of a watch that could not even begin.
func (p *Process) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var beside gosync.WaitGroup
	defer beside.Wait()
	defer p.server.Serve(ctx)()
	defer cancel()
	informer, err := p.cluster.WatchRecords(p.early, func(err error) {
		p.metrics.Failed(monitor.StageAWSAuth)
		p.log.Error("watching the agent's records does not work; they are looked at every "+
			lookEvery.String(), "event", "watch", "error", err.Error())
	})
	if err != nil {
		return fmt.Errorf("watching the agent's records: %w", err)
	}
	p.log.Info("starting", "event", "start")
	beside.Go(func() { informer.RunWithContext(ctx) })
	beside.Go(func() { p.watchLimits(ctx) })
	p.turn(ctx)
	return nil
}

// early has the next look begin at once.
func (p *Process) early() {
	select {
	case p.wake <- struct{}{}:
	default: // it will
	}
}

// turn looks when a record changed, when a grant ends, and from time to time. It reads the clock
// every second, since timers do not notice that it was set or that the machine slept.
func (p *Process) turn(ctx context.Context) {
	ticker := time.NewTicker(monitor.Tick)
	defer ticker.Stop()
	next := p.now()
	for ctx.Err() == nil {
		if now := p.now(); !now.Before(next) || next.Sub(now) > lookEvery {
			until, err := p.look(ctx)
			next = p.now().Add(lookEvery)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				next = p.now().Add(againAfter)
				p.metrics.Failed(monitor.StageAWSAuth)
				p.say("look", "aws-auth cannot be kept in step with the grants", err.Error())
			default:
				p.say("look", "aws-auth cannot be kept in step with the grants", "")
			}
			if !until.IsZero() && until.Before(next) {
				next = until
			}
			calm := time.NewTimer(lookGap) // many changes in a row are one
			<-calm.C
		}
		p.metrics.Beat(p.known)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-p.wake:
			next = p.now()
		}
	}
}

// say writes to the log what begins, becomes another or is over, which is without detail.
func (p *Process) say(about, message, detail string) {
	log := p.log.With("event", "aws-auth")
	switch {
	case p.told[about] == detail:
		return
	case detail == "":
		log.Info("no longer so: " + message)
	default:
		log.Error(message, "error", detail)
	}
	p.told[about] = detail
}
