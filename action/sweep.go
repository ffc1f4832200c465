package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

// sweep judges every open pull request after the default branch moved, or those that time alone may
// have changed the verdict of. It takes a while, and other
// runs judge the same heads meanwhile: whatever a verdict rests on is read again right before it
// is told, so that no stale one takes the place of a newer one. Each is judged as of its own moment:
// what people do meanwhile is not of its future.
type sweep struct {
	action *githubactions.Action
	client sources
	app    string // the slug of the App whose checks are ours
	appErr error  // why that is not known
	clock  func() time.Time
}

// maxTries bounds how often one head is judged because the default branch moved on meanwhile.
const maxTries = 3

// sweep judges all, or what is due, and tells the verdicts, those with one head commit together.
func (t target) sweep(ctx context.Context, a *githubactions.Action, client sources,
	clock func() time.Time) (told []verdict, err error) {
	pulls, err := client.OpenPulls(ctx)
	if err != nil {
		return nil, err
	}
	if len(pulls) == 0 {
		a.Noticef("no open pull request to judge")
		return nil, nil
	}
	self, err := client.Self(ctx)
	s := sweep{a, client, strings.TrimSuffix(self, "[bot]"), err, clock}
	var listed []verdict
	for _, p := range pulls {
		listed = append(listed, verdict{number: p.Number, headSHA: p.HeadSHA, fork: p.Fork})
	}
	var failures []error
	for _, same := range byHead(listed) {
		if t.due && !s.due(ctx, same[0].headSHA) {
			continue
		}
		verdicts := s.judge(ctx, same)
		if len(verdicts) == 0 {
			continue
		}
		told = append(told, verdicts...)
		if err := report(ctx, a, client, verdicts); err != nil {
			failures = append(failures, err)
		}
	}
	return told, errors.Join(failures...)
}

// judge judges the pull requests with one head commit, as often as the default branch moves on
// meanwhile. What it returns may be told.
func (s sweep) judge(ctx context.Context, same []verdict) []verdict {
	head := same[0].headSHA
	for try := 1; ; try++ {
		last, err := s.last(ctx, head)
		var judged []verdict
		for _, v := range same {
			judged = append(judged, judgePull(ctx, s.client,
				github.OpenPull{Number: v.number, HeadSHA: head, Fork: v.fork}, s.clock()))
		}
		stand, again, errNow := s.standing(ctx, head, judged)
		for i := range stand {
			stand[i].failures = last.Failures
		}
		switch err = errors.Join(err, errNow); {
		case len(stand) == 0:
			return nil
		case again && try < maxTries:
			continue
		case again:
			err = errors.Join(err, fmt.Errorf("the default branch moved each of the %d times that "+
				"it was judged; run the job again", try))
		}
		if worst(stand).decision.Outcome != policies.Allowed {
			return stand
		}
		newest, errLast := s.last(ctx, head)
		if err = errors.Join(err, errLast); err == nil && newest != last {
			s.action.Noticef("commit %s was judged by another run meanwhile, whose check stands",
				head)
			return nil
		}
		for i := range stand {
			if err != nil {
				stand[i].decision = policies.Refuse(policies.EvaluationError,
					"read again what the verdict rests on, right before it is told: %v", err)
				stand[i].decision.HeadSHA = head
			}
		}
		return stand
	}
}

// due tells whether a commit has no check of ours, or one of whose verdict the moment has come that it
// names. What cannot be read is judged, which tells of it.
func (s sweep) due(ctx context.Context, head string) bool {
	last, err := s.last(ctx, head)
	return err != nil || last.ID == 0 || !last.Next.IsZero() && !s.clock().Before(last.Next.Time)
}

// last is our last check run on a commit.
func (s sweep) last(ctx context.Context, head string) (github.Posted, error) {
	if s.appErr != nil {
		return github.Posted{}, s.appErr
	}
	return s.client.LastCheck(ctx, head, policies.CheckName, s.app)
}

// standing leaves out the verdicts on pull requests that are merged, or have another head, which
// has a run of its own. again: the default branch, or the base of one, is another than was judged
// by.
func (s sweep) standing(ctx context.Context, head string, judged []verdict) (stand []verdict,
	again bool, err error) {
	for _, v := range judged {
		now, errNow := s.client.Standing(ctx, v.number)
		switch {
		case now.Merged:
			noticeMerged(s.action, v.number)
			continue
		case v.headSHA != head || errNow == nil && now.HeadSHA != head:
			s.action.Noticef("#%d has another head by now, which is judged by a run of its own",
				v.number)
			continue
		}
		again = again || errNow == nil && v.baseRef != "" && now.BaseRef != v.baseRef
		err = errors.Join(err, errNow)
		stand = append(stand, v)
	}
	if len(stand) == 0 {
		return nil, false, err
	}
	tip, errTip := s.client.Tip(ctx)
	for _, v := range stand {
		again = again || errTip == nil && v.base != "" && v.base != tip
	}
	return stand, again, errors.Join(err, errTip)
}
