package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
)

// Party is a GitHub login (User), or a GitHub team org/team or a group of groups.yaml (Group).
type Party struct {
	Kind string `yaml:"kind" json:"kind"`
	Name string `yaml:"name" json:"name"`
}

// Kinds of Party.
const (
	PartyUser  = "User"
	PartyGroup = "Group"
)

func checkParties(d *requests.Document, path string, parties []Party) {
	for i, p := range parties {
		at := fmt.Sprintf("%s[%d]", path, i)
		if d.Has(at+".kind") && d.Has(at+".name") {
			field, problem := p.problem()
			d.Check(at+"."+field, "party", map[string]string{"kind": p.Kind, "name": p.Name}[field],
				problem)
		}
		if slices.Contains(parties[:i], p) {
			d.Check(at, "duplicate", p.Name, "it stands in this list twice")
		}
	}
}

// problem tells which field of a party is wrong, and how.
func (p Party) problem() (field, problem string) {
	switch p.Kind {
	case PartyUser:
		return "name", requests.CheckLogin(p.Name)
	case PartyGroup:
		if !strings.Contains(p.Name, "/") {
			return "name", checkGroup(p.Name)
		}
		return "name", teamProblem(p.Name)
	}
	return "kind", "allowed: User, Group"
}

// GroupPattern is the form of the name of a group in groups.yaml: that of a cluster, or that of an
// e-mail address, by which many directories name theirs. No team of GitHub has an @ in its name.
const GroupPattern = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$|` +
	`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?@[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`

var (
	groupPattern = regexp.MustCompile(GroupPattern)
	formGroup    = requests.Form{Rule: "name", Pattern: GroupPattern, Check: checkGroup}
)

// checkGroup tells what is wrong with the name of a group in groups.yaml; empty when nothing is.
func checkGroup(name string) string {
	if groupPattern.MatchString(name) {
		return ""
	}
	if strings.Contains(name, "@") {
		return "a group named like an e-mail address has lower-case letters, digits, dots, underscores " +
			"and dashes, at most 64 before the @ and 63 after it, such as squad-a@example.com"
	}
	return requests.CheckName(name)
}

// teamProblem tells what is wrong with the name of a GitHub team; empty when nothing is.
func teamProblem(name string) string {
	if orgTeam.MatchString(name) {
		return ""
	}
	return "a GitHub team is organization/team-slug, for example acme/squad-a"
}

func partyNames(parties []Party) (all []string) {
	for _, p := range parties {
		all = append(all, p.Name)
	}
	return all
}

func names(parties []Party) string { return strings.Join(partyNames(parties), ", ") }
