package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

func newSchemaCommand(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "schema KIND",
		Short: "Print the JSON Schema of a kind of file or message",
		Long: `Print the JSON Schema of a kind of file, for editors, of what challenges of kind Webhook send and
take, or of what "pullgrant list" prints. It knows less than "pullgrant validate", which also compares
fields and files with each other. Kinds: ` + strings.Join(policies.Kinds, ", ") + ".",
		Example:   "  pullgrant schema AccessPolicy > accesspolicy.json",
		Args:      arguments(1, 1),
		ValidArgs: policies.Kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			schema, err := policies.Schema(args[0])
			if err != nil {
				return usagef(cmd, "%v", err)
			}
			_, err = w.out.Write(schema)
			return err
		},
	}
}
