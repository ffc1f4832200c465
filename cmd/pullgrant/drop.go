package main

import "github.com/spf13/cobra"

func newDropCommand(w world) *cobra.Command {
	o := revokeOptions{own: true}
	cmd := &cobra.Command{
		Use:   "drop NAME...",
		Short: "Give your own access back before its time",
		Long: `Open a pull request that removes the request NAME, which you asked for or whose access you
receive. The agent ends the access as soon as it sees it: nobody has to approve or merge. Access of
others is ended with "pullgrant revoke".

Only GitHub and the agent take what you give back. While GitHub is down, those can end it who may
list and delete RoleBindings on the cluster, which whoever asks for access mostly may not:

  kubectl delete rolebinding -A -l app.kubernetes.io/managed-by=pullgrant,pullgrant.dev/request=NAME

The exit code is 1 when one of NAME is not live, or not yours.`,
		Example: `  pullgrant drop 20261122-alice-inc-123`,
		Args:    arguments(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.names = args
			return revoke(cmd, w, o)
		},
	}
	o.remote.flags(cmd)
	cmd.Flags().StringVar(&o.cluster, "cluster", "", "on this cluster only")
	return cmd
}
