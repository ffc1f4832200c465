package main

import (
	_ "embed"
	"fmt"
	"strings"
)

// mutation is one way to break a rule.
type mutation struct {
	number      int // in its list, from 1
	rule, file  string
	test        []string // of judgement: the arguments of go test
	what        string   // of the simulation: what is broken, for people
	seed        string   // of the simulation: that shows it, or calm
	old, broken string
}

// lists are by name. Each has its own way to say, in the first line of a mutation, which rule it
// breaks and who notices.
var lists = map[string]struct {
	text string
	head func(line string) (mutation, bool)
}{
	"judgement":  {judgement, ofJudgement},
	"simulation": {simulation, ofSimulation},
}

//go:embed mutations.txt
var judgement string

//go:embed simulation.txt
var simulation string

// ofJudgement reads a rule, a file and arguments of go test.
func ofJudgement(line string) (mutation, bool) {
	head := strings.Fields(line)
	if len(head) < 3 {
		return mutation{}, false
	}
	return mutation{rule: head[0], file: head[1], test: head[2:]}, true
}

// calm stands for the run of the simulation in which nothing breaks.
const calm = "calm"

// ofSimulation reads a rule, a file, and the seed of one hour under faults that shows it; where people
// ask under one policy only then, its name follows, and after a colon the faults, where only some are.
func ofSimulation(line string) (mutation, bool) {
	head := strings.Split(line, " | ")
	if len(head) != 3 {
		return mutation{}, false
	}
	return mutation{rule: head[0], file: head[1], seed: head[2]}, true
}

// parse reads the mutations of a list: the first line of each, sentences for people, the lines as
// they stand, each behind a minus, and the broken ones, each behind a plus.
func parse(list string) (all []mutation, err error) {
	for i, block := range strings.Split(strings.TrimSpace(lists[list].text), "\n\n") {
		lines := strings.Split(block, "\n")
		m, ok := lists[list].head(lines[0])
		var what, old, broken []string
		for _, line := range lines[1:] {
			switch {
			case strings.HasPrefix(line, "-"):
				old = append(old, line[1:])
			case strings.HasPrefix(line, "+"):
				broken = append(broken, line[1:])
			default:
				what = append(what, line)
			}
		}
		if !ok || len(old) == 0 || len(broken) == 0 {
			return nil, fmt.Errorf("mutation %d of the list %s: want a line with the rule, the file and "+
				"who notices, then one with - and one with +", i+1, list)
		}
		m.number, m.what = i+1, strings.Join(what, " ")
		m.old, m.broken = strings.Join(old, "\n"), strings.Join(broken, "\n")
		all = append(all, m)
	}
	return all, nil
}
