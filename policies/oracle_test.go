package policies_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
)

// oracle says anew, from the rules as docs/rules.md has them and from nothing of the code, which
// approvals count and whether the challenges are met: it looks at each moment of the pull request.
type oracle struct {
	facts  policies.Facts
	at     time.Time // the merge, else now
	asked  time.Time // since when people can be asked
	under  version   // the files that it judges by
	stood  []stood   // how they stood, the oldest first
	maxAge time.Duration
	said   map[string]policies.Verdict // by webhooks
	hoped  bool                        // those that say nothing are taken to have said yes
}

// version is what of the files that decide matters here.
type version struct {
	challenges []policies.Challenge
	owners     []string            // of the request's path: login and org/team
	groups     map[string][]string // of groups.yaml
	people     []person            // of identities.yaml, the requester first
}

type person struct {
	login    string
	id       int64
	username string
}

func (p person) mayBe(u policies.User) bool {
	return p.id == u.ID || strings.EqualFold(p.login, u.Login)
}

type stood struct {
	version
	since  time.Time
	merged bool
}

// allows is the verdict.
func (o oracle) allows() bool {
	return !o.blocked() && !slices.ContainsFunc(o.under.challenges, func(c policies.Challenge) bool {
		return !o.met(c, time.Time{}, o.at)
	})
}

// then tells whether something was so by the merge.
func (o oracle) then(at time.Time) bool {
	return o.facts.PullRequest.MergedAt == nil || !at.After(o.facts.PullRequest.MergedAt.Time)
}

// opinion is the last word of an account, and which (R6 to R8, R10).
func (o oracle) opinion(of int64) (last policies.Review, is string) {
	for _, r := range o.facts.Reviews {
		state := strings.ToLower(r.State)
		if r.User.ID != of || !o.then(r.SubmittedAt.Time) ||
			!slices.Contains([]string{"approved", "changes_requested", "dismissed"}, state) {
			continue
		}
		if cmp.Or(last.SubmittedAt.Compare(r.SubmittedAt.Time), cmp.Compare(last.ID, r.ID)) < 0 {
			last, is = r, state
		}
	}
	return last, is
}

func isHuman(u policies.User) bool {
	return u.ID != 0 && u.Type == "User" && !strings.HasSuffix(u.Login, "[bot]") && u.Login != "Copilot"
}

func (o oracle) mayWrite(u policies.User) bool {
	may := o.facts.Users[strings.ToLower(u.Login)].Permission
	return may == "write" || may == "admin"
}

// counts tells whether an approval may meet anything (R11, R13 to R22, R24, R40, R56).
func (o oracle) counts(r policies.Review) bool {
	f, u := o.facts, r.User
	for _, t := range f.BaseChanges {
		if !r.SubmittedAt.After(t.Time) {
			return false
		}
	}
	for _, c := range f.Changes {
		if c.MergedAt != nil && !r.SubmittedAt.After(c.MergedAt.Time) {
			return false
		}
	}
	for _, p := range o.under.people {
		same := p.id == u.ID && strings.EqualFold(p.login, u.Login)
		if p.mayBe(u) && (!same || p.username == o.under.gives()) {
			return false
		}
	}
	return isHuman(u) && u.ID != f.PullRequest.Author.ID && o.mayWrite(u) &&
		(f.Users[strings.ToLower(u.Login)].Member || !f.Repository.Organization) &&
		r.CommitID == f.PullRequest.HeadSHA && o.at.Sub(r.SubmittedAt.Time) <= o.maxAge &&
		!o.touched(u) && o.sawAll(r.SubmittedAt.Time)
}

// touched tells whether somebody wrote, committed or pushed any of it (R15, R16).
func (o oracle) touched(u policies.User) bool {
	for _, c := range o.facts.Commits {
		if c.Author.ID == u.ID || c.Committer.ID == u.ID {
			return true
		}
		for _, address := range c.CoAuthors {
			name, ofGitHub := strings.CutSuffix(address, "@users.noreply.github.com")
			id, login, both := strings.Cut(name, "+")
			if ofGitHub && (both && id == fmt.Sprint(u.ID) || strings.EqualFold(cmp.Or(login, name), u.Login)) ||
				c.CoAuthorUsers[address].ID == u.ID {
				return true
			}
		}
	}
	return slices.ContainsFunc(o.facts.Pushes, func(p policies.Push) bool {
		return p.Actor.ID == u.ID && p.Reason != "branch_deletion" && o.then(p.Time.Time)
	})
}

