package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

// history is what a checkout tells of all its requests.
type history struct {
	dir      string
	accounts []ledger.Account
	rows     []audit.Row // of the account of the same number
	findings []requests.Finding
	// asked is what the policies at HEAD make of each request that has not ended, by its path.
	asked map[string]policies.Decision
}

// history reads that of the checkout. Signatures count when they are by one of those in the file of
// allowed signers; without such a file nobody looks at them.
func (c checkout) history(signersFile string) (h history, err error) {
	dir, err := c.folder()
	if err != nil {
		return h, err
	}
	signers, err := readSigners(signersFile)
	if err != nil {
		return h, err
	}
	return readHistory(dir, signers)
}

func readHistory(dir string, signers *git.AllowedSigners) (h history, err error) {
	h.dir, h.asked = dir, map[string]policies.Decision{}
	if h.accounts, h.findings, err = ledger.History(dir, signers); err != nil {
		return h, err
	}
	if len(h.accounts) == 0 {
		return h, isAccessRepository(dir)
	}
	if !slices.ContainsFunc(h.accounts, func(a ledger.Account) bool { return a.Status == nil }) {
		h.fill()
		return h, nil
	}
	tree, err := ledger.TreeAt(dir, "HEAD")
	if err != nil {
		return h, err
	}
	for _, a := range h.accounts {
		if a.Status == nil {
			if h.asked[a.Path], err = previewAccount(tree, a.Path, a); err != nil {
				return h, err
			}
		}
	}
	h.fill()
	return h, nil
}

// isAccessRepository is an error for a checkout that has no policies, of which "nobody" would say
// nothing.
func isAccessRepository(dir string) error {
	tree, err := ledger.TreeAt(dir, "HEAD")
	if err != nil {
		return err
	}
	for path := range tree.Files {
		if strings.HasPrefix(path, policies.Folder+"/") {
			return nil
		}
	}
	return fmt.Errorf("%s is no access repository: it has no %s/ at HEAD; go into a checkout of one, or "+
		"name it with --dir", dir, policies.Folder)
}

// fill makes the rows.
func (h *history) fill() {
	for _, a := range h.accounts {
		h.rows = append(h.rows, audit.RowOf(a, h.grant(a)))
	}
}

// grant is what a request that has not ended gives, if its approvals hold; nil where the policies
// do not allow it. An extension begins at an end that only what it extends tells.
func (h *history) grant(a ledger.Account) *requests.Grant {
	d, has := h.asked[a.Path]
	if !has || d.Outcome != policies.Allowed {
		return nil
	}
	g := *d.Grant
	if g.Extends != "" {
		if g.NotBefore = h.endOf(a.Cluster, g.Extends); g.NotBefore.IsZero() {
			return &g
		}
	}
	g.Window = g.From(a.Entered.Time)
	return &g
}

// endOf is when a request's access was to end, zero where that is not known: rows are in the order
// of their beginning, so what is extended has its row already.
func (h *history) endOf(cluster, name string) requests.Time {
	for _, r := range h.rows {
		if r.Cluster == cluster && r.Name == name {
			return r.Until
		}
	}
	return requests.Time{}
}

// people are who is who at HEAD.
func (h *history) people() (policies.IdentityMap, error) {
	tree, err := ledger.TreeAt(h.dir, "HEAD")
	people, _ := policies.ParseIdentities(policies.IdentitiesPath,
		[]byte(tree.Files[policies.IdentitiesPath].Content))
	return people, err
}

// only keeps what a filter takes, and says what it names that nothing has.
func (h *history) only(w world, f audit.Filter) {
	for _, unseen := range f.Unseen(h.rows) {
		w.say("%s", unseen)
	}
	var accounts []ledger.Account
	var rows []audit.Row
	for i, r := range h.rows {
		if f.Takes(r) {
			accounts, rows = append(accounts, h.accounts[i]), append(rows, r)
		}
	}
	h.accounts, h.rows = accounts, rows
}
