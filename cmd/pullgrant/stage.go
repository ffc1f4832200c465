package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// stage is how far the request has come by now. Only its agent's word makes it granted.
func (s shown) stage(now time.Time) string {
	switch {
	case s.Ledger != nil && s.State != requests.StateDenied, s.State == requests.StateExpired:
		return policies.StageEnded
	case s.Outcome == policies.Denied:
		return policies.StageDenied
	case s.Outcome == policies.Failed || s.Grant == nil:
		return policies.StageUnknown
	case s.Outcome == policies.Pending:
		return policies.StageWaiting
	case !s.facts.PullRequest.Merged:
		return policies.StageApproved
	case given(s.agentSaid):
		return policies.StageGranted
	case now.Before(s.Grant.Window.Start.Time):
		return policies.StageScheduled
	}
	return policies.StageMerged
}

// news is where the request stands by now, and whom or what it waits for, in one line.
func (s shown) news(now time.Time) string {
	zone := now.Location()
	switch at := s.stage(now); at {
	case policies.StageWaiting:
		if silent := s.silent(); silent != "" {
			return fmt.Sprintf("%s for %s", at, silent)
		}
		return fmt.Sprintf("%s: %s", at, s.Message)
	case policies.StageApproved:
		if s.byHand != "" {
			return "approved; " + s.mergedByHand()
		}
		return "approved; waits for the merge"
	case policies.StageScheduled:
		return fmt.Sprintf("merged; access begins at %s", moment(s.Grant.Window.Start.Time, now, zone))
	case policies.StageMerged:
		if s.agentSaid != "" {
			return "merged; its agent says: " + s.agentSaid
		}
		return fmt.Sprintf("merged; waits for the agent of %s", s.Grant.Cluster)
	case policies.StageGranted:
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
		if c.Waits() {
			text = "its time"
		}
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
