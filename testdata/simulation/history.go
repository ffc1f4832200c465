package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/testdata/simulation/cluster"
)

// history is what happened, in the order of time, as an observer saw it who sees everything.
type history []event

// event is one thing that happened; one of its fields says what.
type event struct {
	at      time.Time
	did     *deed           // people did something
	pull    int             // by which they did, which is open; 0: by none
	fact    *fact           // what people know to be so from now on
	call    *call           // an agent called Kubernetes to write
	version *version        // an object was written
	push    *push           // main moved
	heard   *heard          // a process, from a service that a challenge asks
	ran     *command        // somebody, or tried to
	tale    *tale           // a process was told of a command
	comment *comment        // an agent wrote one on a pull request
	scrape  *scrape         // a process was asked how it is
	started *life           // a process
	died    string          // a process
	fault   string          // took an occasion: its name
	log     *line           // of what an agent logs
	down    map[string]bool // a system stopped to answer, or answers again; or a fault is in force
	clock   *reading        // a clock was set
	trusted bool            // what is on main from now on, agents grant
	quiet   bool            // from now on nothing may be written
	end     bool            // that was all; main has the files that it ends with
	main    map[string]string
}

// line is one that a process logs.
type line struct{ process, text string }

// says tells whether it is of a message, and has an attribute.
func (l line) says(message, attribute string) bool {
	return strings.Contains(l.text, fmt.Sprintf("msg=%q ", message)) &&
		slices.Contains(strings.Fields(l.text), attribute)
}

// call is one of an agent that is to write.
type call struct {
	cluster, process, method, path string
	body                           []byte
	made                           time.Time // by its process; it arrived when it happened
}

// life is that of a process.
type life struct {
	program, cluster, process string
	skew                      time.Duration // its clock is ahead by it
	from, to                  time.Time     // as lives has it
}

// version is one of an object of a cluster, by whichever process wrote it; none: none of ours. The
// process called for it at the time made, which is zero of all that no process of ours wrote.
type version struct {
	cluster.Event
	cluster, process string
	made             time.Time
}

// push is a move of main, by a process of a cluster or by people.
type push struct {
	cluster       string // of the process; empty: people's
	who, old, tip string
	continues     bool // old is on the first-parent line of tip
	message       string
	changed       map[string]string // by path, A, D or M
	again         bool              // tip was main's before
	line          string            // of first parents, from tip back
	decides       map[string]root   // files that decide which this push changed, by path
}

// root is a file that decides, as it stands on main; empty content: it does not.
type root struct{ content, commit string }

// fact is something that people know, and its value; empty: as it usually is.
type fact struct{ what, is string }
