package oncall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"github.com/pullgrant/pullgrant/policies"
)

// Of the entries that tell who is on call, pageSize come at once, the most that PagerDuty gives, and
// maxPages are read: of one person there are few.
const (
	pageSize = 100
	maxPages = 10
)

// onCallAtPagerDuty tells whether the receiver is on call: by a schedule, whatever escalation policy
// uses it, or on the first level of an escalation policy. Whoever is told only when others do not
// answer is not.
// https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls
func (s Service) onCallAtPagerDuty(ctx context.Context, http caller, a policies.Asking,
	now time.Time) (bool, error) {
	if s.Token == "" {
		return false, errors.New("no token of PagerDuty is set up here")
	}
	client := pagerduty.NewClient(s.Token, pagerduty.WithAPIEndpoint(s.URL))
	client.HTTPClient = http
	user := a.Receiver.OnCall.PagerDuty
	options := pagerduty.ListOnCallOptions{Limit: pageSize, UserIDs: []string{user}}
	if schedule := a.Challenge.PagerDutySchedule; schedule != "" {
		options.ScheduleIDs = []string{schedule}
	} else {
		options.EscalationPolicyIDs = []string{a.Challenge.PagerDutyPolicy}
	}
	for range maxPages {
		page, err := client.ListOnCallsWithContext(ctx, options)
		if err != nil {
			return false, fmt.Errorf("ask PagerDuty: %w", err)
		}
		if page.OnCalls == nil { // which is no empty list, and No is for good after the merge
			return false, errors.New("ask PagerDuty: its answer has no entries in it, nor a list of none")
		}
		for _, entry := range page.OnCalls {
			if !about(entry, a.Challenge, user) {
				return false, errors.New("ask PagerDuty: it answers about others than it was asked about")
			}
			holds, err := within(entry, now)
			if err != nil {
				return false, fmt.Errorf("ask PagerDuty: %w", err)
			}
			if holds && (a.Challenge.PagerDutySchedule != "" || entry.EscalationLevel == 1) {
				return true, nil
			}
		}
		if !page.More {
			return false, nil
		}
		options.Offset += pageSize
	}
	return false, fmt.Errorf("ask PagerDuty: it has more than %d pages of entries", maxPages)
}

// about tells whether an entry is about what was asked.
func about(entry pagerduty.OnCall, c policies.Challenge, user string) bool {
	return entry.User.ID == user && (c.PagerDutySchedule == "" || entry.Schedule.ID == c.PagerDutySchedule) &&
		(c.PagerDutyPolicy == "" || entry.EscalationPolicy.ID == c.PagerDutyPolicy)
}

// within tells whether an entry holds at a moment. Who is always on call has no times in it.
func within(entry pagerduty.OnCall, now time.Time) (bool, error) {
	for text, before := range map[string]bool{entry.Start: true, entry.End: false} {
		if text == "" {
			continue
		}
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return false, errors.New("it has a time that is none")
		}
		if before == now.Before(moment) {
			return false, nil
		}
	}
	return true, nil
}
