package sync

import (
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/testdata/forge"
)

// twin has dave, who may only read, open a pull request from his fork, and returns what moves its head
// to that of a branch: merged with that one, GitHub says of both that they were.
func (s *stage) twin() (copies func(branch string)) {
	s.Helper()
	s.AddUser("dave", 104, "dave@example.com")
	s.SetPermission("dave", "read")
	_, err := s.Push(forge.Change{User: "dave", Branch: "dave:twin", Message: "Change",
		Files: map[string]string{"README.md": "x"}})
	s.Must(err)
	_, err = s.Open("dave", "dave:twin", "Change")
	s.Must(err)
	return func(branch string) {
		s.Helper()
		s.Must(s.SetBranch("dave", "dave:twin", s.Branch(branch)))
	}
}

// TestTwinTakesNoBreakGlass: an older pull request with the same head keeps nobody's from being the one
// that was merged.
func TestTwinTakesNoBreakGlass(t *testing.T) {
	s := newStage(t)
	copies := s.twin()
	agent := s.glass()
	s.Must(agent.Once(t.Context()))
	name, number := s.breakGlass("down")
	copies("breakglass-down")
	s.Must(agent.Once(t.Context()))
	s.wantPull(number, "merged")
	_ = agent.Once(t.Context())
	s.granted(name)
	s.SetClock(s.Clock().Add(patience + time.Minute))
	s.Must(agent.Once(t.Context()))
	s.granted(name)
}

// TestTwinTakesNoRequest: nor of one that was approved, however it was merged and however late GitHub
// tells of it.
func TestTwinTakesNoRequest(t *testing.T) {
	for name, manners := range map[string]forge.Manners{
		"at once": {},
		"late":    {AssociationLag: 5 * time.Minute},
		"as head": {IndirectAsHead: true},
		"later":   {AssociationLag: 5 * time.Minute, MergedLag: 7 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			copies := s.twin()
			s.SetManners(manners)
			name, path, content := s.requestFile("twin")
			number := s.open("alice", "twin", map[string]string{path: content})
			copies("twin")
			_, err := s.Review("bob", number, "APPROVE")
			s.Must(err)
			_, err = s.Merge("root", number)
			s.Must(err)
			agent := s.agent(githubOnly)
			for range 16 {
				_ = agent.Once(t.Context())
				s.pause()
			}
			s.Must(agent.Once(t.Context()))
			s.granted(name)
		})
	}
}
