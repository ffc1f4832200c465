package main

import (
	"github.com/spf13/cobra"
)

func newPolicyCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Work on policies: list, explain, lint, test, replay, recertify",
		Long: "Work on the policies of an access repository. Each command but recertify is " +
			"offline, and reads the files in front of it, committed or not.",
		Example: `  pullgrant policy list
  pullgrant policy explain payments-debug
  pullgrant policy lint --strict`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newPolicyListCommand(w),
		newPolicyExplainCommand(w),
		newPolicyLintCommand(w),
		newPolicyTestCommand(w),
		newPolicyReplayCommand(w),
		newPolicyRecertifyCommand(w),
	)
	return cmd
}
