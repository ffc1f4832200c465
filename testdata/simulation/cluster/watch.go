package cluster

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A watch that asks for no time of its own lasts so long, and has a bookmark so often.
const (
	watchTime     = 30 * time.Minute
	bookmarkEvery = time.Minute
)

// watcher is one watch.
type watcher struct {
	c       *Cluster
	q       *request
	r       *http.Request
	matches func(Object) bool
	send    func(kind string, object any) bool
	since   uint64
}

// watch streams changes until the call is cancelled or its time is over.
func (c *Cluster) watch(w http.ResponseWriter, r *http.Request, q *request) {
	matches, err := q.filter()
	if err != nil {
		fail(w, err)
		return
	}
	encoder := json.NewEncoder(w)
	flusher, _ := w.(http.Flusher)
	v := &watcher{c: c, q: q, r: r, matches: matches}
	v.send = func(kind string, object any) bool {
		object, err := only(r, object)
		if o, is := object.(Object); is {
			object = o.Object
		}
		if err == nil {
			err = encoder.Encode(map[string]any{"type": kind, "object": object})
		}
		if flusher != nil {
			flusher.Flush()
		}
		return err == nil
	}
	c.mu.Lock()
	if c.faults.NoWatches || c.closed {
		c.mu.Unlock()
		fail(w, apierrors.NewServiceUnavailable("the watch cache is being initialised"))
		return
	}
	first, err := v.begin()
	cuts := c.cuts
	c.mu.Unlock()
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if flusher != nil {
		flusher.Flush()
	}
	for _, o := range first {
		if !v.send("ADDED", o) {
			return
		}
	}
	if q.option("sendInitialEvents") == "true" && !v.bookmark(map[string]any{
		metav1.InitialEventsAnnotationKey: "true"}) {
		return
	}
	v.follow(cuts)
}

// begin finds where a watch starts, and what it tells of first.
func (v *watcher) begin() (first []Object, err error) {
	c, q := v.c, v.q
	initial := q.option("sendInitialEvents") == "true"
	if initial && (q.option("resourceVersionMatch") !=
		string(metav1.ResourceVersionMatchNotOlderThan) || q.option("allowWatchBookmarks") != "true") {
		return nil, generic(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid,
			"sendInitialEvents needs resourceVersionMatch NotOlderThan and allowWatchBookmarks")
	}
	if from := q.option("resourceVersion"); !initial && from != "" && from != "0" {
		if v.since, err = strconv.ParseUint(from, 10, 64); err != nil {
			return nil, apierrors.NewBadRequest("Invalid value: " + strconv.Quote(from) +
				": the resource version is not a number")
		}
		return nil, nil // one that is not there yet is waited for, silently
	}
	all, version, err := c.seen(q)
	for _, o := range all {
		if v.matches(o) {
			first = append(first, o)
		}
	}
	v.since = version
	return first, err
}

// follow tells of each change, and that there was none.
func (v *watcher) follow(cuts <-chan struct{}) {
	lasts := watchTime
	if seconds, err := strconv.Atoi(v.q.option("timeoutSeconds")); err == nil && seconds > 0 {
		lasts = time.Duration(seconds) * time.Second
	}
	// One timer for the end and the bookmarks: of two that fire in one instant a select takes the one
	// that chance says, and no seed has that.
	end := time.Now().Add(lasts)
	mark := time.Now().Add(bookmarkEvery)
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		v.c.mu.Lock()
		changed, slow := v.c.changed, v.c.faults.WatchDelay
		v.c.mu.Unlock()
		if slow > 0 {
			late := time.NewTimer(slow)
			select {
			case <-late.C:
			case <-cuts:
			case <-v.r.Context().Done():
			}
			late.Stop()
		}
		select {
		case <-cuts: // whatever changed as well: a select below takes either
			return
		default:
		}
		if !v.tell() {
			return
		}
		now := time.Now()
		if !now.Before(end) {
			return
		}
		if !now.Before(mark) {
			if v.q.option("allowWatchBookmarks") == "true" && !v.bookmark(nil) {
				return
			}
			mark = mark.Add(bookmarkEvery)
		}
		next.Reset(min(end.Sub(now), mark.Sub(now)))
		select {
		case <-changed:
		case <-next.C:
		case <-cuts:
			return
		case <-v.r.Context().Done():
			return
		}
	}
}

// tell sends what changed since the last time; false ends the watch. Of a version that is forgotten
// the stream itself tells.
func (v *watcher) tell() bool {
	v.c.mu.Lock()
	changes, remembered := v.c.since(v.since)
	changes = append([]change(nil), changes...)
	floor := v.c.floor
	v.c.mu.Unlock()
	if !remembered {
		gone := tooOld(v.since, floor).Status()
		gone.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		v.send("ERROR", gone)
		return false
	}
	for _, ch := range changes {
		v.since = ch.version
		if ch.at.res != v.q.res {
			continue
		}
		was, is := ch.old != nil && v.matches(ch.old), ch.new != nil && v.matches(ch.new)
		sent := true
		switch {
		case is && was:
			sent = v.send("MODIFIED", ch.new)
		case is:
			sent = v.send("ADDED", ch.new)
		case was: // as it was last seen, with the version at which it went
			last := ch.old.DeepCopy()
			last.SetResourceVersion(strconv.FormatUint(ch.version, 10))
			sent = v.send("DELETED", last)
		}
		if !sent {
			return false
		}
	}
	return true
}

func (v *watcher) bookmark(annotations map[string]any) bool {
	metadata := map[string]any{"resourceVersion": strconv.FormatUint(v.since, 10)}
	if annotations != nil {
		metadata["annotations"] = annotations
	}
	return v.send("BOOKMARK", &unstructured.Unstructured{Object: map[string]any{"kind": v.q.res.kind,
		"apiVersion": v.q.res.apiVersion(), "metadata": metadata}})
}
