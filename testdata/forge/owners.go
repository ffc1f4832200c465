package forge

import (
	"path"
	"strings"

	"github.com/pullgrant/pullgrant/policies/codeowners"
)

// unowned is a path that the pull request changes and none of its owners approved, or empty:
// "require review from code owners" asks for one owner of each path that has any, by the CODEOWNERS
// of the base. A file that our own reader refuses owns nothing here.
func (f *Forge) unowned(p *pull) string {
	owners := f.codeowners("refs/heads/" + p.baseRef)
	changes, err := f.git.diff(f.diffBase(p), p.headSHA)
	if err != nil {
		return p.headRef
	}
	for _, change := range changes {
		for _, name := range []string{change.Path, change.Previous} {
			rule, owned := owners.Match(name)
			if name != "" && owned && len(rule.Owners) > 0 && !f.approvedByOwner(p, rule.Owners) {
				return name
			}
		}
	}
	return ""
}

func (f *Forge) codeowners(ref string) codeowners.File {
	for _, name := range codeowners.Paths {
		if content, err := f.git.file(ref, name); err == nil {
			owners, _ := codeowners.Parse(name, []byte(content))
			return owners
		}
	}
	return codeowners.File{}
}

func (f *Forge) approvedByOwner(p *pull, owners []codeowners.Owner) bool {
	for _, u := range f.approvers(p) {
		for _, o := range owners {
			if !o.Team && strings.EqualFold(o.Name, u.login) ||
				o.Team && f.isIn(u, f.team(path.Base(o.Name))) {
				return true
			}
		}
	}
	return false
}

func (f *Forge) isIn(u *user, t *team) bool { return t != nil && f.teamState(t, u) == "active" }
