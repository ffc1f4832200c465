package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
)

// Exit codes of every command; --help and docs/shell.md promise them.
const (
	exitDone     = 0 // done, clean, allowed
	exitFindings = 1 // findings, or denied
	exitUsage    = 2
	exitFailed   = 3 // network, API, files
	exitPending  = 8
)

// verdict ends a command that did its work and has already said what it found.
type verdict int

func (v verdict) Error() string { return fmt.Sprintf("exit code %d", int(v)) }

// verdictOf is nil when the outcome is Allowed.
func verdictOf(o policies.Outcome) error {
	switch o {
	case policies.Allowed:
		return nil
	case policies.Pending:
		return verdict(exitPending)
	case policies.Failed:
		return verdict(exitFailed)
	}
	return verdict(exitFindings)
}

// exitCode is the one place that turns an error into an exit code.
func exitCode(err error) int {
	var v verdict
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &v):
		return int(v)
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

// errorText is what is said about an error; empty when everything has been said.
func errorText(err error) string {
	var v verdict
	var usage usageError
	switch {
	case err == nil || errors.As(err, &v):
		return ""
	case errors.As(err, &usage):
		return fmt.Sprintf("%s: %s\nSee %q.", program, usage.message, usage.command+" --help")
	}
	return fmt.Sprintf("%s: %s", program, strings.ReplaceAll(err.Error(), "\n", "; "))
}

// sayError says what has not been said of an error.
func sayError(w world, err error) {
	for line := range strings.Lines(errorText(err)) {
		w.say("%s", strings.TrimSuffix(line, "\n"))
	}
}
