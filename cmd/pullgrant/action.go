package main

import (
	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/action"
)

func newActionCommand(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "action",
		Short: "Judge the pull request of a GitHub event (what action.yml runs)",
		Long: `Judge the pull request that the current GitHub event is about, and post the verdict as
a check run named "pullgrant" on its head commit. It reads the GITHUB_* and INPUT_* variables that
GitHub sets for an action; outputs are decision, code, policy and head-sha. Nothing of the pull
request is checked out or run.

The exit code is that of "pullgrant evaluate": 0 allowed, 8 approvals are missing, 1 denied. With the
input exit-code: reported it is 0 once the check run is posted.`,
		Example: `  pullgrant action`,
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := action.Run(cmd.Context(), w.env, w.out, w.now)
			switch {
			case err != nil: // told in the log; here it would be a line in which the runner looks for commands
				return verdict(exitFailed)
			case result.Reported:
				return nil
			}
			return verdictOf(result.Outcome)
		},
	}
}
