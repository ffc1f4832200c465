package execaudit

import (
	"crypto/sha256"
	"fmt"
)

// seen remembers the last uses, to know again what is told twice: by another stage of the same call,
// by an API server that had no answer, or by somebody who repeats what they heard.
type seen struct {
	of   map[digest]bool
	ring []digest // in which the oldest gives way
	next int
}

type digest [sha256.Size]byte

// digestOf goes by all that tells calls apart. The audit ID alone would let whoever chose it hide one
// call by another; the time is that of the call, to the microsecond, and the same at each stage.
func digestOf(e Event) digest {
	return sha256.Sum256(fmt.Appendf(nil, "%q %d %q %q %q %q %q", e.AuditID, e.At.UnixMicro(),
		e.User, e.As, e.Namespace, e.Verb, e.Name))
}

func (s *seen) has(e Event) bool { return s.of[digestOf(e)] }

func (s *seen) add(e Event) {
	d := digestOf(e)
	if s.of == nil {
		s.of, s.ring = map[digest]bool{}, make([]digest, maxSeen)
	}
	delete(s.of, s.ring[s.next])
	s.of[d], s.ring[s.next] = true, d
	s.next = (s.next + 1) % maxSeen
}

// forget has an event be taken once more.
func (s *seen) forget(e Event) { delete(s.of, digestOf(e)) }
