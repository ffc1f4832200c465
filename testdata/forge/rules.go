package forge

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Rules protect main, as one repository ruleset does. They are enforced by merges, ref updates and
// pushes.
type Rules struct {
	Off          bool     // no ruleset at all: everyone with write may push to main and merge
	Approvals    int      // approving reviews by people with write that a merge needs
	DismissStale bool     // a push to the head dismisses approvals
	CodeOwners   bool     // the ruleset says that code owners must review; merges here do not wait for them
	Check        string   // name of the required check run or status; none when empty
	CheckApp     string   // slug of the App that must report it; any when empty
	Bypass       []string // logins (SLUG[bot] for Apps) the rules do not hold for
	BindAdmins   bool     // the rules hold for admins too
}

// DefaultRules are what docs/setup.md asks for: one approval that pushes dismiss, review by code
// owners, and the check run "pullgrant" of the App "pullgrant", which AddApp must make; no bypass
// but the admins' own.
func DefaultRules() Rules {
	return Rules{Approvals: 1, DismissStale: true, CodeOwners: true, Check: "pullgrant",
		CheckApp: "pullgrant"}
}

// Protect replaces the rules of main.
func (f *Forge) Protect(r Rules) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = r
}

// writeBypass tells the update hook who may push to main.
func (f *Forge) writeBypass() error {
	var lines []string
	for _, u := range f.sortedUsers() {
		if f.bypasses(u) {
			lines = append(lines, u.login)
		}
	}
	return os.WriteFile(filepath.Join(f.git.dir, "forge-bypass"), []byte(strings.Join(lines, "\n")+
		"\n"), 0o644)
}

func (f *Forge) bypasses(u *user) bool {
	return f.rules.Off || !f.rules.BindAdmins && f.role(u) == "admin" ||
		slices.ContainsFunc(f.rules.Bypass, func(login string) bool {
			return strings.EqualFold(login,
				u.login)
		})
}

// unmet lists the rules a pull request does not meet, in GitHub's words.
func (f *Forge) unmet(p *pull) []string {
	if f.rules.Off || p.baseRef != "main" {
		return nil
	}
	var unmet []string
	approvals, blocked := f.opinions(p)
	if approvals < f.rules.Approvals {
		unmet = append(unmet, "At least "+plural(f.rules.Approvals, "approving review")+
			" required by reviewers with write access.")
	}
	if blocked && f.rules.Approvals > 0 {
		unmet = append(unmet, "Changes have been requested.")
	}
	if f.rules.Check != "" && !f.checkPassed(p.headSHA) {
		unmet = append(unmet, `Required status check "`+f.rules.Check+`" is expected.`)
	}
	return unmet
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return strconv.Itoa(n) + " " + what + "s are"
}

// checkPassed: the newest check run of that name (from that App) on the commit succeeded, or was
// neutral or skipped; or a status of that name did, when no App is demanded.
func (f *Forge) checkPassed(sha string) bool {
	passed := false
	for _, run := range f.checks {
		if run.head == sha && run.name == f.rules.Check && (f.rules.CheckApp == "" ||
			run.app.slug == f.rules.CheckApp) {
			passed = run.status == "completed" && slices.Contains([]string{"success", "neutral",
				"skipped"}, run.conclusion)
		}
	}
	for _, s := range f.statuses {
		if f.rules.CheckApp == "" && s.sha == sha && s.context == f.rules.Check {
			passed = s.state == "success"
		}
	}
	return passed
}

// rulesetID is the id of the one ruleset.
const rulesetID = 501

func (f *Forge) rulesJSON() []any {
	if f.rules.Off {
		return []any{}
	}
	rules := []any{
		object{"type": "deletion"}, object{"type": "non_fast_forward"},
		object{"type": "pull_request",
			"parameters": object{"required_approving_review_count": f.rules.Approvals,
				"dismiss_stale_reviews_on_push":     f.rules.DismissStale,
				"require_code_owner_review":         f.rules.CodeOwners,
				"require_last_push_approval":        false,
				"required_review_thread_resolution": false, "allowed_merge_methods": []any{"merge",
					"squash"}}},
	}
	if f.rules.Check != "" {
		check := object{"context": f.rules.Check}
		if a := f.apps[f.rules.CheckApp]; a != nil {
			check["integration_id"] = a.id
		}
		rules = append(rules, object{"type": "required_status_checks", "parameters": object{
			"strict_required_status_checks_policy": false, "required_status_checks": []any{check}}})
	}
	return rules
}

// listBranchRules answers the active rules of a branch.
func (f *Forge) listBranchRules(c *call) answer {
	var rules []any
	if c.PathValue("branch") == "main" {
		rules = f.rulesJSON()
	}
	return list(f, c, rules, func(rule any) any {
		r := rule.(object)
		r["ruleset_source_type"], r["ruleset_source"], r["ruleset_id"] = "Repository",
			f.fullName(), rulesetID
		return r
	})
}

func (f *Forge) rulesetJSON() object {
	return object{"id": rulesetID, "name": "main", "target": "branch", "source_type": "Repository",
		"source": f.fullName(), "enforcement": "active",
		"node_id": "RRS_501"}
}

func (f *Forge) listRulesets(c *call) answer {
	var sets []object
	if !f.rules.Off {
		sets = append(sets, f.rulesetJSON())
	}
	return list(f, c, sets, func(o object) any { return o })
}

// getRuleset shows the bypass actors to those who may edit the ruleset only.
func (f *Forge) getRuleset(c *call) answer {
	if f.rules.Off || c.number("ruleset_id") != rulesetID {
		return notFound()
	}
	body := f.rulesetJSON()
	body["rules"] = f.rulesJSON()
	body["conditions"] = object{"ref_name": object{"include": []any{"~DEFAULT_BRANCH"},
		"exclude": []any{}}}
	if f.role(c.who.user) == "admin" || c.who.app != nil && c.who.app.may("administration:read") {
		actors := []any{}
		if !f.rules.BindAdmins {
			actors = append(actors, object{"actor_id": 5, "actor_type": "RepositoryRole",
				"bypass_mode": "always"})
		}
		for _, login := range f.rules.Bypass {
			if a := f.apps[strings.TrimSuffix(login, "[bot]")]; a != nil {
				actors = append(actors, object{"actor_id": a.id, "actor_type": "Integration",
					"bypass_mode": "always"})
			} else if u := f.account(login); u != nil {
				actors = append(actors, object{"actor_id": u.id, "actor_type": "User",
					"bypass_mode": "always"})
			}
		}
		body["bypass_actors"] = actors
	}
	return ok(body)
}

func (f *Forge) getBranch(c *call) answer {
	name := c.PathValue("branch")
	sha := f.git.ref("refs/heads/" + name)
	if sha == "" {
		return refuse(http.StatusNotFound, "Branch not found")
	}
	protected := name == "main" && !f.rules.Off
	return ok(object{"name": name, "commit": f.commitJSON(sha), "protected": protected,
		"protection_url": f.repoURL("/branches/" + name + "/protection")})
}

func (f *Forge) listBranches(c *call) answer {
	refs, names, err := f.git.refs("refs/heads/")
	if err != nil {
		return fault(err)
	}
	return list(f, c, names, func(name string) any {
		return object{"name": strings.TrimPrefix(name, "refs/heads/"),
			"protected": name == "refs/heads/main" && !f.rules.Off,
			"commit":    object{"sha": refs[name], "url": f.repoURL("/commits/" + refs[name])}}
	})
}
