package git

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/pullgrant/pullgrant/testdata/gitserver"
	"github.com/pullgrant/pullgrant/testdata/sshkey"
)

// newKey makes a key: the signer and the public line.
func newKey(t testing.TB, args ...string) (*Signer, string) {
	t.Helper()
	private, public := sshkey.New(t, args...)
	s, err := ParseSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

func allowed(t testing.TB, file string) *AllowedSigners {
	t.Helper()
	a, err := ParseAllowedSigners([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func signedCommit(t testing.TB, s *Signer) []byte {
	t.Helper()
	c := change(Change{Sign: s})
	raw, err := encodeCommit(plumbing.NewHash(strings.Repeat("ab", 20)),
		plumbing.NewHash(strings.Repeat("cd", 20)), c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSignedCommitsVerifyWithGit(t *testing.T) {
	for _, args := range [][]string{{"-t", "ed25519"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "rsa",
		"-b", "2048"}} {
		t.Run(args[1], func(t *testing.T) {
			signer, _ := newKey(t, args...)
			s := gitserver.New(t)
			old := s.Commit("one", "a", "1")
			r := open(t, s)
			hash, err := r.Commit(t.Context(), func(tip string) (Change, error) {
				c, err := put("b", "2")(tip)
				c.Sign = signer
				return c, err
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Fsck()
			line := signer.AllowedSigner("prod-eu") + "\n"
			file := filepath.Join(t.TempDir(), "allowed")
			if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := s.Try(s.Bare, nil, "-c", "gpg.format=ssh", "-c",
				"gpg.ssh.program="+sshkey.Program(t), "-c", "gpg.ssh.allowedSignersFile="+file,
				"verify-commit", hash)
			if err != nil || !strings.Contains(out, `Good "git" signature for prod-eu`) {
				t.Errorf("git verify-commit: %v\n%s", err, out)
			}
			commits, err := r.Commits(t.Context(), old, hash)
			if err != nil || len(commits) != 1 {
				t.Fatal(commits, err)
			}
			if err := VerifyCommit(commits[0].Raw, allowed(t, line), "prod-eu"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMain(m *testing.M) { sshkey.TestMain(m) }

// TestVerifyCommitOfOpenSSH: a commit that git signed with OpenSSH 9.2's ssh-keygen.
func TestVerifyCommitOfOpenSSH(t *testing.T) {
	raw, err := os.ReadFile("testdata/openssh.commit")
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile("testdata/openssh.pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyCommit(raw, allowed(t, "c "+string(public)), "c"); err != nil {
		t.Error(err)
	}
	other := bytes.Replace(raw, []byte("alice"), []byte("carol"), 1)
	if err := VerifyCommit(other, allowed(t, "c "+string(public)), "c"); err == nil {
		t.Error("the signature holds for another text")
	}
}

func TestVerifyCommitOfGit(t *testing.T) {
	_, public := newKey(t)
	s := gitserver.New(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := sshkey.Keygen([]string{"-q", "-N", "", "-f", key}, nil, nil); err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	old := s.Commit("one", "a", "1")
	s.Write("a", "2")
	s.Work("-c", "gpg.format=ssh", "-c", "gpg.ssh.program="+sshkey.Program(t), "-c",
		"user.signingKey="+key, "commit", "-q", "-S", "-am",
		"Subject\n\nBody\n\nwith gaps")
	tip := s.Push()
	r := open(t, s)
	if err := r.Resume(old); err != nil {
		t.Fatal(err)
	}
	mustFetch(t, r)
	commits, err := r.Commits(t.Context(), old, tip)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyCommit(commits[0].Raw, allowed(t, "c "+string(own)), "c"); err != nil {
		t.Errorf("a commit that git signed: %v", err)
	}
	if err := VerifyCommit(commits[0].Raw, allowed(t, "c "+public), "c"); err == nil ||
		!strings.Contains(err.Error(), "not a key of c") {
		t.Errorf("with another key: %v", err)
	}
}

func TestVerifyCommitRefuses(t *testing.T) {
	signer, public := newKey(t)
	raw := string(signedCommit(t, signer))
	for _, c := range []struct{ name, raw, signers, want string }{
		{"the real one", raw, "c " + public, ""},
		{"for one of several clusters", raw, "a,c,d " + public, ""},
		{"in its validity", raw, "c valid-after=\"20261122Z\",valid-before=\"20261123Z\" " +
			public, ""},
		{"at its last second", raw, "c valid-before=\"20261122100000Z\" " + public, ""},
		{"after its validity", raw, "c valid-before=\"20261122095959Z\" " + public,
			"counts only until 2026-11-22T09:59:59Z"},
		{"before its validity", raw, "c valid-after=\"202611221001Z\" " + public,
			"counts only from 2026-11-22T10:01:00Z"},
		{"another cluster's key", raw, "d " + public, "not a key of c"},
		{"a cluster's name inside another", raw, "cc,xc " + public, "not a key of c"},
		{"a key for another namespace", raw, "c namespaces=\"file\" " + public, "not a key of c"},
		{"nobody", raw, "", "not a key of c"},
		{"changed message", strings.Replace(raw, "Expired", "Revoked", 1), "c " + public,
			"does not verify"},
		{"changed tree", strings.Replace(raw, "abab", "acac", 1), "c " + public, "does not verify"},
		{"changed parent", strings.Replace(raw, "cdcd", "cece", 1), "c " + public,
			"does not verify"},
		{"changed time", strings.ReplaceAll(raw, " 1795341600 ", " 1795341601 "), "c " + public,
			"does not verify"},
		{"an added header", strings.Replace(raw, "gpgsig ", "encoding x\ngpgsig ", 1),
			"c " + public,
			"does not verify"},
		{"a second tree", strings.Replace(raw, "gpgsig ", "tree "+strings.Repeat("a", 40)+
			"\ngpgsig ",
			1), "c " + public, "a second tree"},
		{"a first tree before", "tree " + strings.Repeat("a", 40) + "\n" + raw, "c " + public,
			"no author"},
		{"two signatures", strings.Replace(raw, "gpgsig ", "gpgsig x\ngpgsig ", 1), "c " + public,
			"two signatures"},
		{"sha256 signature", strings.Replace(raw, "gpgsig ", "gpgsig-sha256 ", 1), "c " + public,
			"another object format"},
		{"unsigned", string(signedCommit(t, nil)), "c " + public, "no signature"},
		{"OpenPGP", strings.ReplaceAll(raw, "SSH SIGNATURE", "PGP SIGNATURE"), "c " + public,
			"not an SSH signature"},
		{"text after the signature", strings.Replace(raw, "END SSH SIGNATURE-----\n",
			"END SSH SIGNATURE-----\n x\n", 1), "c " + public, "not an SSH signature"},
		{"cut signature", strings.Replace(raw, "U1NIU0lH", "", 1), "c " + public, "cannot be read"},
		{"no commit", "hello", "c " + public, "malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want != "" && c.raw == raw && strings.HasPrefix(c.name, "changed") {
				t.Fatal("the case changes nothing")
			}
			err := VerifyCommit([]byte(c.raw), allowed(t, c.signers), "c")
			if c.want == "" && err != nil || c.want != "" && (err == nil ||
				!strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A signature made for something else than git, by the same key, does not count.
func TestVerifyCommitRefusesAnotherNamespace(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := sshkey.Keygen([]string{"-q", "-N", "", "-f", key}, nil, nil); err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	payload := signedCommit(t, nil)
	for namespace, want := range map[string]string{"git": "", "file": "namespace does not match"} {
		var armored strings.Builder
		if err := sshkey.Keygen([]string{"-Y", "sign", "-n", namespace, "-f", key},
			strings.NewReader(string(payload)), &armored); err != nil {
			t.Fatal(err)
		}
		header := "gpgsig " + strings.ReplaceAll(strings.TrimSpace(armored.String()), "\n", "\n ")
		raw := strings.Replace(string(payload), "\n\n", "\n"+header+"\n\n", 1)
		err = VerifyCommit([]byte(raw), allowed(t, "c "+string(public)), "c")
		if want == "" && err != nil || want != "" && (err == nil ||
			!strings.Contains(err.Error(), want)) {
			t.Errorf("namespace %s: %v, want %q", namespace, err, want)
		}
	}
}

func TestParseAllowedSigners(t *testing.T) {
	_, public := newKey(t)
	_, weak := newKey(t, "-t", "rsa", "-b", "2048")
	key := strings.Join(strings.Fields(public)[:2], " ")
	for _, c := range []struct {
		file, want string
		lines      int
	}{
		{"", "", 0},
		{"# comment\n\n  \n", "", 0},
		{"prod-eu " + public, "", 1},
		{"a,b " + key + "\r\nc " + key + "\n", "", 3},
		{"a\t" + weak, "", 1},
		{`a NAMESPACES="file,git" ` + key, "", 1},
		{`a namespaces="file" ` + key, "", 0},
		{`a valid-after="20260101Z",namespaces="git",valid-before="20270101000000Z" ` + key, "", 1},
		{"ok " + key + "\n* " + key, "line 2: principals", 0},
		{"prod-? " + key, "without patterns", 0},
		{"!a,b " + key, "without patterns", 0},
		{`"a" ` + key, "without patterns or quotes", 0},
		{"a, " + key, "an empty principal", 0},
		{"a cert-authority " + key, `option "cert-authority" is not supported`, 0},
		{"a no-such-option " + key, `option "no-such-option" is not supported`, 0},
		{`a namespaces="g*" ` + key, "namespaces", 0},
		{`a namespaces="" ` + key, "namespaces", 0},
		{`a namespaces="git",namespaces="file" ` + key, "stands twice", 0},
		{`a valid-after="20260101" ` + key, "write it in UTC", 0},
		{`a valid-before="20261301Z" ` + key, "write it in UTC", 0},
		{`a valid-before="never" ` + key, "write it in UTC", 0},
		{"a", "no public key", 0},
		{"a ssh-ed25519 AAAA", "no public key", 0},
		{key, "no public key", 0},
		{"a\x00b " + key, "a control character", 0},
	} {
		t.Run(fmt.Sprintf("%.40q", c.file), func(t *testing.T) {
			a, err := ParseAllowedSigners([]byte(c.file))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil || len(a.lines) != c.lines {
				t.Errorf("%v, %v; want %d lines", a, err, c.lines)
			}
		})
	}
}

func TestParseSignerRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"passphrase", "has a passphrase", []string{"-t", "ed25519", "-N", "secret"}},
		{"small RSA", "needs 2048 bits", []string{"-t", "rsa", "-b", "1024", "-N", ""}},
	} {
		file := filepath.Join(dir, c.name)
		if err := sshkey.Keygen(append([]string{"-f", file}, c.args...), nil, nil); err != nil {
			t.Fatal(err)
		}
		private, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseSigner(private); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := ParseSigner([]byte("hunter2")); err == nil || strings.Contains(err.Error(),
		"hunter2") {
		t.Errorf("garbage: %v, want an error that does not quote it", err)
	}
}

func FuzzParseAllowedSigners(f *testing.F) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOrvP89uyupCbqyFcCz1nNtKuLT8YIUkj0Vhf/xYamSs"
	f.Add("prod-eu " + key + " comment\n# x\n")
	f.Add(`a,b namespaces="git",valid-after="20260101Z",valid-before="202601010000Z" ` + key)
	f.Add("* cert-authority " + key)
	f.Add(`a namespaces="git,"` + "\t" + key)
	f.Fuzz(func(t *testing.T, file string) {
		a, err := ParseAllowedSigners([]byte(file))
		if err != nil {
			if strings.ContainsFunc(err.Error(), isControl) {
				t.Errorf("control character in %q", err)
			}
			return
		}
		for _, l := range a.lines {
			if l.principal == "" || strings.ContainsAny(l.principal, "*?!, \t\"") || l.key == nil {
				t.Errorf("%q lets in %+v", file, l)
			}
		}
	})
}
