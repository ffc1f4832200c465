package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Pushed is what a check run records of who pushed the head of a pull request, as GitHub's activity
// told it then. It is read where GitHub tells it no longer, and takes approvals away, nothing else
// (R16).
type Pushed struct {
	Pull int    `json:"pull"`
	Head string `json:"head"`
	// Before is the head that this one took the place of; empty for the one that the pull request
	// was opened with.
	Before string        `json:"before,omitempty"`
	At     requests.Time `json:"at"` // of the last push of the head
	// Pushers are all who had pushed to the branch by then, the latest first.
	Pushers []policies.User `json:"pushers"`
}

// PushedBy is what is recorded of facts; false when they do not tell who pushed by activity.
func PushedBy(f policies.Facts) (Pushed, bool) {
	pr := f.PullRequest
	i := slices.IndexFunc(f.Pushes, func(p policies.Push) bool { return p.After == pr.HeadSHA })
	if i < 0 || f.PushesFrom == policies.FromCheckRuns {
		return Pushed{}, false
	}
	record := Pushed{Pull: pr.Number, Head: pr.HeadSHA, At: f.Pushes[i].Time}
	if record.At.After(pr.CreatedAt.Time) {
		record.Before = f.Pushes[i].Before
	}
	for _, p := range f.Pushes {
		if !slices.Contains(record.Pushers, p.Actor) {
			record.Pushers = append(record.Pushers, p.Actor)
		}
	}
	return record, record.Before != "" || !record.At.After(pr.CreatedAt.Time)
}

// The text of a check run that records pushes: one line of JSON for each pull request that has the
// head.
const (
	recordsBegin = "Who pushed, for when GitHub does not tell it any more:\n\n```json\n"
	recordsEnd   = "```\n"
)

// recordText is empty when there is nothing to record.
func recordText(all []Pushed) (string, error) {
	if len(all) == 0 {
		return "", nil
	}
	var text strings.Builder
	text.WriteString(recordsBegin)
	for _, p := range all {
		line, err := json.Marshal(p)
		if err != nil {
			return "", fmt.Errorf("record who pushed %s: %w", p.Head, err)
		}
		text.WriteString(requests.EscapeJSON(string(line)) + "\n")
	}
	return text.String() + recordsEnd, nil
}

// parseRecords reads what recordText writes, and not one byte else.
func parseRecords(text string) (all []Pushed, err error) {
	if text == "" {
		return nil, nil
	}
	body := strings.TrimSuffix(strings.TrimPrefix(text, recordsBegin), recordsEnd)
	for _, line := range strings.Split(strings.TrimSuffix(body, "\n"), "\n") {
		var p Pushed
		if json.Unmarshal([]byte(line), &p) != nil || p.Pull < 1 || !isName(p.Head) ||
			p.Before != "" && !isName(p.Before) || p.At.IsZero() || len(p.Pushers) == 0 {
			return nil, errRecord
		}
		all = append(all, p)
	}
	if again, err := recordText(all); err != nil || again != text {
		return nil, errRecord
	}
	return all, nil
}

var errRecord = errors.New("it is not as the Action records it")

// maxHeads bounds how many heads of one pull request are looked at.
const maxHeads = policies.MaxCommits

// recordedPushes reads who pushed each head that the pull request ever had, from the last one back
// to the one that it was opened with. A head without a record, and a force-push that none was made
// after, leave unknown who else pushed: an error.
func (c *Client) recordedPushes(ctx context.Context, p snapshot) ([]policies.Push, error) {
	var pushes []policies.Push
	made := map[string]time.Time{} // by head, when its last record was made
	for next := []string{p.HeadSHA}; len(next) > 0; next = next[1:] {
		head := next[0]
		if _, done := made[head]; done {
			continue
		}
		if len(made) == maxHeads {
			return nil, fmt.Errorf("it had more than %d heads", maxHeads)
		}
		records, last, err := c.records(ctx, p.Number, head)
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			return nil, fmt.Errorf("none on %s tells who pushed it", head)
		}
		made[head] = last
		for _, r := range records {
			for _, actor := range r.Pushers {
				pushes = append(pushes, policies.Push{Actor: actor, Before: r.Before, After: head,
					Time: r.At, Reason: "recorded"})
			}
			if r.Before != "" {
				next = append(next, r.Before)
			}
		}
	}
	events, err := c.events(ctx, p.Number)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.GetEvent() == "head_ref_force_pushed" &&
			made[e.GetCommitID()].Before(e.GetCreatedAt().Time) {
			return nil, fmt.Errorf("none tells of the force-push of %s at %s",
				requests.Quote(e.GetCommitID()), requests.At(e.GetCreatedAt().Time))
		}
	}
	return pushes, nil
}

// records are those of the Action's App on a head, for one pull request, and when the last of them
// was made. Other Apps' check runs are nobody's word.
func (c *Client) records(ctx context.Context, number int, head string) (found []Pushed,
	last time.Time, err error) {
	runs, err := c.checkRuns(ctx, head, github.ListCheckRunsOptions{AppID: &c.checkApp,
		Filter: github.String("all"), CheckName: github.String(policies.CheckName)})
	if err != nil {
		return nil, last, err
	}
	for _, run := range runs {
		if run.GetApp().GetID() != c.checkApp || run.GetName() != policies.CheckName {
			continue
		}
		records, err := parseRecords(run.GetOutput().GetText())
		if err != nil {
			return nil, last, fmt.Errorf("read what the check run %d on %s records: %w",
				run.GetID(), head, err)
		}
		for _, r := range records {
			if r.Pull != number || r.Head != head {
				continue
			}
			found = append(found, r)
			if started := run.GetStartedAt().Time; started.After(last) {
				last = started
			}
		}
	}
	return found, last, nil
}
