package main

import "testing"

// TestIsGitHub: where approvals can be verified the branch is not taken at its word, however the
// host is spelled.
func TestIsGitHub(t *testing.T) {
	for host, want := range map[string]bool{
		"github.com": true, "GitHub.COM": true, "github.com.": true, "github.com:443": true,
		"ssh.github.com": true, "www.github.com": true, "github.com.:8443": true,
		"octo.ghe.com": true, "octo.GHE.com.": true, "ghes.example.com": true,
		"GHES.example.com:22": true, "gıthub.com": true, "ｇithub.com": true,
		"git.example.com": false, "notgithub.com": false, "github.com.example.com": false,
		"localhost:3000": false, "": false,
	} {
		if got := isGitHub(host, "ghes.example.com"); got != want {
			t.Errorf("%q is GitHub's: %t", host, got)
		}
	}
}
