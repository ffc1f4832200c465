package action

import (
	"context"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
)

// sources are those whom a judgement rests on: GitHub, and whom challenges ask beside it.
type sources struct {
	*github.Client
	answerers inquire.Answerers
}

// Facts are those that GitHub tells, with what the others reply. What only the cluster knows is left
// to the agent.
func (s sources) Facts(ctx context.Context, number int, now time.Time) (policies.Facts, error) {
	facts, err := s.Client.Facts(ctx, number, now)
	if err == nil {
		s.answerers.Fill(ctx, &facts, func() time.Time { return now })
	}
	return facts, err
}
