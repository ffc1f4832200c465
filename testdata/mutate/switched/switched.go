// Package switched is what broken code asks whether it is broken now. `make mutate` compiles every
// mutation of a package into one program, each behind a number, and turns on one at a time.
package switched

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// limit is more than there are sites.
const limit = 1 << 14

var (
	on      atomic.Int64
	reached [limit]atomic.Bool
	leads   atomic.Bool

	// place is a folder for what the process that leads and the ones that its tests start tell
	// each other. `make mutate` sets it at link time.
	place string
)

// A process that a test starts has the mutation of the one that leads.
func init() {
	if text, err := os.ReadFile(place + "/on"); err == nil {
		n, _ := strconv.Atoi(string(text))
		on.Store(int64(n))
	}
}

// On tells whether the mutation is the one that is turned on, and notes that it was asked.
func On(mutation int) bool {
	if !reached[mutation].Swap(true) && !leads.Load() {
		tell(mutation)
	}
	return on.Load() == int64(mutation)
}

// tell has the process that leads know what this one reached: its end cannot be waited for.
func tell(mutation int) {
	file, err := os.OpenFile(place+"/reached", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	fmt.Fprintln(file, mutation)
}

// Turn turns on one mutation and all others off; zero is none. Who calls it leads.
func Turn(mutation int) error {
	leads.Store(true)
	on.Store(int64(mutation))
	return os.WriteFile(place+"/on", []byte(strconv.Itoa(mutation)), 0o600)
}

// Reached are the mutations that were asked for since the last call.
func Reached() (all []int) {
	told, _ := os.ReadFile(place + "/reached")
	os.Remove(place + "/reached")
	for _, line := range strings.Fields(string(told)) {
		if n, err := strconv.Atoi(line); err == nil && n < limit {
			reached[n].Store(true)
		}
	}
	for n := range reached {
		if reached[n].Swap(false) {
			all = append(all, n)
		}
	}
	return all
}
