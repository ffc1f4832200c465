package sshkey

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Keygen does what tests and git ask of ssh-keygen, so that no machine needs it: it makes a key, and
// with -Y sign it signs a file, to one beside it, or stdin, to stdout; with -Y find-principals and
// -Y verify it tells whose signature there is over stdin, by files of allowed signers with a
// principal, perhaps options that it passes over, and a key in each line.
func Keygen(args []string, stdin io.Reader, stdout io.Writer) error {
	flags := flag.NewFlagSet("ssh-keygen", flag.ContinueOnError)
	action, namespace := flags.String("Y", "", ""), flags.String("n", "", "")
	kind, bits := flags.String("t", "ed25519", ""), flags.Int("b", 3072, "")
	passphrase, comment := flags.String("N", "", ""), flags.String("C", "", "")
	file, signature := flags.String("f", "", ""), flags.String("s", "", "")
	principal := flags.String("I", "", "")
	flags.String("Overify-time", "", "") // git gives the time of the commit
	flags.Bool("q", false, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch *action {
	case "":
		return makeKey(*kind, *bits, *passphrase, *comment, *file)
	case "sign":
		return sign(*file, *namespace, flags.Args(), stdin, stdout)
	case "find-principals":
		return verify(*file, *signature, "", "", stdout, nil)
	case "verify":
		return verify(*file, *signature, *namespace, *principal, stdout, stdin)
	}
	return fmt.Errorf("-Y %s is not known here", *action)
}

func makeKey(kind string, bits int, passphrase, comment, file string) error {
	var key crypto.PrivateKey
	var err error
	switch kind {
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, bits)
	default:
		err = fmt.Errorf("keys of type %s are not made here", kind)
	}
	if err != nil {
		return err
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, comment)
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, comment, []byte(passphrase))
	}
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return err
	}
	public := bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	return os.WriteFile(file+".pub", fmt.Appendf(nil, "%s %s\n", public, comment), 0o600)
}

func sign(file, namespace string, files []string, stdin io.Reader, stdout io.Writer) error {
	private, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		data, err := os.ReadFile(files[0])
		if err != nil {
			return err
		}
		stdin = bytes.NewReader(data)
	}
	signature, err := sshsig.Sign(stdin, key, sshsig.HashSHA512, namespace)
	switch {
	case err != nil:
		return err
	case len(files) == 0:
		_, err = stdout.Write(sshsig.Armor(signature))
		return err
	case len(files) > 1:
		return errors.New("one file at a time")
	}
	return os.WriteFile(files[0]+".sig", sshsig.Armor(signature), 0o600)
}

// verify prints the principals that may have made a signature, or, of one of them, that it did.
func verify(file, signature, namespace, principal string, stdout io.Writer,
	message io.Reader) error {
	signers, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	armored, err := os.ReadFile(signature)
	if err != nil {
		return err
	}
	made, err := sshsig.Unarmor(armored)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(signers)) {
		who, rest, _ := strings.Cut(line, " ")
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(rest))
		if err != nil {
			return err
		}
		if !bytes.Equal(key.Marshal(), made.PublicKey.Marshal()) {
			continue
		}
		if message == nil {
			_, err := fmt.Fprintln(stdout, who)
			return err
		}
		if who != principal {
			continue
		}
		if err := sshsig.Verify(message, made, key, made.HashAlgorithm, namespace); err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "Good %q signature for %s with %s key %s\n", namespace, who,
			strings.ToUpper(strings.TrimPrefix(key.Type(), "ssh-")), ssh.FingerprintSHA256(key))
		return err
	}
	return errors.New("no principal matched")
}

// Main is Keygen as a program.
func Main() {
	if err := Keygen(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ssh-keygen:", err)
		os.Exit(1)
	}
}
