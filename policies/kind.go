package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// KindOf decides what a pull request is from the paths it changes (docs/rules.md; R4, R36 and R37).
// path is the file under requests/ of a request or a withdrawal. problem says why the pull request
// is of no kind.
func KindOf(files []File) (kind Kind, path, problem string) {
	if len(files) == 0 {
		return "", "", "it changes no file"
	}
	if touched := slices.IndexFunc(files, isReview); touched >= 0 {
		return kindOfReview(files, files[touched])
	}
	if touched := slices.IndexFunc(files, isReserved); touched >= 0 {
		f := files[touched]
		if len(files) > 1 {
			return "", "", fmt.Sprintf("it touches %s and %d more; a request adds exactly one "+
				"file under requests/ and a withdrawal "+
				"removes exactly one, with nothing else beside it", requests.Quote(f.Path),
				len(files)-1)
		}
		return kindOfOne(f)
	}
	for _, f := range files {
		if !slices.Contains([]string{"added", "removed", "modified", "renamed", "copied",
			"changed"},
			f.Status) {
			return "", "", fmt.Sprintf("%s has the unknown status %s", requests.Quote(f.Path),
				requests.Quote(f.Status))
		}
	}
	if problem := certifiesBeside(files); problem != "" {
		return "", "", problem
	}
	return KindChange, "", ""
}

func kindOfOne(f File) (kind Kind, path, problem string) {
	if isUnder(f.Path, requests.RevocationsFolder) || isUnder(f.PreviousPath,
		requests.RevocationsFolder) {
		return "", "", "it touches " + requests.Quote(f.Path) + "; only the agent writes under " +
			requests.RevocationsFolder + "/"
	}
	switch f.Status {
	case "added":
		return KindRequest, f.Path, ""
	case "removed":
		return KindWithdrawal, f.Path, ""
	}
	return "", "", fmt.Sprintf("%s is %s; a request may be added or removed, never changed: "+
		"open a new one",
		requests.Quote(f.Path), requests.Quote(f.Status))
}

// kindOfReview is the kind of a pull request that touches the reviews of break-glass: these are
// added, each alone, and stay.
func kindOfReview(files []File, f File) (kind Kind, path, problem string) {
	if len(files) > 1 || f.Status != "added" {
		return "", "", fmt.Sprintf("it touches %s; a review is added alone, and stays as it is",
			requests.Quote(f.Path))
	}
	return KindReview, f.Path, ""
}

func isReview(f File) bool {
	return slices.ContainsFunc(f.paths(), func(path string) bool {
		return isUnder(path, requests.ReviewsFolder)
	})
}

func isReserved(f File) bool {
	for _, path := range f.paths() {
		if isUnder(path, requests.Folder) || isUnder(path, requests.RevocationsFolder) {
			return true
		}
	}
	return false
}

// paths are the path and, for a rename or copy, where it came from: owners of both must approve
// (R34).
func (f File) paths() []string {
	if f.PreviousPath == "" || f.PreviousPath == f.Path {
		return []string{f.Path}
	}
	return []string{f.Path, f.PreviousPath}
}

func isUnder(path, folder string) bool {
	rest, ok := strings.CutPrefix(path, folder) // without a text of its own: judging asks of every file
	return ok && (rest == "" || rest[0] == '/')
}

// Wanted tells which paths a Tree must hold to judge a pull request of this kind.
func Wanted(kind Kind, path string) func(string) bool {
	wanted := append(slices.Clone(codeowners.Paths), IdentitiesPath, GroupsPath)
	if kind == KindChange {
		return func(p string) bool {
			return isUnder(p, Folder) || isUnder(p, rbac.CatalogFolder) ||
				isUnder(p, TestsFolder) || leadsToInstalled(p) ||
				slices.Contains(wanted, p)
		}
	}
	if kind == KindReview {
		return wantedForReview(path, wanted)
	}
	if kind == KindWithdrawal {
		wanted = append(wanted, path)
	}
	place, ok := requests.SplitPath(path)
	if ok {
		wanted = append(wanted, Path(place.Policy), CertificationPath(place.Policy))
	}
	catalogued := kind == KindRequest && ok // which roles are asked for, only the policy knows
	return func(p string) bool {
		return slices.Contains(wanted, p) || kind == KindRequest && (IsRule(p) || IsRota(p)) ||
			catalogued && isUnder(p, rbac.CatalogFolder+"/"+place.Cluster)
	}
}

// Reviewed are the files of a tree that the approver of a request at path goes by: an approval
// given before the last change of one of them is stale (R56). A role's catalogue file is among them
// even when there is none: taking it away was a change too.
func (t Tree) Reviewed(path string) []string {
	place, ok := requests.SplitPath(path)
	if !ok {
		return nil
	}
	var paths []string
	if _, exists := t.Files[Path(place.Policy)]; exists {
		paths = append(paths, Path(place.Policy))
	}
	if name := t.codeownersPath(); name != "" {
		paths = append(paths, name)
	}
	policy, _ := parse(t, Path(place.Policy), ParsePolicy)
	for _, role := range policy.Roles() {
		paths = append(paths, rbac.CatalogPath(place.Cluster, role))
	}
	for _, r := range t.rulesAbout(place.Cluster) {
		paths = append(paths, r.path)
	}
	for _, name := range sortedKeys(t.rotasOf(policy.Spec.Challenges)) {
		paths = append(paths, RotaPath(name))
	}
	return paths
}
