package sync

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// Account is what a checkout tells about one request: what was asked and, once it ended, what came of it.
type Account struct {
	Name    string                `json:"name"`
	Cluster string                `json:"cluster"`
	Path    string                `json:"path"`             // of the file: under requests/ until it ended, then under revocations/
	Commit  string                `json:"commit"`           // that brought the file to the branch as it is
	Entered requests.Time         `json:"entered"`          // the commit's own time, which its author chose
	Spec    *requests.RequestSpec `json:"spec,omitempty"`   // nil: the request could not be read
	Status  *requests.Status      `json:"status,omitempty"` // nil: it waits for the agent or is live
	Proof   LedgerProof           `json:"proof"`
	Doubt   string                `json:"doubt,omitempty"` // why it is Unproven

	checkout *git.Checkout
	facts    git.Entry // beside the ledger entry; zero: there are none
}

// LedgerProof is how far an account can be trusted: by the signature of its commit, never by the author's name (R50).
type LedgerProof string

// Proofs of an account.
const (
	NotEnded  LedgerProof = "none"      // a request: nothing is claimed yet that a signature could prove
	Unchecked LedgerProof = "unchecked" // no signers were given
	Signed    LedgerProof = "signed"    // the commit carries the signature of the cluster's agent
	Unproven  LedgerProof = "unproven"  // it does not: anybody could have written it
)

// History reads the ledger and the requests of the checkout in dir, as they stand at HEAD, oldest first. It reads the git
// objects only, never the worktree. signers verifies the commit that brought each ledger entry; nil leaves all Unchecked.
// The findings are files that are no ledger entry or request, and ledger entries that somebody removed. An error is a
// checkout that cannot be read, or whose history is cut off.
func History(dir string, signers *git.AllowedSigners) (accounts []Account, findings []requests.Finding, err error) {
	defer func() { err = whole(err) }()
	s, head, err := openCheckout(dir)
	if err != nil {
		return nil, nil, err
	}
	brought, err := bringers(s, head, requests.Folder, requests.RevocationsFolder)
	if err != nil {
		return nil, nil, fmt.Errorf("read the history of %s: %w", dir, err)
	}
	for path, b := range brought {
		entry, isFacts := requests.SplitFactsPath(path)
		if b.file.Path == "" {
			if _, ok := requests.SplitRevocationPath(path); ok || isFacts {
				findings = append(findings, fault(path, "ledger-removed", "commit %s removed this file of the ledger; they stay for ever", b.commit.Hash))
			}
			continue
		}
		if isFacts {
			if brought[entry].file.Path == "" {
				findings = append(findings, fault(path, "path", "these facts stand beside no ledger entry"))
			}
			continue
		}
		if b.file.Fault != "" {
			findings = append(findings, fault(path, "file", "%s; it must be a plain file", b.file.Fault))
			continue
		}
		content, err := s.Blob(b.file.Hash)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s of %s: %w", requests.Quote(path), dir, err)
		}
		account, found := readAccount(path, content, b.commit, signers)
		if findings = append(findings, found...); len(found) == 0 {
			account.checkout, account.facts = s, brought[requests.FactsPath(path)].file
			accounts = append(accounts, account)
		}
	}
	slices.SortFunc(accounts, func(a, b Account) int {
		return cmp.Or(a.began().Compare(b.began().Time), cmp.Compare(a.Path, b.Path))
	})
	requests.SortFindings(findings)
	return accounts, findings, nil
}

// openCheckout opens a checkout, and gives the commit at HEAD.
func openCheckout(dir string) (local *git.Checkout, head string, err error) {
	if local, err = git.OpenCheckout(dir); err != nil {
		return nil, "", fmt.Errorf("%w; the history is in git, so clone the access repository and name it", err)
	}
	if head, err = local.Head(); err != nil {
		return nil, "", fmt.Errorf("find HEAD of %s: %w", dir, err)
	}
	return local, head, nil
}

func fault(path, rule, format string, args ...any) requests.Finding {
	return requests.Finding{File: path, Line: 1, Column: 1, Rule: rule, Message: fmt.Sprintf(format, args...)}
}

