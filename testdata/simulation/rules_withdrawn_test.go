package simulation

import (
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// openly has somebody take the request back by an open pull request a time before its end.
func (s *scenario) openly(what string, before time.Duration) {
	s.put(event{at: s.a.end.Add(-before), did: &deed{what, s.a.request}, pull: 900})
	s.again()
}

// withdrawn has it be over and in the ledger soon after that, and the pull request be told a time after that;
// zero: never.
func (s *scenario) withdrawn(told time.Duration) {
	at := s.a.end.Add(-10 * time.Minute)
	s.openly(offersBack, 10*time.Minute)
	s.move(s.unbound, at.Add(5*time.Second))
	s.put(event{at: at.Add(10 * time.Second), push: &push{cluster: clusterName, who: "agent", continues: true,
		changed: map[string]string{s.a.path: "D", s.a.entryOf(): "A"}}})
	s.entered(s.a.name, "cause: Expired", "cause: "+requests.CauseRelinquished)
	if told > 0 {
		s.put(event{at: at.Add(10*time.Second + told), comment: &comment{cluster: clusterName, pull: 900,
			text: "### " + saysWithdrawn + requests.CauseRelinquished + "\n"}})
	}
}

// withdrawnMutants are those of what people take back by open pull requests.
var withdrawnMutants = map[string]mutant{
	"given back in the open, and there long after": {"G2 withdrawn", func(s *scenario) {
		s.openly(offersBack, takenBound+time.Second)
	}},
	"ended in the open by its approver, and there long after": {"G2 withdrawn", func(s *scenario) {
		s.openly(endsOpenly, takenBound+time.Second)
	}},
	"given back in the open, and bound long after": {"G2 withdrawn", func(s *scenario) {
		s.put(event{at: s.a.merged, did: &deed{offersBack, s.a.request}, pull: 900})
	}},
	"given back in the open, and nobody is told": {"G2 withdrawn", func(s *scenario) { s.withdrawn(0) }},
	"given back in the open, and told long after": {"G2 withdrawn", func(s *scenario) {
		s.withdrawn(takenBound + time.Second)
	}},
	"given back in vain, and said to be given back": {"ledger true", func(s *scenario) {
		s.openly(endsInVain, 10*time.Minute)
		s.move(s.unbound, s.a.end.Add(-19*time.Minute))
		s.entered(s.a.name, "cause: Expired", "cause: "+requests.CauseRelinquished)
	}},
}

// withdrawnWaived: nothing is wrong with what ends in time, nor with what nobody can know.
var withdrawnWaived = map[string]mutant{
	"told just in time":       {"G2 withdrawn", func(s *scenario) { s.withdrawn(takenBound) }},
	"given back near the end": {"G2 withdrawn", func(s *scenario) { s.openly(offersBack, takenBound) }},
	"ended by a reader":       {"G2 withdrawn", func(s *scenario) { s.openly(endsInVain, 10*time.Minute) }},
	"main lost something then": {"G2 withdrawn", func(s *scenario) {
		s.openly(offersBack, 10*time.Minute)
		s.put(event{at: s.a.end.Add(-7 * time.Minute), push: &push{who: "people"}})
	}},
	"nobody knows who asked": {"G2 withdrawn", func(s *scenario) {
		s.openly(offersBack, 10*time.Minute)
		s.put(event{at: s.a.end.Add(-11 * time.Minute), push: &push{who: "people", continues: true,
			decides: map[string]root{identitiesFile: {}}}})
	}},
	"nobody knows who asked since soon after": {"G2 withdrawn", func(s *scenario) {
		s.openly(offersBack, 10*time.Minute)
		s.put(event{at: s.a.end.Add(-7 * time.Minute), push: &push{who: "people", continues: true,
			decides: map[string]root{identitiesFile: {}}}})
	}},
	"GitHub answered nobody": {"G2 withdrawn", func(s *scenario) {
		s.openly(offersBack, 10*time.Minute)
		s.inForce(github, s.a.end.Add(-10*time.Minute), s.a.end.Add(-2*time.Minute))
	}},
}
