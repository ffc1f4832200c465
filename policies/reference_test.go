package policies_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
)

// shape is what the reference takes of a JSON Schema.
type shape struct {
	Description string           `json:"description"`
	Type        any              `json:"type"`
	Const       any              `json:"const"`
	Enum        []any            `json:"enum"`
	Ref         string           `json:"$ref"`
	Required    []string         `json:"required"`
	Properties  map[string]shape `json:"properties"`
	Items       *shape           `json:"items"`
	Definitions map[string]shape `json:"definitions"`
}

// value is what a field may hold, in a few words.
func (s shape) value() string {
	switch {
	case s.Const != nil:
		return fmt.Sprintf("`%v`", s.Const)
	case len(s.Enum) > 0:
		var all []string
		for _, v := range s.Enum {
			all = append(all, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(all, ", ")
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/definitions/")
	case s.Type == "array" && s.Items != nil:
		return "list of " + strings.Replace(s.Items.value(), "object", "objects", 1)
	case s.Type == nil:
		return "any"
	}
	return fmt.Sprint(s.Type)
}

// rows writes a row for each field below path.
func (s shape) rows(b *strings.Builder, path string) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		full, need := path+name, ""
		if slices.Contains(s.Required, name) {
			need = "**needed** "
		}
		cell := strings.NewReplacer("|", "\\|", "<", "&lt;", "\n", " ").Replace(field.Description)
		fmt.Fprintf(b, "| `%s` | %s | %s%s |\n", full, strings.ReplaceAll(field.value(), "|", "\\|"),
			need, cell)
		switch {
		case field.Items != nil:
			field.Items.rows(b, full+"[].")
		default:
			field.rows(b, full+".")
		}
	}
}

const referenceHead = `# Every field of every file

Made from the JSON Schemas that "pullgrant schema KIND" prints, which have the patterns and the limits
as well; the strict reader of the files takes what they take. A field that is not here is refused.
**needed** stands for a field that must be there.
`

// TestReferenceIsCurrent: docs/fields.md says what the schemas say.
func TestReferenceIsCurrent(t *testing.T) {
	var b strings.Builder
	b.WriteString(referenceHead)
	head := "\n| Field | Holds | Means |\n| :-- | :-- | :-- |\n"
	for _, kind := range policies.Kinds {
		data, err := policies.Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		var s shape
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n%s", kind, s.Description, head)
		s.rows(&b, "")
		for _, name := range slices.Sorted(maps.Keys(s.Definitions)) {
			fmt.Fprintf(&b, "\n### %s\n%s", name, head)
			s.Definitions[name].rows(&b, "")
		}
	}
	const file = "../docs/fields.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, []byte(b.String())) {
		t.Errorf("%s is not what the schemas say (%v); run go test ./policies -run Reference -update",
			file, err)
	}
}
