package main

import (
	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

type policyTestOptions struct {
	checkout checkout
	output   *format
}

func newPolicyTestCommand(w world) *cobra.Command {
	var o policyTestOptions
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Judge the cases in tests/ and compare with what they want",
		Long: `Judge each case of tests/*.yaml under the policies of the same checkout, with the code
that the Action and the agent use, and compare outcome and code with what the case wants. "pullgrant
schema PolicyTest" describes the format.

One line tells of each case. The exit code is 1 when one differs or a file is not valid.`,
		Example: `  pullgrant policy test
  pullgrant policy test --dir ../access -o json`,
		Args: arguments(0, 0),
		RunE: func(*cobra.Command, []string) error { return policyTest(w, o) },
	}
	o.checkout.flag(cmd)
	o.output = outputFlag(cmd, []policies.TestResult{}, asName)
	return cmd
}

func policyTest(w world, o policyTestOptions) error {
	tree, err := o.checkout.tree()
	if err != nil {
		return err
	}
	results, findings := tree.RunTests()
	failed := 0
	var files []string // with a case that failed
	var r report
	for _, c := range results {
		if c.Passed {
			r.line("ok    %s: %s", c.Name, c.Got)
			continue
		}
		failed++
		files = append(files, c.File)
		r.line("FAIL  %s: wanted %s, got %s: %s (%s:%d:%d)", c.Name, c.Want, c.Got, c.Message,
			c.File, c.Line, c.Column)
	}
	err = o.output.print(w, printed{value: results, names: files,
		people: func(bool) error { return r.to(w.out) }})
	if err != nil {
		return err
	}
	sayFindings(w, findings)
	if len(results)+len(findings) == 0 {
		w.say("there are no cases in %s/", policies.TestsFolder)
		return nil
	}
	w.say("judged %s, %d as wanted, %d not", count(len(results), "case"), len(results)-failed,
		failed)
	if failed+len(findings) > 0 {
		return verdict(exitFindings)
	}
	return nil
}
