package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// ending is access that somebody is about to end.
type ending struct {
	client *github.Client
	path   string        // of the request
	by     policies.User // who ends it

	decision policies.Decision // on the request, as its agent judges it
	now      bool              // its agent needs nobody's approval to end it
	open     int               // number of their pull request that ends it already; 0: there is none
	later    bool              // what it ends has not begun
}

// find judges the request to be ended. What GitHub does not tell this person is not known of it:
// that keeps nobody from ending access.
func (e *ending) find(ctx context.Context, w world, tree policies.Tree,
	people policies.IdentityMap) {
	file := tree.Files[e.path]
	e.decision = policies.Preview(tree, e.path, file)
	number, _, err := e.client.Introduced(ctx, e.path, tree.Commit)
	if err == nil && number > 0 {
		var f policies.Facts
		if f, err = e.client.Facts(ctx, number, w.now()); err == nil {
			e.decision = policies.EvaluateMerged(f, e.path, file.Blob, w.now())
		}
	}
	if err != nil {
		w.say("note: whether %s was granted could not be told: %v", e.path, err)
	}
	if g := e.decision.Grant; g != nil {
		e.later = g.Window.Start.After(w.now())
		e.now = policies.Withdrawal{Author: e.by, Path: e.path}.Ends(*g, people) != ""
	}
}

// own tells whether the access is of the one who ends it: asked for by them, or received.
func (e ending) own(people policies.IdentityMap) bool {
	g := e.decision.Grant
	if g == nil {
		return false
	}
	asked := *g
	asked.Evidence = requests.Evidence{} // whose approvals make nothing their own
	return policies.Withdrawal{Author: e.by, Path: e.path}.Ends(asked, people) != ""
}

// String says what ends: whose access, to what, and until when it lasts otherwise.
func (e ending) String() string {
	place, _ := requests.SplitPath(e.path)
	g, name := e.decision.Grant, place.Name
	if label := requests.LabelValue(name); label != name {
		name += " (label " + label + ")"
	}
	if g == nil {
		return fmt.Sprintf("%s: it gives nothing that could be told (%s)", name, e.decision.Message)
	}
	text := fmt.Sprintf("%s: @%s as %s %s, %s", name, g.Requester, g.Subject.Kind,
		g.Subject.Name, strings.Join(g.Gives(), " and "))
	if e.decision.Outcome == policies.Allowed && !g.Window.End.IsZero() {
		if e.later {
			text += ", from " + g.Window.Start.String()
		}
		return text + ", until " + g.Window.End.String()
	}
	return text + ", not granted as far as GitHub tells"
}

// withdraw opens the pull request that removes the request, unless theirs is open already, and says
// whether access ends with that. Another's is in nobody's way: whether access ends at once goes by
// who opened it.
func (e *ending) withdraw(ctx context.Context, w world) (err error) {
	place, _ := requests.SplitPath(e.path)
	text := place.Name + ": "
	if e.open > 0 {
		text += fmt.Sprintf("your pull request #%d is open already: ", e.open)
		_, err = fmt.Fprintln(w.out, e.client.PullURL(e.open))
	} else {
		e.open, err = e.propose(ctx, w, place)
	}
	switch {
	case err != nil:
		return err
	case e.now:
		w.say("%saccess ends as soon as its agent sees the pull request", text)
		return nil
	}
	text += "it waits for " + e.waits(ctx, w)
	if g := e.decision.Grant; g != nil && !g.Window.End.IsZero() {
		text += "; what it gave lasts until then, at the longest until " + g.Window.End.String()
	}
	w.say("%s", text)
	return nil
}

func (e ending) propose(ctx context.Context, w world, place requests.Place) (number int, err error) {
	text := fmt.Sprintf("ends: %s\n%s\n", e.path, e)
	fence := codeFence(text)
	return propose(ctx, w, e.client, github.Proposal{
		Branch:    program + "/revoke-" + place.Name,
		Apart:     true,
		Files:     map[string][]byte{e.path: nil},
		Message:   "Revoke " + place.Name,
		Title:     fmt.Sprintf("Revoke: %s on %s", place.Name, place.Cluster),
		Body:      fence + "text\n" + text + fence + "\n",
		AutoMerge: true,
	})
}

// waits says what the open pull request waits for.
func (e ending) waits(ctx context.Context, w world) string {
	waits := "a code owner's approval and the merge"
	f, err := e.client.Facts(ctx, e.open, w.now())
	if err != nil {
		return waits
	}
	d := policies.Evaluate(f.Base, f, w.now())
	if d.Outcome == policies.Allowed {
		return "the merge"
	}
	for _, c := range d.AllChallenges() {
		if left := d.Remaining(c); !c.Met && len(left) > 0 {
			waits = "an approval by " + at(left) + ", and the merge"
		}
	}
	return waits
}

// endings are those of one call, each for itself: what cannot be ended keeps nothing else from it.
type endings struct {
	world     world
	dry       bool     // only say what would end
	done, not []string // names
	worst     int      // exit code
}

func (a *endings) end(ctx context.Context, name string, e ending) {
	a.world.say("%s", e)
	var err error
	if a.dry {
		_, err = fmt.Fprintln(a.world.out, plain(e.path))
	} else {
		err = e.withdraw(ctx, a.world)
	}
	if err != nil {
		a.lacks(exitFailed, name, "not ended: %v", err)
		if !a.dry {
			sayByHand(a.world, name)
		}
		return
	}
	a.done = append(a.done, name)
}

// lacks says why one is not ended.
func (a *endings) lacks(code int, name, why string, args ...any) {
	a.worst = max(a.worst, code)
	a.not = append(a.not, name)
	a.world.say("%s: %s", name, fmt.Sprintf(why, args...))
}

// verdict is the worst that came of one. Of several it says which are done and which are not.
func (a *endings) verdict() error {
	if a.worst == exitDone {
		return nil
	}
	if len(a.done)+len(a.not) > 1 {
		a.world.say("%d done: %s; %d not done: %s", len(a.done), cmp.Or(strings.Join(a.done, ", "),
			"none"), len(a.not), strings.Join(a.not, ", "))
	}
	return verdict(a.worst)
}
