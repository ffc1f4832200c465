package sync

import (
	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// held gives GitHub's client the git objects that the agent has fetched: a name stands for the same
// content wherever it comes from.
type held struct{ *git.Repository }

// Commit implements github.Held.
func (h held) Commit(name string) (c github.HeldCommit, ok bool) {
	found, ok := h.HeldCommit(name)
	return github.HeldCommit{Tree: found.Tree, Parents: found.Parents,
		Committed: requests.At(found.Committer.When)}, ok && !found.Committer.When.IsZero()
}

// Folder implements github.Held.
func (h held) Folder(name string) (map[string]github.HeldEntry, bool) {
	found, ok := h.HeldFolder(name)
	folder := map[string]github.HeldEntry{}
	for base, e := range found {
		folder[base] = github.HeldEntry{Mode: e.Mode, Name: e.Hash}
	}
	return folder, ok
}

// Blob implements github.Held.
func (h held) Blob(name string) ([]byte, bool) { return h.HeldBlob(name) }
