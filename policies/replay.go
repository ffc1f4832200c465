package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Past is a request that was made, as the ledger or requests/ tells of it.
type Past struct {
	Path      string // where the request stands or stood
	Spec      requests.RequestSpec
	Approvers []string // logins whose reviews counted; none: not known
	// Began is when access began, else when the request came to the branch: what an absolute end is
	// measured from.
	Began time.Time
	// Answers are GitHub's when the request was judged.
	Answers Answers
}

// Replayed is what two versions of the policies say of one past request.
type Replayed struct {
	Path      string   `json:"path"`
	Requester string   `json:"requester"`
	Before    Standing `json:"before"`
	After     Standing `json:"after"`
	Flip      Flip     `json:"flip,omitempty"`
}

// Standing is what policies say of a past request without asking GitHub.
type Standing struct {
	Decision string          `json:"decision"` // allowed or denied, or unknown where a GitHub team decides
	Code     Code            `json:"code,omitempty"`
	Message  string          `json:"message,omitempty"`
	Grant    *requests.Grant `json:"grant,omitempty"` // of an allowed one: what it would give
}

// Decisions of a Standing.
const (
	standsAllowed = "allowed"
	standsDenied  = "denied"
	standsUnknown = "unknown"
)

// Unknown tells whether only GitHub, which knows the teams, could decide.
func (s Standing) Unknown() bool { return s.Decision == standsUnknown }

// Flip is how two versions of the policies differ about a request.
type Flip string

// Flips. The empty one is none.
const (
	FlipDenied  Flip = "denied"  // was possible and is denied
	FlipAllowed Flip = "allowed" // was denied and is possible
	FlipChanged Flip = "changed" // is allowed, and gives something else
	FlipUnknown Flip = "unknown" // only GitHub, which knows the teams, can tell
)

// Replay asks two versions of the policies about each past request. It judges what the request
// says, who asks, and whether those who approved it could: of GitHub teams only what was asked then
// is known, dates and pull requests are not looked at. each spreads the work.
func Replay(before, after Tree, past []Past, each Each) []Replayed {
	all := make([]Replayed, len(past))
	each(len(past), func(n int) {
		p := past[n]
		r := Replayed{Path: p.Path, Requester: p.Spec.Requester, Before: before.standing(p),
			After: after.standing(p)}
		r.Flip = flip(r.Before, r.After, p.Began)
		all[n] = r
	})
	return all
}

func flip(before, after Standing, began time.Time) Flip {
	switch {
	case before.Decision == standsDenied && after.Decision == standsDenied:
		return ""
	case after.Decision == standsDenied:
		return FlipDenied
	case before.Decision == standsDenied:
		return FlipAllowed
	case before.Decision != after.Decision || before.Message != after.Message:
		return FlipUnknown
	case before.Grant.Subject != after.Grant.Subject ||
		before.Grant.Duration != after.Grant.Duration ||
		!began.IsZero() && before.Grant.From(began) != after.Grant.From(began) ||
		!requests.EqualItems(before.Grant.Items, after.Grant.Items):
		return FlipChanged
	}
	return ""
}

func (t Tree) standing(p Past) Standing {
	place, _ := requests.SplitPath(p.Path)
	content := encode(requests.AccessRequest{APIVersion: requests.APIVersion,
		Kind:     requests.KindAccessRequest,
		Metadata: requests.Metadata{Name: place.Name}, Spec: p.Spec})
	f := factsOf("", p.Path, NewTreeFile(PlainFile, "", content, int64(len(content))))
	f.Answers = p.Answers
	j := newJudge(t, f, p.Began)
	j.readRequest(f.Head)
	j.run(j.fileSteps()...)
	j.run(j.policySteps()...)
	if j.stopped {
		return Standing{Decision: standsDenied, Code: j.decision.Code, Message: j.decision.Message}
	}
	var unknown []string
	for _, part := range []Standing{j.mayAsk(), j.underRules(), j.mayApprove(p.Approvers)} {
		switch part.Decision {
		case standsDenied:
			return part
		case standsUnknown:
			unknown = append(unknown, part.Message)
		}
	}
	if len(unknown) > 0 {
		return Standing{Decision: standsUnknown, Message: strings.Join(unknown, "; "),
			Grant: j.decision.Grant}
	}
	return Standing{Decision: standsAllowed, Grant: j.decision.Grant}
}

// mayAsk is whether the requester is one of those who may ask.
func (j *judge) mayAsk() Standing {
	login := j.request.Spec.Requester
	people, teams := j.world.resolve(j.world.policy.Spec.askers(j.request.Spec.BreakGlass))
	in, open := j.known(login, teams)
	switch {
	case in || has(people, login):
		return Standing{Decision: standsAllowed}
	case len(open) > 0:
		return Standing{Decision: standsUnknown, Message: fmt.Sprintf("whether @%s is in %s", login,
			strings.Join(open, " or "))}
	}
	return Standing{Decision: standsDenied, Code: RequesterNotAllowed,
		Message: fmt.Sprintf("@%s may not ask under the policy %s; it is for %s", login,
			j.decision.Policy, names(j.world.policy.Spec.askers(j.request.Spec.BreakGlass)))}
}

// known is whether a login was in one of the teams when that was asked, and which of them were not
// asked about it.
func (j *judge) known(login string, teams []string) (in bool, open []string) {
	for _, team := range teams {
		member, asked := j.facts.isMember(team, login)
		in = in || member
		if !asked {
			open = append(open, team)
		}
	}
	return in, open
}

// mayApprove is whether those who approved meet the challenges of now.
func (j *judge) mayApprove(approvers []string) Standing {
	if len(approvers) == 0 {
		return Standing{Decision: standsAllowed}
	}
	approvers = once(slices.Clone(approvers))
	var unknown []string
	for _, a := range j.world.approvals(j.request.Spec.Cluster) {
		switch sure, maybe, left := j.metBy(a, approvers); {
		case sure:
		case maybe:
			if len(left) == 0 {
				unknown = append(unknown, "whether it is so: "+a.needs())
				continue
			}
			what := fmt.Sprintf("at least %d of @%s", a.Count, strings.Join(approvers, ", @"))
			unknown = append(unknown, fmt.Sprintf("whether %s is in %s", what,
				strings.Join(once(left), " or ")))
		default:
			return Standing{Decision: standsDenied, Code: InsufficientApprovals,
				Message: fmt.Sprintf("%s, and @%s approved", a.needs(),
					strings.Join(approvers, ", @"))}
		}
	}
	if len(unknown) > 0 {
		return Standing{Decision: standsUnknown, Message: strings.Join(unknown, "; ")}
	}
	return Standing{Decision: standsAllowed}
}

// metBy tells whether those who approved meet a challenge, or may do so, and in which teams it was
// not asked whether they are. Nobody outside of GitHub is asked again.
func (j *judge) metBy(a Approval, approvers []string) (met, maybe bool, left []string) {
	if a.outside != nil {
		return false, true, nil
	}
	sure, possible := 0, 0
	add := func(in, unknown bool, open []string) {
		switch {
		case in:
			sure++
		case unknown:
			possible++
			left = append(left, open...)
		}
	}
	for _, part := range a.Parts {
		add(j.metBy(part, approvers))
	}
	for _, login := range approvers {
		if len(a.Parts) == 0 {
			in, open := j.known(login, a.Teams)
			add(in || has(a.People, login), len(open) > 0, open)
		}
	}
	return sure >= a.Count, sure+possible >= a.Count, left
}
