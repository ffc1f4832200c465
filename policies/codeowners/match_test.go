package codeowners_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pullgrant/pullgrant/policies/codeowners"
)

// patternMatches tells whether a file with the single rule matches path. The pattern must be a
// valid one.
func patternMatches(t *testing.T, pattern, path string) bool {
	t.Helper()
	_, matched := patternRule(t, pattern).Match(path)
	return matched
}

func patternRule(t *testing.T, pattern string) codeowners.File {
	t.Helper()
	c, findings := codeowners.Parse("CODEOWNERS", []byte(pattern+" @owner\n"))
	if len(findings) > 0 || len(c.Rules) != 1 || c.Rules[0].Pattern != pattern {
		t.Fatalf("pattern %q: rules %v, findings %v", pattern, c.Rules, findings)
	}
	return c
}

type patternCase struct {
	line          int
	match         bool
	pattern, path string
}

func readPatternCases(t *testing.T) []patternCase {
	t.Helper()
	file := filepath.Join(codeownersTestdata, "patterns.txt")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^(yes|no)\s+((?:\\ |\S)+)\s+(\S.*)$`)
	var cases []patternCase
	for i, text := range strings.Split(string(data), "\n") {
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		m := row.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s:%d: want yes or no, a pattern, a path", file, i+1)
		}
		cases = append(cases, patternCase{i + 1, m[1] == "yes", m[2], m[3]})
	}
	return cases
}

func TestCodeownersPatterns(t *testing.T) {
	for _, c := range readPatternCases(t) {
		if got := patternMatches(t, c.pattern, c.path); got != c.match {
			t.Errorf("patterns.txt:%d: %s on %s: got %t, want %t", c.line, c.pattern, c.path,
				got, c.match)
		}
	}
}

// reference says what a valid pattern means as a regular expression, read off the manuals character
// by character and not by way of segments.
func reference(pattern string) *regexp.Regexp {
	var re strings.Builder
	re.WriteString(`(?s)^`)
	if !strings.Contains(strings.TrimSuffix(pattern, "/"), "/") {
		re.WriteString(`(.*/)?`)
	}
	rest := strings.TrimPrefix(pattern, "/")
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, "**/"):
			re.WriteString(`(.*/)?`)
			rest = rest[3:]
		case strings.HasPrefix(rest, "**"):
			re.WriteString(`.+`)
			rest = rest[2:]
		case rest[0] == '*':
			re.WriteString(`[^/]*`)
			rest = rest[1:]
		case rest[0] == '?':
			re.WriteString(`[^/]`)
			rest = rest[1:]
		default:
			rest = strings.TrimPrefix(rest, `\`)
			r, width := utf8.DecodeRuneInString(rest)
			re.WriteString(regexp.QuoteMeta(string(r)))
			rest = rest[width:]
		}
	}
	switch {
	case strings.HasSuffix(pattern, "/"):
		re.WriteString(`.+`)
	case pattern != "*" && !strings.HasSuffix(pattern, "/*"):
		re.WriteString(`(/.*)?`)
	}
	return regexp.MustCompile(re.String() + `$`)
}

func TestCodeownersReferenceReadsTheTable(t *testing.T) {
	for _, c := range readPatternCases(t) {
		if got := cleanPath(c.path) && reference(c.pattern).MatchString(c.path); got != c.match {
			t.Errorf("patterns.txt:%d: the test's own reference is wrong on %s and %s", c.line,
				c.pattern, c.path)
		}
	}
}

func cleanPath(path string) bool {
	return utf8.ValidString(path) && !slices.ContainsFunc(strings.Split(path, "/"),
		func(name string) bool {
			return name == "" || name == "." || name == ".."
		})
}

func randomPattern(r *rand.Rand) string {
	words := []string{"a", "b", "ab", "ba", "*", "**", "a*", "*b", "?", "a?", "*a*b*", "?*", "aa"}
	pattern := randomPath(r, words)
	if r.IntN(2) == 0 {
		pattern = "/" + pattern
	}
	if r.IntN(3) == 0 && !strings.HasSuffix(pattern, "**") {
		pattern += "/"
	}
	return pattern
}

func randomPath(r *rand.Rand, words []string) string {
	names := make([]string, 1+r.IntN(5))
	for i := range names {
		names[i] = words[r.IntN(len(words))]
	}
	return strings.Join(names, "/")
}

var randomNames = []string{"a", "b", "ab", "ba", "aa", "abab", "c"}

func TestCodeownersMatchAgreesWithReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matched, total := 0, 0
	for range 3000 {
		pattern := randomPattern(r)
		c, re := patternRule(t, pattern), reference(pattern)
		for range 50 {
			path := randomPath(r, randomNames)
			_, got := c.Match(path)
			if want := re.MatchString(path); got != want {
				t.Fatalf("pattern %s on %s: got %t, want %t", pattern, path, got, want)
			}
			total++
			if got {
				matched++
			}
		}
	}
	if matched < total/10 || matched > total*9/10 {
		t.Errorf("%d of %d random pairs match: they prove little", matched, total)
	}
}

// TestCodeownersMatchAgreesWithGit asks git itself, which documents the patterns. Each pattern is
// the .gitignore of its own folder. Two differences are left out: GitHub's last * is one level
// only, and git's ? is a byte and not a character.
func TestCodeownersMatchAgreesWithGit(t *testing.T) {
	type pair struct{ pattern, path string }
	var pairs []pair
	for _, c := range readPatternCases(t) {
		if cleanPath(c.path) && !strings.ContainsAny(c.path, "å€") {
			pairs = append(pairs, pair{c.pattern, c.path})
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		pattern := randomPattern(r)
		for range 20 {
			pairs = append(pairs, pair{pattern, randomPath(r, randomNames)})
		}
	}
	dir := t.TempDir()
	git := func(stdin string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	git("", "init", "-q")
	folders := map[string]string{}
	var stdin strings.Builder
	for _, p := range pairs {
		if strings.HasSuffix(p.pattern, "/*") {
			continue
		}
		if folders[p.pattern] == "" {
			folders[p.pattern] = fmt.Sprintf("folder%d", len(folders))
			folder := filepath.Join(dir, folders[p.pattern])
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, ".gitignore"), []byte(p.pattern+"\n"),
				0o600); err != nil {
				t.Fatal(err)
			}
		}
		stdin.WriteString(folders[p.pattern] + "/" + p.path + "\x00")
	}
	ignored := map[string]bool{}
	for path := range strings.SplitSeq(git(stdin.String(), "check-ignore", "--no-index", "-z",
		"--stdin"), "\x00") {
		ignored[path] = true
	}
	for _, p := range pairs {
		if folder := folders[p.pattern]; folder != "" {
			if got, want := patternMatches(t, p.pattern, p.path), ignored[folder+"/"+
				p.path]; got != want {
				t.Errorf("pattern %s on %s: got %t, git says %t", p.pattern, p.path, got, want)
			}
		}
	}
}

// hostilePatterns take a backtracking matcher longer than the age of the universe; for ours each is
// a moment.
func hostilePatterns() map[string]string {
	path := strings.Repeat(strings.Repeat("a", 200)+"/", 20) + "b"
	return map[string]string{
		"/" + strings.Repeat("a*", 1000) + "c": strings.Repeat("a", 4000),
		strings.Repeat("*a", 1000) + "c":       strings.Repeat("a", 4000),
		strings.Repeat("**/a*/", 1000) + "c":   path,
		strings.Repeat("**/*a*a*a/", 50) + "c": path,
		"**/" + strings.Repeat("?*", 1000):     path,
	}
}

func TestCodeownersMatchDoesNotBacktrackExponentially(t *testing.T) {
	for pattern, path := range hostilePatterns() {
		if patternMatches(t, pattern, path) {
			t.Errorf("%.20s… matches", pattern)
		}
	}
}

func BenchmarkCodeownersMatchHostile(b *testing.B) {
	for pattern, path := range hostilePatterns() {
		c, _ := codeowners.Parse("CODEOWNERS", []byte(pattern+" @owner\n"))
		b.Run(pattern[:6], func(b *testing.B) {
			for b.Loop() {
				c.Match(path)
			}
		})
	}
}

// TestLastRuleThatMatchesWins compares many files of a few rules with looking at each of their rules.
func TestLastRuleThatMatchesWins(t *testing.T) {
	patterns := []string{"*", "/a/", "/a/b/", "/a/b", "/a/*", "b/", "**/b", "/a/**/c", "/*/b/", "a",
		"/a/b/c", "*.c", "/b/", "/a?/", "/aa/b"}
	paths := []string{"a", "a/b", "a/b/c", "a/x", "b/a", "x/b/y", "aa/b", "b/c.c", "x", "a/a/b/c"}
	chance := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var text strings.Builder
		for n := range 1 + chance.IntN(6) {
			fmt.Fprintf(&text, "%s @o%d\n", patterns[chance.IntN(len(patterns))], n)
		}
		c, findings := codeowners.Parse("CODEOWNERS", []byte(text.String()))
		if len(findings) > 0 {
			t.Fatal(findings)
		}
		for _, path := range paths {
			want := 0 // line
			for _, r := range c.Rules {
				if reference(r.Pattern).MatchString(path) {
					want = r.Line
				}
			}
			if got, _ := c.Match(path); got.Line != want {
				t.Fatalf("%s: line %d, want %d of\n%s", path, got.Line, want, &text)
			}
		}
	}
}

// BenchmarkMatch looks a path up among so many rules.
func BenchmarkMatch(b *testing.B) {
	for _, rules := range []int{100, 1000, 10_000} {
		var text strings.Builder
		text.WriteString("* @admins\n")
		for n := range rules {
			fmt.Fprintf(&text, "/requests/prod-%d/policy-%d/ @team-%d\n", n%10, n, n)
		}
		c, _ := codeowners.Parse("CODEOWNERS", []byte(text.String()))
		b.Run(fmt.Sprint(rules), func(b *testing.B) {
			for b.Loop() {
				c.Match("requests/prod-5/policy-15/20261122-alice-inc-1.yaml")
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	for pattern, path := range hostilePatterns() {
		f.Add(pattern, path)
	}
	for _, seed := range []string{"*", "/docs/*", "apps/", "a/**/b", "**/a", "a/**", "f?o", `a\ b`,
		"/*/", "*å?"} {
		for _, path := range []string{"a", "docs/x", "docs/x/y", "x/apps/y", "a/x/b", "foo", "a b",
			"å/xåy", "a//b", "\xff"} {
			f.Add(seed, path)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		c, findings := codeowners.Parse("CODEOWNERS", []byte(pattern+" @owner\n"))
		if len(findings) > 0 || len(c.Rules) != 1 || c.Rules[0].Pattern != pattern {
			return // no pattern, or more than one
		}
		rule, got := c.Match(path)
		if len(pattern)+len(path) > 500 {
			return // the reference takes its time
		}
		if want := cleanPath(path) && reference(pattern).MatchString(path); got != want {
			t.Errorf("pattern %q on %q: got %t, want %t", pattern, path, got, want)
		}
		if got && rule.Pattern != pattern {
			t.Errorf("match returned another rule: %+v", rule)
		}
	})
}
