package sync

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

const (
	// patience is how long GitHub must have known of no pull request behind a commit before that is
	// taken for an answer: it ties a merge to its commit only minutes later, at times
	// (docs/github.md).
	patience = 10 * time.Minute
	// annotationSilent is on the Lease: since when that is so, by what was looked for, as JSON. A
	// process that takes one pass goes by what the ones before it were told.
	annotationSilent = "pullgrant.dev/no-pull-request"
	// oldSilence is when one is forgotten: whatever it was about is long decided.
	oldSilence = 48 * time.Hour
)

// silences are since when GitHub knows of no pull request, by what was looked for. The zero value
// has not read what earlier runs were told.
type silences struct {
	since   map[string]time.Time
	changed bool // since they were read or saved
}

// read takes over what earlier runs were told. What cannot be read begins again.
func (s *silences) read(ctx context.Context, cluster *kube.Cluster) error {
	if s.since != nil {
		return nil
	}
	notes, err := cluster.Notes(ctx)
	if err != nil {
		return err
	}
	s.since = map[string]time.Time{}
	if json.Unmarshal([]byte(notes[annotationSilent]), &s.since) != nil {
		s.since = map[string]time.Time{}
	}
	return nil
}

// save keeps them for the next run.
func (s *silences) save(ctx context.Context, cluster *kube.Cluster, now time.Time) error {
	if !s.changed {
		return nil
	}
	maps.DeleteFunc(s.since, func(_ string, since time.Time) bool {
		return now.Sub(since) > oldSilence
	})
	text := ""
	if len(s.since) > 0 {
		data, err := json.Marshal(s.since)
		if err != nil {
			return err
		}
		text = string(data)
	}
	err := cluster.Note(ctx, annotationSilent, text)
	s.changed = err != nil
	return err
}

// begin notes that GitHub knows of none now, and returns since when it does. A time that is still
// to come says that a clock was set back.
func (s *silences) begin(what string, now time.Time) time.Time {
	since, known := s.since[what]
	if !known || since.After(now) {
		since = now
		s.since[what], s.changed = now, true
	}
	return since
}

// end notes that GitHub said something else.
func (s *silences) end(what string) {
	if _, known := s.since[what]; known {
		delete(s.since, what)
		s.changed = true
	}
}

// bear lets a refusal for want of a pull request stand once GitHub has said so for ten minutes of
// the agent's own clock; until then it is an error that is tried again, and so it is while that clock is one
// that nobody can trust.
func (v *prover) bear(ctx context.Context, what string, d policies.Decision) policies.Decision {
	if err := v.silent.read(ctx, v.cluster); err != nil {
		if d.Code == policies.NoPullRequest {
			return policies.Refuse(policies.EvaluationError, "%v", err)
		}
		return d
	}
	if d.Code != policies.NoPullRequest {
		v.silent.end(what)
		return d
	}
	if skew := v.clocks.problem(); skew != "" {
		return policies.Refuse(policies.ClockSkew, "%s", skew)
	}
	now := v.clocks.wall()
	until := v.silent.begin(what, now).Add(patience)
	if !now.Before(until) {
		return d
	}
	return policies.Refuse(policies.EvaluationError,
		"%s; GitHub can be late to know, so it is refused "+
			"only if that is still so at %s", d.Message, requests.At(until))
}
