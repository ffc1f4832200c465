package awsauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pullgrant/pullgrant/sync/mapusers"
)

// manyTries is after how many writes, with conflicts, it is time to show that the loop turns.
const manyTries = 5

// look brings aws-auth to what the grants say, one change at a time: the fence lets no two through
// at once. A change that came too late is none, and everything is read again. until is when what is
// wanted changes by the clock alone.
func (p *Process) look(ctx context.Context) (until time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	barred := p.isBarred()
	failed := map[string]error{} // by action and entry
	begun, wrote := -1, false
	for tries := 0; ; {
		// The list before the records: an entry in it is of a record that is read after it.
		auth, err := p.cluster.AWSAuth(ctx)
		if err != nil {
			return until, err
		}
		records, unreadable, err := p.cluster.Records(ctx)
		if err != nil {
			return until, err
		}
		p.known = true
		p.unreadable(unreadable)
		var people []mapusers.Entry
		people, until = wanted(records, p.now())
		list, err := mapusers.Read(auth.MapUsers(), auth.MapRoles())
		if err != nil {
			p.metrics.AWSAuth(0, len(people), 0)
			return until, err
		}
		steps, refused := list.Steps(people)
		step, text, more := next(list, steps, failed, barred)
		if text == nil {
			p.tell(list, people, append(refused, more...))
			return until, left(steps, failed, barred)
		}
		if begun < 0 {
			begun = len(steps)
		}
		if tries == manyTries {
			p.early()
			if !wrote && len(steps) >= begun { // nor did another replica
				return until, errors.New("somebody else writes ConfigMap aws-auth before each write")
			}
			return until, nil
		}
		switch err := p.cluster.SetMapUsers(ctx, auth, *text); {
		case apierrors.IsConflict(err):
			tries++
		case err != nil:
			failed[key(step)] = err
		default:
			tries, wrote = tries+1, true
			if step.Action == mapusers.Remove { // what is left of that ARN is somebody else's
				delete(p.ours, strings.ToLower(step.Entry.ARN))
			}
			p.log.Info(done[step.Action], "event", "aws-auth", "arn", step.Entry.ARN,
				"user", step.Entry.Username, "request", step.Entry.Request)
		}
	}
}

// next is the first step that is to be tried, and the list after it; nil when none is. refused are
// those who cannot be let in by theirs.
func next(list mapusers.List, steps []mapusers.Step, failed map[string]error, barred string) (
	step mapusers.Step, text *string, refused []mapusers.Refusal) {
	for _, s := range steps {
		if failed[key(s)] != nil || s.Action == mapusers.Add && barred != "" {
			continue
		}
		after, err := list.After(s)
		switch {
		case err == nil:
			return s, &after, nil
		case s.Action == mapusers.Add:
			refused = append(refused, mapusers.Refusal{Entry: s.Entry, Why: err})
		default:
			failed[key(s)] = err
		}
	}
	return step, nil, refused
}

// done is what the log says of a step.
var done = map[mapusers.Action]string{mapusers.Add: "let in", mapusers.Remove: "taken out",
	mapusers.Mark: "in for another request"}

func key(s mapusers.Step) string { return string(s.Action) + " " + s.Entry.ARN }

// left is the error of a look after which something is left to do.
func left(steps []mapusers.Step, failed map[string]error, barred string) error {
	var errs []error
	for _, s := range steps {
		if err := failed[key(s)]; err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", s.Action, s.Entry.ARN, err))
		} else if barred != "" && barred != unknown {
			errs = append(errs, fmt.Errorf("%s %s: nobody is let in: %s", s.Action, s.Entry.ARN,
				barred))
		}
	}
	return errors.Join(errs...)
}

// unreadable tells of records that let nobody in. The agent takes back what they are of.
func (p *Process) unreadable(errs []error) {
	detail := ""
	if err := errors.Join(errs...); err != nil {
		detail = err.Error()
	}
	p.say("records", "records cannot be read", detail)
}

// tell shows who is in, whom the list does not let in, and which entries are nobody's to take away.
func (p *Process) tell(list mapusers.List, people []mapusers.Entry, refused []mapusers.Refusal) {
	about := map[string]bool{}
	for _, r := range refused {
		about["out "+r.Entry.ARN] = true
		p.say("out "+r.Entry.ARN, "aws-auth does not let somebody in who has access",
			r.Why.Error())
	}
	in, left := 0, 0
	for _, e := range list.Entries {
		arn := strings.ToLower(e.ARN)
		if e.Request != "" {
			in++
			p.ours[arn] = e
			continue
		}
		was, known := p.ours[arn]
		if !e.Reformatted && (!known || was.Username != e.Username) ||
			slices.ContainsFunc(people, func(w mapusers.Entry) bool {
				return strings.EqualFold(w.ARN, e.ARN)
			}) {
			continue
		}
		left++
		about["left "+arn] = true
		p.say("left "+arn, "somebody wrote an entry of pullgrant's anew, so it is not "+
			"taken away; remove it from mapUsers of aws-auth: it is a name without rights",
			e.ARN+" as "+e.Username)
	}
	for arn := range p.ours {
		if !slices.ContainsFunc(list.Entries, func(e mapusers.Entry) bool {
			return strings.EqualFold(e.ARN, arn)
		}) {
			delete(p.ours, arn)
		}
	}
	for subject := range p.told {
		if strings.Contains(subject, " ") && !about[subject] {
			delete(p.told, subject)
		}
	}
	p.metrics.AWSAuth(in, len(refused), left)
}
