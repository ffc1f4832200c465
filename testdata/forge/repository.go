package forge

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// repository is a bare git repository, reached through git's plumbing commands.
type repository struct {
	dir   string
	known *sync.Map // what git said of objects that are named in full: it says that for ever
}

// errNoObject says that a revision names nothing in the repository.
var errNoObject = errors.New("no such object")

// zeroSHA stands for "no commit" in ref updates.
const zeroSHA = "0000000000000000000000000000000000000000"

// updateHook refuses pushes to main from everyone who is not listed in the file forge-bypass (one
// login a line). REMOTE_USER is the login behind the token.
const updateHook = `#!/bin/sh
test "$1" = refs/heads/main || exit 0
grep -qxF -- "$REMOTE_USER" forge-bypass && exit 0
echo "error: GH013: Repository rule violations found for $1." >&2
echo "- Changes must be made through a pull request." >&2
exit 1
`

// initRepository makes the bare repository the way GitHub's behave: any reachable object may be
// fetched, partial clones work, refs/pull is read-only.
func initRepository(dir string) (repository, error) {
	g := repository{dir, &sync.Map{}}
	if out, err := exec.Command("git", "init", "-q", "--bare", "-b", "main",
		dir).CombinedOutput(); err != nil {
		return g, fmt.Errorf("git init %s: %w: %s", dir, err, out)
	}
	for key, value := range map[string]string{
		"uploadpack.allowAnySHA1InWant": "true", "uploadpack.allowFilter": "true",
		"receive.hideRefs": "refs/pull", "transfer.hideRefs": "refs/forks",
		"gc.auto": "0", "receive.autogc": "false", "core.logAllRefUpdates": "false",
		"advice.defaultBranchName": "false",
	} {
		if _, err := g.run("", "config", key, value); err != nil {
			return g, err
		}
	}
	return g, os.WriteFile(filepath.Join(dir, "hooks", "update"), []byte(updateHook), 0o755)
}

// reading are the commands that only read objects, and lasting the arguments that say which ones in
// full: whatever is pushed, the answer stays.
var (
	reading = []string{"cat-file", "diff-tree", "ls-tree", "merge-base", "rev-list", "rev-parse"}
	lasting = regexp.MustCompile(`^(-.*|(commit|blob)|\^?[0-9a-f]{40}(\.\.[0-9a-f]{40}|([~^][0-9]*)*(:.*)?|\^\{\w+\})?)$`)
)

// run runs one git command in the repository and returns what it printed, untrimmed.
func (g repository) run(stdin string, args ...string) (string, error) {
	if !slices.Contains(reading, args[0]) || slices.ContainsFunc(args[1:],
		func(a string) bool { return !lasting.MatchString(a) }) {
		return g.runEnv(nil, stdin, args...)
	}
	key := strings.Join(args, "\x00")
	if out, known := g.known.Load(key); known {
		return out.(string), nil
	}
	out, err := g.runEnv(nil, stdin, args...)
	if err == nil {
		g.known.Store(key, out)
	}
	return out, err
}

