package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
)

func newSchemaCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema KIND|COMMAND",
		Short: "Print the JSON Schema of a kind of file or message, or of what a command prints",
		Long: `Print the JSON Schema of a kind of file, for editors, of what challenges of kind Webhook send and
take, or of what a command prints with -o json and -o yaml. Of files it knows less than "pullgrant
validate", which also compares fields and files with each other. Kinds: ` +
			strings.Join(policies.Kinds, ", ") + ". Without an argument, kinds and " +
			"commands are listed.",
		Example: `  pullgrant schema AccessPolicy > accesspolicy.json
  pullgrant schema list
  pullgrant schema policy list`,
		Args: arguments(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return printSchema(cmd, w, strings.Join(args, " "))
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string,
		cobra.ShellCompDirective) {
		names := policies.Kinds
		if len(args) > 0 {
			names = nil
		}
		typed := strings.Join(append(args, ""), " ")
		for _, name := range printing(cmd.Root()) {
			if word, ok := strings.CutPrefix(name, typed); ok {
				word, _, _ = strings.Cut(word, " ")
				names = append(names[:len(names):len(names)], word)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func printSchema(cmd *cobra.Command, w world, name string) error {
	if name == "" {
		var r report
		for _, one := range slices.Concat(policies.Kinds, printing(cmd.Root())) {
			r.line("%s", one)
		}
		return r.to(w.out)
	}
	kind := name
	if f := printedBy(cmd.Root(), name); f != nil {
		title := fmt.Sprintf("What \"%s %s\" prints with -o json and -o yaml", program, name)
		list := f.shape.Kind() == reflect.Slice
		if kind = f.shape.Name(); list {
			kind = f.shape.Elem().Name()
		}
		switch known := slices.Contains(policies.Kinds, kind); {
		case known && list:
			items, err := policies.Schema(kind)
			if err != nil {
				return err
			}
			return writeJSON(w.out, listOf(items, title))
		case !known:
			return writeJSON(w.out, schemaOf(f.shape, title))
		}
	}
	schema, err := policies.Schema(kind)
	if err != nil {
		return usagef(cmd, "%v; commands: %s", err, strings.Join(printing(cmd.Root()), ", "))
	}
	_, err = w.out.Write(schema)
	return err
}

// printing are the names of the commands that have -o, without the program's.
func printing(root *cobra.Command) (names []string) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if name := strings.TrimPrefix(cmd.CommandPath(), root.CommandPath()+" "); formatOf(cmd) != nil {
			names = append(names, name)
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(root)
	return names
}

// printedBy is how a command prints its data; nil where there is none of that name, or it prints
// none.
func printedBy(root *cobra.Command, name string) *format {
	if slices.Contains(printing(root), name) {
		cmd, _, _ := root.Find(strings.Fields(name))
		return formatOf(cmd)
	}
	return nil
}

func formatOf(cmd *cobra.Command) *format {
	if flag := cmd.Flags().Lookup("output"); flag != nil {
		f, _ := flag.Value.(*format)
		return f
	}
	return nil
}
