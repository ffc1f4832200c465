package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Severities of a LintFinding. An error stands in the way of every change; a warning is for the
// reviewer to weigh.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// LintFinding is a finding with its severity.
type LintFinding struct {
	requests.Finding
	Severity string `json:"severity"`
}

// String is the finding as one line: file:line:col: severity: message [rule].
func (f LintFinding) String() string {
	f.Message = f.Severity + ": " + f.Message
	return f.Finding.String()
}

// Rules of the warnings that Lint gives. docs/lint.md tells of each why it is there and what to do.
const (
	RuleDangerAllowed   = "danger-allowed"
	RuleDangerUnused    = "danger-unused"
	RuleAttributes      = "attributes"
	RuleApproversShort  = "approvers-short"
	RuleCertifiedIdle   = "certified-idle"
	RuleCertifiedOver   = "certified-over"
	RuleCertifiedSoon   = "certified-soon"
	RuleChallengeIdle   = "challenge-idle"
	RuleChallengeLate   = "challenge-late"
	RuleDeniedAlways    = "denied-always"
	RulePatternNever    = "pattern-never"
	RuleHidden          = "rule-hidden"
	RuleWindowIdle      = "window-idle"
	RuleCondition       = "condition-constant"
	RuleApproverUnknown = "approver-unknown"
	RuleGroupUnused     = "group-unused"
	RuleIdentityAWS     = "identity-aws"
	RuleIdentityCluster = "identity-cluster"
	RuleIdentityMissing = "identity-missing"
	RuleIdentityUnused  = "identity-unused"
	RuleOnCallUnknown   = "oncall-unknown"
	RuleOverlap         = "overlap"
	RulePartyTwice      = "party-twice"
	RuleRoleBuiltin     = "role-builtin"
	RulePatternConfig   = "pattern-configmaps"
	RuleOnceLong        = "once-long"
	RuleRBACRoleless    = "rbac-roleless"
	RuleUnreviewedLong  = "unreviewed-long"
	RuleStrictPath      = "strict-path"
	RuleWindowShort     = "window-short"
	RuleLimitIdle       = "limit-idle"
	RuleNotifyIdle      = "notify-idle"
	RuleGlassLong       = "breakglass-long"
	RuleIdle            = "rule-idle"
	RuleOver            = "rule-over"
	// RuleRole and the code of a Risk name the rule about that risk, for example
	// role-reads-secrets.
	RuleRole = "role-"
)

// RuleApprovers is the rule of Check about a challenge that no request could ever meet.
const RuleApprovers = "approvers"

// RuleDanger is the rule of Check about a role that lets its holder keep access, or may do so.
const RuleDanger = "danger"

// builtinRoles come with Kubernetes, which puts them together anew whenever it is upgraded or an
// API is added.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
var builtinRoles = map[string]string{
	"cluster-admin": "it allows everything, also to keep the access after its end",
	"admin":         "its holder can bind roles in the namespace that stay after the end",
	"edit": "its holder can make tokens of ServiceAccounts and workloads that stay " +
		"after the end",
	"view": "what it shows grows with every API that is added",
}

// Lint finds in a tree what is valid and yet likely to give more than meant, or never to work. The
// errors are those of Check; everything else is a warning. Files with errors are not looked into
// any further. now is when windows of rules are over.
func (t Tree) Lint(now time.Time) []LintFinding {
	errors := t.Check()
	var warnings []requests.Finding
	sound := func(name string) bool {
		return !slices.ContainsFunc(errors, func(f requests.Finding) bool { return f.File == name })
	}
	if t.codeownersPath() != "" && sound(IdentitiesPath) && sound(GroupsPath) &&
		sound(t.codeownersPath()) {
		l := linter{tree: t, now: now}
		for _, name := range t.PolicyNames() {
			if sound(Path(name)) {
				policy, _, _ := t.Policy(name)
				l.policies = append(l.policies, t.world(policy))
			}
		}
		l.everyPolicy = len(l.policies) == len(t.PolicyNames())
		warnings = l.lint()
	}
	var all []LintFinding
	for _, f := range errors {
		all = append(all, LintFinding{f, SeverityError})
	}
	requests.SortFindings(warnings)
	for _, f := range warnings {
		all = append(all, LintFinding{f, SeverityWarning})
	}
	return all
}

// linter looks at the valid policies of a tree together.
type linter struct {
	tree        Tree
	now         time.Time
	policies    []world
	everyPolicy bool // none was left out
	findings    []requests.Finding
}

