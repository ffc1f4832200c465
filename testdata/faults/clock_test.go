package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// skew is how far a clock is off in these tests.
const skew = 10 * time.Minute

// TestClockSkew has the clock of the API server, and that of GitHub, be ahead of the agent's and
// then behind it. Nothing is granted meanwhile. What is live ends by the later clock: at once when
// the other one is ahead, on time when it is behind.
func TestClockSkew(t *testing.T) {
	t.Parallel()
	for _, whose := range []string{"the API server", "GitHub"} {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "github", nil)
			r := s.startReplica()
			l := r.api
			if whose == "GitHub" {
				l = r.hub
			}
			set := func(by time.Duration) { l.ahead.Store(int64(by)) }
			early := s.ask("early", window)
			s.granted(early)
			set(skew)
			ahead := s.ask("ahead", window)
			s.gone(early)
			s.until("the agent says so",
				s.said(`"event":"stop","cluster":"prod-eu","code":"ClockSkew"`))
			s.until("the other one waits for it", s.said("20261122-alice-ahead.yaml waits: the "+
				"clock of this machine"))
			s.ungranted(ahead)
			set(0)
			s.granted(ahead)
			s.withdraw(ahead)

			live := s.live("live", 12*time.Second)
			s.log.reset()
			set(-skew)
			behind := s.ask("behind", window)
			s.until("the agent says so",
				s.said(`"event":"stop","cluster":"prod-eu","code":"ClockSkew"`))
			s.gone(live)
			s.ungranted(behind)
			set(0)
			s.granted(behind)
			s.withdraw(behind)
			for _, a := range []asked{early, ahead, live, behind} {
				s.until(a.name+" is in the ledger", func() bool { return s.entered(a) })
			}
			s.finish(r, byAgent, ahead, live, behind)
			s.caused(early, requests.CauseExpired)
			s.caused(live, requests.CauseExpired)
			s.row("Clock of "+whose+" off", "Date ten minutes ahead, then ten minutes behind",
				fmt.Sprintf("nothing granted meanwhile; ahead ended a grant of five minutes at "+
					"once, behind ended one %s after its end", s.late(live)))
		})
	}
}
