package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

// Between two looks: soon after something happened, less often while nothing does. What no look can
// notice, such as a policy that changed, is judged anew now and then.
const (
	firstPause, longestPause = 2 * time.Second, 10 * time.Second
	judgedAnew               = time.Minute
	maxFailures              = 5 // looks in a row that GitHub did not answer
)

// follower follows one request.
type follower struct {
	w      world
	show   showOptions
	client *github.Client
	repo   string
	line   *statusLine

	number int // of the pull request; 0: not known yet
	seen   github.Glance
	again  time.Time // when it is judged anew although nothing seems to have happened
	last   shown
}

// follow waits for the request. patient is of a pull request that was opened a moment ago, which
// GitHub may not tell all of yet.
func (o waitOptions) follow(ctx context.Context, w world, patient bool) error {
	client, repo, err := o.show.remote.client(ctx, w)
	if err != nil {
		return err
	}
	if err := o.show.knowAgent(ctx, client); err != nil {
		return err
	}
	f := &follower{w: w, show: o.show, client: client, repo: repo, line: newStatusLine(w),
		number: o.show.target.number}
	waiting := ctx
	if o.timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	err = f.wait(waiting, patient)
	f.line.clear()
	switch {
	case waiting.Err() == nil && err != nil:
		return err
	case waiting.Err() == nil:
		return f.told()
	case ctx.Err() == nil:
		w.say("not granted within %s", o.timeout)
	}
	f.stopped(o.show.target)
	return verdict(exitPending)
}

// wait looks until there is nothing to wait for any more, or until ctx ends.
func (f *follower) wait(ctx context.Context, patient bool) error {
	pause, failures := firstPause, 0
	for looks := 0; ; looks++ {
		changed, err := f.look(ctx)
		said := verdict(0)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && f.over():
			return nil
		case err == nil:
			failures = 0
			f.line.set(f.last.news(f.w.now()))
		case errors.As(err, &said), looks == 0 && !patient, failures == maxFailures:
			return err
		default:
			failures++
			f.line.set("GitHub does not tell; asked again: " + err.Error())
		}
		if changed {
			pause = firstPause
		}
		f.line.wait(ctx, pause)
		pause = min(pause*3/2, longestPause)
	}
}

// look judges the request anew where something may have happened to it.
func (f *follower) look(ctx context.Context) (changed bool, err error) {
	var now github.Glance
	if f.number > 0 {
		if now, err = f.client.Glance(ctx, f.number, f.show.agent); err != nil {
			return false, err
		}
		if now == f.seen && f.w.now().Before(f.again) {
			return false, nil
		}
	}
	s, err := f.show.onGitHub(ctx, f.w, f.client, f.repo)
	switch {
	case err != nil:
		return false, err
	case s.Outcome == policies.Failed:
		return false, fmt.Errorf("judge #%d: %s", s.PullRequest, s.Message)
	case s.Kind != policies.KindRequest:
		return false, verdictWith(f.w, exitFindings, "#%d asks for no access that could be waited for",
			s.PullRequest)
	}
	changed = now != f.seen
	f.number, f.last, f.seen, f.again = s.PullRequest, s, now, f.w.now().Add(judgedAnew)
	if next := s.Next(); !next.IsZero() && next.Before(f.again) {
		f.again = next.Time
	}
	return changed, nil
}

// over tells whether nothing is left to wait for.
func (f *follower) over() bool {
	switch f.last.stage(f.w.now()) {
	case policies.StageGranted, policies.StageDenied, policies.StageEnded:
		return true
	case policies.StageMerged, policies.StageScheduled:
		return f.show.agent == 0 || f.number == 0
	}
	return false
}

// told says what came of it, and how access is used.
func (f *follower) told() error {
	s, now := f.last, f.w.now()
	at := s.stage(now)
	f.w.say("%s", s.news(now))
	switch at {
	case policies.StageDenied, policies.StageEnded:
		return verdict(exitFindings)
	case policies.StageMerged, policies.StageScheduled:
		f.w.say("whether its agent has given access is not known: --agent-app-id, or " +
			rulesetFile + " of the access repository, says whose comments are the agent's")
		f.w.say("once it has, this works:")
	}
	var r report
	for _, command := range works(*s.Grant) {
		r.copied("%s", command)
	}
	return r.to(f.w.out)
}

// stopped says how one goes on waiting for a request that nobody touched.
func (f *follower) stopped(named target) {
	if f.number > 0 {
		f.w.say("the request stays as it is: %s", f.client.PullURL(f.number))
		f.w.say("to go on waiting: %s wait %d --repo %s", program, f.number, f.repo)
		return
	}
	f.w.say("to go on waiting: %s wait %s --repo %s", program, named.name, f.repo)
}

// verdictWith says something and is the verdict that goes with it.
func verdictWith(w world, code int, format string, args ...any) error {
	w.say(format, args...)
	return verdict(code)
}
