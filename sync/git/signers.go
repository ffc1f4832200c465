package git

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxAllowedSigners bounds an allowed_signers file, in bytes.
const maxAllowedSigners = 1 << 20

// AllowedSigners is a list of whose signatures count, read from the file that git's
// gpg.ssh.allowedSignersFile names.
type AllowedSigners struct{ lines []allowedSigner }

type allowedSigner struct {
	principal     string
	key           ssh.PublicKey
	after, before time.Time // zero: no limit
}

// ParseAllowedSigners reads git's allowed_signers format (ssh-keygen(1), ALLOWED SIGNERS): per
// line, principals separated by commas, options, key type and key. A principal is the name of a
// cluster. What git would understand and this does not is an error, never ignored: patterns in
// principals or namespaces, cert-authority, times without a final Z (which would mean another
// moment on another machine). Keys that are not for the namespace "git" are left out. Errors name
// the line.
func ParseAllowedSigners(file []byte) (*AllowedSigners, error) {
	if len(file) > maxAllowedSigners {
		return nil, fmt.Errorf(
			"allowed signers: the file is larger than %d bytes", maxAllowedSigners)
	}
	out := &AllowedSigners{}
	n := 0
	for line := range strings.SplitSeq(string(file), "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		signers, err := parseAllowedSigner(line)
		if err != nil {
			return nil, fmt.Errorf("allowed signers, line %d: %w", n, err)
		}
		out.lines = append(out.lines, signers...)
	}
	return out, nil
}

func parseAllowedSigner(line string) ([]allowedSigner, error) {
	if strings.ContainsFunc(line, func(c rune) bool { return c != '\t' && isControl(c) }) {
		return nil, errors.New("a control character")
	}
	names, rest, _ := cutField(line)
	if strings.ContainsAny(names, `*?!"`) {
		return nil, fmt.Errorf("principals %q: write each name in full, without patterns or quotes",
			clean(names))
	}
	// The rest has the shape of an authorized_keys line, whose parser keeps the options apart.
	key, _, options, more, err := ssh.ParseAuthorizedKey([]byte(rest))
	if err != nil || len(more) > 0 {
		return nil, errors.New("no public key that can be read after the principals")
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	signer := allowedSigner{key: key}
	forGit := true
	seen := map[string]bool{}
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		name, value = strings.ToLower(name), strings.Trim(value, `"`)
		if seen[name] {
			return nil, fmt.Errorf("option %s stands twice", clean(name))
		}
		seen[name] = true
		switch name {
		case "namespaces":
			if value == "" || strings.ContainsAny(value, "*?! ") {
				return nil, fmt.Errorf(
					"namespaces %q: write each name in full, without patterns", clean(value))
			}
			forGit = slices.Contains(strings.Split(value, ","), gitNamespace)
		case "valid-after":
			signer.after, err = parseSignerTime(value)
		case "valid-before":
			signer.before, err = parseSignerTime(value)
		default:
			return nil, fmt.Errorf("option %q is not supported", clean(name))
		}
		if err != nil {
			return nil, fmt.Errorf("option %s: %w", name, err)
		}
	}
	if !forGit {
		return nil, nil
	}
	var out []allowedSigner
	for name := range strings.SplitSeq(names, ",") {
		if name == "" {
			return nil, errors.New("an empty principal")
		}
		signer.principal = name
		out = append(out, signer)
	}
	return out, nil
}

func cutField(line string) (field, rest string, ok bool) {
	i := strings.IndexAny(line, " \t")
	if i < 0 {
		return line, "", false
	}
	return line[:i], strings.TrimLeft(line[i:], " \t"), true
}

// parseSignerTime reads YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ.
func parseSignerTime(s string) (time.Time, error) {
	for _, layout := range []string{"20060102Z", "200601021504Z", "20060102150405Z"} {
		if len(s) == len(layout) {
			if t, err := time.Parse(layout, s); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("time %q: write it in UTC as YYYYMMDDHHMMSSZ", clean(s))
}

// allows says whether the key may sign at a time, both ends included, as OpenSSH compares them.
func (a allowedSigner) allows(at time.Time) error {
	switch {
	case at.IsZero() && !(a.after.IsZero() && a.before.IsZero()):
		return errors.New("the commit has no time to compare with its key's validity")
	case !a.after.IsZero() && at.Before(a.after):
		return fmt.Errorf("the commit's key counts only from %s on", a.after.Format(time.RFC3339))
	case !a.before.IsZero() && at.After(a.before):
		return fmt.Errorf("the commit's key counts only until %s", a.before.Format(time.RFC3339))
	}
	return nil
}
