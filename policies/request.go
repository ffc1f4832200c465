package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// policySteps check what is asked for against the policy, and fill in the grant on the way.
func (j *judge) policySteps() []step {
	steps := []step{{PolicyInvalid, j.policyValid}, {CodeownersInvalid, j.codeowners},
		{NoPolicy, j.policyApplies}}
	steps = append(steps, j.glassSteps()...)
	steps = append(steps, j.giftSteps()...)
	return append(steps, step{SubjectNotAllowed, j.subjectOf},
		step{DurationOutOfRange, j.duration}, step{StartOutOfRange, j.start},
		step{OutsideWindow, j.windowHolds},
		step{FieldNotAccepted, j.fieldsFit}, step{ReasonNotAccepted, j.reasonFits},
		step{ConditionNotMet, j.conditionsMet})
}

func (j *judge) policyValid() string {
	if len(j.policyFindings) == 0 {
		return ""
	}
	j.decision.Findings = append(j.decision.Findings, j.policyFindings...)
	return "fix it on the default branch first: " + j.policyFindings[0].String()
}

func (j *judge) policyApplies() string {
	spec := j.request.Spec
	if !j.policyExists {
		return j.field("spec.policy", NoPolicy, fmt.Sprintf("there is no policy %s; it would be %s",
			requests.Quote(spec.Policy), Path(spec.Policy)))
	}
	if !slices.Contains(j.world.policy.Spec.Clusters, spec.Cluster) {
		return j.field("spec.cluster", NoPolicy, fmt.Sprintf("the policy %s is not for the "+
			"cluster %s; it is for %s",
			spec.Policy, requests.Quote(spec.Cluster), strings.Join(j.world.policy.Spec.Clusters,
				", ")))
	}
	j.decision.Grant = &requests.Grant{Name: j.request.Metadata.Name, Path: j.decision.Path,
		Cluster: spec.Cluster, Policy: spec.Policy, Requester: spec.Requester,
		BackstopOptional: j.world.policy.Spec.Target.Backstop == BackstopOptional}
	return ""
}

// author checks that the pull request's author is the requester, a person, and one of those who may
// ask (R13, R14, R17).
func (j *judge) author() string {
	author, spec := j.facts.PullRequest.Author, j.request.Spec
	problem := j.isRequester()
	switch {
	case problem != "":
	case !j.canWrite(author):
		problem = noWrite(author)
	case !j.world.isParty(j.facts, j.world.policy.Spec.askers(spec.BreakGlass), author.Login):
		problem = fmt.Sprintf("@%s may not ask under the policy %s; it is for %s", author.Login,
			spec.Policy, names(j.world.policy.Spec.askers(spec.BreakGlass)))
	}
	return j.field("spec.requester", RequesterNotAllowed, problem)
}

// isRequester tells why the author is not the person that the request says is asking.
func (j *judge) isRequester() string {
	author, spec := j.facts.PullRequest.Author, j.request.Spec
	identity, _ := j.world.identities.find(spec.Requester)
	problem := j.person()
	switch {
	case problem != "":
		return problem
	case !strings.EqualFold(author.Login, spec.Requester):
		return fmt.Sprintf("the requester is @%s but the pull request is by @%s", spec.Requester,
			author.Login)
	case identity.GitHubID != author.ID:
		return fmt.Sprintf("the account number of @%s is %d but %s has %d", author.Login,
			author.ID, IdentitiesPath, identity.GitHubID)
	}
	return ""
}

func noWrite(author User) string {
	return fmt.Sprintf("@%s has no write permission in the access repository any more",
		author.Login)
}

// dependabot is GitHub's own. It may propose changes, never requests: unlike github-actions[bot]
// and other Apps, nobody in the repository can make it push what they like and then approve that
// (R17).
var dependabot = User{Login: "dependabot[bot]", ID: 49699333, Type: "Bot"}

// person refuses a pull request without a person behind it: whoever made the bot open it could
// approve it (R17).
func (j *judge) person() string {
	switch author := j.facts.PullRequest.Author; {
	case author.ID == 0:
		return "the pull request's author has no account any more"
	case author.IsBot() && (j.decision.Kind != KindChange || author != dependabot):
		return "the pull request was opened by the bot @" + author.Login + "; a person must ask"
	}
	return ""
}

