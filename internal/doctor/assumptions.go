package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
)

// lately is how many of the last merges are looked at.
const lately = 5

// merges looks at what GitHub tells of the last merges.
func (e *examination) merges(ctx context.Context) {
	merged, err := e.Client.Probe(ctx, lately)
	if err != nil {
		const mend = "run it with a token that may read contents and pull requests"
		e.unknown("activity", err, mend)
		e.unknown("associations", err, mend)
		e.unknown("app-permissions", err, mend)
		return
	}
	if len(merged) == 0 {
		for _, id := range []string{"activity", "associations", "app-permissions"} {
			e.skip(id, "no pull request was merged yet")
		}
		return
	}
	e.activity(merged)
	e.associations(merged)
	e.reporter(ctx, merged)
}

func (e *examination) activity(merged []github.Merged) {
	gone := slices.DeleteFunc(slices.Clone(merged),
		func(m github.Merged) bool { return !m.BranchGone })
	silent := slices.DeleteFunc(slices.Clone(gone), func(m github.Merged) bool { return m.Activity })
	switch {
	case len(gone) == 0:
		e.skip("activity", "no branch of the last %d merges is gone", len(merged))
	case len(silent) > 0:
		e.note("activity", Warning, "give the agent --check-app-id",
			"GitHub tells nothing of the activity of deleted branches by their name (%s)", pulls(silent))
	default:
		e.ok("activity", "told for deleted branches by their name (%s)", pulls(gone))
	}
}

func (e *examination) associations(merged []github.Merged) {
	late := slices.DeleteFunc(slices.Clone(merged),
		func(m github.Merged) bool { return m.Associated })
	if len(late) > 0 {
		e.note("associations", Warning, "nothing, but for grants that come late", "the pull request "+
			"of a merged commit is not told (%s), of the last one %s after it",
			pulls(late), e.age(late[0]))
		return
	}
	e.ok("associations", "told for the last merges (%s), the last %s ago", pulls(merged),
		e.age(merged[0]))
}

// age is how long ago something was merged, in whole hours.
func (e *examination) age(m github.Merged) string {
	if age := e.Now.Sub(m.At); age >= time.Hour {
		return strings.TrimSuffix(age.Round(time.Hour).String(), "0m0s")
	}
	return "less than an hour"
}

func pulls(all []github.Merged) string {
	var numbers []string
	for _, m := range all {
		numbers = append(numbers, fmt.Sprintf("#%d", m.Number))
	}
	return names(numbers)
}

// reporter looks at the App that judged the last merge.
func (e *examination) reporter(ctx context.Context, merged []github.Merged) {
	for _, m := range merged {
		apps, err := e.Client.Reporters(ctx, m.Head)
		if err != nil {
			e.unknown("app-permissions", err, "run it with a token that may read checks")
			return
		}
		for _, app := range apps {
			if app.ID == e.checkApp {
				e.permissions(app)
				return
			}
		}
	}
	e.skip("app-permissions", "the App of the ruleset judged none of the last merges (%s)",
		pulls(merged))
}
