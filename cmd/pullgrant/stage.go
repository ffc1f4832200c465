package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// stage is how far a request has come, in a word for people.
type stage string

const (
	stageWaiting   stage = "waiting"   // for a review, or for time to pass
	stageApproved  stage = "approved"  // and not merged yet
	stageMerged    stage = "merged"    // and nobody says that access was given
	stageScheduled stage = "scheduled" // merged, and begins later
	stageGranted   stage = "granted"
	stageDenied    stage = "denied"
	stageEnded     stage = "ended"
	stageUnknown   stage = "unknown" // it cannot be told
)

// stage is how far the request has come by now. Only its agent's word makes it granted.
func (s shown) stage(now time.Time) stage {
	switch {
	case s.Ledger != nil && s.State != requests.StateDenied, s.State == requests.StateExpired:
		return stageEnded
	case s.Outcome == policies.Denied:
		return stageDenied
	case s.Outcome == policies.Failed || s.Grant == nil:
		return stageUnknown
	case s.Outcome == policies.Pending:
		return stageWaiting
	case !s.facts.PullRequest.Merged:
		return stageApproved
	case given(s.agentSaid):
		return stageGranted
	case now.Before(s.Grant.Window.Start.Time):
		return stageScheduled
	}
	return stageMerged
}

// news is where the request stands by now, and whom or what it waits for, in one line.
func (s shown) news(now time.Time) string {
	zone := now.Location()
	switch at := s.stage(now); at {
	case stageWaiting:
		if silent := s.silent(); silent != "" {
			return fmt.Sprintf("%s for %s", at, silent)
		}
		return fmt.Sprintf("%s: %s", at, s.Message)
	case stageApproved:
		return "approved; waits for the merge"
	case stageScheduled:
		return fmt.Sprintf("merged; access begins at %s", moment(s.Grant.Window.Start.Time, now, zone))
	case stageMerged:
		if s.agentSaid != "" {
			return "merged; its agent says: " + s.agentSaid
		}
		return fmt.Sprintf("merged; waits for the agent of %s", s.Grant.Cluster)
	case stageGranted:
		end := s.Grant.Window.End.Time
		return fmt.Sprintf("granted until %s, ends in %s", moment(end, now, zone), span(end.Sub(now)))
	}
	if s.Grant != nil {
		if text, _ := s.unusable(now); text != "" {
			return moments(text, now, zone)
		}
	}
	if s.Code != "" {
		return fmt.Sprintf("%s (%s): %s", s.Outcome, s.Code, s.Message)
	}
	return s.Message
}

// silent says who has not answered of those whose approval is missing, by challenge.
func (s shown) silent() string {
	var all []string
	for _, c := range s.AllChallenges() {
		if c.Met || c.Spare || len(c.Children) > 0 || len(c.Replies) > 0 {
			continue
		}
		text := fmt.Sprintf("%d of %s", c.Count-c.Has(), strings.Join(s.Remaining(c), ", "))
		if c.From != nil {
			text += fmt.Sprintf(" (from %s on)", c.From)
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, " and ")
}

// works are the commands with which the grant is used now; what it may do, where there is none that
// goes without more words.
func works(g requests.Grant) (all []string) {
	for _, i := range g.Items {
		of := g
		of.Items = []requests.Item{i}
		commands := of.Commands(nil)
		if i.Exec == nil {
			command := "kubectl auth can-i --list"
			if i.Namespace != "" {
				command += " -n " + i.Namespace
			}
			commands = []string{g.Using(command)}
		}
		for _, command := range commands {
			if !slices.Contains(all, command) {
				all = append(all, command)
			}
		}
	}
	return all
}
