package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
	"github.com/pullgrant/pullgrant/sync/names"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// findMatched lists what matches a grant that is to be made. One that matches more than a Role can
// name is refused: whoever asked for it can ask for less.
func (a *Agent) findMatched(ctx context.Context, g requests.Grant) (names.Found, error) {
	found, err := a.names.Find(ctx, g)
	if tooMany, is := errors.AsType[*names.TooManyError](err); is {
		return nil, &refusal{policies.ResourcesTooMany, true, tooMany}
	}
	if errors.Is(err, kube.ErrNotServed) {
		return nil, &refusal{policies.NothingToGrant, false, err}
	}
	return found, err
}

// refreshNames keeps names where no term does, and tells of those that stand still.
func (p *pass) refreshNames(ctx context.Context) error {
	problems := p.names.Problems()
	p.metrics.NamesStill(len(problems))
	p.tell.standStill(p.world, problems)
	p.tell.emptied(p.world, p.names.Empty())
	return p.names.Refresh(ctx, p.world.Records)
}

// standStill has the pull requests of grants told whose names stand still, once they did for a
// minute or at once where waiting does not mend it, and that they are kept again.
func (t *teller) standStill(w plan.World, problems map[string]names.Problem) {
	still := map[string]bool{}
	for _, r := range w.Records {
		path := r.Grant.Path
		problem, stuck := problems[path]
		told := t.still[path]
		still[path] = stuck && (told || problem.Lasting ||
			t.wall().Sub(problem.Since) >= time.Minute)
		switch {
		case r.Phase != plan.Granted, told == still[path]:
			continue
		case still[path]:
			t.comments.put(comment{number: r.Grant.Evidence.PullRequest, what: "names", grant: path,
				compose: func(ctx context.Context) (string, error) {
					text, err := t.grantedNow(ctx, r)
					return text + stillText(problem), err
				}})
		default:
			t.sayGranted(r)
		}
	}
	t.still = still
}

// emptied has the pull requests of grants told that nothing matches any more, as when a Deployment
// goes away, and that something does again.
func (t *teller) emptied(w plan.World, empty map[string]bool) {
	before := t.empty
	t.empty = map[string]bool{}
	for _, r := range w.Records {
		path := r.Grant.Path
		now, followed := empty[path]
		if r.Phase != plan.Granted || !followed {
			continue
		}
		t.empty[path] = now
		if was, known := before[path]; known && was != now && !t.still[path] {
			t.sayGranted(r)
		}
	}
}

// sayGranted has the pull request of a grant told what it gives.
func (t *teller) sayGranted(r plan.Record) {
	t.comments.put(comment{number: r.Grant.Evidence.PullRequest, what: "granted", grant: r.Grant.Path,
		compose: func(ctx context.Context) (string, error) { return t.grantedNow(ctx, r) }})
}

// grantedNow tells what a grant gives, with what matches it now.
func (t *teller) grantedNow(ctx context.Context, r plan.Record) (string, error) {
	var all []string
	podOf, follows := map[string]string{}, false // by the item's name
	for _, item := range r.Grant.Items {
		matched, err := t.cluster.Matched(ctx, item)
		if err != nil {
			return "", err
		}
		if len(matched) > 0 {
			podOf[item.Name] = matched[0]
		}
		all, follows = append(all, matched...), follows || item.Matches()
	}
	text := grantedText(r.Grant, func(i requests.Item) string { return podOf[i.Name] })
	if follows {
		text += matchedText(slices.Compact(slices.Sorted(slices.Values(all))))
	}
	return text, nil
}

// maxMatched bounds the names that a comment tells.
const maxMatched = 20

// matchedText tells what matches a grant.
func matchedText(matched []string) string {
	if len(matched) == 0 {
		return "\nNothing matches now. What comes to match is added while access lasts.\n"
	}
	var shown []string
	for _, name := range matched[:min(len(matched), maxMatched)] {
		shown = append(shown, github.Code(name))
	}
	if more := len(matched) - maxMatched; more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("\n%d match now: %s. What comes and goes is followed while access lasts.\n",
		len(matched), strings.Join(shown, ", "))
}

// stillText tells why names stand still.
func stillText(problem names.Problem) string {
	return fmt.Sprintf("\n#### What matches is not followed\n\nSince %s names stand "+
		"still:\n\n%s\n\n"+
		"What was given stays until the end, nothing is added. It is tried again.\n",
		github.Moment(requests.At(problem.Since)), github.Code(problem.Text))
}
