package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// TestFieldsAreAskedFor: a person is asked for the fields that a policy requires and that were not
// given; where nobody is there, nothing is made up.
func TestFieldsAreAskedFor(t *testing.T) {
	var policy policies.AccessPolicy
	policy.Spec.Fields = []policies.CustomField{
		{Name: "ticket", Type: policies.TypeString, Required: true, Description: "the incident"},
		{Name: "given", Type: policies.TypeString, Required: true},
		{Name: "silent", Type: policies.TypeNumber, Required: true},
		{Name: "note", Type: policies.TypeString},
	}
	var asked []string
	v := fieldValues{given: map[string]string{"given": "x"}, ask: func(question string) string {
		asked = append(asked, question)
		return strings.TrimPrefix(question, "Field silent, a number")
	}}
	v.askFor(policy)
	if want := []string{"Field ticket, a string: the incident",
		"Field silent, a number"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	if want := map[string]string{"given": "x", "ticket": asked[0]}; !maps.Equal(v.given, want) {
		t.Errorf("has %q, want %q", v.given, want)
	}
	v = fieldValues{}
	if v.askFor(policy); len(v.given) > 0 {
		t.Errorf("with nobody there: %q", v.given)
	}
}
