package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// History reads the ledger and the requests of the checkout in dir, as they stand at HEAD, oldest
// first. It reads the git objects only, never the worktree. signers verifies the commit that
// brought each ledger entry; nil leaves all Unchecked. The findings are files that are no ledger
// entry or request, and ledger entries that somebody removed. An error is a checkout that cannot be
// read, or whose history is cut off.
func History(dir string, signers *git.AllowedSigners) (accounts []Account,
	findings []requests.Finding, err error) {
	accounts, findings, _, err = history(dir, signers, policies.InTurn)
	return accounts, findings, err
}

// history is History with what commits tell of the beginning of grants, by path of the request and
// newest first.
func history(dir string, signers *git.AllowedSigners, each policies.Each) (accounts []Account,
	findings []requests.Finding, told map[string][]telling, err error) {
	defer func() { err = whole(err) }()
	local, head, err := openCheckout(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	brought, told, err := bringers(local, head, requests.Folder, requests.RevocationsFolder)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read the history of %s: %w", dir, err)
	}
	var paths []string // of requests and entries
	for path, b := range brought {
		if place, owed := requests.SplitDebtPath(path); owed {
			findings = append(findings, checkDebt(path, place.Cluster, local, b, signers)...)
			continue
		}
		entry, isFacts := requests.SplitFactsPath(path)
		if b.file.Path == "" {
			if _, ok := requests.SplitRevocationPath(path); ok || isFacts {
				findings = append(findings, fault(path, "ledger-removed",
					"commit %s removed this file of the ledger; they stay for ever", b.commit.Hash))
			}
			continue
		}
		if isFacts {
			if brought[entry].file.Path == "" {
				findings = append(findings,
					fault(path, "path", "these facts stand beside no ledger entry"))
			}
			continue
		}
		if b.file.Fault != "" {
			findings = append(findings,
				fault(path, "file", "%s; it must be a plain file", b.file.Fault))
			continue
		}
		paths = append(paths, path)
	}
	all, found := make([]Account, len(paths)), make([][]requests.Finding, len(paths))
	problems := make([]error, len(paths))
	each(len(paths), func(n int) {
		b := brought[paths[n]]
		content, err := local.Blob(b.file.Hash)
		if problems[n] = err; err == nil {
			all[n], found[n] = readAccount(paths[n], content, b.commit, signers)
			all[n].began(told, signers)
		}
	})
	for n, path := range paths {
		if problems[n] != nil {
			return nil, nil, nil, fmt.Errorf("read %s of %s: %w", requests.Quote(path), dir, problems[n])
		}
		if findings = append(findings, found[n]...); len(found[n]) == 0 {
			all[n].checkout, all[n].facts = local, brought[requests.FactsPath(path)].file
			accounts = append(accounts, all[n])
		}
	}
	slices.SortFunc(accounts, func(a, b Account) int {
		return cmp.Or(a.Began().Compare(b.Began().Time), cmp.Compare(a.Path, b.Path))
	})
	requests.SortFindings(findings)
	return accounts, findings, told, nil
}

// openCheckout opens a checkout, and gives the commit at HEAD.
func openCheckout(dir string) (local *git.Checkout, head string, err error) {
	if local, err = git.OpenCheckout(dir); err != nil && strings.Contains(err.Error(),
		"objectformat") {
		return nil, "", fmt.Errorf("open the git checkout %s: it names its objects by SHA-256, "+
			"and only those that are named by SHA-1 can be read; "+
			"clone the access repository as GitHub serves it", dir)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%w; the history is in git, so clone the access repository "+
			"and name it", err)
	}
	if head, err = local.Head(); err != nil {
		return nil, "", fmt.Errorf("find HEAD of %s: %w", dir, err)
	}
	return local, head, nil
}

func fault(path, rule, format string, args ...any) requests.Finding {
	return requests.Finding{File: path, Line: 1, Column: 1, Rule: rule,
		Message: fmt.Sprintf(format, args...)}
}

var errPartial = errors.New(
	"the checkout lacks a part of its history: clone the whole of it, without --depth and --filter")

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

// bringers finds, for each path that ever stood below the folders, the newest commit of the
// first-parent line that changed it, and by path, newest first, what commits of that line tell of
// the beginning of grants.
func bringers(local *git.Checkout, tip string, folders ...string) (found map[string]bringing,
	told map[string][]telling, err error) {
	found, told = map[string]bringing{}, map[string][]telling{}
	take := func(c, before git.Commit) error {
		for _, t := range tellings(c, before) {
			told[t.path] = append(told[t.path], t)
		}
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
			return nil, nil, fmt.Errorf(
				"it is cut off before commit %s; get the rest with git fetch --unshallow",
				child.Hash)
		case err == nil && child.Hash != "":
			err = take(child, c)
		}
		if err != nil {
			return nil, nil, err
		}
		child = c
	}
	return found, told, take(child, git.Commit{})
}
