package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a command line that cannot be understood.
type usageError struct{ message, command string }

func (e usageError) Error() string { return e.message }

func usagef(cmd *cobra.Command, format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...), cmd.CommandPath()}
}

// flagProblem turns an error about a flag into words without the names of Go's own functions.
func flagProblem(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		hint := ""
		if near := nearest(unknown.GetSpecifiedName(), flagNames(cmd)); near != "" {
			hint = fmt.Sprintf(" (did you mean --%s?)", near)
		}
		return usagef(cmd, "%v%s", err, hint)
	}
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return usagef(cmd, "%v", err)
	}
	problem := invalid.Unwrap().Error()
	switch invalid.GetFlag().Value.Type() {
	case "int", "int64":
		problem = "it must be a whole number"
	case "duration":
		problem = "it must be a duration such as 10s or 5m"
	case "bool":
		problem = "allowed: true, false"
	}
	return usagef(cmd, "--%s %q: %s", invalid.GetFlag().Name, invalid.GetValue(), problem)
}

// flagNames are the flags of a command.
func flagNames(cmd *cobra.Command) (all []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { all = append(all, f.Name) })
	return all
}

// strict makes the help and completion that the library adds refuse what they do not know, as all
// commands do.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.RunE = help
		case "completion":
			cmd.Args = noSuchCommand
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = arguments(0, 0)
			}
		}
	}
}

func help(cmd *cobra.Command, args []string) error {
	about, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usagef(cmd.Root(), "no help for %q: there is no such command",
			strings.Join(args, " "))
	}
	return about.Help()
}

// noSuchCommand is for commands that only hold others: whatever follows one is a command that is
// not there.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2 // else only beginnings are near
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
	}
	return usagef(cmd, "unknown command %q%s", args[0], hint)
}

// arguments is how many a command takes; a wrong number is a usage error.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef(cmd, "an argument is missing: %s", cmd.UseLine())
		case most >= 0 && len(args) > most:
			return usagef(cmd, "unexpected argument %q", args[most])
		}
		return givenBlank(cmd)
	}
}

// givenBlank refuses a flag that was given and is blank where leaving it out would mean the same:
// most often a variable of a script that is not set, as in --signing-key-file=$KEY.
func givenBlank(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.Type() == "string" && f.DefValue == "" &&
			strings.TrimSpace(f.Value.String()) == "" {
			err = usagef(cmd, "--%s %q: it is blank; give it a value, or leave it out", f.Name,
				f.Value.String())
		}
	})
	return err
}
