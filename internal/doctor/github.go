package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/sync/kube"
)

// actions is GitHub's own App, in whose name every workflow reports.
const actions = 15368

// Hub is the access repository on GitHub.
type Hub struct {
	Client    *github.Client
	CheckApp  int64                                          // number of the Action's App; 0: not given
	AgentApp  int64                                          // number of the agent's App; 0: not given
	Workflows func(branch string) (map[string][]byte, error) // as shipped, by path, of a default branch
	Teams     []string
	Now       time.Time
}

// examination is Hub while it is looked at.
type examination struct {
	Hub
	notes
	setup    github.Setup
	inForce  bool  // there are rules
	checkApp int64 // that the ruleset asks for; 0: none
}

// GitHub looks at the repository's rules and settings, and at what the agent assumes of GitHub. What
// the token may not see is unknown. An error says that the repository itself cannot be read.
func GitHub(ctx context.Context, h Hub) ([]Result, error) {
	e := examination{Hub: h}
	var err error
	if e.setup, err = h.Client.Setup(ctx); err != nil {
		return nil, err
	}
	for _, look := range []func(context.Context){e.rules, e.bypass, e.workflows, e.environment,
		e.approvals, e.ownersErrors, e.merges, e.teams} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		look(ctx)
	}
	e.settings()
	e.clock()
	return e.inOrder(), nil
}

func (e *examination) rules(ctx context.Context) {
	const read = "read them as somebody who may see the repository"
	rules, err := e.Client.Rules(ctx)
	if err != nil {
		e.unknown("rules", err, read)
		e.unknown("check-app", err, read)
		e.unknown("plan", err, read)
		return
	}
	e.inForce = len(rules) > 0
	weak := policies.Weaknesses(rules, e.CheckApp)
	for _, w := range weak {
		what, mend, _ := strings.Cut(w, "; ")
		e.note("rules", Wrong, "Settings > Rules > Rulesets: "+mend, "%s", what)
	}
	if len(weak) == 0 {
		e.ok("rules", "the rules of %s lack nothing", e.setup.Branch)
	}
	e.source(rules)
	switch plan := e.setup.Plan; {
	case len(rules) > 0 || !e.setup.Private:
		e.ok("plan", "rules are in force")
	case plan == "free":
		e.note("plan", Wrong, "Settings of the organization > Billing: take the plan Team or "+
			"Enterprise", "the plan is %s and the repository private", plan)
	default:
		e.note("plan", Unknown, "look at the organization's plan", "no rule is in force, and the "+
			"plan is not shown")
	}
}

// source notes whose check is required.
func (e *examination) source(rules []policies.BranchRule) {
	const mend = "Settings > Rules > Rulesets > Require status checks: choose the Action's App as " +
		"the source of " + policies.CheckName
	for _, r := range rules {
		for _, c := range r.Parameters.Checks {
			if c.Context == policies.CheckName && c.Integration != 0 {
				e.checkApp = c.Integration
			}
		}
	}
	switch {
	case e.checkApp == 0:
		e.note("check-app", Wrong, mend, "anybody may report the check %s, or it is not required",
			policies.CheckName)
	case e.checkApp == actions:
		e.note("check-app", Wrong, mend, "the check is GitHub's own App's, in whose name every "+
			"workflow reports")
	case e.CheckApp == 0:
		e.note("check-app", Warning, fmt.Sprintf("run doctor, and the agent, with --check-app-id %d "+
			"if that is the number of the Action's App", e.checkApp),
			"the check is that of the App %d, and nobody said which is the Action's", e.checkApp)
	case e.checkApp != e.CheckApp:
		e.note("check-app", Wrong, mend, "the check is that of the App %d, not of %d", e.checkApp,
			e.CheckApp)
	default:
		e.ok("check-app", "the check is that of the App %d", e.checkApp)
	}
}

