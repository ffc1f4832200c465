// Package sshkey makes keys with ssh-keygen.
package sshkey

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// New makes a key without a passphrase, of ed25519 unless args of ssh-keygen say otherwise: the
// private key's file and the line of the public one. Without ssh-keygen the test fails.
func New(t testing.TB, args ...string) (private []byte, public string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if len(args) == 0 {
		args = []string{"-t", "ed25519"}
	}
	args = append([]string{"-q", "-N", "", "-C", "agent", "-f", file}, args...)
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen, of OpenSSH: %v %s", err, out)
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
