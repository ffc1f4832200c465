package policies

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/requests"
)

// PolicyNames are the names of the policy files, in order, whether they are valid or not.
func (t Tree) PolicyNames() []string {
	var all []string
	for name := range t.Files {
		if isPolicyPath(name) {
			all = append(all, strings.TrimSuffix(path.Base(name), ".yaml"))
		}
	}
	slices.Sort(all)
	return all
}

func isPolicyPath(name string) bool {
	return path.Dir(name) == Folder && strings.HasSuffix(name, ".yaml") && name != IdentitiesPath &&
		name != GroupsPath
}

// Policy reads one policy of the tree; ok is false when there is no such file.
func (t Tree) Policy(name string) (policy AccessPolicy, ok bool, findings []requests.Finding) {
	_, ok = t.Files[Path(name)]
	policy, findings = parse(t, Path(name), ParsePolicy)
	return policy, ok, findings
}

// Askers are those who may ask under a policy: logins by name and from groups.yaml, and GitHub
// teams.
func (t Tree) Askers(policy AccessPolicy) (people, teams []string) {
	return t.world(policy).resolve(policy.Spec.Subjects)
}

func (t Tree) world(policy AccessPolicy) world {
	w := world{policy: policy, owner: t.Owner}
	w.identities, _ = parse(t, IdentitiesPath, ParseIdentities)
	w.groups, _ = parse(t, GroupsPath, ParseGroups)
	w.owners, _ = t.codeowners()
	w.rotas = t.rotasOf(policy.Spec.Challenges)
	return w
}

// anyRequest is the file name of a request, to ask CODEOWNERS about the folder it would stand in.
const anyRequest = "20060102-a-b.yaml"

func requestFolder(cluster, policy string) string {
	return requests.Folder + "/" + cluster + "/" + policy + "/"
}

// ownersOf are the owners of a path whom GitHub would ask: a team of another organization is none
// of them (R32). Where nobody knows whose the repository is, as in a folder without a remote, every
// team is taken for one of its own.
func (w world) ownersOf(path string) []Party {
	rule, _ := w.owners.Match(path)
	var parties []Party
	for _, o := range rule.Owners {
		organization, _, _ := strings.Cut(o.Name, "/")
		switch {
		case !o.Team:
			parties = append(parties, Party{Kind: PartyUser, Name: o.Name})
		case w.owner == "" || strings.EqualFold(organization, w.owner):
			parties = append(parties, Party{Kind: PartyGroup, Name: o.Name})
		}
	}
	return parties
}

// unowned says what to do about a path that nobody owns whom GitHub would ask.
func (w world) unowned(path string) string {
	if rule, _ := w.owners.Match(path); len(rule.Owners) > 0 {
		return "its line names only teams of other organizations than " + w.owner
	}
	return "add a line for it"
}

// isParty tells whether a login is one of parties, or a member of one.
func (w world) isParty(f Facts, parties []Party, login string) bool {
	return slices.ContainsFunc(parties, func(p Party) bool {
		switch {
		case p.Kind == PartyUser:
			return strings.EqualFold(p.Name, login)
		case strings.Contains(p.Name, "/"):
			member, _ := f.isMember(p.Name, login)
			return member
		}
		members, _ := w.groups.members(p.Name)
		return has(members, login)
	})
}

// resolve names the people and GitHub teams that parties stand for, each once, in order. Names
// differ by more than case.
func (w world) resolve(parties []Party) (people, teams []string) {
	people, teams = []string{}, []string{}
	for _, p := range parties {
		switch {
		case p.Kind == PartyUser:
			people = append(people, p.Name)
		case strings.Contains(p.Name, "/"):
			teams = append(teams, p.Name)
		default:
			members, _ := w.groups.members(p.Name)
			people = append(people, members...)
		}
	}
	return once(people), once(teams)
}

// people are those of some parties, in their order and each once: a group of groups.yaml, which is
// nobody at GitHub, by its members.
func (w world) people(parties []Party) (all []string) {
	for _, p := range parties {
		people, teams := w.resolve([]Party{p})
		for _, name := range slices.Concat(teams, people) {
			if !slices.ContainsFunc(all, func(n string) bool { return strings.EqualFold(n, name) }) {
				all = append(all, name)
			}
		}
	}
	return all
}

func once(names []string) []string {
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	})
	return slices.CompactFunc(names, strings.EqualFold)
}

// The lines of CODEOWNERS between these two are written by the program; all others are left as they
// are.
const (
	ownersBegin = "# pullgrant: begin"
	ownersEnd   = "# pullgrant: end"
)

const ownersAbout = ` (written by "pullgrant codeowners" from the reviewers in policies/)`

// OwnersFile is a CODEOWNERS file as it is and as the policies want it.
type OwnersFile struct {
	Path          string
	Before, After string
	// Findings are what no generated line can mend. Where one stands in the way of writing, After
	// is Before.
	Findings []requests.Finding
}

