package main

import (
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// tell fills in what judging it told.
func (r *listed) tell(w world) {
	s, now := r.shown, w.now()
	r.State, r.Code, r.Message, r.Reason = s.stage(now), s.Code, s.Message, s.Reason
	switch {
	case r.State == policies.StageWaiting:
		r.WaitsFor = s.silent()
	case r.State == policies.StageApproved && s.byHand != "":
		r.WaitsFor = s.byHand + ", to merge it"
	case r.State == policies.StageApproved:
		r.WaitsFor = "the merge"
	}
	if s.PullRequest > 0 {
		r.PullRequest = s.PullRequest
	}
	if s.Grant == nil {
		return
	}
	r.Gives = append(r.Gives, s.Grant.Gives()...)
	r.StartsAt, r.EndsAt = s.Grant.Window.Start, s.Grant.Window.End
}

// left is how long until it begins, or ends.
func (r *listed) left(now time.Time) string {
	switch {
	case r.EndsAt.IsZero() || !now.Before(r.EndsAt.Time):
		return ""
	case now.Before(r.StartsAt.Time):
		return "starts in " + span(r.StartsAt.Sub(now))
	}
	return span(r.EndsAt.Sub(now))
}

// stateFor is the state as the one sees it who asks.
func (r *listed) stateFor() string {
	if r.WaitingForMe {
		return "needs you"
	}
	return r.State
}

func (o listOptions) write(w world, rows []*listed) error {
	out := policies.RequestList{APIVersion: requests.APIVersion, Kind: policies.KindRequestList,
		Items: []policies.ListedRequest{}}
	var names []string
	for _, r := range rows {
		out.Items = append(out.Items, r.ListedRequest)
		names = append(names, r.Name)
	}
	return o.output.print(w, printed{value: out, names: names, people: func(wide bool) error {
		switch {
		case len(rows) == 0:
			w.say("there is nothing of yours, and nothing that waits for you")
			return nil
		case wide:
			return writeTable(w.out, wideRows(rows, w.now()))
		}
		const whoAndWhat = 2
		return writeTable(w.out, narrowRows(rows, w.now()), cut{whoAndWhat, 12})
	}})
}

func wideRows(rows []*listed, now time.Time) [][]string {
	all := [][]string{{"NAME", "STATE", "WHO AND WHAT", "TIME LEFT", "PR", "GIVES", "WAITS FOR", "UNTIL",
		"URL"}}
	for _, r := range rows {
		until := ""
		if !r.EndsAt.IsZero() {
			until = moment(r.EndsAt.Time, now, now.Location())
		}
		all = append(all, []string{r.Name, r.stateFor(), r.whoAndWhat(), r.left(now),
			pullCell(r.PullRequest), strings.Join(r.Gives, "; "), r.WaitsFor, until, r.URL})
	}
	return all
}

func narrowRows(rows []*listed, now time.Time) [][]string {
	all := [][]string{{"NAME", "STATE", "WHO AND WHAT", "TIME LEFT", "PR"}}
	for _, r := range rows {
		all = append(all, []string{r.Name, r.stateFor(), r.whoAndWhat(), r.left(now),
			pullCell(r.PullRequest)})
	}
	return all
}

func (r *listed) whoAndWhat() string {
	what := r.Policy + " on " + r.Cluster
	if r.Mine {
		return what
	}
	return r.Requester + ": " + what
}
