package github

import (
	"context"
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// InTeam asks whether somebody is an active member of a team now. A "no" of a team that cannot be
// read is an error.
func (c *Client) InTeam(ctx context.Context, q policies.Question) (bool, error) {
	if !teamPattern.MatchString(q.Team) {
		return false, fmt.Errorf("the team %s is not written as GitHub names teams, org/team",
			requests.Quote(q.Team))
	}
	member, err := c.readMembership(ctx, q)
	if err != nil || member {
		return member, err
	}
	return false, c.readTeam(ctx, q.Team)
}
