package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/requests"
)

// commandLine is the command that says by flags what was given and answered, as a POSIX shell reads
// it, under the name that the user typed.
func (o *requestOptions) commandLine(cmd *cobra.Command) string {
	var given []*pflag.Flag
	cmd.Flags().Visit(func(f *pflag.Flag) { given = append(given, f) })
	slices.SortStableFunc(given, func(a, b *pflag.Flag) int { return place(a) - place(b) })
	line := strings.Fields(cmd.CommandPath())
	for _, f := range given {
		values := []string{f.Value.String()}
		if list, is := f.Value.(pflag.SliceValue); is {
			values = list.GetSlice()
		}
		for _, value := range values {
			switch {
			case f.Value.Type() != "bool":
				line = append(line, "--"+f.Name, value)
			case value == "true":
				line = append(line, "--"+f.Name)
			default:
				line = append(line, "--"+f.Name+"="+value)
			}
		}
	}
	if len(o.command) > 0 {
		line = slices.Concat(line, []string{"--"}, o.command)
	}
	return requests.ShellLine(line)
}

// place orders flags as people say what they want.
func place(f *pflag.Flag) int {
	order := []string{"policy", "cluster", "namespace", "grant", "role", "resource", "exec", "duration",
		"reason"}
	if i := slices.Index(order, f.Name); i >= 0 {
		return i
	}
	return len(order)
}
