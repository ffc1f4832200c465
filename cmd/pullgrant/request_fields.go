package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// fieldValues are the fields of a request that its policy declares.
type fieldValues struct {
	texts []string // as --field has them
	given map[string]string
}

func (v *fieldValues) flag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&v.texts, "field", nil, "a field that the policy declares, such as "+
		"ticket=INC-123; may be repeated")
}

// unsaid stands for the value of a field in a command to paste.
const unsaid = "VALUE"

// unsaidFields are the fields that a policy requires, as a command to paste has them.
func unsaidFields(policy policies.AccessPolicy) map[string]string {
	fields := map[string]string{}
	for _, f := range policy.Spec.Fields {
		if f.Required {
			fields[f.Name] = unsaid
		}
	}
	return fields
}

// complete reads what was given. What stands for a value is none: it is asked for, or missed.
func (v *fieldValues) complete(cmd *cobra.Command) error {
	for _, text := range v.texts {
		name, value, is := strings.Cut(text, "=")
		if !is {
			return usagef(cmd, "--field %q: it must be NAME=VALUE, such as ticket=INC-123", text)
		}
		if value == unsaid {
			continue
		}
		if problem := cmp.Or(requests.CheckField(name),
			requests.CheckFieldValue(value)); problem != "" {
			return usagef(cmd, "--field %q: %s", text, problem)
		}
		if _, twice := v.given[name]; twice {
			return usagef(cmd, "--field %s is given twice", name)
		}
		v.set(name, value)
	}
	return nil
}

func (v *fieldValues) set(name, value string) {
	if v.given == nil {
		v.given = map[string]string{}
	}
	v.given[name] = value
}
