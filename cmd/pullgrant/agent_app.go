package main

import (
	"context"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
)

func (o *showOptions) agentFlag(cmd *cobra.Command) {
	cmd.Flags().Var((*number)(&o.agent), "agent-app-id",
		"id of the agent's GitHub App, whose comment says whether access was given (default: "+
			"$PULLGRANT_AGENT_APP_ID, else of "+rulesetFile+")")
}

// completeAgent reads whose comments are the agent's, of a command that has the flag or not.
func (o *showOptions) completeAgent(cmd *cobra.Command, w world) error {
	id := w.env("PULLGRANT_AGENT_APP_ID")
	if id == "" || cmd.Flags().Changed("agent-app-id") {
		return nil
	}
	if err := (*number)(&o.agent).Set(id); err != nil {
		return usagef(cmd, "PULLGRANT_AGENT_APP_ID: %q is no number", id)
	}
	return nil
}

// knowAgent takes whose comments are the agent's from the ruleset that the access repository keeps,
// where nobody said it. Without one it stays unknown.
func (o *showOptions) knowAgent(ctx context.Context, client *github.Client) error {
	if o.agent != 0 {
		return nil
	}
	files, err := client.Files(ctx, "", path.Dir(rulesetFile))
	if err != nil {
		return fmt.Errorf("find the agent's App in %s: %w", rulesetFile, err)
	}
	o.agent = policies.AgentApp(files[rulesetFile])
	return nil
}
