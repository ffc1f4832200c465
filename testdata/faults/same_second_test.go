package faults

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// TestTwoHundredInTheSameSecond: all end, and the ledger has them all in a few commits.
func TestTwoHundredInTheSameSecond(t *testing.T) {
	t.Parallel()
	s := newStage(t, "branch", nil)
	r := s.startReplica()
	all := s.askAll(time.Minute, slugs(200)...)
	asked := s.forge.Branch("main")
	s.wait(time.Until(all[0].end))
	s.finish(r, byAgent, all...)
	granted := 0
	for _, a := range all {
		granted += len(s.bindings.of(a.name))
	}
	if granted == 0 {
		t.Error("nothing was ever granted: the machine is too slow for what is to be tested")
	}
	commits := len(strings.Fields(s.git("rev-list", asked+"..main", "--", requests.RevocationsFolder)))
	if commits > len(all)/10 {
		t.Errorf("%d requests were entered in %d commits", len(all), commits)
	}
	s.row("Many grants end at once", fmt.Sprintf("%d grants that end in the same second", granted),
		fmt.Sprintf("all ended, the last %s after its end; the ledger has them all in %d commits",
			s.latest(all), commits))
}
