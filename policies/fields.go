package policies

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"

	"github.com/pullgrant/pullgrant/requests"
)

// CustomField is a field that requests under a policy may have, or must have, under spec.fields.
type CustomField struct {
	Name        string   `yaml:"name" json:"name"`
	Type        string   `yaml:"type" json:"type"`
	Required    bool     `yaml:"required,omitempty" json:"required,omitempty"`
	Pattern     string   `yaml:"pattern,omitempty" json:"pattern,omitempty"`
	Enum        []string `yaml:"enum,omitempty" json:"enum,omitempty"`
	Description string   `yaml:"description,omitempty" json:"description,omitempty"`
}

// Types of a CustomField.
const (
	TypeString  = "string"
	TypeNumber  = "number"
	TypeBoolean = "boolean"
)

// Bounds of what a policy declares: fields, values of an enum, characters of a pattern.
const (
	maxFields  = 20
	maxEnum    = 50
	maxPattern = 500
)

var customFields = requests.Fields{
	"PolicySpec.fields": {About: "Fields that a request may have under spec.fields, or must have.",
		Min: 1, Max: maxFields},
	"PolicySpec.reasonPattern": {About: "Regular expression (RE2) that the reason must match; ^ and " +
		"$ anchor it.", Form: formPattern},
	"PolicySpec.reasonHelp": {About: "What the requester is told when the reason does not match.",
		Form: formMessage},

	"CustomField.name": {About: "Name of the field; conditions say request.fields.NAME.",
		Form: requests.FormField},
	"CustomField.type": {About: "What the field holds.", Form: requests.OneOf("field", TypeString,
		TypeNumber, TypeBoolean)},
	"CustomField.required": {About: "Whether every request must have it. Default: false."},
	"CustomField.pattern": {About: "Of a string: regular expression (RE2) that it must match; ^ and " +
		"$ anchor it.", Form: formPattern},
	"CustomField.enum": {About: "Of a string: the values that it may have.",
		Form: requests.FormFieldValue, Min: 1, Max: maxEnum, Unique: true},
	"CustomField.description": {About: "What the requester is asked for.", Form: formMessage},
}

var formPattern = requests.Form{Rule: "pattern", Min: 1, Max: maxPattern,
	Check: func(s string) string { return tooLong(s, maxPattern) }}

