package codeowners

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/requests"
)

// Rules of the findings that Parse reports.
const (
	RuleSize     = "codeowners-size"     // GitHub would not load the file
	RuleEncoding = "codeowners-encoding" // bytes or characters a reviewer cannot see
	RuleSyntax   = "codeowners-syntax"   // a pattern that does not work, or not the way it looks
	RuleOwner    = "codeowners-owner"    // an owner that is no @login and no @org/team
)

// maxSize is in bytes. GitHub loads files "under 3 MB" and ignores larger ones without a word; the
// smaller of the two meanings of MB is on the safe side.
const maxSize = 3_000_000

// maxFindings bounds the output for a hostile file: one finding refuses the file, a hundred are
// enough to mend it.
const maxFindings = 100

// Paths are the places GitHub looks for the file, in its order: the first that exists is used, even
// when it is empty (R28). GitHub reads no other place.
var Paths = []string{".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"}

// File is a parsed CODEOWNERS file. The zero value owns nothing.
type File struct {
	Path  string // path as given to Parse, for messages
	Rules []Rule // in the file's order: later rules win

	index prefix // of Rules
}

// Rule is one line: a pattern and who owns the paths that match it. Only rules made by Parse match
// paths.
type Rule struct {
	Line    int     // counted from 1
	Pattern string  // as written
	Owners  []Owner // empty: matching paths have no owner, whatever earlier rules say

	segments []string // what Pattern means, see compilePattern
}

// Owner is a user or a team. GitHub's names do not depend on case: compare them with
// strings.EqualFold.
type Owner struct {
	Name   string // login without @, or "org/team"; ASCII letters, digits, - and _ only
	Team   bool
	Column int // of the @, in characters, counted from 1
}

// Parse reads a CODEOWNERS file (R29–R32). GitHub skips lines it cannot read, which hands their
// paths to an earlier and often weaker rule; so here any doubt is a finding, and with findings
// there are no rules: nothing is owned, and nobody's approval counts. file is used in findings
// only. The syntax is that of GitHub's page "About code owners": gitignore patterns without
// negation, character ranges and \#. Of what that page leaves open, the parser refuses what readers
// of the format disagree on, and e-mail owners, which cannot be tied to one account (R32).
func Parse(file string, data []byte) (File, []requests.Finding) {
	if len(data) >= maxSize {
		return File{Path: file}, []requests.Finding{{File: file, Line: 1, Column: 1, Rule: RuleSize,
			Message: fmt.Sprintf("%d bytes: GitHub ignores a CODEOWNERS file of 3 MB or more, "+
				"so keep it under %d bytes",
				len(data), maxSize)}}
	}
	c := File{Path: file}
	var findings []requests.Finding
	line := 0
	for text := range strings.SplitSeq(string(data), "\n") {
		line++
		if len(findings) >= maxFindings {
			break
		}
		rule, ok, problem := parseOwnerLine(text)
		switch {
		case problem != nil:
			findings = append(findings, requests.Finding{File: file, Line: line,
				Column: 1 + utf8.RuneCountInString(text[:problem.offset]), Rule: problem.rule,
				Message: problem.message})
		case ok:
			rule.Line = line
			c.Rules = append(c.Rules, rule)
		}
	}
	if len(findings) > 0 {
		c.Rules = nil
	}
	for n, rule := range c.Rules {
		c.index.add(n, rule.segments)
	}
	return c, findings
}

// lineProblem is what is wrong with a line, at a byte offset into it.
type lineProblem struct {
	offset  int
	rule    string
	message string
}

// parseOwnerLine reads one line without its line feed; ok is false for blank lines and comments.
func parseOwnerLine(text string) (rule Rule, ok bool, problem *lineProblem) {
	if problem := checkCharacters(text); problem != nil {
		return Rule{}, false, problem
	}
	fields := splitOwnerLine(text)
	if len(fields) == 0 {
		return Rule{}, false, nil
	}
	pattern := fields[0]
	if pattern.offset > 0 {
		return Rule{}, false, &lineProblem{0, RuleSyntax,
			"the line starts with a space or tab, which gitignore counts to the pattern: start " +
				"it with the pattern"}
	}
	if problem := checkPattern(pattern.text); problem != nil {
		return Rule{}, false, problem
	}
	rule = Rule{Pattern: pattern.text, segments: compilePattern(pattern.text)}
	for _, f := range fields[1:] {
		owner, message := parseOwner(f.text)
		if message != "" {
			return Rule{}, false, &lineProblem{f.offset, RuleOwner, message}
		}
		owner.Column = 1 + utf8.RuneCountInString(text[:f.offset])
		rule.Owners = append(rule.Owners, owner)
	}
	return rule, true, nil
}

// field is a word of a line and the byte offset where it starts.
type field struct {
	offset int
	text   string
}