func (g repository) runEnv(env []string, stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Env = append(os.Environ(), append([]string{"GIT_DIR=" + g.dir,
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_CONFIG_SYSTEM=/dev/null"}, env...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err,
			stderr.String())
	}
	return stdout.String(), nil
}

// line runs a command that prints one line; lines one that prints many.
func (g repository) line(args ...string) (string, error) {
	out, err := g.run("", args...)
	return strings.TrimSpace(out), err
}

func (g repository) lines(args ...string) ([]string, error) {
	out, err := g.run("", args...)
	return strings.Fields(out), err
}

// resolve turns a revision (SHA, branch, full ref) into the SHA of an object of the given kind:
// commit, tree or blob.
func (g repository) resolve(revision, kind string) (string, error) {
	if revision == "" || strings.HasPrefix(revision, "-") || strings.ContainsAny(revision,
		" ^:~@{\n") {
		return "", errNoObject
	}
	sha, err := g.line("rev-parse", "--verify", "-q", "--end-of-options", revision+"^{"+kind+"}")
	if err != nil {
		return "", errNoObject
	}
	return sha, nil
}

// object finds what an expression of git's names, as REVISION or REVISION:PATH, and of which kind it
// is.
func (g repository) object(expression string) (sha, kind string, err error) {
	if expression == "" || strings.ContainsAny(expression[:1], "-:^") ||
		strings.ContainsAny(expression, "\n@{") || strings.Contains(expression, "..") {
		return "", "", errNoObject
	}
	sha, err = g.line("rev-parse", "--verify", "-q", "--end-of-options", expression)
	if err == nil {
		kind, err = g.line("cat-file", "-t", sha)
	}
	if err != nil {
		return "", "", errNoObject
	}
	return sha, kind, nil
}

// ref is the SHA a full ref name points to, or empty. Most stand in a file of their own.
func (g repository) ref(name string) string {
	if data, err := os.ReadFile(filepath.Join(g.dir, name)); err == nil && filepath.IsLocal(name) &&
		lasting.MatchString(strings.TrimSpace(string(data))) {
		return strings.TrimSpace(string(data))
	}
	sha, err := g.line("rev-parse", "--verify", "-q", "--end-of-options", name)
	if err != nil {
		return ""
	}
	return sha
}

// refs lists the refs below prefix by full name.
func (g repository) refs(prefix string) (map[string]string, []string, error) {
	out, err := g.lines("for-each-ref", "--format=%(refname) %(objectname)", prefix)
	if err != nil {
		return nil, nil, err
	}
	refs, names := map[string]string{}, []string{}
	for i := 0; i+1 < len(out); i += 2 {
		refs[out[i]] = out[i+1]
		names = append(names, out[i])
	}
	return refs, names, nil
}

// setRef moves, makes (old empty) or deletes (sha empty) a ref without asking anyone.
func (g repository) setRef(name, sha string) error {
	if sha == "" {
		_, err := g.run("", "update-ref", "-d", name)
		return err
	}
	_, err := g.run("", "update-ref", name, sha)
	return err
}

// contains reports whether ancestor is reachable from sha.
func (g repository) contains(sha, ancestor string) bool {
	if sha == "" || ancestor == "" {
		return false
	}
	_, err := g.run("", "merge-base", "--is-ancestor", ancestor, sha)
	return err == nil
}

// mergeTree merges two commits without touching any ref and returns the tree, or ok false on a
// conflict.
func (g repository) mergeTree(ours, theirs string) (tree string, ok bool) {
	out, err := g.line("merge-tree", "--write-tree", "--allow-unrelated-histories", ours, theirs)
	tree, _, _ = strings.Cut(out, "\n")
	return tree, err == nil
}

// entry is one line of a tree; only a blob that is read from one has a size.
type entry struct{ Mode, Type, SHA, Path, Size string }

// tree lists a tree; recursive leaves out the folders between, as GitHub does not: it lists them
// too (-t).
func (g repository) tree(sha string, recursive bool) ([]entry, error) {
	args := []string{"ls-tree", "-z", "-l"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := g.run("", append(args, sha)...)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, line := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, path, found := strings.Cut(line, "\t")
		if fields := strings.Fields(meta); found && len(fields) == 4 {
			entries = append(entries, entry{fields[0], fields[1], fields[2], path,
				strings.Trim(fields[3], "-")})
		}
	}
	return entries, nil
}

// writeTree stores the tree that has base's entries (none when base is empty) with the given ones
// put over them; an entry with an empty SHA is removed.
func (g repository) writeTree(base string, entries []entry) (string, error) {
	index, err := os.CreateTemp("", "forge-index-*")
	if err != nil {
		return "", err
	}
	index.Close()
	os.Remove(index.Name()) // git wants to make the file itself
	defer os.Remove(index.Name())
	env := []string{"GIT_INDEX_FILE=" + index.Name()}
	if base != "" {
		if _, err := g.runEnv(env, "", "read-tree", base); err != nil {
			return "", err
		}
	}
	var info strings.Builder
	for _, e := range entries {
		if e.Type == "tree" {
			if _, err := g.runEnv(env, "", "read-tree", "--prefix="+e.Path+"/", e.SHA); err != nil {
				return "", err
			}
			continue
		}
		if e.SHA == "" {
			e.Mode, e.SHA = "0", zeroSHA
		}
		fmt.Fprintf(&info, "%s %s\t%s\x00", e.Mode, e.SHA, e.Path)
	}
	if _, err := g.runEnv(env, info.String(), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	out, err := g.runEnv(env, "", "write-tree")
	return strings.TrimSpace(out), err
}

// replay stores the tree of onto with the files that changed between two commits as they are after.
func (g repository) replay(before, after, onto string) (string, error) {
	out, err := g.run("", "diff-tree", "-r", "-z", "--no-renames", before, after)
	if err != nil {
		return "", err
	}
	var entries []entry
	parts := strings.Split(out, "\x00") // of each file: ":mode mode object object status", path
	for i := 0; i+1 < len(parts); i += 2 {
		fields := strings.Fields(parts[i])
		e := entry{Mode: fields[1], Type: "blob", SHA: fields[3], Path: parts[i+1]}
		if e.SHA == zeroSHA {
			e.SHA = ""
		}
		entries = append(entries, e)
	}
	return g.writeTree(onto, entries)
}

// writeBlob stores bytes.
func (g repository) writeBlob(content string) (string, error) {
	out, err := g.run(content, "hash-object", "-w", "--stdin")
	return strings.TrimSpace(out), err
}
