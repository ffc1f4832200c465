package sync

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// trust is what is known of the files that decide, from a commit whose files are taken as given up
// to another one (docs/decisions/0008-provenance.md). It follows from the branch alone, but what
// GitHub said of each change is kept: a person who approved it may have left since.
type trust struct {
	asked string               // the commit that was asked for as root; "" for the repository's first
	root  string               // the commit whose files are given; "" while nothing is known
	head  string               // the last commit that was looked at
	files map[string][]version // by path, newest first
	// offered is what policies that were proven gave, at whatever time; nil where an earlier
	// program kept none of it
	offered []requests.Item

	offers   []requests.Item // by the policies at a commit
	offering string          // that commit

	resource string // the ConfigMap's resource version; "" when it does not exist yet
}

// version is one file as a commit left it.
type version struct {
	Commit  string        `json:"commit"`
	Mode    string        `json:"mode,omitempty"`
	Blob    string        `json:"blob,omitempty"` // empty: the commit removed it
	Pull    int           `json:"pull,omitempty"` // that brought it, as far as one is known
	Code    policies.Code `json:"code,omitempty"` // why it is not proven; empty when it is, or is given
	Problem string        `json:"problem,omitempty"`
}

// maxVersions bounds how many versions of one file are remembered. A request is judged under those
// at its merge and now.
const maxVersions = 4

// give takes the files of the root as they are.
func (t *trust) give(root string, entries []git.Entry) {
	t.files = map[string][]version{}
	for _, e := range entries {
		if policies.IsTrustRoot(e.Path) {
			t.files[e.Path] = []version{{Commit: root, Mode: e.Mode, Blob: e.Hash}}
		}
	}
}

// add notes what a commit did to one file. A policy that was taken away as it should be is
// forgotten: no request is allowed without it. Rules, rotas and
// certifications are not: requests that were merged under them are.
func (t *trust) add(path string, v version) {
	if v.proven() && v.Blob == "" && strings.HasPrefix(path, policies.Folder+"/") &&
		!policies.DecidesChanges(path) && !policies.IsRule(path) &&
		!policies.IsRota(path) &&
		!policies.IsCertification(path) {
		delete(t.files, path)
		return
	}
	all := slices.Insert(slices.Clone(t.files[path]), 0, v)
	kept := all[:min(len(all), maxVersions)]
	if proven := slices.IndexFunc(all, version.proven); proven >= maxVersions {
		kept[maxVersions-1] = all[proven]
	}
	t.files[path] = kept
}

// newest is the last version of each of some files.
func (t *trust) newest(paths []string) map[string][]version {
	files := map[string][]version{}
	for _, path := range paths {
		if all := t.files[path]; len(all) > 0 {
			files[path] = all[:1]
		}
	}
	return files
}

func (v version) proven() bool { return v.Code == "" }

// instead are the files that a change of policies is judged by, where what stands on the branch is
// not proven: as they were when they were proven last. So whoever pushes an own CODEOWNERS approves
// nothing by it, and the owners before can put things right.
func (t *trust) instead() map[string]policies.TreeFile {
	files := map[string]policies.TreeFile{}
	for path, all := range t.files {
		if !policies.DecidesChanges(path) || all[0].proven() {
			continue
		}
		var last version
		if i := slices.IndexFunc(all, version.proven); i >= 0 {
			last = all[i]
		}
		files[path] = policies.TreeFile{Mode: last.Mode, Blob: last.Blob}
	}
	return files
}

// doubt says why a request may not be judged by the wanted files of tree, which stood on the branch
// before the commits of later; the empty code means that it may.
func (t *trust) doubt(wanted func(string) bool, tree policies.Tree, later map[string]bool) (
	policies.Code, string) {
	if later[t.root] {
		return "", "" // it stood before the root
	}
	paths := slices.AppendSeq(slices.Collect(maps.Keys(t.files)), maps.Keys(tree.Files))
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if !wanted(path) {
			continue
		}
		all := t.files[path]
		var v version
		if i := slices.IndexFunc(all, func(v version) bool { return !later[v.Commit] }); i >= 0 {
			v = all[i]
		} else if len(all) == maxVersions {
			return policies.EvaluationError, fmt.Sprintf("%s changed too often since commit %s",
				requests.Quote(path), tree.Commit)
		}
		switch file := tree.Files[path]; {
		case file.Blob != v.Blob || file.Mode != v.Mode:
			return policies.EvaluationError,
				fmt.Sprintf("GitHub has another %s in commit %s than git; the branch moved just "+
					"now, so try again",
					requests.Quote(path), tree.Commit)
		case !v.proven():
			return policies.PolicyUnproven, v.doubt(path)
		}
	}
	return "", ""
}

// doubt is one sentence for people: what is wrong and what puts it right.
func (v version) doubt(path string) string {
	return fmt.Sprintf("nobody who may approved %s as it stands since commit %s: %s (%s); change "+
		"it by an approved pull request",
		requests.Quote(path), v.Commit, v.Problem, v.Code)
}
