package policies

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// PlainFile is the git mode of a file that is neither executable, a link nor a submodule (R5).
const PlainFile = "100644"

// MaxFileSize bounds every file of a Tree, in bytes: GitHub's own limit for CODEOWNERS (R31).
const MaxFileSize = 3 << 20

// ReadTree reads policies/, catalog/, tests/, CODEOWNERS, .gitattributes and for which policies
// install/ was rendered, of a checkout or any other file system. owner is whose the repository is,
// empty where nobody knows.
func ReadTree(fsys fs.FS, owner string) (Tree, error) {
	tree := Tree{Owner: owner, Files: map[string]TreeFile{}}
	names := []string{AttributesPath}
	for _, name := range codeowners.Paths {
		// What stands behind a link is not in the commit at this path.
		if info, err := fs.Lstat(fsys, path.Dir(name)); err != nil || info.IsDir() {
			names = append(names, name)
		}
	}
	for _, folder := range []string{Folder, rbac.CatalogFolder, TestsFolder} {
		below, err := filesBelow(fsys, folder)
		if err != nil {
			return tree, fmt.Errorf("read %s/: %w", folder, err)
		}
		names = append(names, below...)
	}
	installed, err := installedFiles(fsys)
	if err != nil {
		return tree, fmt.Errorf("read %s/: %w", InstallFolder, err)
	}
	for _, name := range append(names, installed...) {
		file, err := readFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return tree, fmt.Errorf("read %s: %w", name, err)
		}
		tree.Files[name] = file
	}
	return tree, nil
}

// filesBelow lists what is no folder below a folder, or the folder itself where it is a link: git
// has no files behind one. There may be none.
func filesBelow(fsys fs.FS, folder string) (names []string, err error) {
	switch info, err := fs.Lstat(fsys, folder); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return []string{folder}, nil
	}
	err = fs.WalkDir(fsys, folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// readFile reads a file as a commit of it would hold it.
func readFile(fsys fs.FS, name string) (TreeFile, error) {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return TreeFile{}, err
	}
	if !info.Mode().IsRegular() {
		return TreeFile{Mode: "120000"}, nil
	}
	if info.Mode()&0o100 != 0 {
		return TreeFile{Mode: "100755"}, nil
	}
	if info.Size() > MaxFileSize {
		return NewTreeFile(PlainFile, "", nil, info.Size()), nil
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return TreeFile{}, err
	}
	return NewTreeFile(PlainFile, "", data, int64(len(data))), nil
}

// NewTreeFile is a tree entry with its content, or with the reason why it has none. size is the
// blob's; data may be missing when size is over MaxFileSize or mode is not that of a plain file.
func NewTreeFile(mode, blob string, data []byte, size int64) TreeFile {
	file := TreeFile{Mode: mode, Blob: blob}
	switch {
	case mode != PlainFile:
	case size > MaxFileSize:
		file.Unreadable = fmt.Sprintf("%d bytes; the most allowed is %d", size, MaxFileSize)
	case !utf8.Valid(data):
		file.Unreadable = "not UTF-8"
	default:
		file.Content = string(data)
	}
	return file
}

// problem says why the entry cannot be read as a plain text file.
func (f TreeFile) problem() string {
	if f.Mode != PlainFile {
		return fmt.Sprintf("git mode %s; it must be a plain file, %s", requests.Quote(f.Mode),
			PlainFile)
	}
	return f.Unreadable
}

// parse reads one file of the tree. A file that does not exist gives the zero value and no finding.
func parse[T any](t Tree, name string, read func(string, []byte) (T, []requests.Finding)) (T,
	[]requests.Finding) {
	var zero T
	file, ok := t.Files[name]
	if !ok {
		return zero, nil
	}
	if problem := file.problem(); problem != "" {
		return zero, []requests.Finding{{File: name, Line: 1, Column: 1, Rule: "file",
			Message: problem}}
	}
	return readOnce(&parsed, name, file.Content, read)
}

// filesOf are the files of one sort, in the order of their paths, as read reads them.
func filesOf[T any](t Tree, is func(path string) bool, read func(path string) T) (all []T) {
	var paths []string
	for path := range t.Files {
		if is(path) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		all = append(all, read(path))
	}
	return all
}

// codeownersPath is the file GitHub would use: the first of codeowners.Paths that exists, even when
// empty (R28).
func (t Tree) codeownersPath() string {
	for _, name := range codeowners.Paths {
		if _, ok := t.Files[name]; ok {
			return name
		}
	}
	return ""
}

func (t Tree) codeowners() (codeowners.File, []requests.Finding) {
	if name := t.codeownersPath(); name != "" {
		return parse(t, name, codeowners.Parse)
	}
	return codeowners.File{}, []requests.Finding{{File: codeowners.Paths[0], Line: 1, Column: 1,
		Rule:    "codeowners-missing",
		Message: "there is no CODEOWNERS file, so nobody can approve; create it"}}
}

// overlay is t with the files of a pull request applied: what the default branch holds after the
// merge.
func (t Tree) overlay(files []File, head Tree) Tree {
	result := Tree{Commit: head.Commit, Files: maps.Clone(t.Files)}
	if result.Files == nil {
		result.Files = map[string]TreeFile{}
	}
	for _, f := range files {
		delete(result.Files, f.Path)
		if f.Status == "renamed" {
			delete(result.Files, f.PreviousPath)
		}
	}
	for _, f := range files { // after every removal: two files may have changed places
		if file, ok := head.Files[f.Path]; ok && f.Status != "removed" {
			result.Files[f.Path] = file
		}
	}
	return result
}