// sawAll tells whether what an approver saw at a moment stayed so (R56).
func (o oracle) sawAll(at time.Time) bool {
	seen := o.stood[0]
	for _, s := range o.stood {
		switch {
		case s.since.Before(at):
			seen = s
		case s.gives() != seen.gives(), !s.merged && s.asks(s.challenges) != seen.asks(seen.challenges):
			return false
		}
	}
	return true
}

// gives is who receives the access, asks whom challenges ask, both to be compared.
func (v version) gives() string { return v.people[0].username }

func (v version) asks(all []policies.Challenge) (text string) {
	for _, c := range all {
		var names []string
		for _, name := range v.named(c) {
			for _, p := range v.people {
				if p.login == name {
					name += fmt.Sprint(p.id)
				}
			}
			names = append(names, name)
		}
		slices.Sort(names)
		text += fmt.Sprint("(", c.Kind, c.Count, c.After, c.InOrder, slices.Compact(names), v.asks(c.Challenges), ")")
	}
	return text
}

// named are the logins and teams that a challenge itself asks.
func (v version) named(c policies.Challenge) (all []string) {
	if c.Kind == policies.CodeOwnerReview {
		return v.owners
	}
	for _, p := range c.Reviewers {
		if members, is := v.groups[p.Name]; is {
			all = append(all, members...)
			continue
		}
		all = append(all, p.Name)
	}
	return all
}

func (o oracle) asks(c policies.Challenge, login string) bool {
	return slices.ContainsFunc(o.under.named(c), func(name string) bool {
		return strings.EqualFold(name, login) ||
			strings.Contains(name, "/") && o.facts.Answers[policies.AboutMember(name, login)]
	})
}

// met tells whether a challenge is met at a moment by what was approved after another one (R23, R58
// to R60, R85).
func (o oracle) met(c policies.Challenge, after, at time.Time) bool {
	if c.After > 0 && at.Before(o.asked.Add(time.Duration(c.After))) {
		return false
	}
	n := 0
	switch {
	case c.Kind == policies.Webhook:
		return o.said[c.URL] == policies.Yes || o.hoped && o.said[c.URL] == policies.Unknown
	case c.InOrder:
		for _, part := range c.Challenges {
			if !o.met(part, after, at) {
				return false
			}
			if first := o.first(part, after, at); first.After(after) {
				after = first
			}
		}
		return true
	case len(c.Challenges) > 0:
		for _, part := range c.Challenges {
			if o.met(part, after, at) {
				n++
			}
		}
		return n >= c.Count && (c.Kind != policies.AllOf || n == len(c.Challenges))
	}
	for _, u := range everybody {
		last, is := o.opinion(u.ID)
		if said := last.SubmittedAt; is == "approved" && said.After(after) && !said.After(at) &&
			o.asks(c, u.Login) && o.counts(last) {
			n++
		}
	}
	return n >= c.Count
}

// first is the first moment at which a challenge is met, of those at which something happens.
func (o oracle) first(c policies.Challenge, after, at time.Time) time.Time {
	for t := o.facts.PullRequest.CreatedAt.Time; t.Before(at); t = t.Add(5 * time.Minute) {
		if o.met(c, after, t) {
			return t
		}
	}
	return at
}

// blocked tells whether somebody's request for changes holds it up (R9).
func (o oracle) blocked() bool {
	return slices.ContainsFunc(o.facts.Reviews, func(r policies.Review) bool {
		if r.User.ID == 0 {
			return strings.EqualFold(r.State, "CHANGES_REQUESTED") && o.then(r.SubmittedAt.Time)
		}
		_, is := o.opinion(r.User.ID)
		known := slices.ContainsFunc(o.under.people, func(p person) bool { return p.mayBe(r.User) })
		return is == "changes_requested" && isHuman(r.User) &&
			(known || o.mayWrite(r.User) || o.isAsked(o.under.challenges, r.User.Login))
	})
}

func (o oracle) isAsked(all []policies.Challenge, login string) bool {
	return slices.ContainsFunc(all, func(c policies.Challenge) bool {
		return o.asks(c, login) || o.isAsked(c.Challenges, login)
	})
}
