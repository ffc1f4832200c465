package oncall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/pullgrant/pullgrant/policies"
)

// participant is one who is on call by an Opsgenie schedule: a user, or a team or escalation with
// those in it.
type participant struct {
	ID     string        `json:"id"`
	Type   string        `json:"type"`
	Within []participant `json:"onCallParticipants"`
	// minutes until an escalation tells them; 0: at once
	Later int `json:"escalationTime"`
}

// onCallAtOpsgenie tells whether the receiver is on call by a schedule, themselves or in a team or an
// escalation of it that tells them at once.
// https://docs.opsgenie.com/docs/who-is-on-call-api
func (s Service) onCallAtOpsgenie(ctx context.Context, c caller, a policies.Asking) (bool, error) {
	if s.Token == "" {
		return false, errors.New("no key of Opsgenie is set up here")
	}
	schedule := a.Challenge.OpsgenieSchedule
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v2/schedules/"+
		url.PathEscape(schedule)+"/on-calls?scheduleIdentifierType=id&flat=false", nil)
	if err != nil {
		return false, fmt.Errorf("ask Opsgenie: %w", err)
	}
	r.Header.Set("Authorization", "GenieKey "+s.Token)
	response, err := c.Do(r)
	if err != nil {
		return false, fmt.Errorf("ask Opsgenie: %w", err)
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Of struct {
				ID      string `json:"id"`
				Enabled *bool  `json:"enabled"`
			} `json:"_parent"`
			participant
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return false, fmt.Errorf("ask Opsgenie: read its answer: %w", err)
	}
	if answer.Data.Of.ID != schedule {
		return false, errors.New("ask Opsgenie: it answers about another schedule than it was asked about")
	}
	if answer.Data.Of.Enabled == nil { // No is for good after the merge
		return false, errors.New("ask Opsgenie: it does not say whether the schedule is enabled")
	}
	return *answer.Data.Of.Enabled && answer.Data.has(a.Receiver.OnCall.Opsgenie), nil
}

// has tells whether a user is among those within.
func (p participant) has(user string) bool {
	for _, one := range p.Within {
		if one.Later == 0 && (one.Type == "user" && one.ID == user || one.has(user)) {
			return true
		}
	}
	return false
}
