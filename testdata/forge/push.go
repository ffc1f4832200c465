package forge

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// Removed as a file's content in Change.Files removes the file.
const Removed = "\x00removed"

// Change is one commit that Push puts on a branch, with everything about it free to choose.
type Change struct {
	User    string            // who pushes; author and committer too unless they are set
	Branch  string            // main when empty; OWNER:BRANCH pushes to OWNER's fork
	From    string            // start: branch or SHA; the branch itself when empty and it exists, else main
	Files   map[string]string // path -> content, or Removed
	Modes   map[string]string // path -> git mode, for what is no ordinary file (120000 a symlink, 100755 executable)
	Parents []string          // further parents, which makes it a merge commit

	Message           string
	Author, Committer *Identity
}

// Seed puts the first commit on main, in the name of author (a login), whatever the rules say.
func (f *Forge) Seed(files map[string]string, message, author string) (sha string, err error) {
	return f.Push(Change{User: author, Files: files, Message: message})
}

// Push commits and pushes at once, past all rules (an admin's direct push, when the branch is
// main), and returns the commit's SHA. Starting From elsewhere than at the branch's tip is a
// force-push. Everything follows as from any push.
func (f *Forge) Push(change Change) (sha string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.mustAccount(change.User)
	if change.Branch == "" {
		change.Branch = "main"
	}
	fork, branch, parent := f.headOf(change.Branch)
	if change.From != "" {
		if parent = f.findCommit(change.From); parent == "" {
			return "", fmt.Errorf("push to %s: no commit %s", change.Branch, change.From)
		}
	} else if parent == "" {
		parent = f.git.ref("refs/heads/main")
	}
	base := ""
	commit := commitObject{Author: f.identity(u), Message: change.Message}
	if parent != "" {
		base, commit.Parents = parent, []string{parent}
	}
	commit.Parents = append(commit.Parents, change.Parents...)
	var entries []entry
	for path, content := range change.Files {
		e := entry{Mode: "100644", Type: "blob", Path: path}
		if mode := change.Modes[path]; mode != "" {
			e.Mode = mode
		}
		if content != Removed {
			if e.SHA, err = f.git.writeBlob(content); err != nil {
				return "", err
			}
		}
		entries = append(entries, e)
	}
	if commit.Tree, err = f.git.writeTree(base, entries); err != nil {
		return "", err
	}
	commit.Author = f.signature(change.Author, commit.Author)
	commit.Committer = f.signature(change.Committer, commit.Author)
	if sha, err = f.git.writeCommit(commit); err != nil {
		return "", err
	}
	return sha, f.pushed(u, (&pull{fork: fork, headRef: branch}).headFullRef(), sha)
}

// SetBranch moves a branch (OWNER:BRANCH: of a fork) to a commit that exists (a fast forward, a
// force-push or a revert), as login's push past all rules; an empty sha deletes it.
func (f *Forge) SetBranch(login, branch, sha string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fork, name, _ := f.headOf(branch)
	return f.pushed(f.mustAccount(login), (&pull{fork: fork, headRef: name}).headFullRef(), sha)
}

func (f *Forge) pushed(u *user, ref, sha string) error {
	if err := f.moveRef(u, ref, sha, ""); err != nil {
		return err
	}
	f.autoMerge()
	return nil
}

func (f *Forge) signature(given *Identity, or Identity) Identity {
	if given == nil {
		return or
	}
	if given.When.IsZero() {
		return Identity{given.Name, given.Email, f.now()}
	}
	return *given
}

// Branch is the SHA a branch points to, or empty.
func (f *Forge) Branch(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.git.ref("refs/heads/" + name)
}

// Do makes one REST call with a token, as any client does, and decodes the answer into out
// (nil: dropped). A status of 400 or more is an error that holds it and GitHub's message.
func (f *Forge) Do(token, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, f.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in == nil {
		request.Body, request.ContentLength = nil, 0
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := f.call(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		return fmt.Errorf("%s %s: %d %s", method, path, response.StatusCode,
			strings.TrimSpace(string(data)))
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, out)
}

func (f *Forge) call(request *http.Request) (*http.Response, error) {
	if !f.opts.InProcess {
		return http.DefaultClient.Do(request)
	}
	if request.Body == nil {
		request.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, request)
	return recorder.Result(), nil
}

// Open opens a pull request from branch to main in a user's name and returns its number.
func (f *Forge) Open(login, branch, title string) (number int, err error) {
	var out struct{ Number int }
	err = f.Do(f.Token(login), http.MethodPost, "/repos/"+f.fullName()+"/pulls",
		object{"title": title, "head": branch, "base": "main"}, &out)
	return out.Number, err
}

// Review submits a review of a pull request's head: APPROVE, REQUEST_CHANGES or COMMENT. It says
// that, or the words given, and returns the review's id.
func (f *Forge) Review(login string, number int, event string, words ...string) (id int64,
	err error) {
	var out struct{ ID int64 }
	err = f.Do(f.Token(login), http.MethodPost, fmt.Sprintf("/repos/%s/pulls/%d/reviews",
		f.fullName(), number), object{"event": event,
		"body": cmp.Or(strings.Join(words, "\n"), event)}, &out)
	return out.ID, err
}

// Merge merges a pull request with a merge commit and returns that commit's SHA.
func (f *Forge) Merge(login string, number int) (sha string, err error) {
	var out struct{ SHA string }
	err = f.Do(f.Token(login), http.MethodPut, fmt.Sprintf("/repos/%s/pulls/%d/merge", f.fullName(),
		number), object{}, &out)
	return out.SHA, err
}

// Pass reports a successful completed check run of an App on a commit.
func (f *Forge) Pass(slug, name, sha string) error {
	return f.Do(f.AppToken(slug), http.MethodPost, "/repos/"+f.fullName()+"/check-runs",
		object{"name": name, "head_sha": sha, "status": "completed", "conclusion": "success"}, nil)
}
