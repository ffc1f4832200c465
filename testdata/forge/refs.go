package forge

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// plainRef are names of refs whose form needs no thought.
var plainRef = regexp.MustCompile(`^refs(/[A-Za-z0-9_+-]+){2,}$`)

// packed reports whether refs may stand elsewhere than in files of their own.
func (g repository) packed() bool {
	_, err := os.Stat(filepath.Join(g.dir, "packed-refs"))
	return err == nil
}

// ref is the SHA a full ref name points to, or empty.
func (g repository) ref(name string) string {
	if strings.HasSuffix(name, "/") {
		return "" // a folder of refs
	}
	if filepath.IsLocal(name) {
		data, err := os.ReadFile(filepath.Join(g.dir, name))
		if sha := strings.TrimSpace(string(data)); err == nil && fullSHA.MatchString(sha) {
			return sha
		}
		if err != nil && plainRef.MatchString(name) && !g.packed() {
			return ""
		}
	}
	sha, _ := g.named(name)
	return sha
}

// refs lists the refs below prefix, which ends with a slash, by full name, in order.
func (g repository) refs(prefix string) (refs map[string]string, names []string, err error) {
	refs = map[string]string{}
	if g.packed() {
		out, err := g.lines("for-each-ref", "--format=%(refname) %(objectname)", prefix)
		for i := 0; i+1 < len(out); i += 2 {
			refs[out[i]] = out[i+1]
			names = append(names, out[i])
		}
		return refs, names, err
	}
	root := filepath.Join(g.dir, prefix)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(g.dir, path)
		if sha := g.ref(name); err == nil && fullSHA.MatchString(sha) {
			refs[name] = sha
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	if os.IsNotExist(err) {
		return refs, nil, nil
	}
	return refs, names, err
}

// setRef moves, makes or deletes (sha empty) a ref without asking anyone.
func (g repository) setRef(name, sha string) error {
	if g.setPlainRef(name, sha) {
		return nil
	}
	if sha == "" {
		_, err := g.run("", "update-ref", "-d", name)
		return err
	}
	_, err := g.run("", "update-ref", name, sha)
	return err
}

// setPlainRef does what setRef does under git's own lock, and false when it is for git to do or to
// refuse.
func (g repository) setPlainRef(name, sha string) (done bool) {
	if !plainRef.MatchString(name) || g.packed() {
		return false
	}
	path := filepath.Join(g.dir, name)
	if sha != "" {
		if kind, _, err := g.kind(sha); err != nil || kind != "commit" ||
			os.MkdirAll(filepath.Dir(path), 0o777) != nil {
			return false
		}
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return false
	}
	defer os.Remove(lock.Name())
	_, err = lock.WriteString(sha + "\n")
	if closed := lock.Close(); err != nil || closed != nil {
		return false
	}
	if sha == "" {
		return os.Remove(path) == nil
	}
	return os.Rename(lock.Name(), path) == nil
}
