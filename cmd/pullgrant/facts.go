package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/inquire"
	"github.com/pullgrant/pullgrant/policies"
)

type factsOptions struct {
	remote remote
	number int
}

func newFactsCommand(w world) *cobra.Command {
	var o factsOptions
	cmd := &cobra.Command{
		Use:   "facts --pr N",
		Short: "Gather what GitHub says about a pull request",
		Long: `Print, as JSON, everything a pull request is judged by: its files, commits, reviews
and pushes, who may do what, and the policies on the default branch now. Save it and judge it again
with "pullgrant evaluate". The token must be allowed to read the members of the organization's
teams.`,
		Example: `  pullgrant facts --pr 7 > facts.json
  pullgrant facts --pr 7 --repo acme/access | pullgrant evaluate --facts -`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !cmd.Flags().Changed("pr"):
				return usagef(cmd, "--pr is missing: the number of a pull request")
			case o.number < 1:
				return usagef(cmd, "--pr %d: pull requests are counted from 1", o.number)
			}
			return facts(cmd.Context(), w, o)
		},
	}
	o.remote.flags(cmd)
	cmd.Flags().IntVar(&o.number, "pr", 0, "number of the pull request")
	return cmd
}

func facts(ctx context.Context, w world, o factsOptions) error {
	client, _, err := o.remote.client(ctx, w)
	if err != nil {
		return err
	}
	inside, stop := w.awaiting("GitHub")
	f, err := gather(ctx, inside, client, o.number)
	stop()
	if err != nil {
		return err
	}
	return writeJSON(w.out, f)
}

// gather is what GitHub tells of a pull request. Whom challenges ask beside it, only the Action and the
// agent can ask: what the cluster knows is told at grant time, and nobody else answers here.
func gather(ctx context.Context, w world, client *github.Client, number int) (policies.Facts, error) {
	f, err := client.Facts(ctx, number, w.now())
	if err == nil {
		inquire.WithoutCluster().Fill(ctx, &f, w.now)
	}
	return f, err
}
