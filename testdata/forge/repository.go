package forge

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/big"
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
	dir      string
	known    *sync.Map // what git said of objects that are named in full: it says that for ever
	ancestry *ancestry
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

// short is the form of an abbreviated name of an object.
var short = regexp.MustCompile(`^[0-9a-f]{4,40}$`)

// likeGitHub is what makes a repository behave as GitHub's: any reachable object may be fetched,
// partial clones work, refs/pull is read-only.
const likeGitHub = `
[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
[receive]
	hideRefs = refs/pull
	autogc = false
[transfer]
	hideRefs = refs/forks
[gc]
	auto = 0
[core]
	logAllRefUpdates = false
`

// initRepository makes the bare repository.
func initRepository(dir string) (repository, error) {
	g := repository{dir, &sync.Map{}, &ancestry{numbers: map[string]int{}, reached: map[string]*big.Int{}}}
	if out, err := exec.Command("git", "init", "-q", "--bare", "-b", "main", "--template=",
		dir).CombinedOutput(); err != nil {
		return g, fmt.Errorf("git init %s: %w: %s", dir, err, out)
	}
	config, err := os.OpenFile(filepath.Join(dir, "config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return g, err
	}
	_, err = config.WriteString(likeGitHub)
	if closed := config.Close(); err != nil || closed != nil {
		return g, errors.Join(err, closed)
	}
	if err := os.Mkdir(filepath.Join(dir, "hooks"), 0o777); err != nil {
		return g, err
	}
	return g, os.WriteFile(filepath.Join(dir, "hooks", "update"), []byte(updateHook), 0o755)
}

// reading are the commands that only read objects, and lasting the arguments that say which ones in
// full: whatever is pushed, the answer stays.
var (
	reading = []string{"cat-file", "diff-tree", "ls-tree", "merge-base", "rev-list", "rev-parse"}
	lasting = regexp.MustCompile(`^(-.*|:\(top,literal\).*|(commit|blob)|` +
		`\^?[0-9a-f]{40}(\.\.[0-9a-f]{40}|([~^][0-9]*)*(:.*)?|\^\{\w+\})?)$`)
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
	name := revision
	for _, prefix := range []string{"", "refs/", "refs/tags/", "refs/heads/"} {
		if full := prefix + revision; !fullSHA.MatchString(name) && plainRef.MatchString(full) {
			name = cmp.Or(g.ref(full), name)
		}
	}
	if sha, known, err := g.peeled(name, kind); known {
		return sha, err
	}
	if name != "HEAD" && plainRef.MatchString("refs/heads/"+name) && !short.MatchString(name) && !g.packed() {
		return "", errNoObject // of no branch, and git would find nothing else by it
	}
	return g.named(revision + "^{" + kind + "}")
}

// named is what git finds by an expression.
func (g repository) named(expression string) (string, error) {
	sha, err := g.line("rev-parse", "--verify", "-q", "--end-of-options", expression)
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
	revision, path, deeper := strings.Cut(expression, ":")
	if found, known, failed := g.ancestor(expression); known {
		sha, err = found, failed
	} else if !plainRef.MatchString("refs/heads/" + revision) { // e.g. what a parent of a commit has
		sha, err = g.named(expression)
	} else if sha, err = g.resolve(revision, "object"); err == nil && deeper {
		sha, err = g.below(sha, path)
	}
	if err == nil {
		kind, _, err = g.kind(sha)
	}
	if err != nil {
		return "", "", errNoObject
	}
	return sha, kind, nil
}

// contains reports whether ancestor is reachable from sha.
func (g repository) contains(sha, ancestor string) bool {
	if sha == "" || ancestor == "" {
		return false
	}
	if yes, ok := g.follows(sha, ancestor); ok {
		return yes
	}
	_, err := g.run("", "merge-base", "--is-ancestor", ancestor, sha)
	return err == nil
}

// mergeTree merges two commits without touching any ref and returns the tree, or ok false on a
// conflict.
func (g repository) mergeTree(ours, theirs string) (tree string, ok bool) {
	for _, pair := range [][2]string{{ours, theirs}, {theirs, ours}} {
		if g.contains(pair[0], pair[1]) { // there is nothing to merge
			c, err := g.commit(pair[0])
			return c.Tree, err == nil
		}
	}
	out, err := g.line("merge-tree", "--write-tree", "--allow-unrelated-histories", ours, theirs)
	tree, _, _ = strings.Cut(out, "\n")
	return tree, err == nil
}

// writeBlob stores bytes.
func (g repository) writeBlob(content string) (string, error) {
	return g.store("blob", content)
}
