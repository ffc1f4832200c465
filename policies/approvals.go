package policies

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// opinion is the latest review of one person that says yes or no.
type opinion struct {
	user   User
	review Review
	blocks bool
}

// opinions computes the latest opinion of each reviewer (R6, R7, R8, R10): keyed by account number,
// ordered by time and review number; comments change nothing, a dismissal clears and revives
// nothing; reviews after the merge are no part of it. What an account said that no longer exists
// stands alone, review by review.
func opinions(f Facts) []opinion {
	reviews := slices.Clone(f.Reviews)
	slices.SortStableFunc(reviews, func(a, b Review) int {
		return cmp.Or(a.SubmittedAt.Compare(b.SubmittedAt.Time), cmp.Compare(a.ID, b.ID))
	})
	type person struct{ account, review int64 }
	latest := map[person]opinion{}
	for _, r := range reviews {
		if f.PullRequest.MergedAt != nil && r.SubmittedAt.After(f.PullRequest.MergedAt.Time) {
			continue
		}
		key := person{account: r.User.ID}
		if r.User.ID == 0 {
			key.review = r.ID
		}
		switch strings.ToUpper(r.State) {
		case "APPROVED":
			latest[key] = opinion{user: r.User, review: r}
		case "CHANGES_REQUESTED":
			latest[key] = opinion{user: r.User, review: r, blocks: true}
		case "DISMISSED":
			delete(latest, key)
		}
	}
	return slices.SortedFunc(maps.Values(latest), func(a, b opinion) int {
		return cmp.Compare(
			a.review.ID, b.review.ID)
	})
}

// IsBot tells whether an account is no person's, by its type or its name: it never counts, and
// nobody asks what it may do (R17).
func (u User) IsBot() bool {
	return u.Type != "User" || strings.HasSuffix(strings.ToLower(u.Login), "[bot]") ||
		strings.EqualFold(u.Login, "copilot")
}

// tally is what the reviews of a pull request come to before any challenge is asked.
type tally struct {
	opinions []opinion
	counting []opinion       // approvals that can meet a challenge
	ignored  []IgnoredReview // approvals that cannot, and why
	blocked  string          // who stands against it

	pushed, asked time.Time  // the head, and since when people are asked about it
	now           time.Time  // the moment of judging
	since         *time.Time // only what was said after that counts, as it comes in order

	request Asking    // what is asked for, as others are asked about it
	judged  time.Time // when, also after the merge
	hoped   bool      // whoever outside of GitHub did not answer is taken to have said yes
}

// behind is a tally in which only what was said after a challenge was met counts, and after whatever
// came before that; nothing, while it is not met. What is told by replies has no moment of its own:
// nobody approves again because one is late.
func (t tally) behind(done ChallengeResult) tally {
	since := t.now
	if done.Met || len(done.Replies) > 0 {
		since = done.metAt
	}
	if t.since != nil && since.Before(*t.since) { // it is met by itself, such as a ticket
		since = *t.since
	}
	t.since = &since
	return t
}

// isEarly tells whether an approval was given before its turn.
func (t tally) isEarly(o opinion) bool {
	return t.since != nil && !o.review.SubmittedAt.After(*t.since)
}

// tally sorts the opinions into those that count and those that do not.
func (j *judge) tally(conditions []condition) tally {
	t := tally{opinions: opinions(j.facts), pushed: j.waitsSince(), asked: j.asksSince(),
		now: j.facts.judgedAt(j.now), judged: j.now, request: j.asking()}
	for _, o := range t.opinions {
		code, why := ApproverNotAllowed, "the account was deleted"
		if o.user.ID != 0 {
			code, why = j.disqualify(o)
		}
		switch {
		case o.blocks && j.mayBlock(o.user, conditions):
			t.blocked = fmt.Sprintf("@%s requested changes; they must approve, or the review "+
				"must be dismissed",
				cmp.Or(o.user.Login, "ghost"))
		case o.blocks:
		case code != "":
			t.ignored = append(t.ignored, ignore(o, code, why))
		default:
			t.counting = append(t.counting, o)
		}
	}
	return t
}

