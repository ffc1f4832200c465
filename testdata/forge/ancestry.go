package forge

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// parents are those of a commit; ok is false when it does not stand in a file of its own.
func (g repository) parents(sha string) (parents []string, ok bool) {
	if kind, _, ok := g.looseKind(sha); !ok || kind != "commit" {
		return nil, false
	}
	c, err := g.commit(sha)
	return c.Parents, err == nil
}

var generation = regexp.MustCompile(`^([0-9a-f]{40})(?:\^|~([0-9]{1,5}))$`)

// ancestor finds the commit that COMMIT^ or COMMIT~N names, along first parents; known says whether
// that needed no git.
func (g repository) ancestor(expression string) (sha string, known bool, err error) {
	parts := generation.FindStringSubmatch(expression)
	if parts == nil {
		return "", false, nil
	}
	sha = parts[1]
	back, err := strconv.Atoi(parts[2])
	if err != nil { // of ^
		back = 1
	}
	for range back {
		parents, ok := g.parents(sha)
		if !ok {
			return "", false, nil
		}
		if len(parents) == 0 {
			return "", true, errNoObject
		}
		sha = parents[0]
	}
	return sha, true, nil
}

// ancestry numbers commits, and says of each which ones can be reached from it, as the bits of a number:
// walking from commit to commit for each question costs more the longer a history is.
type ancestry struct {
	mu      sync.Mutex
	numbers map[string]int
	reached map[string]*big.Int
}

// of are the commits that can be reached from one; nil: that is for git to say.
func (a *ancestry) of(g repository, sha string) *big.Int {
	for way := []string{sha}; len(way) > 0; {
		last := way[len(way)-1]
		parents, ok := g.parents(last)
		if !ok {
			return nil
		}
		ahead := len(way)
		for _, parent := range parents {
			if a.reached[parent] == nil {
				way = append(way, parent)
			}
		}
		if len(way) > ahead {
			continue
		}
		way = way[:ahead-1]
		if a.reached[last] != nil {
			continue
		}
		all := new(big.Int)
		for _, parent := range parents {
			all.Or(all, a.reached[parent])
		}
		a.numbers[last] = len(a.numbers)
		a.reached[last] = all.SetBit(all, a.numbers[last], 1)
	}
	return a.reached[sha]
}

// follows reports whether ancestor is reachable from sha; ok is false when that is for git to say.
func (g repository) follows(sha, ancestor string) (yes, ok bool) {
	g.ancestry.mu.Lock()
	defer g.ancestry.mu.Unlock()
	all, other := g.ancestry.of(g, sha), g.ancestry.of(g, ancestor)
	if all == nil || other == nil {
		return false, false
	}
	return all.Bit(g.ancestry.numbers[ancestor]) == 1, true
}

// between are the commits of head that base does not have, oldest first.
func (g repository) between(head, base string) ([]string, error) {
	if line, ok := g.looseLine(head, base); ok {
		return line, nil
	}
	return g.lines("rev-list", "--reverse", "--topo-order", head, "^"+base)
}

// looseLine is between, where no commit of head's is a merge; ok is false when that is for git to say.
func (g repository) looseLine(head, base string) (line []string, ok bool) {
	key := "between " + head + " " + base
	if known, found := g.known.Load(key); found {
		return slices.Clone(known.([]string)), true
	}
	for sha := head; ; {
		if had, ok := g.follows(base, sha); had || !ok {
			slices.Reverse(line)
			if ok {
				g.known.Store(key, slices.Clone(line))
			}
			return line, ok
		}
		line = append(line, sha)
		parents, single := g.parents(sha)
		if !single || len(parents) != 1 {
			return nil, false
		}
		sha = parents[0]
	}
}

// mergeBase is the best common ancestor of two commits.
func (g repository) mergeBase(a, b string) (string, error) {
	switch {
	case g.contains(a, b):
		return b, nil
	case g.contains(b, a):
		return a, nil
	}
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if line, ok := g.looseLine(pair[0], pair[1]); ok { // which begins at what both have
			parents, _ := g.parents(line[0])
			return parents[0], nil
		}
	}
	return g.line("merge-base", a, b)
}

// looseHistory are a commit and those before it that touched a path, newest first, as git-log(1) has it
// with "History Simplification": of a merge that has the path as one of its parents has it, only that
// parent counts. ok is false when that is for git to say, as it is where both lines go on.
func (g repository) looseHistory(sha, path string) (touched []string, ok bool) {
	for at := sha; at != ""; {
		if known, found := g.known.Load("history " + at + " " + path); found {
			touched = append(touched, known.([]string)...)
			break
		}
		parents, ok := g.parents(at)
		if !ok {
			return nil, false
		}
		next, same := "", false
		for _, parent := range parents {
			if same, ok = g.same(at, parent, path); !ok {
				return nil, false
			}
			if next = parent; same {
				break
			}
		}
		if len(parents) == 0 {
			if same, ok = g.same(at, emptyTree, path); !ok {
				return nil, false
			}
		}
		if !same && len(parents) > 1 {
			return nil, false
		}
		if !same {
			touched = append(touched, at)
		}
		at = next
	}
	g.known.Store("history "+sha+" "+path, slices.Clone(touched))
	return touched, true
}

// same reports whether two commits or trees have the same at a path; ok is false when that is for git
// to say.
func (g repository) same(a, b, path string) (yes, ok bool) {
	names := strings.Split(path, "/")
	for i, name := range names {
		one, ok := g.direct(a, name)
		other, known := g.direct(b, name)
		if !ok || !known || name == "" {
			return false, false
		}
		if one == other || i == len(names)-1 {
			return one == other, true
		}
		a, b = emptyTree, emptyTree
		if one.Type == "tree" {
			a = one.SHA
		}
		if other.Type == "tree" {
			b = other.SHA
		}
	}
	return true, true
}
