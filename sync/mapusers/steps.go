package mapusers

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Step is one change of a list: what the fence lets through at a time.
type Step struct {
	Action Action
	Entry  Entry // as it is after an Add or a Mark, as it was before a Remove
}

// Action is what a Step does.
type Action string

// Actions, in their order: what lets nobody in any more comes first.
const (
	Remove Action = "remove"
	Mark   Action = "mark"
	Add    Action = "add"
)

// Refusal says why a list does not let somebody in, and what to do about it.
type Refusal struct {
	Entry Entry
	Why   error
}

// Steps are the changes that bring a list from what it is to what is wanted, each from the list as
// it is: after one of them the next is another list's. What is wanted has one entry for each ARN.
// What others wrote stays as it is. refused are those of wanted whom the list does not let in, as far
// as that is known before their step is tried.
func (l List) Steps(wanted []Entry) (steps []Step, refused []Refusal) {
	kept := map[string]bool{} // by ARN
	for i, e := range l.Entries {
		if l.places[i] < 0 {
			continue
		}
		at := slices.IndexFunc(wanted, func(w Entry) bool {
			return w.ARN == e.ARN && w.Username == e.Username
		})
		switch {
		case at < 0 || kept[e.ARN]:
			steps = append(steps, Step{Remove, e})
			continue
		case wanted[at].Request != e.Request:
			steps = append(steps, Step{Mark, wanted[at]})
		}
		kept[e.ARN] = true
	}
	for _, w := range wanted {
		switch there, err := l.has(w); {
		case err != nil:
			refused = append(refused, Refusal{w, err})
		case !there:
			steps = append(steps, Step{Add, w})
		}
	}
	order := []Action{Remove, Mark, Add}
	slices.SortStableFunc(steps, func(a, b Step) int {
		return cmp.Compare(slices.Index(order, a.Action), slices.Index(order, b.Action))
	})
	return steps, refused
}

// After is the text after a step. It reads all of that, so it is asked for one step at a time.
func (l List) After(s Step) (string, error) {
	switch s.Action {
	case Add:
		return l.Add(s.Entry)
	case Remove:
		return l.Remove(s.Entry)
	}
	at := slices.IndexFunc(l.Entries, func(e Entry) bool {
		return e.Request != "" && e.ARN == s.Entry.ARN && e.Username == s.Entry.Username
	})
	if at < 0 {
		return "", fmt.Errorf("there is no entry of pullgrant's for %s", requests.Quote(s.Entry.ARN))
	}
	return l.Mark(l.Entries[at], s.Entry.Request)
}

// find is what the lists say of an ARN: mapRoles goes before mapUsers, and in a list the last entry
// counts.
func (l List) find(arn string) (Entry, bool) {
	for _, list := range [][]Entry{l.Roles, l.Entries} {
		for _, e := range slices.Backward(list) {
			if strings.EqualFold(e.ARN, arn) {
				return e, true
			}
		}
	}
	return Entry{}, false
}

// Admits tells why a list does not let somebody in under their name and cannot be made to; nil when
// it does or can. An entry of pullgrant's for another name is no reason: it goes.
func (l List) Admits(w Entry) error {
	there, err := l.has(w)
	if err == nil && !there {
		_, err = l.Add(w)
	}
	return err
}

// has tells whether a list has an entry for somebody, or why it lets them in by none.
func (l List) has(w Entry) (there bool, err error) {
	if l.roles != nil && strings.Contains(w.ARN, ":role/") {
		return false, l.roles
	}
	is, there := l.find(w.ARN)
	switch {
	case there && is.Username == w.Username, there && is.Request != "":
		return true, nil
	case there:
		return true, fmt.Errorf("aws-auth maps the ARN %s to the user %s, so the access of %s would be "+
			"of no use; remove that entry, or correct the ARN or the user name in identities.yaml",
			requests.Quote(w.ARN), requests.Quote(is.Username), requests.Quote(w.Username))
	case requests.CheckARN(w.ARN) != "":
		return false, errors.New("the ARN " + requests.Quote(w.ARN) + " is none: " +
			requests.CheckARN(w.ARN))
	}
	return false, nil
}