func (l *linter) lint() []requests.Finding {
	identities, inIdentities := document[IdentityMap](l.tree, IdentitiesPath)
	groups, inGroups := document[GroupMap](l.tree, GroupsPath)
	// groups of groups.yaml: those who may ask, those anybody names
	asking, named := map[string]bool{}, map[string]bool{}
	for _, w := range l.policies {
		_, d := document[AccessPolicy](l.tree, Path(w.policy.Metadata.Name))
		l.parties(w, d, asking, named)
		l.roles(w, d)
		l.dangers(w, d)
		w.constantConditions(d)
		w.roleless(d)
		w.numberless(d)
		l.windows(w, d)
		l.idleLimit(w, d)
		l.contradictions(w, d)
		w.idleNotifications(d)
		for i := range w.policy.Spec.Challenges {
			l.challenge(w, d, i)
		}
		if s := w.policy.Spec; s.Target.MaxDuration > unreviewedLong &&
			unreviewed(s.Challenges, len(s.Challenges)) {
			d.Add("spec.target.maxDuration", RuleUnreviewedLong, "%s with nobody's review; have "+
				"maxDuration be %s at most, or ask for a review", s.Target.MaxDuration, unreviewedLong)
		}
		l.breakGlass(w, d)
		for _, other := range l.policies {
			l.overlap(w, d, other)
		}
		l.findings = append(l.findings, d.Findings...)
	}
	l.rules(identities, named)
	l.rotas(identities)
	for i, g := range groups.Spec.Groups {
		at := fmt.Sprintf("spec.groups[%d]", i)
		if !named[g.Name] && l.everyPolicy {
			inGroups.Add(at+".name", RuleGroupUnused, "no policy or rule names the group %s; remove it",
				requests.Quote(g.Name))
		}
		for j, member := range g.Members {
			if _, ok := identities.find(member); asking[g.Name] && !ok {
				inGroups.Add(fmt.Sprintf("%s.members[%d]", at, j), RuleIdentityMissing, noIdentity,
					member, IdentitiesPath)
			} else if named[g.Name] && !ok {
				inGroups.Add(fmt.Sprintf("%s.members[%d]", at, j), RuleApproverUnknown, unpinned,
					member, IdentitiesPath)
			}
		}
	}
	l.owners(identities)
	l.certifications()
	l.attributes()
	l.unusedIdentities(identities, inIdentities)
	l.unusedClusters(identities, inIdentities)
	l.heldByAWSAuth(identities, inIdentities)
	return slices.Concat(l.findings, inIdentities.Findings, inGroups.Findings)
}

const (
	noIdentity = "@%s may ask, but every request fails because %s does not say who they are in " +
		"Kubernetes; add them there, or remove them here"
	unpinned = "@%s can approve, and %s does not hold their account number: whoever takes " +
		"over the login could approve too; add them there"
)

// document reads a file of the tree with the positions of its fields. A file that is not there has
// no positions.
func document[T any](t Tree, name string) (T, *requests.Document) {
	const unbounded = MaxFileSize
	if file, ok := t.Files[name]; ok {
		return requests.Decode[T](name, []byte(file.Content), unbounded)
	}
	var none T
	return none, &requests.Document{File: name}
}

// parties looks at who may ask and who may approve by name.
func (l *linter) parties(w world, d *requests.Document, asking, named map[string]bool) {
	list := func(path string, parties []Party, ask bool) {
		for i, p := range parties {
			at := fmt.Sprintf("%s[%d]", path, i)
			if p.Kind == PartyGroup {
				asking[p.Name] = asking[p.Name] || ask
				named[p.Name] = true
				continue
			}
			_, known := w.identities.find(p.Name)
			switch {
			case !known && ask:
				d.Add(at, RuleIdentityMissing, noIdentity, p.Name, IdentitiesPath)
			case !known:
				d.Add(at, RuleApproverUnknown, unpinned, p.Name, IdentitiesPath)
			}
			others := slices.Delete(slices.Clone(parties), i, i+1)
			for _, other := range others {
				people, _ := w.resolve([]Party{other})
				if has(people, p.Name) && (other.Kind == PartyGroup || i > 0 &&
					slices.Contains(parties[:i], other)) {
					d.Add(at, RulePartyTwice,
						"@%s is in this list already, through %s; name them once",
						p.Name, requests.Quote(other.Name))
				}
			}
		}
	}
	list("spec.subjects", w.policy.Spec.Subjects, true)
	list("spec.onBehalfOf", w.policy.Spec.OnBehalfOf, true)
	if b := w.policy.Spec.BreakGlass; b != nil {
		list("spec.breakGlass.subjects", b.Subjects, true)
		list("spec.breakGlass.owners", b.Owners, false)
	}
	for at, c := range parts("spec", w.policy.Spec.Challenges) {
		list(at+".reviewers", c.Reviewers, false)
	}
}

