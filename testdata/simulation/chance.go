package simulation

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand"
	"time"
)

// chance is a seed. What it decides depends on the seed and on the name of what is decided, never
// on who asks first: scheduling has no say.
type chance uint64

func (c chance) number(what string) uint64 {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(c)), what...))
	return binary.LittleEndian.Uint64(sum[:])
}

// below is a number from 0 on and less than n.
func (c chance) below(n int, what string) int { return int(c.number(what) % uint64(n)) }

// span is a duration from one on, less than another.
func (c chance) span(from, to time.Duration, what string) time.Duration {
	return from + time.Duration(c.number(what)%uint64(to-from))
}

// drawn decides what client-go draws next, of which all of a process have one source and no other to
// hand in: its pauses follow from what it was told before, whoever else drew meanwhile.
func (c chance) drawn(what string) {
	//lint:ignore SA1019 it draws from this one
	rand.Seed(int64(c.number("drawn " + what)))
}
