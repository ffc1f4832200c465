package main

import (
	"os"
	"path"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestInitWorkflowFitsTheAction holds the workflow that init writes to the inputs that action.yml
// has.
func TestInitWorkflowFitsTheAction(t *testing.T) {
	var action struct {
		Inputs map[string]struct{ Required bool }
	}
	data, err := os.ReadFile("../../action.yml")
	if err == nil {
		err = yaml.Unmarshal(data, &action)
	}
	if err != nil || len(action.Inputs) == 0 {
		t.Fatalf("action.yml: %d inputs, %v", len(action.Inputs), err)
	}
	o := initOptions{Org: "acme", Cluster: "prod-eu", Approver: "bob",
		Action: "pullgrant/pullgrant@" + strings.Repeat("0", 40)}
	files, err := o.render()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if path.Ext(f.path) != ".yml" {
			continue
		}
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct {
					Uses string
					With map[string]string
				}
			}
		}
		if err := yaml.Unmarshal(f.content, &workflow); err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if step.Uses != o.Action {
					continue
				}
				found++
				for name := range step.With {
					if _, ok := action.Inputs[name]; !ok {
						t.Errorf("%s gives the action %q, which is none of its inputs",
							f.path, name)
					}
				}
				for name, input := range action.Inputs {
					if _, ok := step.With[name]; input.Required && !ok {
						t.Errorf("%s does not give the action %q, which it needs", f.path, name)
					}
				}
			}
		}
	}
	if found != 1 {
		t.Errorf("the action is used %d times", found)
	}
}
