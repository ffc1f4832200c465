package codeowners

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Match finds the rule that decides who owns path: the last one that matches (R29). false means
// that no rule matches; a rule without owners means that the path has no owner. Neither is an
// approval by anybody. path is as git names it: from the top of the repository, with slashes, exact
// case; anything else (a leading slash, .., bytes that are not UTF-8) matches nothing.
func (c File) Match(path string) (Rule, bool) {
	names := strings.Split(path, "/")
	if !utf8.ValidString(path) || slices.ContainsFunc(names, func(n string) bool {
		return n == "" ||
			n == "." || n == ".."
	}) {
		return Rule{}, false
	}
	last := -1
	for at, n := &c.index, 0; at != nil; n++ {
		for _, rule := range slices.Backward(at.rules) {
			if rule < last {
				break
			}
			if matchSegments(c.Rules[rule].segments, names) {
				last = rule
				break
			}
		}
		if n == len(names) {
			break
		}
		at = at.next[names[n]]
	}
	if last < 0 {
		return Rule{}, false
	}
	return c.Rules[last], true
}

// prefix holds the rules that begin with the same names, without wildcards: most rules are about one
// folder, and a path is compared with those about the folders it is in.
type prefix struct {
	rules []int // of File.Rules, in order, whose next segment has a wildcard, or that have no more
	next  map[string]*prefix
}

func (p *prefix) add(rule int, segments []string) {
	if len(segments) == 0 || strings.ContainsAny(segments[0], "*?") {
		p.rules = append(p.rules, rule)
		return
	}
	below, known := p.next[segments[0]]
	if !known {
		if p.next == nil {
			p.next = map[string]*prefix{}
		}
		below = &prefix{}
		p.next[segments[0]] = below
	}
	below.add(rule, segments[1:])
}

// compilePattern turns a pattern that checkPattern accepts into one list with two wildcards, ** for
// any number of whole names and * within a name, so that the matcher needs to know nothing of
// slashes. From the gitignore manual: a slash at the start or in the middle ties a pattern to the
// top, else it holds at any depth; a name also stands for all below it if it is a folder; a slash
// at the end wants a folder. From GitHub: a last * is one level only.
//
//	docs/*  → docs *          apps/   → ** apps * **
//	/docs/  → docs * **       *.js    → ** *.js **
//	/a/**/b → a ** b **       *       → ** *
func compilePattern(pattern string) []string {
	trimmed := strings.TrimSuffix(pattern, "/")
	segments := strings.Split(strings.ReplaceAll(strings.TrimPrefix(trimmed, "/"), `\ `, " "), "/")
	if !strings.Contains(trimmed, "/") {
		segments = slices.Insert(segments, 0, "**")
	}
	last := len(segments) - 1
	switch {
	case trimmed != pattern: // in the folder, so at least one name more
		segments = append(segments, "*", "**")
	case segments[last] == "**": // "everything inside", so at least one name
		segments = slices.Insert(segments, last, "*")
	case segments[last] != "*":
		segments = append(segments, "**")
	}
	return segments
}

// matchSegments matches whole names. On a mismatch only the latest ** has to try a longer run: what
// earlier ones took was the shortest that works and leaves the most to the rest. So the work is at
// most the product of the two lengths.
func matchSegments(pattern, names []string) bool {
	p, n, star, retry := 0, 0, -1, 0
	for n < len(names) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			star, retry = p, n
			p++
		case p < len(pattern) && matchName(pattern[p], names[n]):
			p++
			n++
		case star >= 0:
			retry++
			p, n = star+1, retry
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

// matchName matches one name: * is any run of characters, ? is one character. It works as
// matchSegments does.
func matchName(pattern, name string) bool {
	p, n, star, retry := 0, 0, -1, 0
	for n < len(name) {
		_, width := utf8.DecodeRuneInString(name[n:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			n += width
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			_, width := utf8.DecodeRuneInString(name[retry:])
			retry += width
			p, n = star+1, retry
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
