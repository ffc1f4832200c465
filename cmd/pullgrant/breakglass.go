package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/requests"
)

func newBreakGlassCommand(w world) *cobra.Command {
	o := requestOptions{breakGlass: true}
	cmd := &cobra.Command{
		Use:   "breakglass [flags] [-- COMMAND ARGUMENT...]",
		Short: "Have access at once, before anybody looks at it, and answer for it afterwards",
		Long: `Ask for access as "request" does, under a policy that lets you have it before anybody looks at it:
the agent of the cluster merges the pull request itself and opens an issue for those who answer for
it. Until an approved review has paid that, you break no glass anywhere, and nobody does under the
policy. What the policy gives, and rules deny, is as ever; only its own maximum is shorter.

On a terminal you are asked whether you mean it, unless --yes says so. Elsewhere nobody is there to
be asked, and what is missing is an error. The exit code is 1 when the policies would deny it.`,
		Example: `  pullgrant breakglass --policy payments-debug --cluster prod-eu --reason "INC-123, checkout is down"
  pullgrant breakglass review 20261122-alice-breakglass-inc-123 --verdict Justified \
    --text "Restarted payments-api; a runbook now says how to do without"`,
		Args: o.arguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd, w)
		},
	}
	o.askFlags(cmd)
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask whether you mean it")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false,
		"print the file and what it would grant; open nothing")
	cmd.AddCommand(newGlassReviewCommand(w))
	return cmd
}

// titled is the first word of a pull request's title.
func (o requestOptions) titled() string {
	if o.breakGlass {
		return "BREAK-GLASS"
	}
	return "Access"
}

// warn says aloud what is about to happen.
func (o requestOptions) warn(w world, g requests.Grant) {
	w.say("BREAK-GLASS: %s gets access %s before anybody looks at it", g.Subject.Name, g.For())
	w.say("BREAK-GLASS: to be answered for by %s within %s; until then you break no glass, and nobody does under %s",
		strings.Join(g.BreakGlass.Owners, ", "), g.BreakGlass.ReviewWithin, g.Policy)
}

// meansIt takes nothing but a word for it: Enter alone breaks no glass.
func (o requestOptions) meansIt(ctx context.Context) (bool, error) {
	answer, err := o.terminal.ask(ctx, question{title: "Break the glass? Type yes",
		about: fmt.Sprintf("%q asks for the same with a review", o.typedAs+" request")})
	return strings.EqualFold(strings.TrimSpace(answer), "yes"), err
}
