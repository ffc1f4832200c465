package ledger

import (
	"fmt"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/git"
)

// Account is what a checkout tells about one request. How far it can be trusted goes by the
// signature of its commit, never by the author's name (R50).
type Account struct {
	requests.Audited

	checkout *git.Checkout
	facts    git.Entry // beside the ledger entry; zero: there are none
}

// Began is when access began, else when it ended or the file came to the branch.
func (a Account) Began() requests.Time {
	switch {
	case a.Status == nil && a.Granted != nil:
		return a.Granted.GrantedAt
	case a.Status == nil:
		return a.Entered
	case a.Status.GrantedAt == nil:
		return a.Status.RevokedAt
	}
	return *a.Status.GrantedAt
}

// readAccount reads one file of the ledger or of requests/ that commit brought to the branch.
func readAccount(path string, content []byte, commit git.Commit, signers *git.AllowedSigners) (
	Account, []requests.Finding) {
	a := Account{Audited: requests.Audited{Path: path, Commit: commit.Hash,
		Entered: requests.At(commit.Committer.When)}}
	if place, ok := requests.SplitPath(path); ok {
		request, findings := requests.ParseRequest(path, content)
		a.Name, a.Cluster, a.Spec, a.Proof = place.Name, place.Cluster, &request.Spec, requests.NotEnded
		return a, findings
	}
	place, ok := requests.SplitRevocationPath(path)
	if !ok {
		return a, []requests.Finding{fault(path, "path", "it is neither a request nor a ledger "+
			"entry, by its path")}
	}
	r, findings := requests.ParseRevocation(path, content)
	a.Name, a.Cluster, a.Spec, a.Status, a.Proof = place.Name, place.Cluster, r.Spec,
		&r.Status, requests.Unchecked
	if signers != nil {
		a.Proof = requests.Signed
		if err := git.VerifyCommit(commit.Raw, signers, place.Cluster); err != nil {
			a.Proof, a.Doubt = requests.Unproven, err.Error()
		}
	}
	return a, findings
}

// Facts reads what the request of a ledger entry was judged by, without the contents of files; nil
// when the entry names none. The findings are facts that are not those the entry names. An error is
// a checkout that lacks what its history has.
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