// Check finds everything wrong with the policies, identities, groups, CODEOWNERS and role catalogue
// of a tree, each alone and together.
func (t Tree) Check() []requests.Finding { return oneForLineEnds(t.check()) }

func (t Tree) check() []requests.Finding {
	identities, findings := parse(t, IdentitiesPath, ParseIdentities)
	groups, more := parse(t, GroupsPath, ParseGroups)
	findings = append(findings, more...)
	owners, more := t.codeowners()
	findings = append(findings, more...)
	sound := len(findings) == 0
	for _, name := range slices.Sorted(maps.Keys(t.Files)) {
		switch {
		case isUnder(name, rbac.CatalogFolder):
			findings = append(findings, t.checkCatalog(name)...)
		case name == IdentitiesPath, name == GroupsPath, !isUnder(name, Folder):
		case IsRule(name):
			findings = append(findings, t.rule(name).findings...)
		case IsCertification(name):
			_, more := parse(t, name, ParseCertification)
			findings = append(findings, more...)
		case IsRota(name):
			findings = append(findings, t.rota(name).findings...)
		case path.Dir(name) != Folder || !strings.HasSuffix(name, ".yaml"):
			findings = append(findings, requests.Finding{File: name, Line: 1, Column: 1,
				Rule: "path",
				Message: Folder + "/ holds one <policy>.yaml a policy, identities.yaml, " +
					"groups.yaml, rules/, rotas/ and certified/, nothing else"})
		default:
			policy, more := parse(t, name, ParsePolicy)
			findings = append(findings, more...)
			if len(more) == 0 {
				findings = append(findings, t.dangers(policy, policy.Spec.Clusters...)...)
			}
			if len(more) == 0 && sound {
				w := world{policy, identities, groups, owners, t.Owner, t.rotasOf(policy.Spec.Challenges)}
				findings = append(findings, w.check(name)...)
			}
		}
	}
	if extra := t.extraCodeowners(); extra != "" {
		findings = append(findings, requests.Finding{File: extra, Line: 1, Column: 1,
			Rule: "codeowners-second",
			Message: "a second CODEOWNERS file; GitHub reads only the first of " +
				strings.Join(codeowners.Paths, ", ") + ": remove this one"})
	}
	findings = append(findings, t.checkTests(len(findings) == 0)...)
	findings = append(findings, t.checkInstalled()...)
	requests.SortFindings(findings)
	return findings
}

// checkTests finds the policy tests that do not read, and, when the policies do, the cases that end
// otherwise than wanted.
func (t Tree) checkTests(sound bool) []requests.Finding {
	results, findings := t.RunTests()
	for _, r := range results {
		if sound && !r.Passed {
			findings = append(findings, requests.Finding{File: r.File, Line: r.Line,
				Column: r.Column, Rule: "policy-test",
				Message: fmt.Sprintf("the case %s wants %s and gets %s: %s", requests.Quote(r.Name),
					r.Want, r.Got, r.Message)})
		}
	}
	return findings
}

func (t Tree) extraCodeowners() string {
	found := slices.DeleteFunc(slices.Clone(codeowners.Paths), func(name string) bool {
		_, ok := t.Files[name]
		return !ok
	})
	if len(found) < 2 {
		return ""
	}
	return found[1]
}

// world is one policy with what it is read together with.
type world struct {
	policy     AccessPolicy
	identities IdentityMap
	groups     GroupMap
	owners     codeowners.File
	owner      string              // of the repository; empty where nobody knows
	rotas      map[string]rotaFile // that the policy asks, by name
}

// check finds what no single file shows: groups that do not exist, paths nobody owns, protected
// roles and namespaces.
func (w world) check(name string) []requests.Finding {
	var findings []requests.Finding
	add := func(rule, format string, args ...any) {
		findings = append(findings, requests.Finding{File: name, Line: 1, Column: 1, Rule: rule,
			Message: fmt.Sprintf(format, args...)})
	}
	parties := slices.Concat(w.policy.Spec.Subjects, w.policy.Spec.OnBehalfOf)
	for _, c := range parts("", w.policy.Spec.Challenges) {
		parties = append(parties, c.Reviewers...)
	}
	for _, cluster := range w.policy.Spec.Clusters { // whatever the challenges, as in a judgement
		path := requests.Path(cluster, w.policy.Metadata.Name, "20060102-a-b")
		if len(w.ownersOf(path)) == 0 {
			add("owner", "nobody owns %s in CODEOWNERS, so no request can be approved; %s",
				requests.Quote(path), w.unowned(path))
		}
	}
	if b := w.policy.Spec.BreakGlass; b != nil {
		parties = append(parties, b.Owners...)
		for _, problem := range w.glassHopeless(*b) {
			add(RuleApprovers, "%s", problem)
		}
	}
	for _, p := range parties {
		if problem := w.groups.problem(p); problem != "" {
			add("group", "%s", problem)
		}
	}
	for _, name := range sortedKeys(w.rotas) {
		if found := w.rotas[name].findings; len(found) > 0 && found[0].Rule == ruleNoRota {
			add(ruleNoRota, "%s", found[0].Message)
		}
	}
	for _, problem := range w.hopeless() {
		add(RuleApprovers, "%s", problem)
	}
	return append(findings, w.policy.protected()...)
}
