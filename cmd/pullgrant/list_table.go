package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// tell fills in what judging it told.
func (r *listed) tell(w world) {
	s, now := r.shown, w.now()
	r.State, r.Code, r.Message, r.Reason = s.stage(now), s.Code, s.Message, s.Reason
	if r.State == policies.StageWaiting {
		r.WaitsFor = s.silent()
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
	for _, r := range rows {
		out.Items = append(out.Items, r.ListedRequest)
	}
	switch {
	case o.output.value == "json":
		return writeJSON(w.out, out)
	case o.output.value == "yaml":
		return writeYAML(w.out, out)
	case o.output.value == "name":
		var r report
		for _, row := range rows {
			r.copied("%s", row.Name)
		}
		return r.to(w.out)
	case len(rows) == 0:
		w.say("there is nothing of yours, and nothing that waits for you")
		return nil
	case o.output.value == "wide":
		return writeTable(w.out, wideRows(rows, w.now()))
	}
	return writeTable(w.out, narrowRows(rows, w.now()))
}

func wideRows(rows []*listed, now time.Time) [][]string {
	all := [][]string{{"NAME", "STATE", "WHO", "CLUSTER", "POLICY", "WHAT", "WAITS FOR", "UNTIL",
		"TIME LEFT", "URL"}}
	for _, r := range rows {
		until := ""
		if !r.EndsAt.IsZero() {
			until = moment(r.EndsAt.Time, now, now.Location())
		}
		all = append(all, []string{r.Name, r.stateFor(), r.Requester, r.Cluster, r.Policy,
			strings.Join(r.Gives, "; "), r.WaitsFor, until, r.left(now), r.URL})
	}
	return all
}

// narrowRows fit every terminal, as far as the names leave room.
func narrowRows(rows []*listed, now time.Time) [][]string {
	const gap, least = 3, 12
	const what = 2 // the column that is cut
	all := [][]string{{"NAME", "STATE", "WHO AND WHAT", "TIME LEFT", "PR"}}
	for _, r := range rows {
		text, pull := r.Policy+" on "+r.Cluster, ""
		if !r.Mine {
			text = r.Requester + ": " + text
		}
		if r.PullRequest > 0 {
			pull = fmt.Sprintf("#%d", r.PullRequest)
		}
		all = append(all, []string{r.Name, r.stateFor(), text, cmp.Or(r.left(now), "-"), pull})
	}
	room := width
	for column := range all[0] {
		widest := 0
		for _, cells := range all {
			widest = max(widest, columns(plain(cells[column])))
		}
		if column != what {
			room -= widest + gap
		}
	}
	for _, cells := range all[1:] {
		cells[what] = fitted(plain(cells[what]), max(room, least))
	}
	return all
}
