package awsauth

import (
	"context"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const (
	limitsEvery   = time.Minute     // between two looks at fence and rights
	limitsAgain   = 5 * time.Second // the same, while the fence is not known to stand
	limitsTimeout = 30 * time.Second
)

// unknown is why nobody is let in before fence and rights were looked at.
const unknown = "whether its fence stands is not known yet"

// watchLimits looks at fence and rights from time to time, beside the work.
func (p *Process) watchLimits(ctx context.Context) {
	for ctx.Err() == nil {
		p.limits(ctx)
		every := limitsEvery
		if p.isBarred() != "" {
			every = limitsAgain
		}
		timer := time.NewTimer(every)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// limits finds out whether the fence stands. Without it this process could make anybody an
// administrator, and so could whoever has its token: nobody is let in until it does.
func (p *Process) limits(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, limitsTimeout)
	defer cancel()
	wrong, err := p.cluster.AWSLimits(call)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		wrong = append(wrong, plan.Stop{Code: policies.Unfenced,
			Message: "whether its fence stands is not known: " + err.Error()})
	}
	unfenced := ""
	for _, w := range wrong {
		if w.Code == policies.Unfenced {
			unfenced = w.Message
		}
	}
	if p.bar(unfenced) {
		p.early()
	}
	p.metrics.Unsafe(p.log, wrong, "what keeps aws-auth is not limited as it should be")
}

// bar notes why nobody is let in, empty where nothing is amiss, and tells whether that is another
// reason than before.
func (p *Process) bar(why string) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed = p.barred != why
	p.barred = why
	return changed
}

func (p *Process) isBarred() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.barred
}