func has(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// roles looks at what the policy gives, as far as the catalogue tells.
func (l *linter) roles(w world, d *requests.Document) {
	for i, g := range w.policy.Spec.Target.Grants {
		for _, named := range g.roles() {
			at := fmt.Sprintf("spec.target.grants[%d]%s", i, named.field)
			if why, ok := builtinRoles[named.role]; ok {
				d.Add(at, RuleRoleBuiltin, "%s is a role of Kubernetes' own, which changes with "+
					"every upgrade: %s; "+
					"make a ClusterRole with the rules that are needed", named.role, why)
			}
			for _, cluster := range w.policy.Spec.Clusters {
				for _, risk := range l.tree.RoleRisks(cluster, named.role, g.scope()) {
					d.Add(at, RuleRole+risk.Code, "%s on %s: %s", named.role, cluster, risk.Text)
				}
			}
		}
		if most := w.policy.Spec.Target.MaxDuration; g.Once && most > onceLong {
			d.Add(fmt.Sprintf("spec.target.grants[%d].once", i), RuleOnceLong, "a single use is best "+
				"effort: without the audit webhook the command may be run again for %s; have "+
				"maxDuration be %s at most", most, onceLong)
		}
		for n, e := range g.Resources {
			if e.Resource == "configmaps" && (e.Patterns || e.Selectors) {
				d.Add(fmt.Sprintf("spec.target.grants[%d].resources[%d]", i, n), RulePatternConfig,
					"to follow which ConfigMaps match, the agent may read all of them in %s, with "+
						"whatever passwords people keep there; name them exactly", anyOf(g.AllowedNamespaces))
			}
		}
	}
}

// challenge looks for requests that could never be approved while others could.
func (l *linter) challenge(w world, d *requests.Document, i int) {
	for _, cluster := range w.policy.Spec.Clusters {
		a := w.approvals(cluster)[i]
		who, all := w.short(a)
		if len(who) == 0 || all {
			continue
		}
		d.Add(fmt.Sprintf("spec.challenges[%d]", i), RuleApproversShort,
			"a request of @%s could never be approved: %s besides them; name more",
			strings.Join(who, ", @"), a.needs())
		return // the other clusters say the same, or nearly
	}
}

// short tells for which of those who may ask by name too few others can approve, and whether that
// is so for all who may ask. Who is in a GitHub team is not known here, so one team is enough to
// say nothing.
func (w world) short(a Approval) (who []string, all bool) {
	if named, teams := a.everyone(); len(named)+len(teams) == 0 {
		return nil, false // which is told elsewhere
	}
	people, teams := w.resolve(w.policy.Spec.Subjects)
	for _, asker := range people {
		if !a.possible(asker) {
			who = append(who, asker)
		}
	}
	return who, len(who) == len(people) && len(people)+len(teams) > 0 &&
		(len(teams) == 0 || !a.possible())
}

// hopeless are the challenges that no request could meet, for Check.
func (w world) hopeless() []string {
	var problems []string
	for _, cluster := range w.policy.Spec.Clusters {
		for _, a := range w.approvals(cluster) {
			if _, all := w.short(a); all {
				problems = append(problems, fmt.Sprintf("no request can ever be approved on %s: "+
					"%s, and nobody can approve their own; name more", cluster, a.needs()))
			}
		}
	}
	return problems
}

// owners looks at CODEOWNERS: people nobody knows, and places that decide and are nobody's.
func (l *linter) owners(identities IdentityMap) {
	owners, _ := l.tree.codeowners()
	add := func(line, column int, rule, format string, args ...any) {
		l.findings = append(l.findings, requests.Finding{File: owners.Path, Line: line,
			Column: column, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
	var told []string
	for _, r := range owners.Rules {
		for _, o := range r.Owners {
			if _, ok := identities.find(o.Name); !o.Team && !ok && !has(told, o.Name) {
				told = append(told, o.Name)
				add(r.Line, o.Column, RuleApproverUnknown, unpinned, o.Name, IdentitiesPath)
			}
		}
	}
	for _, p := range (world{owner: l.tree.Owner, owners: owners}).unownedStrictPaths() {
		add(1, 1, RuleStrictPath, "nobody owns /%s, so nobody can approve a change of it; add a line",
			p)
	}
}