// approve asks every challenge and checks the rules about approvals. When approvals are missing,
// the refusal is the first reason, in the fixed order, for which one that was given does not count.
func (j *judge) approve() {
	if j.stopped {
		return
	}
	d, conditions := &j.decision, j.conditions()
	d.MayNarrow = j.mayNarrow()
	t := j.tally(conditions)
	unmet := ""
	for _, c := range conditions {
		result, ok := j.world.stands(j.facts, c, t)
		if !ok {
			unmet = "no evaluator for the challenge " + requests.Quote(c.Kind)
			continue
		}
		d.Challenges = append(d.Challenges, result)
		if !result.Met {
			unmet = cmp.Or(unmet, result.missing())
		}
	}
	if len(conditions) == 0 && !(d.Kind == KindRequest && (j.world.policy.Spec.AllowWithoutReview ||
		j.breaksGlass())) {
		unmet = "no challenge is defined, so nothing can be approved"
	}
	for _, o := range t.counting {
		if !slices.ContainsFunc(d.Challenges, func(c ChallengeResult) bool {
			return c.counted(o.user.Login)
		}) {
			t.ignored = append(t.ignored, uncounted(o, d.Challenges))
			continue
		}
		d.Approvers = append(d.Approvers, j.approver(o))
	}
	slices.SortStableFunc(t.ignored, func(a, b IgnoredReview) int {
		return cmp.Compare(a.ReviewID,
			b.ReviewID)
	})
	d.Ignored = t.ignored
	if code := j.outsideLacks(conditions, t); unmet != "" && code != "" {
		j.run(step{ChangesRequested, func() string { return t.blocked }},
			step{code, func() string { return unmet }})
	}
	j.run(approvalSteps(t, unmet)...)
	if d.Outcome == Pending && !j.facts.PullRequest.Merged { // after the merge time changes nothing
		d.Again = againBy(d.Challenges, t.now)
	}
}

// approvalSteps check what the reviews came to.
func approvalSteps(t tally, unmet string) []step {
	steps := []step{{ChangesRequested, func() string { return t.blocked }}}
	for _, code := range []Code{ApprovalStale, SelfApproval, ContributorApproval, BotApproval,
		ApproverNotAllowed} {
		steps = append(steps, step{code, func() string {
			i := slices.IndexFunc(t.ignored, func(r IgnoredReview) bool { return r.Code == code })
			if unmet == "" || i < 0 {
				return ""
			}
			return t.ignored[i].Message + "; " + unmet
		}})
	}
	return append(steps, step{InsufficientApprovals, func() string { return unmet }})
}

// uncounted says why an approval that could count does so for none of the challenges.
func uncounted(o opinion, challenges []ChallengeResult) IgnoredReview {
	for _, c := range challenges {
		for _, part := range c.All() {
			if slices.Contains(part.early, o.user.Login) {
				return ignore(o, ApprovalStale, "stale, it was given before what comes first was "+
					"met; they must approve again after that")
			}
		}
	}
	return ignore(o, ApproverNotAllowed, "not one of "+reviewersOf(challenges...))
}

func ignore(o opinion, code Code, why string) IgnoredReview {
	login := cmp.Or(o.user.Login, "ghost")
	return IgnoredReview{Login: login, ReviewID: o.review.ID, Code: code,
		Message: fmt.Sprintf("the approval by @%s does not count: %s", login, why)}
}

// mayBlock tells whether a request for changes holds the pull request up: that of anyone who can
// write, and, when they have lost that, still that of whoever may have had it: deleted accounts,
// the people of identities.yaml and the reviewers who were asked for (R9). Otherwise any reader
// could stop every request.
func (j *judge) mayBlock(u User, conditions []condition) bool {
	if u.ID == 0 || u.IsBot() {
		return u.ID == 0
	}
	_, known := j.world.identities.pinned(u)
	return known || j.canWrite(u) || slices.ContainsFunc(conditions, func(c condition) bool {
		return j.world.isParty(j.facts, j.world.who(c), u.Login)
	})
}

func (j *judge) canWrite(u User) bool {
	permission := j.facts.Users[strings.ToLower(u.Login)].Permission
	return !u.IsBot() && (permission == "write" || permission == "admin")
}

