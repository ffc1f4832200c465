package policies_test

import (
	"slices"
	"testing"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// beyondSchema are the loader's rules that compare fields with each other or know the zones of the
// world, so a schema cannot know them.
var beyondSchema = []string{"request-name", "danger-role", "duplicate", "duration", "namespace",
	"role-name", "hash", "condition", "pattern", "break-glass", "field-limit", "kind", "window", "zone",
	"notification"}

// agreement counts how often loader and schema said the same, and fails where they do not.
type agreement struct {
	kind              string
	schema            *jsonschema.Schema
	accepted, refused int
}

func (a *agreement) judge(t *testing.T, what string, document []byte) {
	t.Helper()
	findings, err := load[a.kind](document), validate(t, a.schema, document)
	switch {
	case len(findings) == 0 && err != nil:
		t.Errorf("%s: the loader accepts what the schema refuses: %v", what, err)
	case len(findings) == 0:
		a.accepted++
	case err != nil:
		a.refused++
	case slices.ContainsFunc(findings, func(f requests.Finding) bool {
		return !slices.Contains(
			beyondSchema, f.Rule)
	}):
		t.Errorf("%s: the schema accepts what the loader refuses: %v", what, findings)
	}
}