func (e *examination) bypass(ctx context.Context) {
	actors, known, err := e.Client.Bypass(ctx)
	const mend = "Settings > Rules > Rulesets > Bypass list: leave the agent's App, and nobody else"
	switch {
	case err != nil:
		e.unknown("bypass-list", err, "run it with the token of an administrator")
		return
	case !known:
		e.unknown("bypass-list", errors.New("GitHub shows it to administrators only"),
			"run it with the token of an administrator")
		return
	}
	var apps []github.Actor
	wrong := false
	for _, a := range actors {
		switch {
		case a.Kind != "Integration":
			e.note("bypass-list", Wrong, mend, "%s may bypass the rules (%s)", actorInWords(a), a.Mode)
		case a.ID == e.checkApp || a.ID == actions:
			e.note("bypass-list", Wrong, mend, "the App %d may bypass the rules, and reports the "+
				"check or runs workflows", a.ID)
		case e.AgentApp != 0 && a.ID != e.AgentApp:
			e.note("bypass-list", Wrong, mend, "the App %d may bypass the rules, and is not the "+
				"agent's", a.ID)
		default:
			apps = append(apps, a)
			continue
		}
		wrong = true
	}
	switch {
	case len(apps) > 1:
		e.note("bypass-list", Wrong, mend, "%d Apps may bypass the rules; the agent is one", len(apps))
	case wrong:
	case !e.inForce:
		e.skip("bypass-list", "there are no rules to bypass")
	case len(apps) == 0:
		e.note("bypass-list", Warning, mend, "nobody may bypass the rules, so the agent cannot record "+
			"(PushRefused)")
	default:
		e.ok("bypass-list", "the App %d, and nobody else", apps[0].ID)
	}
}

// actorInWords names who may bypass. The numbers of roles are GitHub's:
// https://docs.github.com/rest/repos/rules#create-a-repository-ruleset
func actorInWords(a github.Actor) string {
	role := map[int64]string{2: "whoever maintains the repository", 4: "whoever may write",
		5: "every administrator of the repository"}[a.ID]
	switch {
	case a.Kind == "OrganizationAdmin":
		return "every owner of the organization"
	case a.Kind == "DeployKey":
		return "every deploy key"
	case a.Kind == "RepositoryRole" && role != "":
		return role
	}
	return fmt.Sprintf("the %s with number %d", a.Kind, a.ID)
}

func (e *examination) environment(ctx context.Context) {
	branches, exists, err := e.Client.Deployers(ctx, policies.CheckName)
	mend := "Settings > Environments > pullgrant > Deployment branches: selected branches, " +
		e.setup.Branch + " only"
	switch {
	case err != nil:
		e.unknown("environment", err, "run it with a token that may read Actions")
	case !exists:
		e.note("environment", Wrong, "Settings > Environments: make pullgrant, with "+e.setup.Branch+
			" as its only deployment branch, and put PULLGRANT_APP_KEY there",
			"there is no environment pullgrant, so the key is nowhere or where every workflow reads it")
	case slices.Equal(branches, []string{e.setup.Branch}):
		e.ok("environment", "only %s may deploy to pullgrant", e.setup.Branch)
	case slices.Equal(branches, []string{"*"}):
		e.note("environment", Wrong, mend, "every branch may deploy to pullgrant")
	default:
		e.note("environment", Wrong, mend, "others than %s may deploy to pullgrant: %s",
			e.setup.Branch, names(branches))
	}
}

func (e *examination) approvals(ctx context.Context) {
	may, err := e.Client.ActionsApprove(ctx)
	switch {
	case err != nil:
		e.unknown("actions-approve", err, "run it with the token of an administrator")
	case may:
		e.note("actions-approve", Wrong, "Settings > Actions > General: turn off 'Allow GitHub "+
			"Actions to create and approve pull requests'", "workflows may approve pull requests")
	default:
		e.ok("actions-approve", "workflows may not approve pull requests")
	}
}

