package main

import (
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

func newPolicyCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Work on policies: list, explain, lint, test, replay",
		Long:  "Work on the policies of an access repository, offline. Each command reads the files in front of it, committed or not.",
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
	)
	return cmd
}

// tree reads the policies of the checkout, as they stand in its folder.
func (c checkout) tree() (policies.Tree, fs.FS, error) {
	dir, files, err := c.open()
	if err != nil {
		return policies.Tree{}, nil, err
	}
	tree, err := policies.ReadTree(files, ownerOf(dir))
	if err != nil {
		return tree, nil, fmt.Errorf("read the policies in %s: %w", dir, err)
	}
	return tree, files, nil
}
