package policies

import (
	"reflect"
	"time"

	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
)

// ChangedSinceRead are the files of which what is kept is no longer what reading them gives.
func ChangedSinceRead() (names []string) {
	for _, kept := range []map[parsedFile]any{parsed.young, parsed.old} {
		for file, value := range kept {
			var fresh any
			data := []byte(file.content)
			switch value.(type) {
			case reading[AccessPolicy]:
				v, f := ParsePolicy(file.name, data)
				fresh = reading[AccessPolicy]{v, f}
			case reading[IdentityMap]:
				v, f := ParseIdentities(file.name, data)
				fresh = reading[IdentityMap]{v, f}
			case reading[GroupMap]:
				v, f := ParseGroups(file.name, data)
				fresh = reading[GroupMap]{v, f}
			case reading[AccessRule]:
				v, f := ParseRule(file.name, data)
				fresh = reading[AccessRule]{v, f}
			case reading[Certification]:
				v, f := ParseCertification(file.name, data)
				fresh = reading[Certification]{v, f}
			case reading[Debt]:
				v, f := ParseDebt(file.name, data)
				fresh = reading[Debt]{v, f}
			case reading[Rota]:
				v, f := ParseRota(file.name, data)
				fresh = reading[Rota]{v, f}
			case reading[rbac.RoleCatalog]:
				v, f := rbac.ParseCatalog(file.name, data)
				fresh = reading[rbac.RoleCatalog]{v, f}
			case reading[codeowners.File]:
				v, f := codeowners.Parse(file.name, data)
				fresh = reading[codeowners.File]{v, f}
			}
			if !reflect.DeepEqual(value, fresh) {
				names = append(names, file.name)
			}
		}
	}
	return names
}

// NeverMatches is what lint says of a pattern.
func NeverMatches(pattern string, least, most int) bool { return neverMatches(pattern, least, most) }

// Includes is what lint says of two rules.
func (s RuleSpec) Includes(other RuleSpec) bool { return s.includes(other) }

// OnCallBy is what a rota says of somebody at a moment, and when they are on call next.
func OnCallBy(rota, login string, moment, last time.Time) (Reply, time.Time) {
	path := RotaPath("payments")
	tree := Tree{Files: map[string]TreeFile{path: NewTreeFile(PlainFile, "", []byte(rota), int64(len(rota)))}}
	return tree.rota(path).reply(login, moment, last)
}