// reused refuses a name that was used before, also by a request that has ended (R48, G4).
func (j *judge) reused() string {
	for _, path := range j.facts.UsedNames {
		if !j.facts.PullRequest.Merged || path != j.decision.Path {
			return j.field("metadata.name", RequestIDReused, fmt.Sprintf("the name is taken by "+
				"%s; choose another", requests.Quote(path)))
		}
	}
	return ""
}

// waitsSince is the first push of the head commit: what was pushed later is another request.
func (j *judge) waitsSince() time.Time {
	first := j.facts.judgedAt(j.now)
	for _, p := range j.facts.pushes() {
		if p.After == j.facts.PullRequest.HeadSHA && p.Time.Before(first) {
			first = p.Time.Time
		}
	}
	return first
}

// asksSince is since when people can be asked about the head commit: it is pushed, and the pull request
// is there, open, no draft, and goes to the default branch.
func (j *judge) asksSince() time.Time {
	since := j.waitsSince()
	for _, at := range append(slices.Clone(j.facts.BaseChanges), j.facts.PullRequest.CreatedAt, j.facts.Opened) {
		if at.After(since) {
			since = at.Time
		}
	}
	return since
}

// waitedTooLong refuses a request that lay open so long that nobody may mean it any more (R52).
func (j *judge) waitedTooLong() string {
	first := j.waitsSince()
	waited := j.facts.judgedAt(j.now).Sub(first)
	if most := j.maxPending(); waited > time.Duration(most) {
		return fmt.Sprintf("the request has waited since %s, longer than %s; ask again",
			requests.At(first), most)
	}
	return ""
}

// pullRequestSteps check the pull request itself.
func (j *judge) pullRequestSteps() []step {
	return []step{{DraftPullRequest, j.draft}, {WrongBase, j.base}, {UnattributableCommit,
		j.attributable}}
}

// draft refuses a draft, whatever its reviews say (R38).
func (j *judge) draft() string {
	if j.facts.PullRequest.Draft {
		return "the pull request is a draft; mark it as ready for review"
	}
	return ""
}

// base refuses every other base than the default branch, and forks (R40, R41).
func (j *judge) base() string {
	pr, repository := j.facts.PullRequest, j.facts.Repository
	switch {
	case pr.BaseRepoID != repository.ID || pr.BaseRef != repository.DefaultBranch:
		return fmt.Sprintf("the pull request goes to %s; only the default branch, %s, counts",
			requests.Quote(pr.BaseRef), repository.DefaultBranch)
	case pr.HeadRepoID != repository.ID:
		return "the pull request comes from a fork; push its branch to the access repository"
	}
	return ""
}

// attributable refuses commits and pushes that cannot be tied to a person: whoever made them could
// approve them (R15). A co-author's account may still come to be known, without another commit:
// that alone waits.
func (j *judge) attributable() string {
	for _, c := range j.facts.Commits {
		if c.Author.ID == 0 || c.Committer.ID == 0 {
			return fmt.Sprintf("commit %s has an author or committer without a GitHub account; "+
				"set your commit e-mail to one GitHub knows", short(c.SHA))
		}
	}
	for _, p := range j.facts.pushes() {
		own := j.facts.PullRequest.Author == dependabot && p.Actor == dependabot
		if p.Actor.ID == 0 || p.Actor.IsBot() && !own {
			return fmt.Sprintf("commit %s was pushed by @%s, which is no person's account; push "+
				"it as yourself", short(p.After),
				cmp.Or(p.Actor.Login, "ghost"))
		}
	}
	for _, c := range j.facts.Commits {
		for _, address := range c.Unattributed() {
			j.curable = true
			return fmt.Sprintf("commit %s names the co-author %s, whom GitHub ties to no account; "+
				"have them add the address to their account and judge again, or commit again with "+
				"their noreply address", short(c.SHA), requests.Quote(address))
		}
	}
	return ""
}
