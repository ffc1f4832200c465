package cluster

import (
	"encoding/json"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The controllers call as any client does, so that admission judges them too.

// off is how long a controller that stands still waits until it looks whether it still does, and
// again how long one waits after a refusal, at first and at most.
const (
	off     = time.Second
	atFirst = 100 * time.Millisecond
	atMost  = time.Minute
)

// control has the controllers act on a change, with mu held.
func (c *Cluster) control(ch change) {
	o := ch.new
	if o == nil {
		c.sweepSoon(0)
		return
	}
	switch ch.at.res.Resource {
	case "jobs":
		c.later("job", o, func() bool { return c.faults.NoJobs }, c.finish)
		if ends, is := endOf(o); is {
			c.after(max(ends.Sub(c.now()), 0), func() {
				c.later("ttl", o, func() bool { return c.faults.NoTTL }, c.expire)
			})
		}
	case "namespaces":
		if o.GetDeletionTimestamp() != nil {
			c.later("namespace", o, nil, c.empty)
		} else if ch.old == nil {
			c.later("namespace", o, nil, c.furnish)
		}
	case "events":
		if ch.old == nil { // which the API server keeps for an hour
			c.after(time.Hour, func() {
				if now := c.get(ch.at); now != nil && now.GetUID() == o.GetUID() {
					c.commit(&request{user: userOf("etcd"), verb: "delete", res: ch.at.res,
						namespace: ch.at.namespace, name: ch.at.name}, nil)
				}
			})
		}
	}
	if len(o.GetOwnerReferences()) > 0 || o.GetDeletionTimestamp() != nil {
		c.sweepSoon(0)
	}
}

// after calls with mu held, unless the cluster is closed. No two calls are due at one time: their
// order would be the scheduler's.
func (c *Cluster) after(d time.Duration, do func()) {
	c.due++
	time.AfterFunc(d+c.due, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.closed {
			do()
		}
	})
}

// later has a controller see to an object after its pause, as it is then; still tells that the
// controller stands still.
func (c *Cluster) later(controller string, o Object, still func() bool, do func(Object)) {
	at := place{byKind(o.GetAPIVersion(), o.GetKind()), o.GetNamespace(), o.GetName()}
	c.after(c.pause(controller, string(o.GetUID())), func() { c.see(at, o, still, do) })
}

func (c *Cluster) see(at place, o Object, still func() bool, do func(Object)) {
	switch now := c.get(at); {
	case now == nil || now.GetUID() != o.GetUID():
	case still != nil && still():
		c.after(off, func() { c.see(at, o, still, do) })
	default:
		do(now)
	}
}

func (c *Cluster) pause(controller, object string) time.Duration {
	if c.faults.Pause != nil {
		return c.faults.Pause(controller, object)
	}
	return 100 * time.Millisecond
}

// call is one call of a controller; body may be nil.
func (c *Cluster) call(account, verb string, at place, body any) error {
	q := &request{user: userOf("system:serviceaccount:kube-system:" + account), verb: verb,
		res: at.res, namespace: at.namespace, name: at.name}
	if o, is := body.(Object); is {
		body = o.Object
	}
	q.body, _ = json.Marshal(body) // of what came from JSON
	if at.res.status && account == "job-controller" {
		q.sub = "status"
	}
	_, _, err := c.serve(q)
	return err
}

// finish is the Job controller, for Jobs that run no pod.
func (c *Cluster) finish(job Object) {
	completions, counts, _ := unstructured.NestedInt64(job.Object, "spec", "completions")
	suspended, _, _ := unstructured.NestedBool(job.Object, "spec", "suspend")
	manager, _, _ := unstructured.NestedString(job.Object, "spec", "managedBy")
	_, done, _ := unstructured.NestedString(job.Object, "status", "completionTime")
	if !counts || completions > 0 || suspended || done || job.GetDeletionTimestamp() != nil ||
		manager != "" && manager != "kubernetes.io/job-controller" {
		return
	}
	now := stamp(c.now())
	condition := func(kind string) any {
		return map[string]any{"type": kind, "status": "True", "lastProbeTime": now,
			"lastTransitionTime": now, "reason": "CompletionsReached",
			"message": "Reached expected number of succeeded pods"}
	}
	next := job.DeepCopy()
	next.Object["status"] = map[string]any{"startTime": now, "completionTime": now,
		"conditions": []any{condition("SuccessCriteriaMet"), condition("Complete")},
		"ready":      int64(0), "terminating": int64(0), "uncountedTerminatedPods": map[string]any{}}
	c.again("job", job, c.call("job-controller", "update", c.placeOf(job), next), c.finish)
}

