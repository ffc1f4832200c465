package git

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// ErrLimit says that what was asked for is more than fits into memory beside everything else.
var ErrLimit = errors.New("more than the agent has memory for")

// usualMemory is what the limits follow from where nothing limits the process.
const usualMemory = 1 << 30

// limits bound what one answer may bring, so that a large file somewhere in the repository cannot
// take the agent down.
type limits struct {
	pack    int64 // bytes of the pack as sent
	object  int64 // bytes of one object, unpacked
	total   int64 // bytes of all objects, unpacked
	taken   int64 // bytes of those that are there already
	objects uint32
}

// limitsOf are the limits for a process with so many bytes of memory. A pack is there beside its
// objects while they are built, an object takes half a kilobyte beside its content, and the garbage
// of one fetch may still be there during the next: so all of it together may take a quarter.
func limitsOf(memory int64) limits {
	return limits{
		pack:    min(memory/16, 512<<20),
		object:  min(memory/32, 128<<20),
		total:   min(memory/8, 1<<30),
		objects: uint32(min(memory/4096, 10_000_000)),
	}
}

// beside are the limits where so many bytes of objects are there already.
func (l limits) beside(taken int64) limits {
	l.taken = taken
	return l
}

// available is the memory that this process may use, in bytes: the least of GOMEMLIMIT and of what
// the control group allows it, as version 2 and as version 1 of Linux's control groups say it.
func available() int64 {
	least := debug.SetMemoryLimit(-1)
	for _, file := range []string{"/sys/fs/cgroup/memory.max",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if n, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil &&
			bad == nil && n > 0 {
			least = min(least, n)
		}
	}
	if least > math.MaxInt64/2 { // version 1 says no limit by a number near that
		return usualMemory
	}
	return least
}

func tooMany(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrLimit)
}
