package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"
)

// described holds the JSON that a command has just printed to the schema of it: described COMMAND...
func described(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: described COMMAND...")
	}
	var schemaText, said bytes.Buffer
	if code := Main(append([]string{program, "schema"}, args...),
		world{out: &schemaText, err: &said, env: ts.Getenv, now: time.Now}); code != exitDone {
		ts.Fatalf("schema %v: exit code %d: %s", args, code, &said)
	}
	described, err := jsonschema.UnmarshalJSON(&schemaText)
	ts.Check(err)
	compiler := jsonschema.NewCompiler()
	ts.Check(compiler.AddResource("schema.json", described))
	schema, err := compiler.Compile("schema.json")
	ts.Check(err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile("stdout")))
	ts.Check(err)
	ts.Check(schema.Validate(value))
}

// TestEveryShapeIsDescribed: a session holds what each command prints as JSON to its schema.
func TestEveryShapeIsDescribed(t *testing.T) {
	sessions := sessions(t)
	names := printing(newRoot(world{}, program))
	if len(names) < 15 {
		t.Fatalf("%d commands print data: %v", len(names), names)
	}
	for _, name := range names {
		if !strings.Contains(sessions, "\ndescribed "+name+"\n") {
			t.Errorf("no session has \"described %s\" after what %s prints with -o json", name, name)
		}
	}
}

// sessions is the text of all of testdata/script.
func sessions(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(top + "/testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d sessions, %v", len(files), err)
	}
	var all bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// TestOneSetOfForms: every -o is one of print's, and no command has forms of its own under these
// names.
func TestOneSetOfForms(t *testing.T) {
	form := regexp.MustCompile(`^output format: table(, wide)?, json, yaml(, name)?(, jsonl, csv, ocsf)?$`)
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if flag := cmd.Flags().Lookup("output"); flag != nil &&
			(formatOf(cmd) == nil || flag.Shorthand != "o" || !form.MatchString(flag.Usage)) {
			t.Errorf("%s: %+v", cmd.CommandPath(), flag)
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(newRoot(world{}, program))
}

// TestShapes: what a schema says of each sort of field.
func TestShapes(t *testing.T) {
	type inner struct {
		B []inner `json:"b,omitempty"`
	}
	type outer struct {
		inner
		A string           `json:"a" about:"An A." enum:"x,y"`
		N *int             `json:"n"`
		M map[string]inner `json:"m,omitempty"`
		H string           `json:"-"`
	}
	text := &bytes.Buffer{}
	if err := writeJSON(text, schemaOf(reflect.TypeFor[outer](), "T")); err != nil {
		t.Fatal(err)
	}
	schema := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := schema.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	for value, ok := range map[string]bool{
		`{"a": "x", "n": null}`: true,
		`{"a": "y", "n": 1, "b": [{"b": [{}]}], "m": {"any": {}}}`: true,
		`{"a": "z", "n": 1}`:                           false,
		`{"a": "x"}`:                                   false,
		`{"a": "x", "n": 1, "more": 1}`:                false,
		`{"a": "x", "n": 1, "H": "h"}`:                 false,
		`{"a": "x", "n": 1, "b": null}`:                false,
		`{"a": "x", "n": 1, "b": [{"b": [{"c": 1}]}]}`: false,
		`{"a": "x", "n": "1"}`:                         false,
	} {
		got, err := jsonschema.UnmarshalJSON(strings.NewReader(value))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(got); (err == nil) != ok {
			t.Errorf("%s: %v", value, err)
		}
	}
}
