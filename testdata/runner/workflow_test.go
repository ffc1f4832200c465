package runner_test

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is the part of a workflow file that GitHub itself acts on.
type workflow struct {
	Name        string
	On          map[string]trigger
	Permissions map[string]string
	Concurrency struct{ Group string }
	Jobs        map[string]struct {
		If          string
		Environment string
		Permissions map[string]string
		Steps       []struct {
			Uses string
			With map[string]string
		}
	}
}

// trigger is when an event starts a workflow; a list of moments of the clock says nothing more here.
type trigger struct{ Types, Branches, Paths, Workflows []string }

func (e *trigger) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return nil
	}
	type plain trigger
	return n.Decode((*plain)(e))
}

func parseWorkflow(t *testing.T, text string) workflow {
	t.Helper()
	var f workflow
	if err := yaml.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// listens tells whether GitHub starts the workflow for an event.
func (f workflow) listens(event, kind string, payload map[string]any) bool {
	on, ok := f.On[event]
	switch {
	case !ok || len(on.Types) > 0 && !slices.Contains(on.Types, kind):
		return false
	case event == "workflow_run":
		name, _ := payload["workflow_run"].(map[string]any)["name"].(string)
		return slices.Contains(on.Workflows, name)
	case event != "push":
		return true
	}
	ref, _ := payload["ref"].(string)
	if !slices.Contains(on.Branches, strings.TrimPrefix(ref, "refs/heads/")) {
		return false
	}
	for _, commit := range payload["commits"].([]any) {
		for _, change := range []string{"added", "removed", "modified"} {
			names, _ := commit.(map[string]any)[change].([]any)
			for _, name := range names {
				if slices.ContainsFunc(on.Paths, func(pattern string) bool {
					return matches(pattern,
						name.(string))
				}) {
					return true
				}
			}
		}
	}
	return false
}

// matches knows the two kinds of patterns that the workflows use: a file, and everything in a
// folder.
func matches(pattern, name string) bool {
	folder, whole := strings.CutSuffix(pattern, "/**")
	return pattern == name || whole && strings.HasPrefix(name, folder+"/")
}
