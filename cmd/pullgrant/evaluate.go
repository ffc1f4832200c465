package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

type evaluateOptions struct {
	facts  string // a file, or - for standard input
	now    string // RFC 3339; empty for the clock
	output *format
}

func newEvaluateCommand(w world) *cobra.Command {
	var o evaluateOptions
	cmd := &cobra.Command{
		Use:   "evaluate --facts FILE",
		Short: "Judge saved facts of a pull request",
		Long: `Judge the facts that "pullgrant facts" saved, with the code that the Action and the
agent use, and say for each rule and each challenge how it went. It asks nobody: the same facts at
the same time always give the same decision.

The exit code is 0 when the request is allowed, 8 when approvals are missing, 1 when it is denied, 3
when the facts do not suffice to decide.`,
		Example: `  pullgrant facts --pr 7 > facts.json && pullgrant evaluate --facts facts.json
  pullgrant facts --pr 7 | pullgrant evaluate --facts -
  pullgrant evaluate --facts facts.json --now 2026-11-22T10:00:00Z -o json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := w.now()
			switch {
			case o.facts == "":
				return usagef(cmd, "--facts is missing: a file from \"pullgrant facts\", or - "+
					"for standard input")
			case o.now != "":
				var err error
				if now, err = time.Parse(time.RFC3339, o.now); err != nil {
					return usagef(cmd, "--now %q: a time looks like 2026-11-22T10:00:00Z", o.now)
				}
			}
			return evaluate(w, o, now)
		},
	}
	cmd.Flags().StringVar(&o.facts, "facts", "", "file with the facts of a pull request, - for "+
		"standard input")
	cmd.Flags().StringVar(&o.now, "now", "",
		"judge as if it were this time, RFC 3339 (default: the clock)")
	o.output = outputFlag(cmd, policies.Decision{})
	return cmd
}

func evaluate(w world, o evaluateOptions, now time.Time) error {
	f, err := readFacts(w.in, o.facts)
	if err != nil {
		return err
	}
	decision := policies.Evaluate(f.Base, f, now)
	err = o.output.print(w, printed{value: decision, people: func(bool) error {
		var r report
		r.verdict(strings.ToUpper(decision.Outcome.String()), decision)
		r.asked(f, decision, now)
		r.details(decision)
		r.rules(decision.Rules)
		return r.to(w.out)
	}})
	if err != nil {
		return err
	}
	return verdictOf(decision.Outcome)
}

// readFacts reads exactly one value without unknown fields: facts of another version must not be
// judged by half.
func readFacts(stdin io.Reader, path string) (f policies.Facts, err error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return f, fmt.Errorf("read facts: %w", err)
		}
		defer file.Close()
		in = file
	}
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.Is(err, io.EOF):
			err = errors.New("it is empty")
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("it ends in the middle")
		case errors.As(err, &wrong):
			err = fmt.Errorf("it holds a JSON %s at byte %d, where facts hold something else",
				wrong.Value, wrong.Offset)
		}
		return f, fmt.Errorf("read facts from %s: %w; \"pullgrant facts --pr N\" writes them", path,
			err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return f, fmt.Errorf("read facts from %s: more follows after the facts; a file holds "+
			"those of one pull request", path)
	}
	return f, nil
}
