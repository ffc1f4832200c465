package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

type auditVerifyOptions struct {
	remote  remote
	signers string
	output  *format
}

func newAuditVerifyCommand(w world) *cobra.Command {
	var o auditVerifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Derive every ledger entry again and name what does not follow",
		Long: `Hold every ledger entry of a checkout against git: the signature of its cluster's
agent, the merge that brought the request, the request itself, the window. The facts kept beside the
entry are judged again, with the policies as git has them, and must give the same. With --repo or
GITHUB_TOKEN also against GitHub: was that pull request merged so, at that time, and approved by
those people? Each grant without a request, an approval or an end is named. docs/audit.md explains
every rule. The checkout must have the whole history.

The exit code is 1 when something does not follow, 3 when the check could not be finished.`,
		Example: `  pullgrant audit verify --dir ../access --allowed-signers agents.pub
  GITHUB_TOKEN=... pullgrant audit verify --allowed-signers agents.pub -o json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.signers == "" {
				return usagef(cmd, "--allowed-signers is missing: without the agents' keys "+
					"nothing can be verified")
			}
			return auditVerify(cmd.Context(), w, o)
		},
	}
	o.remote.flags(cmd)
	cmd.Flags().StringVar(&o.signers, "allowed-signers", "",
		"file with the public keys of the agents")
	o.output = outputFlag(cmd, []requests.Finding{}, asName)
	return cmd
}

func auditVerify(ctx context.Context, w world, o auditVerifyOptions) error {
	dir, err := o.remote.checkout.folder()
	if err != nil {
		return err
	}
	signers, err := readSigners(o.signers)
	if err != nil {
		return err
	}
	var client *github.Client
	if o.remote.repo != "" || w.env("GITHUB_TOKEN") != "" {
		if client, _, err = o.remote.client(ctx, w); err != nil {
			return err
		}
	} else {
		w.say("GitHub was not asked; give --repo or GITHUB_TOKEN to check merges and approvals too")
	}
	accounts, findings, err := ledger.Verify(ctx, dir, signers, client, w.now(), onAllCores)
	if err != nil {
		return err
	}
	if err := o.output.printFindings(w, findings); err != nil {
		return err
	}
	entries := 0
	for _, a := range accounts {
		if a.Status != nil {
			entries++
		}
	}
	w.say("verified %s and %s, %s", count(entries, "ledger file"), count(len(accounts)-entries,
		"open request"), count(len(findings), "finding"))
	if len(findings) > 0 {
		return verdict(exitFindings)
	}
	return nil
}
