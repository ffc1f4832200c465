package git

import (
	"bytes"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// gitNamespace is the namespace of git's SSH signatures, so that a signature made for something
// else never counts.
const gitNamespace = "git"

// minRSABits is the smallest RSA key that signs or verifies.
const minRSABits = 2048

// Signer signs the agent's commits in git's SSH format.
type Signer struct{ key ssh.Signer }

// ParseSigner reads an OpenSSH private key without a passphrase, as `ssh-keygen -t ed25519 -N ""`
// writes it.
func ParseSigner(file []byte) (*Signer, error) {
	key, err := ssh.ParsePrivateKey(file)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, errors.New(
			"the signing key has a passphrase: nobody is there to type it, so give a key " +
				"without one")
	case err != nil:
		return nil, errors.New(
			// the cause could quote it
			`the signing key cannot be read: make one with ssh-keygen -t ed25519 -N ""`)
	}
	if err := checkKey(key.PublicKey()); err != nil {
		return nil, fmt.Errorf("the signing key: %w", err)
	}
	return &Signer{key: key}, nil
}

// AllowedSigner is the line for an allowed_signers file that makes this key count for the cluster's
// ledger, without a line end.
func (s *Signer) AllowedSigner(cluster string) string {
	return fmt.Sprintf("%s namespaces=\"git\" %s", cluster,
		bytes.TrimSpace(ssh.MarshalAuthorizedKey(s.key.PublicKey())))
}

// signCommit makes the armored signature over a commit object without its gpgsig header.
func (s *Signer) signCommit(payload []byte) (string, error) {
	sig, err := sshsig.Sign(bytes.NewReader(payload), s.key, sshsig.HashSHA512, gitNamespace)
	if err != nil {
		return "", fmt.Errorf("signing the commit: %w", err)
	}
	return string(sshsig.Armor(sig)), nil
}

// checkKey refuses keys that are too weak to trust a ledger to.
func checkKey(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		return nil
	case ssh.KeyAlgoRSA:
		if k, ok := key.(ssh.CryptoPublicKey); ok {
			if public, ok := k.CryptoPublicKey().(*rsa.PublicKey); ok &&
				public.N.BitLen() >= minRSABits {
				return nil
			}
		}
		return fmt.Errorf("an RSA key needs %d bits; use ed25519", minRSABits)
	default:
		return fmt.Errorf("keys of type %s are not supported; use ed25519", clean(key.Type()))
	}
}

// VerifyCommit says whether a commit carries a good SSH signature of principal: nil if so,
// otherwise why not. raw is the object as stored (Commit.Raw), since a signature over a commit that
// was parsed and encoded again proves nothing about the stored one (CVE-2026-45022). valid-after
// and valid-before of a key are compared with the committer's time, as git does.
func VerifyCommit(raw []byte, signers *AllowedSigners, principal string) error {
	c, err := parseCommit(raw)
	if err != nil {
		return err
	}
	payload, armored, err := splitSignature(raw)
	if err != nil {
		return err
	}
	block, rest := pem.Decode([]byte(armored))
	if block == nil || block.Type != sshsig.PEMType || len(rest) > 0 || !strings.HasPrefix(armored,
		"-----BEGIN "+sshsig.PEMType) {
		return errors.New("the commit's signature is not an SSH signature")
	}
	sig, err := sshsig.ParseSignature(block.Bytes)
	if err != nil {
		return fmt.Errorf("the commit's signature cannot be read: %s", clean(err.Error()))
	}
	why := fmt.Errorf("the commit is signed by %s, which is not a key of %s",
		ssh.FingerprintSHA256(sig.PublicKey), clean(principal))
	for _, line := range signers.lines {
		if line.principal != principal || !bytes.Equal(line.key.Marshal(),
			sig.PublicKey.Marshal()) {
			continue
		}
		if why = line.allows(c.Committer.When); why != nil {
			continue
		}
		if err := sshsig.Verify(
			bytes.NewReader(payload), sig, line.key, sig.HashAlgorithm, gitNamespace); err != nil {
			return fmt.Errorf("the commit's signature does not verify: %w", err)
		}
		return nil
	}
	return why
}

// splitSignature takes the one gpgsig header out of a commit object: what was signed, and the
// signature.
func splitSignature(raw []byte) (payload []byte, armored string, err error) {
	head, message, found := bytes.Cut(raw, []byte("\n\n"))
	if !found {
		return nil, "", errors.New("the commit has no message")
	}
	var signature []string
	inside := false
	for line := range strings.SplitSeq(string(head), "\n") {
		switch value, isSignature := strings.CutPrefix(line, "gpgsig "); {
		case strings.HasPrefix(line, "gpgsig-"):
			return nil, "", errors.New("the commit has a signature for another object format")
		case isSignature && signature != nil:
			return nil, "", errors.New("the commit has two signatures")
		case isSignature:
			signature, inside = []string{value}, true
		case inside && strings.HasPrefix(line, " "):
			signature = append(signature, line[1:])
		default:
			inside = false
			payload = append(append(payload, line...), '\n')
		}
	}
	if signature == nil {
		return nil, "", errors.New("the commit has no signature")
	}
	return append(append(payload, '\n'), message...), strings.Join(signature, "\n") + "\n", nil
}
