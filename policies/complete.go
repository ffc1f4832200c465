package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Limits of what GitHub lists of one pull request (R2, R3): at the limit the list may be cut.
const (
	MaxFiles   = 3000
	MaxCommits = 250
)

// maxFuture is how far a time that GitHub or git tells may lie ahead of the own clock (R54).
const maxFuture = 30 * time.Second

// complete refuses facts that contradict themselves or miss what a later rule needs (R1).
func (j *judge) complete() string {
	f, pr := j.facts, j.facts.PullRequest
	switch {
	case f.Repository.ID == 0 || f.Repository.Owner == "" || f.Repository.DefaultBranch == "" ||
		pr.Number == 0 || pr.HeadSHA == "" || f.ObservedAt.IsZero():
		return "the facts name no repository, pull request, head commit or time"
	case f.Base.Commit == "" || j.tree.Commit == "":
		return "the facts hold no commit of the default branch"
	case f.Head.Commit != pr.HeadSHA:
		return fmt.Sprintf("the head files are of commit %s but the head is %s; gather the "+
			"facts again", short(f.Head.Commit), short(pr.HeadSHA))
	case len(f.Files) >= MaxFiles:
		return fmt.Sprintf("the pull request changes %d files or more, which GitHub does not "+
			"list in full; split it", MaxFiles)
	case len(f.Commits) >= MaxCommits:
		return fmt.Sprintf("the pull request has %d commits or more, which GitHub does not list "+
			"in full; squash it", MaxCommits)
	case !slices.ContainsFunc(f.Commits, func(c Commit) bool { return c.SHA == pr.HeadSHA }):
		return fmt.Sprintf("the head commit %s is not among the pull request's commits, "+
			"probably a push just now; try again", short(pr.HeadSHA))
	case pr.HeadRepoID == f.Repository.ID && !slices.ContainsFunc(f.pushes(),
		func(p Push) bool { return p.After == pr.HeadSHA }):
		return fmt.Sprintf("the facts do not tell who pushed the head commit %s; gather them again",
			short(pr.HeadSHA))
	case pr.Merged != (pr.MergedAt != nil) || pr.Merged != (f.Merge != nil):
		return "the facts contradict themselves about the merge; gather them again"
	case pr.MergedAt != nil && pr.MergedAt.Sub(j.now) > maxFuture:
		return fmt.Sprintf("the merge is dated %s, in the future; correct the clock of this machine",
			pr.MergedAt)
	}
	if problem := j.reviewsComplete(); problem != "" {
		return problem
	}
	if j.decision.Kind == KindRequest {
		for _, path := range j.tree.Dated(j.decision.Path) {
			if !slices.ContainsFunc(f.Changes, func(c Change) bool {
				return c.Path == path &&
					(c.PullRequest == 0) == (c.MergedAt == nil)
			}) {
				return fmt.Sprintf("the facts do not tell when %s last changed; gather them again",
					requests.Quote(path))
			}
		}
	}
	if place, ok := requests.SplitPath(j.decision.Path); ok && j.decision.Kind == KindRequest &&
		requests.MayBreakGlass(place.Name) && f.Owed == nil {
		return "the facts do not tell what is owed for break-glass; gather them again"
	}
	return j.peopleComplete()
}

func (j *judge) reviewsComplete() string {
	seen := map[int64]bool{}
	for _, r := range j.facts.Reviews {
		if r.ID == 0 || seen[r.ID] {
			return fmt.Sprintf("the facts list review %d twice or without its number; gather them again",
				r.ID)
		}
		seen[r.ID] = true
		if r.SubmittedAt.Sub(j.now) > maxFuture {
			return fmt.Sprintf("review %d is dated %s, in the future; correct the clock of this machine",
				r.ID, r.SubmittedAt)
		}
	}
	return ""
}

// peopleComplete makes sure that the facts tell what the author and each reviewer may do, and which
// teams they are in.
func (j *judge) peopleComplete() string {
	people := []User{j.facts.PullRequest.Author}
	for _, o := range opinions(j.facts) {
		people = append(people, o.user)
	}
	for _, u := range people {
		if known, ok := j.facts.Users[strings.ToLower(u.Login)]; !u.IsBot() &&
			(!ok || known.ID != u.ID) {
			return "the facts do not tell what @" + u.Login + " may do; gather them again"
		}
	}
	for _, q := range Questions(j.tree, j.facts) {
		if _, ok := j.facts.Answers[q]; !ok {
			return fmt.Sprintf("the facts do not tell whether @%s is in the team %s; gather them again",
				q.User, q.Team)
		}
	}
	return ""
}
