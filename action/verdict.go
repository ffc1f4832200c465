package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

// verdict is the decision on one pull request.
type verdict struct {
	number   int
	headSHA  string // the commit to tell it on; empty when neither GitHub nor the event named one
	fork     bool   // the head is of another repository
	decision policies.Decision
	at       time.Time       // when it was judged
	base     string          // the commit of the default branch that it was judged by
	baseRef  string          // the branch that it is to be merged into
	pushed   []github.Pushed // who pushed the head, as far as it is known
	failures int             // how often in a row before it the head could not be judged, as a sweep knows

	author int64               // the number of who opened it
	policy policies.PolicySpec // of a request, as far as it reads
}

// name is how the log and summaries call the pull request.
func (v verdict) name() string {
	if v.number == 0 {
		return "commit " + v.headSHA
	}
	return fmt.Sprintf("#%d", v.number)
}

// judge gathers and evaluates every pull request of the event. Pull requests with the same head
// commit share its check run, so a named one brings along the others. What cannot be found out is a
// verdict too: EvaluationError.
func (t target) judge(ctx context.Context, client sources, now time.Time) []verdict {
	if t.queue { // the queue waits for a check run on its own commit
		v := verdict{headSHA: t.headSHA, at: now, decision: policies.Refuse(policies.NotARequestPR,
			"%v", errMergeQueue)}
		v.decision.HeadSHA = v.headSHA
		return []verdict{v}
	}
	pulls, err := t.pulls(ctx, client)
	if err == nil && len(pulls) == 0 {
		// The run of a review may end after the merge, which closes the pull request.
		var merged int
		if merged, err = client.MergedWithHead(ctx, t.headSHA); merged > 0 {
			return []verdict{{number: merged, headSHA: t.headSHA, at: now,
				decision: policies.Refuse(policies.EvaluationError, "#%d is merged", merged)}}
		}
	}
	if err == nil && len(pulls) == 0 {
		err = errors.New("no open pull request has this head commit as far as GitHub tells now; " +
			"run the job again if there is one")
	}
	if err != nil {
		return []verdict{{number: t.number, headSHA: t.headSHA, at: now,
			decision: policies.Refuse(policies.EvaluationError,
				"find the pull requests to judge: %v", err)}}
	}
	var verdicts []verdict
	for _, pull := range pulls {
		verdicts = append(verdicts, judgePull(ctx, client, pull, now))
	}
	return verdicts
}

// judgePull gathers and evaluates one pull request, as it was listed.
func judgePull(ctx context.Context, client sources, pull github.OpenPull, now time.Time) verdict {
	v := verdict{number: pull.Number, headSHA: pull.HeadSHA, fork: pull.Fork, at: now}
	if facts, err := client.Facts(ctx, pull.Number, now); err != nil {
		v.decision = policies.Refuse(policies.EvaluationError, "gather the facts of pull "+
			"request #%d: %v", pull.Number, err)
	} else {
		v.decision = policies.Evaluate(facts.Base, facts, now)
		v.headSHA, v.base = facts.PullRequest.HeadSHA, facts.Base.Commit
		v.fork = facts.PullRequest.HeadRepoID != facts.Repository.ID
		v.baseRef, v.author = facts.PullRequest.BaseRef, facts.PullRequest.Author.ID
		if p, known, findings := facts.Base.Policy(v.decision.Policy); known && len(findings) == 0 {
			v.policy = p.Spec
		}
		if pushed, known := github.PushedBy(facts); known {
			v.pushed = append(v.pushed, pushed)
		}
	}
	v.decision.HeadSHA = v.headSHA
	return v
}

func (t target) pulls(ctx context.Context, client sources) (pulls []github.OpenPull,
	err error) {
	if t.headSHA != "" {
		if pulls, err = client.PullsByHead(ctx, t.headSHA); err != nil {
			return nil, err
		}
	}
	named := func(p github.OpenPull) bool { return p.Number == t.number && p.HeadSHA == t.headSHA }
	if t.number > 0 && !slices.ContainsFunc(pulls, named) {
		pulls = append(pulls, github.OpenPull{Number: t.number, HeadSHA: t.headSHA})
	}
	return pulls, nil
}

// byHead groups verdicts by the commit they are told on, in their order.
func byHead(verdicts []verdict) [][]verdict {
	var groups [][]verdict
	for _, v := range verdicts {
		i := slices.IndexFunc(groups,
			func(group []verdict) bool { return group[0].headSHA == v.headSHA })
		if i < 0 {
			groups = append(groups, []verdict{v})
		} else {
			groups[i] = append(groups[i], v)
		}
	}
	return groups
}

// worst is the verdict that must be told loudest: error, denied, pending, allowed. That on a fork's
// pull request does not count where one of this repository has the same head: whoever may read can
// open it on anybody's commit.
func worst(verdicts []verdict) verdict {
	verdicts = slices.DeleteFunc(slices.Clone(verdicts), func(v verdict) bool {
		return v.fork && slices.ContainsFunc(verdicts,
			func(o verdict) bool { return !o.fork && o.headSHA == v.headSHA })
	})
	rank := [...]int{policies.Allowed: 0, policies.Pending: 1, policies.Denied: 2,
		policies.Failed: 3}
	return slices.MaxFunc(verdicts,
		func(a, b verdict) int { return rank[a.decision.Outcome] - rank[b.decision.Outcome] })
}