// disqualify tells why an approval cannot count for any challenge.
func (j *judge) disqualify(o opinion) (Code, string) {
	// of the merge, or of now (R24)
	f, head, most := j.facts, j.facts.PullRequest.HeadSHA,
		j.world.policy.Spec.limits().MaxApprovalAge
	rebased := slices.ContainsFunc(f.BaseChanges, func(t requests.Time) bool {
		return !t.Before(
			o.review.SubmittedAt.Time)
	})
	switch {
	case o.review.CommitID != head: // R11, R12
		return ApprovalStale, fmt.Sprintf("stale, it approved %s and the head is %s%s",
			cmp.Or(short(o.review.CommitID), "no commit"), short(head), j.updated())
	case rebased:
		return ApprovalStale, "stale, the base branch was changed after it"
	case j.overtaken(o) != nil:
		change := j.overtaken(o)
		return ApprovalStale, fmt.Sprintf("stale, pull request #%d changed %s after it",
			change.PullRequest, requests.Quote(change.Path))
	case j.outdated(o) != "":
		return ApprovalStale, "stale, " + j.outdated(o)
	case f.judgedAt(j.now).Sub(o.review.SubmittedAt.Time) > time.Duration(most):
		return ApprovalStale, fmt.Sprintf("stale, it is older than %s", most)
	}
	if why := j.isSelf(o.user); why != "" {
		return SelfApproval, why
	}
	if why := j.contributed(o.user); why != "" {
		return ContributorApproval, why
	}
	if o.user.IsBot() {
		return BotApproval, "bots do not count" // R17
	}
	user := f.Users[strings.ToLower(o.user.Login)]
	identity, known := j.world.identities.pinned(o.user)
	switch {
	case known && !identity.is(o.user):
		return ApproverNotAllowed, fmt.Sprintf("their account is @%s, number %d, but %s has "+
			"@%s, number %d", o.user.Login, o.user.ID,
			IdentitiesPath, identity.GitHub, identity.GitHubID)
	case !j.canWrite(o.user): // R19
		return ApproverNotAllowed, fmt.Sprintf("they need write permission and have %q",
			cmp.Or(user.Permission, "none"))
	case f.Repository.Organization && !user.Member: // R21
		return ApproverNotAllowed, "they are not a member of the organization"
	}
	if _, _, why := j.narrowingOf(o); why != "" && !o.blocks {
		return ApprovalStale, why
	}
	return "", ""
}

// overtaken finds a change, after an approval of a request, of what its approver went by (R56).
func (j *judge) overtaken(o opinion) *Change {
	i := slices.IndexFunc(j.facts.Changes, func(c Change) bool {
		return c.MergedAt != nil && !IsCertification(c.Path) && !c.MergedAt.Before(o.review.SubmittedAt.Time)
	})
	if j.decision.Kind != KindRequest || i < 0 {
		return nil
	}
	return &j.facts.Changes[i]
}

// isSelf tells whether a reviewer is the author, the requester or the subject under any account
// (R13, R14).
func (j *judge) isSelf(u User) string {
	if u.ID == j.facts.PullRequest.Author.ID {
		return "they opened the pull request"
	}
	if j.decision.Kind == KindChange {
		return ""
	}
	if u.isWhom(j.request.Spec.Requester, j.debtor.RequesterID) {
		return "they are the requester"
	}
	if u.isWhom(j.debtor.Behalf, j.debtor.BehalfID) {
		return "they received the access"
	}
	for _, identity := range j.world.identities.Spec.Users {
		same := identity.GitHubID == u.ID || strings.EqualFold(identity.GitHub, u.Login)
		if same && identity.On(j.request.Spec.Cluster) == j.subject.Name {
			return "they are the subject"
		}
	}
	return ""
}

// contributed tells whether a reviewer wrote, committed or pushed any of it (R15, R16).
func (j *judge) contributed(u User) string {
	for _, c := range j.facts.Commits {
		if c.Author.ID == u.ID || c.Committer.ID == u.ID {
			if c.Merges {
				return "they made the merge " + short(c.SHA) +
					", as \"Update branch\" does, which " +
					"a pull request here never needs; somebody else must approve"
			}
			return "they wrote commit " + short(c.SHA)
		}
		for _, address := range c.CoAuthors {
			if account, _ := c.coAuthor(address); account.ID == u.ID ||
				strings.EqualFold(account.Login, u.Login) {
				return "they are a co-author of commit " + short(c.SHA)
			}
		}
	}
	for _, p := range j.facts.pushes() {
		if p.Actor.ID == u.ID {
			return "they pushed to the branch"
		}
	}
	return ""
}

// updated explains a head that merges another branch, most often by the button beside GitHub's
// remark that the branch is out of date.
func (j *judge) updated() string {
	if !slices.ContainsFunc(j.facts.Commits, func(c Commit) bool {
		return c.Merges && c.SHA == j.facts.PullRequest.HeadSHA
	}) {
		return ""
	}
	return ", a merge, as \"Update branch\" makes one; a pull request here need not be up to date, so " +
		"leave that button alone and ask for another approval"
}

var noreply = regexp.MustCompile(`^(?:([0-9]{1,18})\+)?([A-Za-z0-9_-]+(?:\[bot\])?)@users\.noreply\.[a-z0-9.-]+$`)

// accountOf reads GitHub's noreply addresses: ID+login@users.noreply.github.com, or without the ID
// on old accounts.
func accountOf(address string) (User, bool) {
	m := noreply.FindStringSubmatch(address)
	if m == nil {
		return User{}, false
	}
	id, _ := strconv.ParseInt(m[1], 10, 64) // no number: 0, the login alone is compared
	return User{Login: m[2], ID: id}, true
}
