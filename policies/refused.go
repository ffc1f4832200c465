package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// opinionsAt are those that stood at a moment.
func opinionsAt(f Facts, at time.Time) []opinion {
	f.Reviews = slices.DeleteFunc(slices.Clone(f.Reviews), func(r Review) bool {
		return r.SubmittedAt.After(at)
	})
	return opinions(f)
}

// closing is an opinion with which a pull request was closed.
type closing struct {
	opinion
	at requests.Time
}

// against are the opinions against a pull request that stood when it was closed, the first time first.
func against(f Facts) (all []closing) {
	for _, at := range f.Closed {
		for _, o := range opinionsAt(f, at.Time) {
			if o.blocks {
				all = append(all, closing{o, at})
			}
		}
	}
	return all
}

// refusedBy finds who refused a request for ever: they could have approved it, asked for changes
// instead, and that stood when it was closed (R73). Opening it again is no new request.
func (j *judge) refusedBy() (closing, bool) {
	for _, r := range against(j.facts) {
		if j.couldApprove(r.user) {
			return r, true
		}
	}
	return closing{}, false
}

// couldApprove tells whether an approval by somebody could count for one of the challenges.
func (j *judge) couldApprove(u User) bool {
	user := j.facts.Users[strings.ToLower(u.Login)]
	identity, known := j.world.identities.pinned(u)
	return u.ID != 0 && j.canWrite(u) && (user.Member || !j.facts.Repository.Organization) &&
		(!known || identity.is(u)) && j.isSelf(u) == "" && j.contributed(u) == "" &&
		slices.ContainsFunc(j.conditions(), func(c condition) bool {
			return j.world.isParty(j.facts, j.world.who(c), u.Login)
		})
}

// refused is the step that refuses what was refused before.
func (j *judge) refused() string {
	r, ok := j.refusedBy()
	if !ok {
		return ""
	}
	return fmt.Sprintf("@%s requested changes, and it was closed with that at %s, which refuses it for "+
		"ever; ask again under another name", r.user.Login, r.at)
}

// RefusedBy tells who refused the request of f, which is closed and was never merged, for ever, and
// with which review. Only its requester's own pull request can be refused so, whose name it is; where
// anything is in doubt nobody did.
func RefusedBy(f Facts, now time.Time) (by requests.Refuser, path string, ok bool) {
	j := newJudge(f.Base, f, now)
	if j.decision.Kind != KindRequest || f.PullRequest.Merged || f.PullRequest.State != "closed" ||
		len(f.UsedNames) > 0 || j.complete() != "" {
		return by, "", false
	}
	j.readRequest(f.Head)
	j.run(j.fileSteps()...)
	if j.stopped || j.isRequester() != "" || !j.policyExists || len(j.policyFindings)+
		len(j.ownerFindings) > 0 {
		return by, "", false
	}
	j.run(j.policySteps()...) // which find the subject, whatever else they say
	r, ok := j.refusedBy()
	return requests.Refuser{Login: r.user.Login, ID: r.user.ID, ReviewID: r.review.ID,
		Time: r.review.SubmittedAt}, j.decision.Path, ok
}
