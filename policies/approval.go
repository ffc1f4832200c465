package policies

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Approval is one challenge of a policy on one cluster, with those who can meet it as far as the
// repository tells, and what it is made of.
type Approval struct {
	Kind    string     `json:"kind"`
	Count   int        `json:"count"`          // of approvals, or of the parts that must be met
	Path    string     `json:"path,omitempty"` // of a code owner's review: the folder of the requests
	People  []string   `json:"people"`         // logins: users by name and members of groups.yaml
	Teams   []string   `json:"teams"`          // GitHub teams; only GitHub knows who is in them
	Parts   []Approval `json:"parts,omitempty"`
	InOrder bool       `json:"inOrder,omitempty"`
	// After is how long after the push of the request it can be met first.
	After requests.Duration `json:"after,omitzero"`
	// Asks is what somebody outside of GitHub is asked, who alone can meet it.
	Asks string `json:"asks,omitempty"`

	outside *Challenge // that asks it
}

// Approvals are the challenges of a policy for requests on one cluster. It is meant for a tree
// without findings.
func (t Tree) Approvals(policy AccessPolicy, cluster string) []Approval {
	return t.world(policy).approvals(cluster)
}

func (w world) approvals(cluster string) []Approval {
	return w.approvalsOf(w.policy.Spec.Challenges, requestFolder(cluster, w.policy.Metadata.Name))
}

func (w world) approvalsOf(challenges []Challenge, folder string) []Approval {
	var all []Approval
	for _, c := range challenges {
		a := Approval{Kind: c.Kind, Count: c.Count, InOrder: c.InOrder, After: c.After,
			Parts: w.approvalsOf(c.Challenges, folder)}
		if len(a.Parts) > 0 {
			a.Count = c.needed()
		} else {
			a.People, a.Teams = w.resolve(w.who(condition{c, folder + anyRequest}))
		}
		if kind, _ := c.kind(); kind.inquires != nil {
			a.Asks, a.outside = kind.words(c), &c
		}
		if c.Kind == CodeOwnerReview {
			a.Path = folder
		}
		all = append(all, a)
	}
	return all
}

// All walks an approval and what it is made of, each with how deep it stands.
func (a Approval) All() iter.Seq2[int, Approval] {
	return deep([]Approval{a}, func(a Approval) []Approval { return a.Parts })
}

// everyone are the people and teams of an approval and its parts.
func (a Approval) everyone() (people, teams []string) {
	for _, part := range a.All() {
		people, teams = append(people, part.People...), append(teams, part.Teams...)
	}
	return sorted(people), sorted(teams)
}

// needs is what is asked for, in a sentence's middle.
func (a Approval) needs() string {
	if len(a.Parts) > 0 {
		return fmt.Sprintf("%s needs %d of its %d challenges, by %s", a.Kind, a.Count, len(a.Parts),
			nameAll(a))
	}
	if a.Asks != "" {
		return a.Asks
	}
	return fmt.Sprintf("%s needs %d of %s", a.Kind, a.Count, nameAll(a))
}

func nameAll(a Approval) string {
	people, teams := a.everyone()
	return "@" + strings.Join(append(teams, people...), ", @")
}

// possible tells whether enough people can meet it without some of them, as far as is known: anybody
// may be in a team.
func (a Approval) possible(without ...string) bool {
	if len(a.Parts) > 0 {
		return howMany(a.Parts, func(part Approval) bool { return part.possible(without...) }) >= a.Count
	}
	if a.outside != nil {
		return true
	}
	others := slices.DeleteFunc(slices.Clone(a.People), func(login string) bool {
		return has(without, login)
	})
	return len(a.Teams) > 0 || len(others) >= a.Count
}

func (a Approval) parts() ([]Approval, int) { return a.Parts, a.Count }

func (a Approval) terms() (requests.Duration, bool) { return a.After, a.InOrder }

// implies tells whether whoever met a has also met b.
func (a Approval) implies(b Approval) bool {
	within := func(few, many []string) bool {
		return !slices.ContainsFunc(few, func(name string) bool { return !has(many, name) })
	}
	return surely(a, b, func(a, b Approval) bool {
		if a.outside != nil || b.outside != nil {
			return a.outside != nil && b.outside != nil && a.outside.asksAlike(*b.outside)
		}
		return a.Count >= b.Count && within(a.People, b.People) && within(a.Teams, b.Teams)
	})
}

func (c Challenge) parts() ([]Challenge, int) { return c.Challenges, c.needed() }

func (c Challenge) terms() (requests.Duration, bool) { return c.After, c.InOrder }

// atLeast tells whether meeting c always meets old too: as many approvals, by nobody that old would
// not take.
func (c Challenge) atLeast(old Challenge) bool {
	return surely(c, old, func(c, old Challenge) bool {
		if kind, _ := c.kind(); kind.inquires != nil {
			return c.asksAlike(old)
		}
		return c.Kind == old.Kind && c.Count >= old.Count &&
			!slices.ContainsFunc(c.Reviewers, func(p Party) bool {
				return !slices.Contains(old.Reviewers, p)
			})
	})
}

// asksAlike tells whether two challenges ask the same outside of GitHub, whenever they may be met.
func (c Challenge) asksAlike(old Challenge) bool {
	c.After, old.After = 0, 0
	return reflect.DeepEqual(c, old)
}

// node is a part of a tree of what must be met: it has parts of which so many must be met, or is a
// leaf.
type node[T any] interface {
	parts() (all []T, needed int)
	terms() (after requests.Duration, inOrder bool)
}

// surely tells whether whatever meets a meets b too; leaf compares two that have no parts. It may
// miss that it does, never the other way around.
func surely[T node[T]](a, b T, leaf func(a, b T) bool) bool {
	inA, neededA := a.parts()
	inB, neededB := b.parts()
	afterA, orderA := a.terms()
	afterB, orderB := b.terms()
	if len(inA) > 0 && len(inA) == len(inB) && neededA >= neededB && afterA >= afterB &&
		(orderA || !orderB) {
		same := true
		for i := range inA {
			same = same && surely(inA[i], inB[i], leaf)
		}
		if same {
			return true
		}
	}
	if len(inB) > 0 && !orderB && afterB == 0 &&
		howMany(inB, func(part T) bool { return surely(a, part, leaf) }) >= neededB {
		return true
	}
	if len(inA) > 0 { // any choice of so many holds one that does
		return howMany(inA, func(part T) bool { return surely(part, b, leaf) }) > len(inA)-neededA
	}
	return len(inB) == 0 && afterA >= afterB && leaf(a, b)
}
