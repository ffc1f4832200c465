package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// elsewhere is what became of a request that is not on the default branch; zero when nobody knows
// of it.
type elsewhere struct {
	ended string   // when and how, as the ledger says
	open  []string // addresses of the pull requests that ask for it
	waits string   // for what, of a single one
}

// lookElsewhere looks for a request in the ledger, then among the open pull requests.
func lookElsewhere(ctx context.Context, w world, client *github.Client, t target) (elsewhere, error) {
	tree, err := client.Tree(ctx, "", t.leadsTo)
	if err != nil {
		return elsewhere{}, err
	}
	for path, file := range tree.Files {
		if _, ok := requests.SplitRevocationPath(path); !ok || !t.is(path) {
			continue
		}
		entry, findings := requests.ParseRevocation(path, []byte(file.Content))
		if len(findings) > 0 {
			return elsewhere{}, fmt.Errorf("read how it ended: %s", findings[0])
		}
		e := elsewhere{ended: entry.Status.State}
		if code := entry.Status.Code; code != "" {
			e.ended += " (" + code + ")"
		}
		e.ended += ": " + howEnded(entry.Status)
		if by := entry.Status.EndedBy; by != nil {
			e.ended += fmt.Sprintf(", by %s", by)
		}
		return e, nil
	}
	numbers, err := client.PullsAdding(ctx, t.is)
	if err != nil {
		return elsewhere{}, err
	}
	var e elsewhere
	for _, number := range numbers {
		e.open = append(e.open, client.PullURL(number))
		s, err := judged(ctx, w, client, number)
		if err != nil {
			return e, err
		}
		if e.waits = s.Message; s.Outcome == policies.Denied {
			e.waits = "denied: " + s.Message
		}
	}
	return e, nil
}

// pulls are the pull requests that ask for it, and what that waits for.
func (e elsewhere) pulls() string {
	if len(e.open) > 1 {
		return strings.Join(e.open, " and ") + " both ask for it"
	}
	return e.open[0] + " is open: " + e.waits
}