func (e *examination) ownersErrors(ctx context.Context) {
	errs, err := e.Client.OwnersErrors(ctx)
	if err != nil {
		e.unknown("owners-errors", err, "run it with a token that may read contents")
		return
	}
	e.findings("owners-errors", Wrong, "correct the line; an owner must exist, be seen and have "+
		"write access", errs)
	if len(errs) == 0 {
		e.ok("owners-errors", "GitHub finds no error in CODEOWNERS")
	}
}

func (e *examination) teams(ctx context.Context) {
	if len(e.Teams) == 0 {
		e.skip("teams", "no policy or line of CODEOWNERS names a team")
		return
	}
	hidden := 0
	for _, team := range e.Teams {
		if err := e.Client.SeesTeam(ctx, team); err != nil {
			hidden++
			e.note("teams", Warning, "correct the name, or let both Apps read members of the "+
				"organization (Members: read)", "%v", err)
		}
	}
	if hidden == 0 {
		e.ok("teams", "%s: visible to this token", names(e.Teams))
	}
}

// settings notes what is not about rules.
func (e *examination) settings() {
	s := e.setup
	if s.Private {
		e.ok("visibility", "not public")
	} else {
		e.note("visibility", Warning, "Settings > General > Danger Zone: change the visibility to "+
			"private", "the repository is public")
	}
	if s.Archived {
		e.note("default-branch", Wrong, "Settings > General > Danger Zone: unarchive", "the "+
			"repository is archived, so nobody can ask")
	} else {
		e.ok("default-branch", "%s", s.Branch)
	}
	const general = "Settings > General > Pull Requests: "
	is := func(b *bool) bool { return b != nil && *b }
	switch {
	case s.AutoMerge == nil:
		e.unknown("merge-settings", errors.New("GitHub does not show them to this token"),
			"run it with a token that may write")
		return
	case is(s.AutoMerge) && is(s.DeleteBranches) && !is(s.Rebase) && is(s.Merge) != is(s.Squash):
		e.ok("merge-settings", "auto-merge, branches go, one method of merging")
	}
	if !is(s.AutoMerge) {
		e.note("merge-settings", Wrong, general+"turn on 'Allow auto-merge'", "auto-merge is off")
	}
	if !is(s.DeleteBranches) {
		e.note("merge-settings", Warning, general+"turn on 'Automatically delete head branches'",
			"branches stay when their pull request is merged")
	}
	if is(s.Rebase) || is(s.Merge) == is(s.Squash) {
		e.note("merge-settings", Warning, general+"allow merging or squashing, and no other method",
			"there are several methods of merging, or only rebasing")
	}
}

func (e *examination) clock() {
	ahead, known := e.Client.Skew()
	const mend = "timedatectl set-ntp true"
	switch {
	case !known:
		e.unknown("clock", errors.New("GitHub told no time"), mend)
	case kube.Beyond(ahead) != 0:
		e.note("clock", Wrong, mend, "GitHub's clock is %s ahead of this machine's",
			ahead.Round(time.Second))
	default:
		e.ok("clock", "GitHub's and this machine's differ by less than is tolerated")
	}
}

// permissions compares those of an App with what the Action needs.
func (e *examination) permissions(r github.Reporter) {
	mend := fmt.Sprintf("Settings of the App %s > Permissions, as docs/setup.md has them; then "+
		"accept them where it is installed", r.Slug)
	wanted, well := github.CheckPermissions(), true
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if has := r.Permissions[name]; has != "write" && has != wanted[name] {
			e.note("app-permissions", Wrong, mend, "the App %s lacks %s: %s", r.Slug, name, wanted[name])
			well = false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Permissions)) {
		if has := r.Permissions[name]; has != wanted[name] && (wanted[name] == "" ||
			wanted[name] == "read") {
			e.note("app-permissions", Warning, mend, "the App %s needs no %s: %s", r.Slug, name, has)
			well = false
		}
	}
	if well {
		e.ok("app-permissions", "the App %s has what it needs and no more", r.Slug)
	}
}
