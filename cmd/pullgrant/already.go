package main

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// name gives a request a name that nothing has on the default branch, nor on a branch that asks
// for something else: where its author chose none, the time of day is added. taken is what has the
// chosen one.
func (o requestOptions) name(ctx context.Context, tree policies.Tree, asked *requests.AccessRequest,
	now time.Time) (taken []string, err error) {
	name := asked.Metadata.Name
	taken, err = o.client.UsedNames(ctx, tree.Commit, name)
	if err != nil {
		return nil, err
	}
	path, branch := requests.Path(o.cluster, o.policy, name), branchOf(name)
	on, err := o.client.OnBranch(ctx, branch, path)
	if err != nil {
		return nil, err
	}
	if on != nil && (o.again || !asksFor(tree, *on, *asked, now)) {
		taken = append(taken, cmp.Or(on.URL, "the branch "+branch))
	}
	if (len(taken) > 0 || o.again) && o.slug == "" {
		asked.Metadata.Name += "-" + timeOfDay(now)
		return nil, nil
	}
	return taken, nil
}

// branchOf is the branch that a request is proposed on.
func branchOf(name string) string { return program + "/" + name }

// asksFor tells whether a pull request asks for the same as a request that is to be written.
func asksFor(tree policies.Tree, asking github.Asking, asked requests.AccessRequest,
	now time.Time) bool {
	data, err := written(asked)
	if err != nil {
		return false // it is told when it is written
	}
	there := policies.Preview(tree, asking.Path, asking.File)
	wanted := policies.Preview(tree, asking.Path, policies.NewTreeFile(policies.PlainFile, "", data,
		int64(len(data))))
	return there.Outcome == policies.Allowed && wanted.Outcome == policies.Allowed &&
		sameAsked(*there.Grant, *wanted.Grant, now)
}

// sameAsked tells whether two requests of one person under one policy are for the same access from
// the same moment on, if they are merged now, however long that is for.
func sameAsked(a, b requests.Grant, now time.Time) bool {
	// of one that goes on from another, that one's end may be known of one of them only
	sameStart := a.Extends != "" || a.From(now).Start.Equal(b.From(now).Start.Time)
	return sameStart && a.Extends == b.Extends && (a.BreakGlass == nil) == (b.BreakGlass == nil) &&
		reflect.DeepEqual(a.Subject, b.Subject) &&
		requests.SameAccess(a.Items, b.Items)
}

// askedAlready finds an open pull request of the same person for the same, and what it would give;
// nil when there is none.
func (o requestOptions) askedAlready(ctx context.Context, tree policies.Tree,
	g requests.Grant, now time.Time) (*github.Asking, *requests.Grant, error) {
	open, err := o.client.AskedBy(ctx, o.login, func(path string) bool {
		place, ok := requests.SplitPath(path)
		return ok && place.Cluster == g.Cluster && place.Policy == g.Policy
	})
	if err != nil {
		return nil, nil, err
	}
	for _, asking := range open {
		d := policies.Preview(tree, asking.Path, asking.File)
		if d.Outcome == policies.Allowed && sameAsked(*d.Grant, g, now) {
			return &asking, d.Grant, nil
		}
	}
	return nil, nil, nil
}

// showOpen shows what was asked for already instead of asking once more, and for how long where
// that is not what is wanted now.
func (o requestOptions) showOpen(w world, asking github.Asking, there, wanted requests.Grant) error {
	long := ""
	if there.For() != wanted.For() {
		long = ", " + there.For()
	}
	w.say("you asked for this already%s: %s is open; --again asks all the same", long, asking.URL)
	_, err := fmt.Fprintln(w.out, asking.URL)
	return err
}

// sayHeld says until when a person has what they asked for, and how to have it longer.
func (o requestOptions) sayHeld(w world, held policies.Live, d policies.Decision) error {
	place, _ := requests.SplitPath(held.Path)
	now, has := w.now(), "you have"
	if d.Grant != nil && d.Grant.Behalf != "" {
		has = "@" + d.Grant.Behalf + " has"
	}
	w.say("%s: %s this until %s, by %s; extend it with: %s extend %[4]s", policies.AlreadyGranted, has,
		moment(held.Window.End.Time, now, now.Location()), place.Name, o.typedAs)
	return verdict(exitFindings)
}
