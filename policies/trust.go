package policies

import (
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// IsTrustRoot tells whether a file decides about requests or about other such files, so that the
// agent goes by it only when it knows who approved it (docs/decisions/0008-provenance.md).
func IsTrustRoot(path string) bool {
	return Wanted(KindChange, "")(path) && !informs(path)
}

// informs tells whether a file is read to tell the authors of a change, and decides nothing: policy
// tests, and for which policies install/ was rendered.
func informs(path string) bool { return isUnder(path, TestsFolder) || leadsToInstalled(path) }

// DecidesChanges tells whether a change of policies is judged by the file: CODEOWNERS,
// identities.yaml and groups.yaml.
func DecidesChanges(path string) bool { return Wanted("", "")(path) }

// EvaluateChange judges what a commit of the default branch's first-parent line did to files that
// decide: it must be the merge of the pull request of f, which is a change that was allowed when it
// was merged, and must have brought nothing but what was reviewed (R44, R46, R47). changed are the
// paths that git says differ from the first parent, with the blob they have after it, empty where
// the file is gone. tree is what the change is judged under: the files of the merge's first parent
// that are proven themselves. Nothing is pending after a merge.
func EvaluateChange(tree Tree, f Facts, commit string, changed map[string]string,
	now time.Time) Decision {
	pr := f.PullRequest
	refuse := func(code Code, format string, args ...any) Decision {
		d := Refuse(code, format, args...)
		d.HeadSHA, d.PolicyCommit = pr.HeadSHA, tree.Commit
		return d
	}
	if problem := newJudge(tree, f, now).complete(); problem != "" {
		return refuse(EvaluationError, "%s", problem)
	}
	kind, _, _ := KindOf(f.Files)
	switch {
	case !pr.Merged:
		return refuse(PullRequestNotMerged, "pull request #%d is not merged", pr.Number)
	case f.Merge.Commit != commit || pr.MergeCommitSHA != commit || commit == "":
		return refuse(NoPullRequest, "pull request #%d was merged as %s, not as %s", pr.Number,
			short(pr.MergeCommitSHA), short(commit))
	case !slices.Equal(f.Merge.Introduced, []int{pr.Number}):
		return refuse(NoPullRequest, "the merge commit %s was introduced by the pull requests "+
			"%v, not by #%d alone",
			short(commit), f.Merge.Introduced, pr.Number)
	case kind != KindChange:
		return refuse(NotARequestPR, "pull request #%d is no change of policies", pr.Number)
	}
	reviewed := f.reviewed()
	for _, path := range slices.Sorted(maps.Keys(changed)) {
		blob, listed := reviewed[path]
		if !listed || IsTrustRoot(path) && blob != changed[path] {
			return refuse(BlobMismatch, "the merge changed %s otherwise than pull request #%d says",
				requests.Quote(path), pr.Number)
		}
	}
	if !sameFile(f.Base, tree, f.Base.codeownersPath()) || !sameFile(f.Base, tree,
		tree.codeownersPath()) {
		f.CodeownersErrors = nil // they are about another version
	}
	d := Evaluate(tree, f, now)
	if d.Outcome == Pending {
		d.Outcome = Denied
	}
	return d
}

// reviewed are the paths that a pull request changes, with the blob of those that decide in its
// head: empty where it removes the file.
func (f Facts) reviewed() map[string]string {
	all := map[string]string{}
	for _, file := range f.Files {
		if file.Status == "renamed" {
			all[file.PreviousPath] = ""
		}
	}
	for _, file := range f.Files { // after every rename: two files may have changed places
		all[file.Path] = f.Head.Files[file.Path].Blob
	}
	return all
}

func sameFile(a, b Tree, path string) bool { return a.Files[path].Blob == b.Files[path].Blob }
