package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type validateOptions struct {
	checkout checkout
	paths    []string
	output   *format
}

func newValidateCommand(w world) *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate [PATH...]",
		Short: "Check the files of an access repository, offline",
		Long: `Check policies, identities, groups, CODEOWNERS, requests and the ledger with the code
that the Action and the agent use. It checks what is in front of it, which need not be what is on
the main branch. Paths are relative to the current folder, or to --dir where it is given; without a
path the whole repository is checked.

Each finding is one line: file:line:column: message [rule]. The exit code is 1 when there are
findings.`,
		Example: `  pullgrant validate
  pullgrant validate policies/payments-debug.yaml
  pullgrant validate --dir ../access -o json`,
		Args: arguments(0, -1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.paths = args
			return validate(w, o)
		},
	}
	o.checkout.flag(cmd)
	o.output = outputFlag(cmd, []requests.Finding{}, asName)
	return cmd
}

func validate(w world, o validateOptions) error {
	dir, files, err := o.checkout.open()
	if err != nil {
		return err
	}
	paths, err := o.checkout.inside(dir, o.paths)
	if err != nil {
		return err
	}
	for i, path := range paths {
		if _, err := fs.Stat(files, path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("validate %s: the access repository %s has no such file or folder; a "+
				"path is relative to the current folder, or to --dir, and without one all is "+
				"checked", o.paths[i], dir)
		}
	}
	findings, checked, err := policies.Validate(files, ownerOf(dir), onAllCores, paths...)
	if err != nil {
		return fmt.Errorf("validate the access repository %s: %w", dir, err)
	}
	if err := o.output.printFindings(w, findings); err != nil {
		return err
	}
	w.say("checked %s, %s", count(checked, "file"), count(len(findings), "finding"))
	if len(findings) > 0 {
		return verdict(exitFindings)
	}
	return nil
}
