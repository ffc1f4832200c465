package github

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// node is a place in what GraphQL answered. The first thing that is not as GitHub's schema has it
// is kept for all of the answer: its error names the field.
type node struct {
	value any
	at    string
	wrong *error
}

func (a node) fail(problem string) {
	if *a.wrong == nil {
		*a.wrong = fmt.Errorf("GitHub's GraphQL answer: %s %s; check GITHUB_GRAPHQL_URL and try again",
			a.at, problem)
	}
}

// field is a field of an object.
func (a node) field(name string) node {
	sub := node{at: a.at + "." + name, wrong: a.wrong}
	object, ok := a.value.(map[string]any)
	if !ok {
		a.fail("is no object")
		return sub
	}
	value, ok := object[name]
	if !ok {
		sub.fail("is missing")
	}
	sub.value = value
	return sub
}

// null tells whether there is nothing here, as GraphQL says it.
func (a node) null() bool { return a.value == nil }

func (a node) list() []node {
	items, ok := a.value.([]any)
	if !ok {
		a.fail("is no list")
	}
	all := make([]node, len(items))
	for i, item := range items {
		all[i] = node{value: item, at: fmt.Sprintf("%s[%d]", a.at, i), wrong: a.wrong}
		if item == nil {
			all[i].fail("is null")
		}
	}
	return all
}

// text is never empty.
func (a node) text() string {
	text, ok := a.value.(string)
	if !ok || text == "" {
		a.fail("is no text")
	}
	return text
}

func (a node) flag() bool {
	flag, ok := a.value.(bool)
	if !ok {
		a.fail("is neither true nor false")
	}
	return flag
}

// number is a whole number, which a BigInt gives as text.
func (a node) number() int64 {
	text := ""
	switch value := a.value.(type) {
	case json.Number:
		text = value.String()
	case string:
		text = value
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		a.fail("is no whole number")
	}
	return number
}

func (a node) name() string {
	name := a.text()
	if !isName(name) {
		a.fail("is no git object's name")
	}
	return name
}

func (a node) time() requests.Time {
	at, err := time.Parse(time.RFC3339, a.text())
	if err != nil || at.IsZero() {
		a.fail("is no time")
	}
	return requests.At(at)
}

// whole are the nodes of a connection when its first page is all of it.
func (a node) whole() ([]node, bool) {
	nodes, total := a.field("nodes").list(), a.field("totalCount").number()
	if int64(len(nodes)) > total {
		a.field("totalCount").fail("is less than there are nodes")
	}
	return nodes, int64(len(nodes)) == total
}