func (c *Cluster) placeOf(o Object) place {
	return place{byKind(o.GetAPIVersion(), o.GetKind()), o.GetNamespace(), o.GetName()}
}

// again tries again what was refused, later each time.
func (c *Cluster) again(controller string, o Object, err error, do func(Object)) {
	id := controller + " " + string(o.GetUID())
	if err == nil || apierrors.IsNotFound(err) {
		delete(c.refused, id)
		return
	}
	c.refused[id]++
	at := c.placeOf(o)
	c.after(backoff(c.refused[id]), func() { c.see(at, o, nil, do) })
}

func backoff(tries int) time.Duration { return min(atFirst<<min(tries, 20), atMost) }

// endOf is when the TTL of a finished Job is over.
func endOf(job Object) (time.Time, bool) {
	text, _, _ := unstructured.NestedString(job.Object, "status", "completionTime")
	done, err := time.Parse(time.RFC3339, text)
	ttl, limited, _ := unstructured.NestedInt64(job.Object, "spec", "ttlSecondsAfterFinished")
	return done.Add(time.Duration(ttl) * time.Second), err == nil && limited &&
		job.GetDeletionTimestamp() == nil
}

// expire is the TTL controller.
func (c *Cluster) expire(job Object) {
	ends, is := endOf(job)
	if !is {
		return
	}
	if left := ends.Sub(c.now()); left > 0 {
		c.after(left, func() { c.later("ttl", job, func() bool { return c.faults.NoTTL }, c.expire) })
		return
	}
	c.again("ttl", job, c.call("ttl-after-finished-controller", "delete", c.placeOf(job),
		map[string]any{"propagationPolicy": "Foreground", "preconditions": map[string]any{
			"uid": string(job.GetUID())}}), c.expire)
}

// furnish puts into a namespace what every one has.
func (c *Cluster) furnish(namespace Object) {
	named := func(name string) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": name}}
	}
	// Where somebody made them already, they are there.
	_ = c.call("service-account-controller", "create", place{byName("", "serviceaccounts"),
		namespace.GetName(), "default"}, named("default"))
	_ = c.call("root-ca-cert-publisher", "create", place{byName("", "configmaps"),
		namespace.GetName(), "kube-root-ca.crt"}, named("kube-root-ca.crt"))
}

// empty is the namespace controller: it deletes all that is in a namespace, then the namespace.
func (c *Cluster) empty(namespace Object) {
	left := false
	for _, r := range resources {
		for _, o := range c.list(r) {
			if r.global || o.GetNamespace() != namespace.GetName() {
				continue
			}
			err := c.call("namespace-controller", "delete", c.placeOf(o), map[string]any{
				"propagationPolicy": "Background"})
			left = left || err != nil || c.get(c.placeOf(o)) != nil
		}
	}
	if left {
		at := c.placeOf(namespace)
		c.after(5*time.Second, func() { c.see(at, namespace, nil, c.empty) })
		return
	}
	c.commit(&request{user: userOf("system:serviceaccount:kube-system:namespace-controller"),
		verb: "delete", res: byName("", "namespaces"), name: namespace.GetName()}, nil)
}

// sweepSoon has the garbage collector look at all there is, after its pause.
func (c *Cluster) sweepSoon(tries int) {
	if c.sweeping {
		return
	}
	c.sweeping = true
	d := c.pause("gc", "")
	if tries > 0 {
		d = backoff(tries)
	}
	c.after(d, func() { c.sweep(tries) })
}

