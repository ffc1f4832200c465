package main

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestYAML: the order and the values are those of the JSON, texts that look like something else stay
// texts, and nothing reaches a terminal that it could obey.
func TestYAML(t *testing.T) {
	type inner struct {
		B string   `json:"b"`
		A []string `json:"a"`
	}
	const evil = "x\x1b[31m\u202ey\nz"
	value := struct {
		Second inner `json:"second"`
		First  int   `json:"first"`
		Yes    bool  `json:"yes"`
	}{inner{evil, []string{"yes", "12", "", "2026-11-22T08:00:00Z", "a: b"}}, 7, true}
	var out strings.Builder
	if err := writeYAML(&out, value); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") ||
		!strings.HasPrefix(out.String(), "second:\n  b: \"x\\e[31m\\U0000202ey\\nz\"\n  a:\n    - \"yes\"\n") {
		t.Errorf("it is\n%q", out.String())
	}
	var back struct {
		Second inner
		First  int
		Yes    bool
	}
	if err := yaml.Unmarshal([]byte(out.String()), &back); err != nil || back.Second.B != evil ||
		strings.Join(back.Second.A, "|") != "yes|12||2026-11-22T08:00:00Z|a: b" || back.First != 7 || !back.Yes {
		t.Errorf("%v: read back %+v of\n%s", err, back, out.String())
	}
}
