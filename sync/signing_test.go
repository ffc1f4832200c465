package sync

import (
	"testing"

	"github.com/pullgrant/pullgrant/sync/git"
	"github.com/pullgrant/pullgrant/testdata/sshkey"
)

// newSigner makes a key for the ledger.
func newSigner(t testing.TB) *git.Signer {
	t.Helper()
	private, _ := sshkey.New(t)
	signer, err := git.ParseSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func signersOf(t testing.TB, file string) *git.AllowedSigners {
	t.Helper()
	signers, err := git.ParseAllowedSigners([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return signers
}
