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

	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/requests"
)

// opinion is the latest review of one person that says yes or no.
type opinion struct {
	user   User
	review Review
	blocks bool
}

// opinions computes the latest opinion of each reviewer (R6, R7, R8, R10): keyed by account number, ordered by time and
// review number; comments change nothing, a dismissal clears and revives nothing; reviews after the merge are no part
// of it. What an account said that no longer exists stands alone, review by review.
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
	return slices.SortedFunc(maps.Values(latest), func(a, b opinion) int { return cmp.Compare(a.review.ID, b.review.ID) })
}

// IsBot tells whether an account is no person's, by its type or its name: it never counts, and nobody asks what it may do (R17).
func (u User) IsBot() bool {
	return u.Type != "User" || strings.HasSuffix(strings.ToLower(u.Login), "[bot]") || strings.EqualFold(u.Login, "copilot")
}

// Lookups lists the team questions that judging f under tree asks; f.Teams must answer every one. Teams itself is not read.
func Lookups(tree Tree, f Facts) []Lookup {
	j := newJudge(tree, f, f.ObservedAt.Time)
	asked := map[Lookup]bool{}
	ask := func(team, login string) {
		if strings.Contains(team, "/") && login != "" {
			asked[Lookup{Team: strings.ToLower(team), User: strings.ToLower(login)}] = true
		}
	}
	if author := f.PullRequest.Author; j.Kind == KindRequest && !author.IsBot() {
		for _, p := range j.policy.Spec.Subjects {
			ask(p.Name, author.Login)
		}
	}
	all := j.challenges()
	for _, o := range opinions(f) {
		if o.user.IsBot() {
			continue
		}
		for _, c := range all {
			for _, reviewer := range c.reviewers {
				ask(reviewer, o.user.Login)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(asked), func(a, b Lookup) int {
		return cmp.Or(cmp.Compare(a.Team, b.Team), cmp.Compare(a.User, b.User))
	})
}

// challenge is one condition on approvals, ready to be checked.
type challenge struct {
	kind, path string
	count      int
	reviewers  []string // logins, org/teams and groups, as messages show them
	accepts    func(login string) bool
}

// challenges are the conditions for this pull request: the policy's for a request, one code owner a path otherwise.
func (j *judge) challenges() []challenge {
	if j.Kind != KindRequest {
		var all []challenge
		for _, path := range j.changedPaths() {
			all = append(all, j.ownerChallenge(path, 1))
		}
		return all
	}
	var all []challenge
	for _, c := range j.policy.Spec.Challenges {
		switch c.Kind {
		case CodeOwnerReview:
			all = append(all, j.ownerChallenge(j.Path, c.Count))
		case PeerReview:
			var reviewers []string
			for _, p := range c.Reviewers {
				reviewers = append(reviewers, p.Name)
			}
			all = append(all, challenge{kind: c.Kind, count: c.Count, reviewers: reviewers,
				accepts: func(login string) bool { return j.isParty(c.Reviewers, login) }})
		}
	}
	return all
}

// ownersOf are the owners of a path whom GitHub would ask: a team of another organization is none of them (R32).
func (j *judge) ownersOf(path string) []codeowners.Owner {
	rule, _ := j.owners.Match(path)
	return slices.DeleteFunc(slices.Clone(rule.Owners), func(o codeowners.Owner) bool {
		organization, _, _ := strings.Cut(o.Name, "/")
		return o.Team && j.facts.Repository.Owner != "" && !strings.EqualFold(organization, j.facts.Repository.Owner)
	})
}

// ownerChallenge is met by owners of the matching line, any of them (R33).
func (j *judge) ownerChallenge(path string, count int) challenge {
	var reviewers []string
	var parties []Party
	for _, owner := range j.ownersOf(path) {
		reviewers = append(reviewers, owner.Name)
		kind := PartyUser
		if owner.Team {
			kind = PartyGroup
		}
		parties = append(parties, Party{Kind: kind, Name: owner.Name})
	}
	return challenge{kind: CodeOwnerReview, path: path, count: count, reviewers: reviewers,
		accepts: func(login string) bool { return j.isParty(parties, login) }}
}

// approvals is what the reviews amount to.
type approvals struct {
	blocked string
	unmet   string
}

// approvalSteps check the reviews. When approvals are missing, the refusal is the first reason, in the fixed order, for
// which one that was given does not count.
func (j *judge) approvalSteps() []step {
	steps := []step{{ChangesRequested, func() string { return j.weigh().blocked }}}
	for _, code := range []Code{ApprovalStale, SelfApproval, ContributorApproval, BotApproval, ApproverNotAllowed} {
		steps = append(steps, step{code, func() string {
			i := slices.IndexFunc(j.Ignored, func(r IgnoredReview) bool { return r.Code == code })
			if j.weigh().unmet == "" || i < 0 {
				return ""
			}
			return j.Ignored[i].Message + "; " + j.weigh().unmet
		}})
	}
	return append(steps, step{InsufficientApprovals, func() string { return j.weigh().unmet }})
}

// weigh sorts the opinions into those that count and those that do not, once. One person counts once in a challenge and
// may meet several (R23).
func (j *judge) weigh() *approvals {
	if j.approvals != nil {
		return j.approvals
	}
	j.approvals = &approvals{}
	all := j.challenges()
	met := make([][]string, len(all))
	for _, o := range opinions(j.facts) {
		if o.blocks {
			if j.mayBlock(o.user, all) {
				j.approvals.blocked = fmt.Sprintf("@%s requested changes; they must approve, or the review must be dismissed", cmp.Or(o.user.Login, "ghost"))
			}
			continue
		}
		if o.user.ID == 0 {
			j.ignore(o, ApproverNotAllowed, "the account was deleted")
			continue
		}
		if code, why := j.disqualify(o); code != "" {
			j.ignore(o, code, why)
			continue
		}
		counted := false
		for i, c := range all {
			if c.accepts(o.user.Login) {
				met[i] = append(met[i], o.user.Login)
				counted = true
			}
		}
		if !counted {
			j.ignore(o, ApproverNotAllowed, "not one of "+reviewersOf(all))
			continue
		}
		j.Approvers = append(j.Approvers, requests.Approver{Login: o.user.Login, ID: o.user.ID, ReviewID: o.review.ID, Time: o.review.SubmittedAt})
	}
	for i, c := range all {
		result := ChallengeResult{Kind: c.kind, Path: c.path, Count: c.count, Approvers: met[i], Reviewers: c.reviewers, Met: c.count > 0 && len(met[i]) >= c.count}
		j.Challenges = append(j.Challenges, result)
		if !result.Met && j.approvals.unmet == "" {
			j.approvals.unmet = fmt.Sprintf("%s needs %d approval(s) by %s and has %d", c.kind, c.count, reviewersOf([]challenge{c}), len(met[i]))
		}
	}
	if len(all) == 0 {
		j.approvals.unmet = "no challenge is defined, so nothing can be approved"
	}
	return j.approvals
}

func reviewersOf(all []challenge) string {
	var names []string
	for _, c := range all {
		for _, r := range c.reviewers {
			names = append(names, "@"+r)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func (j *judge) ignore(o opinion, code Code, why string) {
	login := cmp.Or(o.user.Login, "ghost")
	j.Ignored = append(j.Ignored, IgnoredReview{Login: login, ReviewID: o.review.ID, Code: code,
		Message: fmt.Sprintf("the approval by @%s does not count: %s", login, why)})
}

// mayBlock tells whether a request for changes holds the pull request up: that of anyone who can write, and, when they
// have lost that, still that of whoever may have had it: deleted accounts, the people of identities.yaml and the reviewers
// who were asked for (R9). Otherwise any reader could stop every request.
func (j *judge) mayBlock(u User, all []challenge) bool {
	if u.ID == 0 || u.IsBot() {
		return u.ID == 0
	}
	_, known := j.identities.pinned(u)
	return known || j.canWrite(u) || slices.ContainsFunc(all, func(c challenge) bool { return c.accepts(u.Login) })
}

func (j *judge) canWrite(u User) bool {
	permission := j.facts.Users[strings.ToLower(u.Login)].Permission
	return !u.IsBot() && (permission == "write" || permission == "admin")
}

// disqualify tells why an approval cannot count for any challenge.
func (j *judge) disqualify(o opinion) (Code, string) {
	f, head, most := j.facts, j.facts.PullRequest.HeadSHA, j.policy.Spec.limits().MaxApprovalAge // of the merge, or of now (R24)
	rebased := slices.ContainsFunc(f.BaseChanges, func(t requests.Time) bool { return !t.Before(o.review.SubmittedAt.Time) })
	switch {
	case o.review.CommitID != head: // R11, R12
		return ApprovalStale, fmt.Sprintf("stale, it approved %s and the head is %s", cmp.Or(short(o.review.CommitID), "no commit"), short(head))
	case rebased:
		return ApprovalStale, "stale, the base branch was changed after it"
	case j.overtaken(o) != nil:
		change := j.overtaken(o)
		return ApprovalStale, fmt.Sprintf("stale, pull request #%d changed %s after it", change.PullRequest, requests.Quote(change.Path))
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
	identity, known := j.identities.pinned(o.user)
	switch {
	case known && (identity.GitHubID != o.user.ID || !strings.EqualFold(identity.GitHub, o.user.Login)):
		return ApproverNotAllowed, fmt.Sprintf("their account is @%s, number %d, but %s has @%s, number %d", o.user.Login, o.user.ID,
			IdentitiesPath, identity.GitHub, identity.GitHubID)
	case !j.canWrite(o.user): // R19
		return ApproverNotAllowed, fmt.Sprintf("they need write permission and have %q", cmp.Or(user.Permission, "none"))
	case f.Repository.Organization && !user.Member: // R21
		return ApproverNotAllowed, "they are not a member of the organization"
	}
	return "", ""
}

// overtaken finds a change, after an approval of a request, of what its approver went by (R56).
func (j *judge) overtaken(o opinion) *Change {
	i := slices.IndexFunc(j.facts.Changes, func(c Change) bool {
		return c.MergedAt != nil && !c.MergedAt.Before(o.review.SubmittedAt.Time)
	})
	if j.Kind != KindRequest || i < 0 {
		return nil
	}
	return &j.facts.Changes[i]
}

// isSelf tells whether a reviewer is the author, the requester or the subject under any account (R13, R14).
func (j *judge) isSelf(u User) string {
	if u.ID == j.facts.PullRequest.Author.ID {
		return "they opened the pull request"
	}
	if j.Kind == KindChange {
		return ""
	}
	if strings.EqualFold(u.Login, j.request.Spec.Requester) {
		return "they are the requester"
	}
	for _, identity := range j.identities.Spec.Users {
		same := identity.GitHubID == u.ID || strings.EqualFold(identity.GitHub, u.Login)
		if same && identity.Kubernetes.Username == j.subject.Name {
			return "they are the subject"
		}
	}
	return ""
}

// contributed tells whether a reviewer wrote, committed or pushed any of it (R15, R16).
func (j *judge) contributed(u User) string {
	for _, c := range j.facts.Commits {
		if c.Author.ID == u.ID || c.Committer.ID == u.ID {
			return "they wrote commit " + short(c.SHA)
		}
		for _, address := range c.CoAuthors {
			if account, _ := accountOf(address); account.ID == u.ID || strings.EqualFold(account.Login, u.Login) {
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

var noreply = regexp.MustCompile(`^(?:([0-9]{1,18})\+)?([A-Za-z0-9_-]+(?:\[bot\])?)@users\.noreply\.[a-z0-9.-]+$`)

// accountOf reads GitHub's noreply addresses: ID+login@users.noreply.github.com, or without the ID on old accounts.
func accountOf(address string) (User, bool) {
	m := noreply.FindStringSubmatch(address)
	if m == nil {
		return User{}, false
	}
	id, _ := strconv.ParseInt(m[1], 10, 64) // no number: 0, the login alone is compared
	return User{Login: m[2], ID: id}, true
}
