package forge

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Identity is the author or committer line of a commit.
type Identity struct {
	Name, Email string
	When        time.Time // the forge's clock when zero
}

// commitObject is a commit as git stores it.
type commitObject struct {
	SHA, Tree         string
	Parents           []string
	Author, Committer Identity
	Message           string
	Signature         string // an armoured OpenPGP or SSH signature, or empty
	Payload           string // what the signature was made over
}

// commit reads one commit.
func (g repository) commit(sha string) (commitObject, error) {
	if known, found := g.known.Load("commit " + sha); found {
		return known.(commitObject), nil
	}
	raw, err := g.content(sha, "commit")
	if err != nil {
		return commitObject{}, errNoObject
	}
	header, message, _ := strings.Cut(raw, "\n\n")
	c := commitObject{SHA: sha, Message: strings.TrimSuffix(message, "\n")}
	signing := false
	for line := range strings.SplitSeq(header, "\n") {
		if signing && strings.HasPrefix(line, " ") {
			c.Signature += "\n" + line[1:]
			continue
		}
		signing = false
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		case "author":
			c.Author = parseIdentity(value)
		case "committer":
			c.Committer = parseIdentity(value)
		case "gpgsig":
			c.Signature, signing = value, true
		}
	}
	if c.Signature != "" {
		c.Payload = strings.Replace(raw, "gpgsig "+strings.ReplaceAll(c.Signature, "\n", "\n ")+
			"\n", "", 1)
	}
	if fullSHA.MatchString(sha) {
		g.known.Store("commit "+sha, c)
	}
	return c, nil
}

// parseIdentity reads `Name <e-mail> seconds zone`.
func parseIdentity(s string) Identity {
	name, rest, _ := strings.Cut(s, "<")
	email, when, _ := strings.Cut(rest, ">")
	id := Identity{Name: strings.TrimSpace(name), Email: email}
	if fields := strings.Fields(when); len(fields) > 0 {
		if seconds, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
			id.When = time.Unix(seconds, 0).UTC()
		}
	}
	return id
}

func (i Identity) String() string {
	return fmt.Sprintf("%s <%s> %d +0000", i.Name, i.Email, i.When.Unix())
}

// writeCommit stores a commit with exactly these bytes and returns its SHA.
func (g repository) writeCommit(c commitObject) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", c.Tree)
	for _, p := range c.Parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n", c.Author, c.Committer)
	if c.Signature != "" {
		fmt.Fprintf(&b, "gpgsig %s\n", strings.ReplaceAll(strings.TrimSuffix(c.Signature, "\n"),
			"\n", "\n "))
	}
	fmt.Fprintf(&b, "\n%s", c.Message)
	return g.store("commit", b.String())
}

// fileChange is one file of a diff, with GitHub's status words.
type fileChange struct {
	Path, Previous, Status, SHA string
	Additions, Deletions        int
}

// emptyTree is the tree without entries, which git knows without storing it.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// diff compares two commits or trees, with renames found as GitHub finds them (half the content
// equal).
func (g repository) diff(from, to string) ([]fileChange, error) {
	if from == "" {
		from = emptyTree
	}
	raw, err := g.run("", "diff-tree", "-r", "-M", "-z", "--raw", "--numstat",
		"--full-index", "--no-abbrev", from, to)
	if err != nil {
		return nil, err
	}
	words := map[byte]string{'A': "added", 'D': "removed", 'M': "modified", 'R': "renamed",
		'C': "copied", 'T': "changed"}
	var changes []fileChange
	index := map[string]int{}
	fields := strings.Split(raw, "\x00")
	i := 0
	for i+1 < len(fields) && strings.HasPrefix(fields[i], ":") {
		meta := strings.Fields(fields[i])
		c := fileChange{SHA: meta[3], Status: words[meta[4][0]], Path: fields[i+1]}
		i += 2
		if c.Status == "removed" {
			c.SHA = meta[2]
		}
		if c.Status == "renamed" || c.Status == "copied" {
			c.Previous, c.Path = c.Path, fields[i]
			i++
		}
		index[c.Path] = len(changes)
		changes = append(changes, c)
	}
	for ; i < len(fields) && fields[i] != ""; i++ {
		part := strings.SplitN(fields[i], "\t", 3)
		path := part[2]
		if path == "" { // a rename: the two names follow
			path = fields[i+2]
			i += 2
		}
		if at, ok := index[path]; ok { // binary files count "-", which stays zero
			changes[at].Additions, _ = strconv.Atoi(part[0])
			changes[at].Deletions, _ = strconv.Atoi(part[1])
		}
	}
	return changes, nil
}
