package main

import (
	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

type policyLintOptions struct {
	checkout checkout
	strict   bool
	output   *format
}

func newPolicyLintCommand(w world) *cobra.Command {
	var o policyLintOptions
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Find policies that give more than meant, or can never work",
		Long: `Look through policies, identities, groups, CODEOWNERS and the role catalogue for what
is valid and yet likely to be a mistake: roles with which one can keep access, approvals that nobody
can give, policies that undercut each other.

Errors are what "pullgrant validate" finds in these files too; everything else is a warning, for the
reviewer to weigh. docs/lint.md explains each rule. The exit code is 1 when there are errors, with
--strict also when there are warnings.`,
		Example: `  pullgrant policy lint
  pullgrant policy lint --dir ../access --strict -o json`,
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return policyLint(w, o) },
	}
	o.checkout.flag(cmd)
	cmd.Flags().BoolVar(&o.strict, "strict", false, "let warnings count as errors do")
	o.output = outputFlag(cmd, []policies.LintFinding{}, asName)
	return cmd
}

func policyLint(w world, o policyLintOptions) error {
	tree, err := o.checkout.tree()
	if err != nil {
		return err
	}
	findings := tree.Lint(w.now())
	errors, warnings := 0, 0
	for _, f := range findings {
		if f.Severity == policies.SeverityError {
			errors++
		} else {
			warnings++
		}
	}
	var files []string
	for _, f := range findings {
		files = append(files, f.File)
	}
	err = o.output.print(w, printed{value: findings, names: files,
		people: func(bool) error { return findingLines(w, findings).to(w.out) }})
	if err != nil {
		return err
	}
	w.say("looked at %s, found %s, %s", count(len(tree.Files), "file"), count(errors, "error"),
		count(warnings, "warning"))
	if errors > 0 || o.strict && warnings > 0 {
		return verdict(exitFindings)
	}
	return nil
}
