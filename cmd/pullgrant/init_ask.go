package main

import (
	"context"

	"github.com/spf13/cobra"
)

// ask asks for what no flag said, showing what it would be otherwise.
func (o *initOptions) ask(ctx context.Context, w world, cmd *cobra.Command, t *terminal) error {
	for _, q := range []struct {
		flag, title string
		value       *string
	}{
		{"org", "GitHub organization that owns the repository", &o.Org},
		{"cluster", "Name of the first cluster", &o.Cluster},
		{"approver", "Team or login that approves", &o.Approver},
	} {
		if o.Approver == "" && q.value == &o.Approver {
			o.Approver = o.Org + "/platform"
		}
		if cmd.Flags().Changed(q.flag) {
			continue
		}
		answer, err := t.ask(ctx, question{flag: q.flag, title: q.title, value: *q.value,
			check: func(answer string) string { return o.with(q.value, answer) }})
		if err != nil {
			return err
		}
		*q.value = answer
	}
	if cmd.Flags().Changed("check-app-id") || cmd.Flags().Changed("agent-app-id") {
		return nil
	}
	return o.askApps(ctx, w, t)
}

// with tells what is wrong with the options when a value of theirs is another one.
func (o *initOptions) with(value *string, answer string) (problem string) {
	before := *value
	defer func() { *value = before }()
	*value = answer
	checked := *o
	return checked.complete()
}

// askApps asks for the numbers of both Apps, without which there is no ruleset yet.
func (o *initOptions) askApps(ctx context.Context, w world, t *terminal) error {
	w.say("The repository needs two GitHub Apps. Register them on these pages; an empty answer leaves " +
		"the ruleset for later.")
	for _, app := range []struct {
		name   string
		is     appManifest
		number *number
	}{{"Action", checkApp(o.Org), &o.Checks}, {"agent", agentApp(o.Org), &o.Agent}} {
		w.say("  %s", app.is.page(githubHost(w), o.Org))
		answer, err := t.ask(ctx, question{title: "Number (App ID) of the " + app.name + "'s App",
			check: func(answer string) string {
				if err := new(number).Set(answer); answer != "" && err != nil {
					return err.Error()
				}
				return ""
			}})
		if err != nil {
			return err
		}
		if answer == "" { // the ruleset takes both
			o.Checks, o.Agent = 0, 0
			return nil
		}
		if err := app.number.Set(answer); err != nil {
			return err
		}
	}
	return nil
}
