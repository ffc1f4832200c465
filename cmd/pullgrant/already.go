package main

import (
	"context"
	"fmt"
	"reflect"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// askedAlready finds an open pull request of the same person for the same access from the same
// moment on, however long that is for; nil when there is none.
func (o requestOptions) askedAlready(ctx context.Context, tree policies.Tree,
	g requests.Grant) (*github.Asking, error) {
	open, err := o.client.AskedBy(ctx, o.login, func(path string) bool {
		place, ok := requests.SplitPath(path)
		return ok && place.Cluster == g.Cluster && place.Policy == g.Policy
	})
	if err != nil {
		return nil, err
	}
	for _, asking := range open {
		d := policies.Preview(tree, asking.Path, asking.File)
		if d.Outcome == policies.Allowed && d.Grant.BreakGlass == nil && d.Grant.Extends == g.Extends &&
			d.Grant.NotBefore == g.NotBefore && reflect.DeepEqual(d.Grant.Subject, g.Subject) &&
			requests.SameAccess(d.Grant.Items, g.Items) {
			return &asking, nil
		}
	}
	return nil, nil
}

// showOpen shows what was asked for already instead of asking once more.
func (o requestOptions) showOpen(w world, asking github.Asking) error {
	w.say("you asked for this already: %s is open; --again asks all the same", asking.URL)
	_, err := fmt.Fprintln(w.out, asking.URL)
	return err
}

// sayHeld says until when a person has what they asked for, and how to have it longer.
func (o requestOptions) sayHeld(w world, held policies.Live) error {
	place, _ := requests.SplitPath(held.Path)
	now := w.now()
	w.say("%s: you have this until %s, by %s; extend it with: %s extend %[3]s",
		policies.AlreadyGranted, moment(held.Window.End.Time, now, now.Location()), place.Name, o.typedAs)
	return verdict(exitFindings)
}
