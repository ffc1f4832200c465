package github

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
)

// Offered names the policies of tree under which login may ask: who is named, in a group of
// groups.yaml or in one of the policy's GitHub teams. A team whose members the token may not read
// offers nothing; notes tell of it. Policies with findings are left out.
func (c *Client) Offered(ctx context.Context, tree policies.Tree, login string) (names,
	notes []string, err error) {
	in := map[string]bool{} // by team
	for _, name := range tree.PolicyNames() {
		policy, _, broken := tree.Policy(name)
		if len(broken) > 0 {
			continue
		}
		people, teams := tree.Askers(policy)
		may := slices.ContainsFunc(people, func(p string) bool { return strings.EqualFold(p, login) })
		for _, team := range teams {
			if may {
				break
			}
			q := policies.AboutMember(team, login)
			member, asked := in[q.Team]
			if !asked {
				if member, err = c.InTeam(ctx, q); ctx.Err() != nil {
					return nil, notes, ctx.Err()
				}
				if in[q.Team] = member; err != nil {
					notes = append(notes, fmt.Sprintf("whether you are in %s is not known: %v", q.Team,
						err))
				}
			}
			may = may || member
		}
		if may {
			names = append(names, name)
		}
	}
	return names, notes, nil
}