// splitOwnerLine cuts a line at unescaped spaces and tabs, up to a comment: a # that starts a word.
func splitOwnerLine(text string) []field {
	var fields []field
	start, escaped := -1, false
	for i := range len(text) {
		blank := (text[i] == ' ' || text[i] == '\t') && !escaped
		escaped = text[i] == '\\' && !escaped
		switch {
		case blank && start >= 0:
			fields = append(fields, field{start, text[start:i]})
			start = -1
		case blank || start >= 0:
		case text[i] == '#':
			return fields
		default:
			start = i
		}
	}
	if start >= 0 {
		fields = append(fields, field{start, text[start:]})
	}
	return fields
}

// checkCharacters reports the first byte or character of a line that a reader of the diff might not
// see, comments included: some programs take a few of these for the end of a line.
func checkCharacters(text string) *lineProblem {
	for i, r := range text {
		message := ""
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			message = fmt.Sprintf("byte 0x%02x is not UTF-8: save the file as UTF-8", text[i])
		case r == '\uFEFF':
			message = "byte order mark: save the file as UTF-8 without a BOM"
		case r == '\r':
			message = "carriage return: save the file with Unix line ends"
		case r != '\t' && (requests.IsHidden(r) || unicode.IsSpace(r) && r != ' '):
			message = fmt.Sprintf("character %U cannot be seen in a review: remove it", r)
		default:
			continue
		}
		return &lineProblem{i, RuleEncoding, message}
	}
	return nil
}

// patternHints say what to write instead of a character that patterns may not contain.
var patternHints = map[byte]string{
	'!':  "CODEOWNERS cannot negate a pattern: write a later rule for the paths to leave out",
	'[':  "CODEOWNERS has no character ranges or sections: write one rule for each name",
	']':  "CODEOWNERS has no character ranges or sections: write one rule for each name",
	'{':  "CODEOWNERS has no alternatives: write one rule for each name",
	'}':  "CODEOWNERS has no alternatives: write one rule for each name",
	'#':  "a path with # cannot be written in CODEOWNERS, and a comment needs a space before it",
	'@':  "put the pattern first and a space before each owner",
	'\\': `the only escape is "\ " for a space`,
}

// checkPattern reports the first thing in a pattern that GitHub does not support, that can never
// match, or that readers of gitignore patterns understand in different ways.
func checkPattern(pattern string) *lineProblem {
	refuse := func(offset int, why string) *lineProblem {
		return &lineProblem{offset, RuleSyntax, fmt.Sprintf("pattern %s: %s", clip(pattern), why)}
	}
	for i := 0; i < len(pattern); i++ {
		if strings.HasPrefix(pattern[i:], `\ `) {
			i++
		} else if hint, ok := patternHints[pattern[i]]; ok {
			return refuse(i, hint)
		}
	}
	if pattern == "/" {
		return refuse(0, "it matches no file: write * for every file, or /* for the files of "+
			"the top folder")
	}
	offset := 0
	for segment := range strings.SplitSeq(pattern, "/") {
		end := offset + len(segment)
		switch {
		case segment == "" && offset > 0 && end < len(pattern):
			return refuse(offset, "two slashes in a row match no file: write one")
		case segment == "." || segment == "..":
			return refuse(offset, "the paths of a repository have no . or .. in them, so it "+
				"matches no file")
		case segment == "**" && pattern[end:] == "/":
			return refuse(offset, "** before the last slash is understood in two ways: end it "+
				"with / or with /**")
		case segment != "**" && strings.Contains(segment, "**"):
			return refuse(offset+strings.Index(segment, "**"), "** must stand alone between "+
				"slashes: write * within a name")
		}
		offset = end + 1
	}
	return nil
}

// parseOwner reads @login or @org/team, or says what is wrong. Logins are up to 39 letters, digits
// and hyphens, with an underscore in those that an enterprise manages; that also is the alphabet of
// a team's slug.
func parseOwner(text string) (Owner, string) {
	name, ok := strings.CutPrefix(text, "@")
	switch {
	case !ok && strings.Contains(text, "@"):
		return Owner{}, fmt.Sprintf("owner %s: an e-mail address does not name one account for "+
			"sure: write @login or @org/team", clip(text))
	case !ok:
		return Owner{}, fmt.Sprintf(`owner %s: write @login or @org/team, and "\ " for a space in a path`,
			clip(text))
	}
	account, slug, team := strings.Cut(name, "/")
	if !ownerName(account) || len(account) > 39 || team && !ownerName(slug) {
		return Owner{}, fmt.Sprintf("owner %s: no such name can exist on GitHub: write @login "+
			"or @org/team, and a space before a comment", clip(text))
	}
	return Owner{Name: name, Team: team}, ""
}

func ownerName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-' && i > 0, c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// clip quotes a value for a message and keeps it to 64 bytes.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q…", s[:cut])
}
