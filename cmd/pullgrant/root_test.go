package main

import "testing"

func TestEveryCommandExplainsItself(t *testing.T) {
	seen := map[string]bool{}
	for _, cmd := range newRoot(world{}, "pullgrant").Commands() {
		if seen[cmd.Name()] {
			t.Errorf("%s is there twice", cmd.Name())
		}
		seen[cmd.Name()] = true
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue // the library's own
		}
		if cmd.Short == "" || cmd.Example == "" || cmd.Args == nil {
			t.Errorf("%s lacks a short text, an example or a check of its arguments", cmd.Name())
		}
	}
}
