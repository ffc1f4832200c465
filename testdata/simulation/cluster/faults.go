package cluster

import "time"

// Faults are what is wrong with the cluster at a time. The zero value is nothing.
type Faults struct {
	// StaleBy is how many versions old that is what lists and watches from resource version 0 begin
	// with.
	StaleBy uint64
	// NoWatches has every new watch answered by 503.
	NoWatches bool
	// WatchDelay is how late watches tell.
	WatchDelay time.Duration
	// Quota names what may not be created, as a resource quota has it; nil: all may.
	Quota func(resource, namespace string) bool
	// Mutate is an admission webhook that changes what is written; nil: none does. It may change its
	// argument.
	Mutate func(user, resource string, o Object)
	// Refuse is an admission webhook that refuses writes, with the words that it returns; nil or "":
	// it refuses none. verb is create, update or delete.
	Refuse func(user, verb, resource string, o Object) string
	// NoJobs, NoTTL and NoGC have a controller stand still: Jobs do not complete, finished ones are
	// not deleted, what has no owner any more stays.
	NoJobs, NoTTL, NoGC bool
	// Pause is how long after its cause a controller acts; nil: a tenth of a second. The controllers
	// are job, ttl, gc and namespace.
	Pause func(controller, object string) time.Duration
}

// SetFaults changes what is wrong.
func (c *Cluster) SetFaults(change func(*Faults)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.faults)
}

// CutWatches ends all watches that there are, as a restart of the API server does.
func (c *Cluster) CutWatches() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut()
}

func (c *Cluster) cut() {
	close(c.cuts)
	c.cuts = make(chan struct{})
}

// Compact forgets all changes: a watch that resumes, and a list that continues, is told 410 Expired.
func (c *Cluster) Compact() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(0)
	c.tell()
}
