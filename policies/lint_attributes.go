package policies

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/policies/codeowners"
	"github.com/pullgrant/pullgrant/requests"
)

// AttributesPath is the file in which git and GitHub are told how to treat others. It decides
// nothing, but what reviewers see goes by it.
const AttributesPath = ".gitattributes"

var (
	// hiding have GitHub fold a file's changes away, or show none.
	// https://docs.github.com/repositories/working-with-files/managing-files/customizing-how-changed-files-appear-on-github
	hiding = []string{"linguist-generated", "linguist-generated=true", "-diff", "binary"}
	// rewriting have a checkout hold other bytes than the commit, which is what is judged.
	rewriting = regexp.MustCompile(`^(text|text=auto|eol=crlf|crlf|ident|filter=.*|` +
		`working-tree-encoding=.*)$`)
)

// attributes looks for lines of .gitattributes that come between reviewers and what is judged.
func (l *linter) attributes() {
	file := l.tree.Files[AttributesPath]
	n := 0
	for line := range strings.Lines(file.Content) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") || !l.decides(words[0]) {
			continue
		}
		for _, word := range words[1:] {
			message := ""
			switch {
			case slices.Contains(hiding, strings.ToLower(word)):
				message = "GitHub shows reviewers no changes of %s, which decides who gets access; " +
					"leave %s out"
			case strings.HasPrefix(word, "text") && slices.Contains(words, "eol=lf"):
				continue
			case rewriting.MatchString(word):
				message = "a checkout holds %s otherwise than it is judged; leave %s out"
			default:
				continue
			}
			l.findings = append(l.findings, requests.Finding{File: AttributesPath, Line: n,
				Column:  1 + utf8.RuneCountInString(line[:strings.Index(line, word)]),
				Rule:    RuleAttributes,
				Message: fmt.Sprintf(message, requests.Quote(words[0]), requests.Quote(word))})
		}
	}
}

// decides tells whether a pattern of .gitattributes matches a file that decides, there now or to be
// expected.
func (l *linter) decides(pattern string) bool {
	if strings.ContainsAny(pattern, `["\\`) { // macros, classes and quotes: taken to match
		return true
	}
	glob := regexp.QuoteMeta(strings.TrimPrefix(pattern, "/"))
	glob = strings.NewReplacer(`\*\*/`, "(.*/)?", `/\*\*`, "/.*", `\*\*`, ".*", `\*`, "[^/]*",
		`\?`, "[^/]").Replace(glob)
	if !strings.Contains(pattern, "/") {
		glob = "(.*/)?" + glob
	}
	match := regexp.MustCompile("^" + glob + "$").MatchString
	for name := range l.tree.Files {
		if name != AttributesPath && match(name) {
			return true
		}
	}
	for _, w := range l.policies {
		for _, cluster := range w.policy.Spec.Clusters {
			if match(requestFolder(cluster, w.policy.Metadata.Name) + anyRequest) {
				return true
			}
		}
	}
	return slices.ContainsFunc(slices.Concat(strictPaths, codeowners.Paths), match)
}