// numberPattern is a number as JSON writes it, without an exponent, and short enough to be exact.
var numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?$`)

// pattern is a regular expression of a policy.
type pattern struct {
	match   *regexp.Regexp
	problem string
}

// patternOf reads a regular expression once, in syntax and size that every judge takes.
func patternOf(text string) pattern {
	p, _ := readOnce(&programs, "pattern", text, func(string, []byte) (pattern, []requests.Finding) {
		parsed, err := syntax.Parse(text, syntax.Perl)
		if err != nil {
			return pattern{problem: inLine(err.Error())}, nil
		}
		steps, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			return pattern{problem: inLine(err.Error())}, nil
		}
		if n := len(steps.Inst); n > maxRegexp {
			return pattern{problem: fmt.Sprintf("it becomes %d steps; at most %d", n, maxRegexp)}, nil
		}
		return pattern{match: regexp.MustCompile(text)}, nil
	})
	return p
}

func (p pattern) matches(text string) bool { return p.match != nil && p.match.MatchString(text) }

// checkCustom finds what is wrong with the fields that a policy declares and with its pattern of
// reasons.
func checkCustom(d *requests.Document, s PolicySpec) {
	pattern := func(at, text string) {
		if tooLong(text, maxPattern) == "" {
			d.Check(at, "pattern", text, patternOf(text).problem)
		}
	}
	pattern("spec.reasonPattern", s.ReasonPattern)
	checkTickets(d, s)
	if s.ReasonHelp != "" && s.ReasonPattern == "" {
		d.Add("spec.reasonHelp", "pattern", "reasonHelp is told when reasonPattern does not match; "+
			"add that, or leave this out")
	}
	var names []string
	for i, f := range s.Fields[:min(len(s.Fields), maxFields)] {
		at := fmt.Sprintf("spec.fields[%d]", i)
		if slices.Contains(names, f.Name) {
			d.Check(at+".name", "duplicate", f.Name, "another field of the policy has it")
		}
		names = append(names, f.Name)
		for _, limit := range []string{"pattern", "enum"} {
			if f.Type != TypeString && d.Has(at+"."+limit) {
				d.Add(at+"."+limit, "field-limit", "%s goes only with type: %s", limit, TypeString)
			}
		}
		if f.Pattern != "" && len(f.Enum) > 0 {
			d.Add(at+".pattern", "field-limit", "a field has a pattern or an enum; leave one of them out")
		}
		pattern(at+".pattern", f.Pattern)
	}
}

// Problem tells what is wrong with a value of the field; empty when nothing is.
func (f CustomField) Problem(value string) string {
	switch {
	case f.Type == TypeNumber && !numberPattern.MatchString(value):
		return "it must be a number, such as 12 or 0.5"
	case f.Type == TypeBoolean && value != "true" && value != "false":
		return "it must be true or false"
	case f.Type != TypeString:
		return ""
	case len(f.Enum) > 0 && !slices.Contains(f.Enum, value):
		return "it must be one of " + strings.Join(f.Enum, ", ")
	case f.Pattern != "" && !patternOf(f.Pattern).matches(value):
		return "it must match " + f.Pattern
	}
	return ""
}

// String is what the field asks for, in words.
func (f CustomField) String() string {
	text := f.Name + ", a " + f.Type
	switch {
	case len(f.Enum) > 0:
		text += " out of " + strings.Join(f.Enum, ", ")
	case f.Pattern != "":
		text += " that matches " + f.Pattern
	}
	if f.Description != "" {
		text += ": " + f.Description
	}
	return text
}

// celType is the type that conditions see.
func (f CustomField) celType() *types.Type {
	switch f.Type {
	case TypeNumber:
		return types.DoubleType
	case TypeBoolean:
		return types.BoolType
	}
	return types.StringType
}

// values are the fields of a request as conditions see them.
func values(declared []CustomField, given map[string]string) map[string]any {
	all := map[string]any{}
	for _, f := range declared {
		text, ok := given[f.Name]
		if !ok || f.Problem(text) != "" {
			continue
		}
		switch f.Type {
		case TypeNumber:
			all[f.Name], _ = strconv.ParseFloat(text, 64) // it has the form of one
		case TypeBoolean:
			all[f.Name] = text == "true"
		default:
			all[f.Name] = text
		}
	}
	return all
}

// fieldsFit refuses fields that the policy does not declare or does not take, and misses those that
// it requires (R67).
func (j *judge) fieldsFit() string {
	given, declared := j.request.Spec.Fields, j.world.policy.Spec.Fields
	var names []string
	for _, f := range declared {
		names = append(names, f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at, i := "spec.fields."+name, slices.Index(names, name)
		if i < 0 {
			has := "has none"
			if len(names) > 0 {
				has = "has " + strings.Join(names, ", ")
			}
			return j.field(at, FieldNotAccepted, fmt.Sprintf("the policy %s declares no field %s; it %s",
				j.decision.Policy, name, has))
		}
		if problem := declared[i].Problem(given[name]); problem != "" {
			return j.field(at, FieldNotAccepted, fmt.Sprintf("%s is %s; %s", at,
				requests.Quote(given[name]), problem))
		}
	}
	for _, f := range declared {
		if _, has := given[f.Name]; f.Required && !has {
			return j.field("spec.fields", FieldNotAccepted, fmt.Sprintf("the policy %s asks for the "+
				"field %s; set spec.fields.%[3]s (--field %[3]s=VALUE)", j.decision.Policy, f, f.Name))
		}
	}
	return ""
}

// ReasonProblem tells what a policy finds wrong with a reason; empty when it takes it.
func (s PolicySpec) ReasonProblem(reason string) string {
	switch {
	case s.ReasonPattern == "" || patternOf(s.ReasonPattern).matches(reason):
		return ""
	case s.ReasonHelp != "":
		return s.ReasonHelp
	}
	return "the reason must match " + s.ReasonPattern
}

// reasonFits refuses a reason that does not match what the policy asks for (R69).
func (j *judge) reasonFits() string {
	problem := j.world.policy.Spec.ReasonProblem(j.request.Spec.Reason)
	if problem == "" {
		return ""
	}
	return j.field("spec.reason", ReasonNotAccepted, fmt.Sprintf("%s (reasonPattern of the policy %s)",
		problem, j.decision.Policy))
}

// customGone are what old asked for in fields and reasons and is not asked for any more.
func (s PolicySpec) customGone(old PolicySpec) (all []string) {
	if old.ReasonPattern != "" && s.ReasonPattern != old.ReasonPattern {
		all = append(all, "the reason no longer has to match "+requests.Quote(old.ReasonPattern))
	}
	for _, f := range old.Fields {
		same := func(n CustomField) bool {
			return n.Name == f.Name && n.Type == f.Type && n.Pattern == f.Pattern &&
				slices.Equal(n.Enum, f.Enum) && (n.Required || !f.Required)
		}
		limited := f.Required || f.Pattern != "" || len(f.Enum) > 0
		if limited && !slices.ContainsFunc(s.Fields, same) {
			all = append(all, fmt.Sprintf("the field %s is no longer asked for as it was: %s", f.Name, f))
		}
	}
	return all
}
