// Package sshkey makes keys and signatures as ssh-keygen does.
package sshkey

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// New makes a key without a passphrase, of ed25519 unless args of ssh-keygen say otherwise: the
// private key and the line of the public one.
func New(t testing.TB, args ...string) (private []byte, public string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	args = append([]string{"-q", "-N", "", "-C", "agent", "-f", file}, args...)
	if err := Keygen(args, nil, nil); err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return private, strings.TrimSpace(string(line))
}

// program is set for a test's program that git starts in place of ssh-keygen.
const program = "PULLGRANT_IS_SSH_KEYGEN"

// TestMain is the whole TestMain of a package that uses Program.
func TestMain(m *testing.M) {
	if os.Getenv(program) != "" {
		Main()
		return
	}
	os.Exit(m.Run())
}

// Program is what git's gpg.ssh.program is to be in this test.
func Program(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(program, "1")
	return self
}