// OwnersFile writes the owners of each policy's request folders from the reviewers of its peer
// reviews: teams as they are, groups of groups.yaml as their members. So GitHub asks for a review
// those whose approval counts. A policy with a CodeOwnerReview gets no line: there CODEOWNERS is
// the rule and people write it.
func (t Tree) OwnersFile() OwnersFile {
	file := OwnersFile{Path: cmp.Or(t.codeownersPath(), codeowners.Paths[0])}
	file.Before = t.Files[file.Path].Content
	file.After = file.Before
	add := func(line int, rule, format string, args ...any) {
		file.Findings = append(file.Findings, requests.Finding{File: file.Path, Line: line,
			Column: 1, Rule: rule, Message: fmt.Sprintf(format, args...)})
	}
	wanted, findings := t.ownerLines()
	if _, broken := parse(t, file.Path, codeowners.Parse); len(findings)+len(broken) > 0 {
		file.Findings = append(findings, broken...)
		return file
	}
	after, line, problem := replaceBlock(file.Before, wanted)
	if problem != "" {
		add(line, "codeowners-block", "%s", problem)
		return file
	}
	owners, findings := codeowners.Parse(file.Path, []byte(after))
	if len(findings) > 0 {
		add(1, "codeowners-owner", "a reviewer cannot stand in CODEOWNERS, so nothing is "+
			"written: %s",
			findings[0].Message)
		return file
	}
	file.After = after
	for _, want := range wanted {
		folder, names, _ := strings.Cut(want, "  ")
		rule, _ := owners.Match(strings.TrimPrefix(folder, "/") + anyRequest)
		if ownerNames(rule.Owners) != names {
			add(rule.Line, "codeowners-order", "this line comes after the generated one for %s "+
				"and takes its place; move it above %q", folder, ownersBegin)
		}
	}
	for _, p := range (world{owner: t.Owner, owners: owners}).unownedStrictPaths() {
		add(1, "codeowners-strict",
			"nobody owns /%s, so nobody can approve a change of it; add a line",
			p)
	}
	requests.SortFindings(file.Findings)
	return file
}

// strictPaths are files that decide who gets access or what the agent may do, or tell who had access,
// one for each place (R28, R29).
var strictPaths = append([]string{".github/workflows/any.yml", "policies/any.yaml",
	"catalog/any/any.yaml",
	"revocations/any/20060102/" + anyRequest, "reviews/any.yaml",
	InstallFolder + "/any/any.yaml"}, codeowners.Paths...)

// unownedStrictPaths are the folders and files among them that nobody owns.
func (w world) unownedStrictPaths() []string {
	var folders []string
	for _, p := range strictPaths {
		if len(w.ownersOf(p)) == 0 {
			folder, _, _ := strings.Cut(p, "any")
			folders = append(folders, folder)
		}
	}
	return folders
}

// ownerLines are the generated lines, or what is wrong with the files they are made from.
func (t Tree) ownerLines() (lines []string, findings []requests.Finding) {
	_, groupFindings := parse(t, GroupsPath, ParseGroups)
	findings = groupFindings
	for _, name := range t.PolicyNames() {
		policy, _, found := t.Policy(name)
		findings = append(findings, found...)
		var reviewers []Party
		for _, c := range parts("", policy.Spec.Challenges) {
			if c.Kind == CodeOwnerReview {
				reviewers = nil
				break
			}
			reviewers = append(reviewers, c.Reviewers...)
		}
		people, teams := t.world(policy).resolve(reviewers)
		if len(people)+len(teams) == 0 {
			continue
		}
		for _, cluster := range policy.Spec.Clusters {
			lines = append(lines, "/"+requestFolder(cluster, name)+"  @"+
				strings.Join(append(slices.Clone(teams), people...), " @"))
		}
	}
	slices.Sort(lines)
	return lines, findings
}

func ownerNames(owners []codeowners.Owner) string {
	var all []string
	for _, o := range owners {
		all = append(all, "@"+o.Name)
	}
	return strings.Join(all, " ")
}

// replaceBlock puts lines between the marks of a CODEOWNERS file, or at its end when it has no
// marks yet.
func replaceBlock(before string, lines []string) (after string, at int, problem string) {
	block := append([]string{ownersBegin + ownersAbout}, lines...)
	block = append(block, ownersEnd)
	var kept []string
	begin, end := 0, 0 // line numbers, counted from 1
	for i, line := range strings.Split(strings.TrimSuffix(before, "\n"), "\n") {
		switch {
		case isMark(line, ownersBegin) && begin > 0:
			return "", i + 1, fmt.Sprintf("a second %q; remove it", ownersBegin)
		case isMark(line, ownersBegin):
			begin = i + 1
			kept = append(kept, block...)
		case isMark(line, ownersEnd) && (begin == 0 || end > 0):
			return "", i + 1, fmt.Sprintf("%q without its beginning; remove it", ownersEnd)
		case isMark(line, ownersEnd):
			end = i + 1
		case begin == 0 || end > 0:
			kept = append(kept, line)
		}
	}
	switch {
	case begin > 0 && end == 0:
		return "", begin, fmt.Sprintf("no %q follows; write it after the generated lines",
			ownersEnd)
	case begin == 0 && len(lines) == 0:
		return before, 0, ""
	case begin == 0 && before == "":
		kept = block
	case begin == 0:
		kept = append(append(kept, ""), block...)
	}
	return strings.Join(kept, "\n") + "\n", 0, ""
}

func isMark(line, mark string) bool { return line == mark || strings.HasPrefix(line, mark+" ") }
