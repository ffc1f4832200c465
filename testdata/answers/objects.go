package answers

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/pullgrant/pullgrant/policies"
)

func (s *Server) ref(r *http.Request) (int, any) {
	f := s.Scenario.Facts
	if r.PathValue("ref") != "heads/"+f.Repository.DefaultBranch || f.Base.Commit == "" {
		return missing()
	}
	return http.StatusOK, fields{"ref": "refs/" + r.PathValue("ref"),
		"object": fields{"type": "commit", "sha": f.Base.Commit}}
}

func (s *Server) commit(r *http.Request) (int, any) {
	c, err := object.GetCommit(s.store, hash(r, "commit_sha"))
	if err != nil {
		return missing()
	}
	parents := []fields{}
	for _, p := range c.ParentHashes {
		parents = append(parents, fields{"sha": p.String()})
	}
	return http.StatusOK, fields{"sha": c.Hash.String(), "message": c.Message,
		"tree": fields{"sha": c.TreeHash.String()}, "parents": parents}
}

func (s *Server) tree(r *http.Request) (int, any) {
	t, err := object.GetTree(s.store, hash(r, "tree_sha"))
	if err != nil {
		return missing()
	}
	entries := []fields{}
	for _, e := range t.Entries {
		entry := fields{"path": e.Name, "mode": e.Mode.String()[1:], "sha": e.Hash.String(),
			"type": "blob"}
		switch e.Mode {
		case filemode.Dir:
			entry["type"] = "tree"
		case filemode.Submodule:
			entry["type"] = "commit"
		default:
			blob, err := object.GetBlob(s.store, e.Hash)
			if err != nil {
				return missing()
			}
			entry["size"] = blob.Size
		}
		entries = append(entries, entry)
	}
	return http.StatusOK, fields{"sha": t.Hash.String(), "truncated": false, "tree": entries}
}

func (s *Server) blob(r *http.Request) (int, any) {
	b, err := object.GetBlob(s.store, hash(r, "file_sha"))
	if err != nil {
		return missing()
	}
	reader, err := b.Reader()
	if err != nil {
		return missing()
	}
	defer reader.Close()
	data, err := io.ReadAll(reader)
	if err != nil {
		return missing()
	}
	return http.StatusOK, fields{"sha": b.Hash.String(), "size": b.Size, "encoding": "base64",
		"content": base64.StdEncoding.EncodeToString(data)}
}

// lastTouched lists the last commit before one that touched a path. Of the files that approvers go
// by, the facts tell when it was; the history of a request is in git.
func (s *Server) lastTouched(r *http.Request) (int, any) {
	path := r.URL.Query().Get("path")
	if slices.ContainsFunc(s.Scenario.Facts.Changes,
		func(c policies.Change) bool { return c.Path == path }) {
		return http.StatusOK, []fields{{"sha": changing(path)}}
	}
	if path != s.Scenario.Path {
		return untold()
	}
	at, err := object.GetCommit(s.store, plumbing.NewHash(r.URL.Query().Get("sha")))
	if err != nil {
		return missing()
	}
	for {
		if at.NumParents() == 0 {
			return http.StatusOK, []fields{{"sha": at.Hash.String()}}
		}
		before, err := object.GetCommit(s.store, at.ParentHashes[0])
		if err != nil {
			return missing()
		}
		if s.at(at, path) != s.at(before, path) {
			return http.StatusOK, []fields{{"sha": at.Hash.String()}}
		}
		at = before
	}
}

// at is what a commit has at a path; zero when it has nothing.
func (s *Server) at(c *object.Commit, path string) plumbing.Hash {
	tree, err := object.GetTree(s.store, c.TreeHash)
	if err != nil {
		return plumbing.ZeroHash
	}
	entry, err := tree.FindEntry(path)
	if err != nil {
		return plumbing.ZeroHash
	}
	return entry.Hash
}

// changing names the commit that changed a file last; the facts tell its time, and of no commit.
func changing(path string) string {
	sum := sha1.Sum([]byte("the last change of " + path))
	return hex.EncodeToString(sum[:])
}

func (s *Server) pullsOf(r *http.Request) (int, any) {
	f, commit := s.Scenario.Facts, r.PathValue("commit_sha")
	if f.Merge == nil && f.PullRequest.Merged && commit == f.PullRequest.MergeCommitSHA {
		return untold()
	}
	all := []fields{}
	for _, c := range f.Changes {
		if commit == changing(c.Path) && c.MergedAt != nil {
			all = append(all, s.another(c.PullRequest, *c.MergedAt, commit))
		}
	}
	if commit == f.PullRequest.HeadSHA {
		all = append(all, s.listed())
	}
	if f.Merge != nil && commit == f.Merge.Commit {
		for _, number := range f.Merge.Introduced {
			if number == f.PullRequest.Number {
				all = append(all, s.listed())
			} else {
				all = append(all, s.another(number, *f.PullRequest.MergedAt, commit))
			}
		}
	}
	return http.StatusOK, all
}
