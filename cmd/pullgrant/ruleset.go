package main

import (
	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

func newRulesetCommand(w world) *cobra.Command {
	var checks, agent number
	cmd := &cobra.Command{
		Use:   "ruleset",
		Short: "Print the ruleset that protects an access repository",
		Long: `Print the ruleset of the default branch of an access repository, as GitHub's API takes
it: what the agent asks for before it grants anything (docs/setup.md), with the Action's App as the only
source of the required check, and the agent's App as the only one whom the rules do not hold for.`,
		Example: `  pullgrant ruleset --check-app-id 1233 --agent-app-id 1234 >.github/pullgrant/ruleset.json
  gh api -X POST repos/acme/access/rulesets --input .github/pullgrant/ruleset.json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if checks == 0 || agent == 0 {
				return usagef(cmd, "--check-app-id and --agent-app-id are missing: the numbers of the "+
					"two Apps, which their pages on GitHub show as App ID")
			}
			if checks == agent {
				return usagef(cmd, "--check-app-id and --agent-app-id are one number: the rules do not hold for "+
					"the agent's App, so the Action needs one of its own")
			}
			return writeJSON(w.out, policies.NewRuleset(int64(checks), int64(agent)))
		},
	}
	cmd.Flags().Var(&checks, "check-app-id", "number of the Action's App")
	cmd.Flags().Var(&agent, "agent-app-id", "number of the agent's App")
	return cmd
}
