package answers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

func (s *Server) pull() (int, any) {
	f := s.Scenario.Facts
	whole := s.listed()
	whole["merged"], whole["commits"], whole["changed_files"] = f.PullRequest.Merged,
		len(f.Commits),
		len(f.Files)
	return http.StatusOK, whole
}

// closed is the pull request once it was closed.
func (s *Server) closed() (int, any) {
	status, whole := s.pull()
	whole.(fields)["state"] = "closed"
	return status, whole
}

// listed is the pull request as lists hold it.
func (s *Server) listed() fields {
	p := s.Scenario.Facts.PullRequest
	head := fields{"ref": p.HeadRef, "sha": p.HeadSHA, "repo": nil}
	if p.HeadRepoID != 0 {
		head["repo"] = fields{"id": p.HeadRepoID}
	}
	author := p.Author
	if author == (policies.User{}) {
		// whom GitHub shows in the place of a deleted author
		author = policies.User{Login: "ghost", ID: 10137, Type: "User"}
	}
	listed := fields{"number": p.Number, "state": p.State, "draft": p.Draft,
		"user":       account(author),
		"created_at": p.CreatedAt,
		"updated_at": p.CreatedAt, "merged_at": nil, "merge_commit_sha": nil,
		"base": fields{"ref": p.BaseRef, "repo": fields{"id": p.BaseRepoID}}, "head": head}
	if p.Merged {
		listed["merged_at"], listed["merge_commit_sha"] = p.MergedAt, p.MergeCommitSHA
	}
	return listed
}

// openPulls lists the one pull request there is while it is open.
func (s *Server) openPulls(*http.Request) (int, any) {
	if s.Scenario.Facts.PullRequest.State != "open" {
		return http.StatusOK, []fields{}
	}
	return http.StatusOK, []fields{s.listed()}
}

// another is a pull request of which the facts tell no more than that it was merged as a commit.
func (s *Server) another(number int, at requests.Time, commit string) fields {
	r := s.Scenario.Facts.Repository
	return fields{"number": number, "state": "closed", "user": nil, "created_at": at,
		"updated_at": at, "merged_at": at, "merge_commit_sha": commit,
		"base": fields{"ref": r.DefaultBranch, "repo": fields{"id": r.ID}},
		"head": fields{"ref": "other", "sha": commit, "repo": fields{"id": r.ID}}}
}

func (s *Server) files() (int, any) {
	all := []fields{}
	for _, f := range s.Scenario.Facts.Files {
		file := fields{"filename": f.Path, "status": f.Status}
		if f.PreviousPath != "" {
			file["previous_filename"] = f.PreviousPath
		}
		all = append(all, file)
	}
	return http.StatusOK, all
}

func (s *Server) commits() (int, any) {
	all := []fields{}
	for _, c := range s.Scenario.Facts.Commits {
		message := "Ask\n"
		for _, address := range c.CoAuthors {
			message += fmt.Sprintf("\nCo-authored-by: Somebody <%s>", address)
		}
		all = append(all, fields{"sha": c.SHA, "author": account(c.Author),
			"committer": account(c.Committer), "commit": fields{"message": message}})
	}
	return http.StatusOK, all
}

// authored is what GraphQL has of the commits: whom GitHub attributes co-authors to.
func (s *Server) authored() fields {
	nodes := []any{}
	for _, c := range s.Scenario.Facts.Commits {
		nodes = append(nodes, fields{"commit": fields{"oid": c.SHA,
			"authors": fields{"nodes": authorsOf(c)}}})
	}
	return fields{"nodes": nodes, "pageInfo": fields{"hasNextPage": false, "endCursor": nil}}
}

func authorsOf(c policies.Commit) []any {
	authors := []any{}
	for _, address := range c.CoAuthors {
		author := fields{"email": address, "user": nil}
		if u, ok := c.CoAuthorUsers[address]; ok {
			author["user"] = fields{"databaseId": u.ID, "login": u.Login}
		}
		authors = append(authors, author)
	}
	return authors
}

func (s *Server) reviews() (int, any) {
	all := []fields{}
	for _, r := range s.Scenario.Facts.Reviews {
		review := fields{"id": r.ID, "user": account(r.User), "state": r.State,
			"commit_id": r.CommitID, "submitted_at": r.SubmittedAt}
		if r.CommitID == "" {
			review["commit_id"] = nil
		}
		all = append(all, review)
	}
	return http.StatusOK, all
}

// said is what GraphQL has of the words of the reviews: of those that the facts do not tell, nothing.
func (s *Server) said() fields {
	nodes := []any{}
	for _, r := range s.Scenario.Facts.Reviews {
		if r.Words == nil {
			continue
		}
		review := fields{"fullDatabaseId": fmt.Sprint(r.ID), "body": r.Words.Text,
			"includesCreatedEdit": r.Words.Edited, "lastEditedAt": nil, "editor": nil}
		if r.Words.Cut {
			review["body"] = r.Words.Text + strings.Repeat(".", policies.MaxWords)
		}
		nodes = append(nodes, review)
	}
	return fields{"nodes": nodes, "pageInfo": fields{"hasNextPage": false, "endCursor": nil}}
}

func (s *Server) events() (int, any) {
	all := []fields{}
	f := s.Scenario.Facts
	for i, at := range f.BaseChanges {
		all = append(all, fields{"id": i + 1, "event": "base_ref_changed", "created_at": at})
	}
	for i, at := range f.Closed {
		all = append(all, fields{"id": len(f.BaseChanges) + i + 1, "event": "closed", "created_at": at})
	}
	if !f.Opened.IsZero() {
		event := "ready_for_review"
		if len(f.Closed) > 0 {
			event = "reopened"
		}
		all = append(all, fields{"id": len(all) + 1, "event": event, "created_at": f.Opened})
	}
	return http.StatusOK, all
}

// activity is newest first, as GitHub lists it.
func (s *Server) activity(r *http.Request) (int, any) {
	f := s.Scenario.Facts
	if ref := r.URL.Query().Get("ref"); ref != "" && ref != "refs/heads/"+f.PullRequest.HeadRef {
		return untold()
	}
	all := []fields{}
	for i, p := range slices.Backward(f.Pushes) {
		all = append(all, fields{"id": i + 1, "ref": "refs/heads/" + f.PullRequest.HeadRef,
			"after": p.After, "timestamp": p.Time,
			"activity_type": p.Reason, "actor": account(p.Actor)})
	}
	return http.StatusOK, all
}

func (s *Server) codeownersErrors(r *http.Request) (int, any) {
	f := s.Scenario.Facts
	if r.URL.Query().Get("ref") != f.Base.Commit {
		return untold()
	}
	all := []fields{}
	for _, text := range f.CodeownersErrors {
		var line, column int
		path, rest, _ := strings.Cut(text, ":")
		if _, err := fmt.Sscanf(rest, "%d:%d:", &line, &column); err != nil {
			return untold()
		}
		_, kind, _ := strings.Cut(rest, ": ")
		all = append(all, fields{"path": path, "line": line, "column": column, "kind": kind})
	}
	return http.StatusOK, fields{"errors": all}
}
