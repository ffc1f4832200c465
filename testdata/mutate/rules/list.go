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
	beside      bool // what stands guard besides is broken too, by one that has the number of the one before
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

// calm stands for the run of the simulation in which nothing breaks, whose seed, unless it is 1, is
// behind it.
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
// they stand, each behind a minus, and the broken ones, each behind a plus. Of the simulation "and | FILE"
// goes on with lines of another file.
func parse(list string) (all []mutation, err error) {
	for i, block := range strings.Split(strings.TrimSpace(lists[list].text), "\n\n") {
		parts := strings.Split(block, "\nand | ")
		line, _, _ := strings.Cut(parts[0], "\n")
		m, ok := lists[list].head(line)
		for n, part := range parts {
			lines := strings.Split(part, "\n")
			if m.number, m.beside = i+1, n > 0; m.beside {
				m.file = lines[0]
			}
			if !m.reads(lines[1:]) || !ok {
				return nil, fmt.Errorf("mutation %d of the list %s: want a line with the rule, the file and "+
					"who notices, then one with - and one with +", i+1, list)
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// reads takes what is broken, and how, from the lines behind the first one.
func (m *mutation) reads(lines []string) (ok bool) {
	var what, old, broken []string
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "-"):
			old = append(old, line[1:])
		case strings.HasPrefix(line, "+"):
			broken = append(broken, line[1:])
		default:
			what = append(what, line)
		}
	}
	m.what, m.old, m.broken = strings.Join(what, " "), strings.Join(old, "\n"), strings.Join(broken, "\n")
	return len(old) > 0 && len(broken) > 0
}