// began is when access began, else when it ended or the file came to the branch.
func (a Account) began() requests.Time {
	switch {
	case a.Status == nil:
		return a.Entered
	case a.Status.GrantedAt == nil:
		return a.Status.RevokedAt
	}
	return *a.Status.GrantedAt
}

// readAccount reads one file of the ledger or of requests/ that commit brought to the branch.
func readAccount(path string, content []byte, commit git.Commit, signers *git.AllowedSigners) (Account, []requests.Finding) {
	a := Account{Path: path, Commit: commit.Hash, Entered: requests.At(commit.Committer.When)}
	if place, ok := requests.SplitPath(path); ok {
		request, findings := requests.ParseRequest(path, content)
		a.Name, a.Cluster, a.Spec, a.Proof = place.Name, place.Cluster, &request.Spec, NotEnded
		return a, findings
	}
	place, ok := requests.SplitRevocationPath(path)
	if !ok {
		return a, []requests.Finding{fault(path, "path", "it is neither a request nor a ledger entry, by its path")}
	}
	r, findings := requests.ParseRevocation(path, content)
	a.Name, a.Cluster, a.Spec, a.Status, a.Proof = place.Name, place.Cluster, r.Spec, &r.Status, Unchecked
	if signers != nil {
		a.Proof = Signed
		if err := git.VerifyCommit(commit.Raw, signers, place.Cluster); err != nil {
			a.Proof, a.Doubt = Unproven, err.Error()
		}
	}
	return a, findings
}

// Facts reads what the request of a ledger entry was judged by, without the contents of files; nil when the entry names
// none. The findings are facts that are not those the entry names. An error is a checkout that lacks what its history has.
func (a Account) Facts() (*policies.Facts, []requests.Finding, error) {
	if a.Status == nil || a.Status.Facts == "" && a.facts.Path == "" {
		return nil, nil, nil
	}
	path := requests.FactsPath(a.Path)
	differs := func(format string, args ...any) (*policies.Facts, []requests.Finding, error) {
		return nil, []requests.Finding{fault(path, "evidence-differs", format, args...)}, nil
	}
	switch {
	case a.facts.Path == "":
		return differs("the ledger entry names facts that are not here")
	case a.facts.Fault != "":
		return differs("%s; it must be a plain file", a.facts.Fault)
	}
	data, err := a.checkout.Blob(a.facts.Hash)
	if err != nil {
		return nil, nil, whole(fmt.Errorf("read %s: %w", path, err))
	}
	if requests.Digest(data) != a.Status.Facts {
		return differs("these are not the facts that the ledger entry names")
	}
	f, err := policies.ParseFacts(data)
	if err != nil {
		return differs("%v", err)
	}
	return &f, nil, nil
}

var errPartial = errors.New("the checkout lacks a part of its history: clone the whole of it, without --depth and --filter")

// whole says what to do about an object that a checkout lacks although its history has it.
func whole(err error) error {
	if errors.Is(err, git.ErrNotInMemory) && !errors.Is(err, errPartial) {
		return fmt.Errorf("%w; %w", err, errPartial)
	}
	return err
}

// bringing is the last change of a path on the branch.
type bringing struct {
	commit git.Commit
	file   git.Entry // zero: the commit removed it
}

// bringers finds, for each path that ever stood below the folders, the newest commit of the first-parent line that changed
// it.
func bringers(local *git.Checkout, tip string, folders ...string) (map[string]bringing, error) {
	found := map[string]bringing{}
	take := func(c, before git.Commit) error {
		changes, err := local.Changes(before, c, folders...)
		if err != nil {
			return fmt.Errorf("commit %s: %w", c.Hash, err)
		}
		for _, change := range changes {
			if _, newer := found[change.Path]; !newer {
				found[change.Path] = bringing{c, change.After}
			}
		}
		return nil
	}
	var child git.Commit
	for c, err := range local.FirstParents(tip) {
		switch {
		case errors.Is(err, git.ErrNotInMemory) && child.Hash != "":
			return nil, fmt.Errorf("it is cut off before commit %s; get the rest with git fetch --unshallow", child.Hash)
		case err == nil && child.Hash != "":
			err = take(child, c)
		}
		if err != nil {
			return nil, err
		}
		child = c
	}
	return found, take(child, git.Commit{})
}
