package github

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// TestOnlyWhatWasGrantedIsHeld: what a request adds is told beside access that its requester was
// granted, not beside what merely stands on the branch, nor beside what another person has whose
// requests begin alike.
func TestOnlyWhatWasGrantedIsHeld(t *testing.T) {
	named := func(name, requester string) (path, content string) {
		return "requests/prod-eu/payments-debug/" + name + ".yaml",
			strings.NewReplacer(requestName, name, "requester: alice",
				"requester: "+requester).Replace(requestFile)
	}
	const other = "alice-sre"
	for _, c := range []struct {
		name, file, requester string
		review                string // by bob, before root merges it
		files                 map[string]string
		holds                 bool
	}{
		{"approved", "20261123-alice-old", "alice", "APPROVE", nil, true},
		{"merged without an approval", "20261123-alice-old", "alice", "COMMENT", nil, false},
		{"of another person", "20261123-alice-sre-old", other, "APPROVE", nil, false},
		{"merged with more", "20261123-alice-old", "alice", "APPROVE",
			map[string]string{"README.md": "more\n"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.AddUser(other, 111, other+"@example.com")
			w.SetPermission(other, "write")
			w.AddTeam("squad-a", 201, "", "alice", other)
			w.push(forge.Change{User: "root", Files: map[string]string{
				"policies/identities.yaml": repositoryFiles["policies/identities.yaml"] +
					"    - {github: alice-sre, githubID: 111, kubernetes: {username: " +
					"sre@example.com}}\n",
				"catalog/prod-eu/payments-debug.yaml": catalogued(t, "get")}})
			path, content := named(c.file, c.requester)
			files := map[string]string{path: content}
			for name, more := range c.files {
				files[name] = more
			}
			w.push(forge.Change{User: c.requester, Branch: "old", Files: files})
			old, err := w.Open(c.requester, "old", "Ask")
			w.check(err)
			w.review("bob", old, c.review)
			w.merge(old)
			f := w.facts(w.ask())
			d := policies.Evaluate(f.Base, f, noon)
			if len(d.Roles) != 1 || d.Roles[0].Holds != c.holds ||
				c.holds == (len(d.Roles[0].Beyond) > 0) {
				t.Errorf("%s %s: live %+v, roles %+v", d.Code, d.Message, f.Live, d.Roles)
			}
			roundTrip(t, f)
		})
	}
}
