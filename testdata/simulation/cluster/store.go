package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Object is one version of an object. What is stored, and told to observers, is never changed.
type Object = *unstructured.Unstructured

// place is where an object stands.
type place struct {
	res             *resource
	namespace, name string
}

// compare orders places by namespace, then by name.
func (p place) compare(other place) int {
	a, b := p.namespace+"\x00"+p.name, other.namespace+"\x00"+other.name
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// change is one version of one object: old is nil of the first, new is nil of what was deleted.
type change struct {
	version  uint64
	at       place
	old, new Object
}

// remembered is how many changes a watch can resume over, and how far back a list can be.
const remembered = 2000

// store is etcd: all objects, the version of the last change, and the last changes.
type store struct {
	version uint64
	floor   uint64 // the version after which every change is in log
	objects map[*resource]map[place]Object
	log     []change
	uids    uint64 // not set back with the rest: no UID is ever given twice
	number  int    // of the cluster, in its UIDs
	changed chan struct{}
}

func newStore() store {
	return store{version: 1, floor: 1, objects: map[*resource]map[place]Object{},
		changed: make(chan struct{})}
}

func (s *store) get(at place) Object { return s.objects[at.res][at] }

// list is all of a resource, in order.
func (s *store) list(r *resource) []Object {
	return inOrder(s.objects[r])
}

func inOrder(all map[place]Object) (list []Object) {
	for _, at := range slices.SortedFunc(maps.Keys(all), place.compare) {
		list = append(list, all[at])
	}
	return list
}

// at is all of a resource as it was at a version; false where that is not remembered any more.
func (s *store) at(r *resource, version uint64) ([]Object, bool) {
	if version < s.floor {
		return nil, false
	}
	if version == s.version {
		return s.list(r), true
	}
	all := maps.Clone(s.objects[r])
	for i := len(s.log) - 1; i >= 0 && s.log[i].version > version; i-- {
		switch c := s.log[i]; {
		case c.at.res != r:
		case c.old == nil:
			delete(all, c.at)
		default:
			all[c.at] = c.old
		}
	}
	return inOrder(all), true
}

// since are the changes after a version; false where not all of them are remembered.
func (s *store) since(version uint64) ([]change, bool) {
	if version < s.floor {
		return nil, false
	}
	first, _ := slices.BinarySearchFunc(s.log, version+1, func(c change, v uint64) int {
		return int(int64(c.version) - int64(v)) //nolint:gosec
	})
	return s.log[first:], true
}

// put stores the next version of an object, or removes it where next is nil. The object that is
// stored is a copy; it is returned.
func (s *store) put(at place, next Object) change {
	s.version++
	c := change{version: s.version, at: at, old: s.get(at)}
	if next == nil {
		delete(s.objects[at.res], at)
	} else {
		c.new = next.DeepCopy()
		c.new.SetResourceVersion(strconv.FormatUint(s.version, 10))
		if s.objects[at.res] == nil {
			s.objects[at.res] = map[place]Object{}
		}
		s.objects[at.res][at] = c.new
	}
	s.log = append(s.log, c)
	if len(s.log) > 2*remembered {
		s.forget(remembered)
	}
	s.tell()
	return c
}

// forget keeps only so many of the last changes.
func (s *store) forget(keep int) {
	if first := len(s.log) - keep; first > 0 {
		s.floor = s.log[first-1].version
		s.log = slices.Clone(s.log[first:])
	}
}

// tell wakes all who wait for changes.
func (s *store) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *store) newUID() types.UID {
	s.uids++
	return types.UID(fmt.Sprintf("00000000-0000-4000-%04d-%012d", 8000+s.number, s.uids))
}

// byUID finds the object of an UID; nil where there is none.
func (s *store) byUID(uid types.UID) (Object, *resource) {
	for _, r := range resources {
		for _, o := range s.objects[r] {
			if o.GetUID() == uid {
				return o, r
			}
		}
	}
	return nil, nil
}

// Backup is what etcd held at a moment.
type Backup struct {
	version uint64
	objects map[*resource]map[place]Object
}

// Backup keeps what the cluster holds now, for Restore.
func (c *Cluster) Backup() *Backup {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := &Backup{version: c.version, objects: map[*resource]map[place]Object{}}
	for r, all := range c.objects {
		b.objects[r] = maps.Clone(all)
	}
	return b
}

// Restore sets etcd back: objects and versions are those of the backup, and versions that clients
// have seen are given again, to other changes. Watches end. Observers are told of each object that
// is another now, by the verb restore.
func (c *Cluster) Restore(b *Backup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.objects
	c.objects = map[*resource]map[place]Object{}
	for r, all := range b.objects {
		c.objects[r] = maps.Clone(all)
	}
	c.version, c.floor, c.log = b.version, b.version, nil
	clear(c.rules) // a version may come again with other content
	clear(c.held)
	clear(c.judges)
	c.cut()
	for _, r := range resources {
		both := maps.Clone(before[r])
		if both == nil {
			both = map[place]Object{}
		}
		maps.Copy(both, c.objects[r])
		for _, at := range slices.SortedFunc(maps.Keys(both), place.compare) {
			if old, now := before[r][at], c.get(at); old != now {
				ch := change{version: c.version, at: at, old: old, new: now}
				c.observe("restore", "etcd", ch)
				c.control(ch)
			}
		}
	}
}

// stamp is a moment as metadata has it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
