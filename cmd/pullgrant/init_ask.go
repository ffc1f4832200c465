package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// ask asks for what no flag said, showing what an empty answer stands for. An answer that will not
// do is asked for again, a few times.
func (o *initOptions) ask(w world, cmd *cobra.Command, prompt func(question string) string) {
	o.question(w, cmd, prompt, "org", "GitHub organization that owns the repository", &o.Org)
	o.question(w, cmd, prompt, "cluster", "Name of the first cluster", &o.Cluster)
	if o.Approver == "" {
		o.Approver = o.Org + "/platform"
	}
	o.question(w, cmd, prompt, "approver", "Team or login that approves", &o.Approver)
	if cmd.Flags().Changed("check-app-id") || cmd.Flags().Changed("agent-app-id") {
		return
	}
	w.say("The repository needs two GitHub Apps. Register them on these pages; an empty answer leaves " +
		"the ruleset for later.")
	for _, app := range []struct {
		name   string
		is     appManifest
		number *number
	}{{"Action", checkApp(o.Org), &o.Checks}, {"agent", agentApp(o.Org), &o.Agent}} {
		w.say("  %s", app.is.page(githubHost(w), o.Org))
		for range askedAgain {
			answer := prompt("Number (App ID) of the " + app.name + "'s App")
			if answer == "" {
				break
			}
			if err := app.number.Set(answer); err == nil {
				break
			} else {
				w.say("%s: %v", answer, err)
			}
		}
		if *app.number == 0 { // the ruleset takes both
			o.Checks, o.Agent = 0, 0
			return
		}
	}
}

// askedAgain is how often a question is put before what was answered is refused.
const askedAgain = 3

// question asks for the value of a flag that was not given.
func (o *initOptions) question(w world, cmd *cobra.Command, prompt func(string) string, flag,
	text string, value *string) {
	if cmd.Flags().Changed(flag) {
		return
	}
	usual := *value
	for range askedAgain {
		answer := prompt(fmt.Sprintf("%s [%s]", text, usual))
		if answer == "" {
			*value = usual
			return
		}
		*value = answer
		checked := *o
		problem := checked.complete()
		if problem == "" {
			return
		}
		w.say("%s", problem)
	}
}