// sweep is the garbage collector.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/
func (c *Cluster) sweep(tries int) {
	if c.faults.NoGC {
		c.after(off, func() { c.sweep(tries) })
		return
	}
	c.sweeping = false
	failed := false
	for _, r := range resources {
		for _, o := range c.list(r) {
			if c.get(c.placeOf(o)) != o {
				continue // an earlier step changed it
			}
			if err := c.collect(o); err != nil && !apierrors.IsNotFound(err) {
				failed = true
			}
		}
	}
	if failed {
		c.sweepSoon(tries + 1)
	}
}

const collector = "generic-garbage-collector"

// collect sees to one object: what it waits for itself, and whether its owners are there.
func (c *Cluster) collect(o Object) error {
	if o.GetDeletionTimestamp() != nil {
		switch {
		case has(o, metav1.FinalizerOrphanDependents):
			for _, d := range c.dependents(o) {
				if err := c.disown(d, func(r metav1.OwnerReference) bool {
					return r.UID == o.GetUID()
				}); err != nil {
					return err
				}
			}
			return c.release(o, metav1.FinalizerOrphanDependents)
		case has(o, metav1.FinalizerDeleteDependents) && !slices.ContainsFunc(c.dependents(o),
			func(d Object) bool { return blocks(d, o) }):
			return c.release(o, metav1.FinalizerDeleteDependents)
		}
		return nil
	}
	var solid, waiting, absent int
	for _, r := range o.GetOwnerReferences() {
		switch owner, _ := c.byUID(r.UID); {
		case owner == nil || owner.GetNamespace() != "" && owner.GetNamespace() != o.GetNamespace():
			absent++
		case owner.GetDeletionTimestamp() != nil && has(owner, metav1.FinalizerDeleteDependents):
			waiting++
		default:
			solid++
		}
	}
	if absent+waiting == 0 {
		return nil
	}
	if solid > 0 {
		return c.disown(o, func(r metav1.OwnerReference) bool {
			owner, _ := c.byUID(r.UID)
			return owner == nil || owner.GetDeletionTimestamp() != nil
		})
	}
	policy := metav1.DeletePropagationBackground
	switch {
	case waiting > 0 && len(c.dependents(o)) > 0, has(o, metav1.FinalizerDeleteDependents):
		policy = metav1.DeletePropagationForeground
	case has(o, metav1.FinalizerOrphanDependents):
		policy = metav1.DeletePropagationOrphan
	}
	return c.call(collector, "delete", c.placeOf(o), map[string]any{
		"propagationPolicy": string(policy), "preconditions": map[string]any{
			"uid": string(o.GetUID()), "resourceVersion": o.GetResourceVersion()}})
}

// dependents are the objects that name one as their owner.
func (c *Cluster) dependents(owner Object) (all []Object) {
	for _, r := range resources {
		for _, o := range c.list(r) {
			if slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
				return r.UID == owner.GetUID()
			}) {
				all = append(all, o)
			}
		}
	}
	return all
}

func blocks(dependent, owner Object) bool {
	return slices.ContainsFunc(dependent.GetOwnerReferences(), func(r metav1.OwnerReference) bool {
		return r.UID == owner.GetUID() && r.BlockOwnerDeletion != nil && *r.BlockOwnerDeletion
	})
}

// disown takes owners off an object.
func (c *Cluster) disown(o Object, which func(metav1.OwnerReference) bool) error {
	next := o.DeepCopy()
	next.SetOwnerReferences(slices.DeleteFunc(next.GetOwnerReferences(), which))
	if len(next.GetOwnerReferences()) == 0 {
		unstructured.RemoveNestedField(next.Object, "metadata", "ownerReferences")
	}
	return c.call(collector, "update", c.placeOf(o), next)
}

// release takes a finalizer off an object.
func (c *Cluster) release(o Object, finalizer string) error {
	next := o.DeepCopy()
	next.SetFinalizers(slices.DeleteFunc(next.GetFinalizers(), func(f string) bool {
		return f == finalizer
	}))
	return c.call(collector, "update", c.placeOf(o), next)
}
