package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/testdata/forge"
)

// Files that decide over requests, as far as they change, beside policies.
const (
	identitiesFile = "policies/identities.yaml"
	ownersFile     = ".github/CODEOWNERS"
)

var (
	strictFile    = policies.Path("shop-strict")
	catalogueFile = rbac.CatalogPath(clusterName, "payments-debug")
)

// edit is a change of a file that decides, until it is taken back.
type edit struct {
	path     string // empty: of a policy, by chance
	old, now string // what stands there; now of nothing: the whole file is removed
	pushed   bool   // straight to main, so that nobody approved it
}

// edits are by the fault that makes them.
var edits = map[string]edit{
	"policy loosened":  {old: "maxDuration: 2h", now: "maxDuration: 3h"},
	"policy pushed":    {old: "  description: ", now: "  description: Now ", pushed: true},
	"policy tightened": {old: "spec:\n", now: "spec:\n  onChange: End\n"},
	"policy shortened": {old: "Duration: 1h\n    maxDuration: 2h", now: "Duration: 15m\n    maxDuration: 15m"},
	"policy removed":   {},
	"more reviews asked": {path: strictFile, old: "count: 1}]",
		now: "count: 1}, {kind: PeerReview, reviewers: [{kind: User, name: carol}], count: 1}]"},
	"less time allowed": {path: strictFile, old: "Duration: 1h\n    maxDuration: 2h",
		now: "Duration: 15m\n    maxDuration: 15m"},
	"username changed": {path: identitiesFile, old: "alice@example.com", now: "alice.b@example.com"},
	"requester not known": {path: identitiesFile, old: "github: alice\n      githubID: 101",
		now: "github: alicia\n      githubID: 999"},
	"owner changed":         {path: ownersFile, old: "/requests/ @bob", now: "/requests/ @carol"},
	"owners pushed":         {ownersFile, "/requests/ @bob", "/requests/ @bob @carol", true},
	"catalogue has another": {path: catalogueFile, old: "pods", now: "services"},
}

// changes are faults that last: people who decide, and what decides, become others.
var changes = slices.Concat(editFaults(), []beside{
	{approverLost, 1000, true, func(w *world, _ *site, _ string) func() {
		set := func(role string) {
			w.forge.SetPermission("bob", role)
			w.forge.SetTeamPermission(team, role) // which he would have it by
			w.becomes("bob", role)
			w.hub.moved("people")
		}
		set("read")
		return func() { set("write") }
	}},
	{teamLost, 1000, true, func(w *world, _ *site, _ string) func() {
		set := func(state string) {
			w.forge.SetTeamMember(team, "bob", state)
			w.becomes(teamLost, map[bool]string{true: "yes"}[state == ""])
			w.hub.moved("people")
		}
		set("")
		return func() { set("active") }
	}},
	{rulesWeak, 3000, true, func(w *world, _ *site, _ string) func() {
		set := func(change func(*forge.Rules), is string) {
			rules := usualRules()
			change(&rules)
			w.forge.Protect(rules)
			w.becomes(rulesWeak, is)
			w.hub.moved("people")
		}
		set(func(r *forge.Rules) { r.CodeOwners = false }, "yes")
		return func() { set(func(*forge.Rules) {}, "") }
	}},
})

// More of what changes, beside files.
const (
	approverLost = "approver may not write"
	rulesWeak    = "rules are weak"
	teamLost     = "approver leaves the team"
)

func usualRules() forge.Rules {
	rules := forge.DefaultRules()
	rules.Bypass = []string{"agent[bot]"}
	return rules
}

func editFaults() (all []beside) {
	for _, name := range sorted(edits) {
		all = append(all, beside{name, 800, true, func(w *world, _ *site, _ string) func() {
			if w.trusted { // nobody asks who approved it
				return nil
			}
			path := edits[name].path
			if path == "" {
				one := wishes[w.below(len(wishes), fmt.Sprint(name, " of ", time.Since(begin)))]
				path = policies.Path(one.policy)
			}
			w.put(path, name, true)
			return func() { w.put(path, name, false) }
		}})
	}
	return all
}

// put begins or ends an edit of a file, and has main have what follows from all that have begun.
func (w *world) put(path, name string, begins bool) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if w.edited == nil {
		w.edited, w.first = map[string]string{}, map[string]string{}
	}
	if begins {
		w.edited[name] = path
	} else {
		delete(w.edited, name)
	}
	w.settle(path, begins && edits[name].pushed)
}

// settle has main have a file as it is to be: by a pull request that its owner approves, or pushed
// straight.
func (w *world) settle(path string, straight bool) {
	defer w.hub.moved("people")
	now := w.hub.file(path)
	if _, known := w.first[path]; !known {
		w.first[path] = now
	}
	wanted := w.first[path]
	for _, name := range sorted(edits) {
		switch e := edits[name]; {
		case w.edited[name] != path:
		case e.old == "":
			wanted = ""
		default:
			wanted = strings.Replace(wanted, e.old, e.now, 1)
		}
	}
	if wanted == now {
		return
	}
	files := map[string]string{path: wanted}
	if wanted == "" {
		files[path] = forge.Removed
	}
	w.count++
	branch := fmt.Sprint("change-", w.count)
	w.note("people change %s: %v, %s", path, sorted(w.edited), branch)
	if err := w.change(branch, files, straight); err != nil {
		w.note("people fail: %v", err)
	}
}

// change has files of main be others.
func (w *world) change(branch string, files map[string]string, straight bool) error {
	if straight {
		sha, err := w.forge.Push(forge.Change{User: "root", Message: "Change it", Files: files})
		w.becomes(unapproved+sha, "yes")
		return err
	}
	number, err := w.openBy("dave", branch, "Change it", files)
	if err != nil {
		return err
	}
	w.hub.moved("people")
	if _, err := w.forge.Review("root", number, "APPROVE"); err != nil {
		return err
	}
	_, err = w.forge.Merge("root", number)
	return err
}

// settleAll has every file be as it is to be, after main was another.
func (w *world) settleAll() {
	w.changing.Lock()
	defer w.changing.Unlock()
	for _, path := range slices.Sorted(maps.Keys(w.first)) {
		w.settle(path, false)
	}
}

// unapproved, and a commit: nobody approved what it did to files that decide.
const unapproved = "unapproved commit "

// becomes enters into the history what people know to be so from now on.
func (w *world) becomes(what, is string) {
	w.note("people know: %s %q", what, is)
	w.add(event{fact: &fact{what, is}})
}
