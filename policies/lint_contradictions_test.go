package policies_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// TestNeverMatchesIsTrue: a pattern that something matches is never said to be matched by nothing.
func TestNeverMatchesIsTrue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b{2,3}", "(x|yz)", "[0-9]+", ".*", "c?", "(?:ab){1,4}", "\\n", "^", "$", "(?i)Q", " "}
	texts := []string{"a", "bb", "yz", "7", "abab", "q", "x c", "abc 12 yz bbb", strings.Repeat("ab", 9)}
	never, matched := 0, 0
	for range 20000 {
		pattern := ""
		for range 1 + random.IntN(4) {
			pattern += pieces[random.IntN(len(pieces))]
		}
		if random.IntN(2) == 0 {
			pattern = "^" + pattern + "$"
		}
		least, most := random.IntN(4), 4+random.IntN(12)
		said := policies.NeverMatches(pattern, least, most)
		if said {
			never++
		}
		re := regexp.MustCompile(pattern)
		for _, text := range texts {
			if len(text) >= least && len(text) <= most && re.MatchString(text) {
				if matched++; said {
					t.Fatalf("%q, %d to %d characters, is said to match nothing, and matches %q", pattern, least,
						most, text)
				}
			}
		}
	}
	if never < 500 || matched < 500 {
		t.Errorf("%d match nothing and %d something; the test has lost its teeth", never, matched)
	}
}

// FuzzNeverMatches is TestNeverMatchesIsTrue of whatever pattern and text.
func FuzzNeverMatches(f *testing.F) {
	f.Add("^INC-[0-9]{1,4}$", "INC-1234")
	f.Add("(?m)^a$|\n", "a")
	f.Add("(?s).(?i)k", "xK")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := regexp.Compile(pattern)
		if err != nil || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			return
		}
		if n := len([]rune(text)); re.MatchString(text) && policies.NeverMatches(pattern, n, n) {
			t.Fatalf("%q is said to match nothing, and matches %q", pattern, text)
		}
	})
}

// TestRuleThatIncludesAnotherDeniesWhatItDenies: no rule is said to be hidden that refuses something
// which the other does not.
func TestRuleThatIncludesAnotherDeniesWhatItDenies(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	base := cases.Base(t).Facts
	denies := func(text string) (policies.RuleSpec, bool, bool) {
		r, findings := policies.ParseRule(addedPath, []byte(text))
		f := base
		f.Base = with(t, base.Base, addedPath, "", text)
		f.Changes = nil
		for _, path := range f.Base.Reviewed(cases.Path) {
			f.Changes = append(f.Changes, policies.Change{Path: path})
		}
		f.Answers = policies.Answers{policies.AboutMember("acme/squad-a", "alice"): true}
		for q, a := range base.Answers {
			f.Answers[q] = a
		}
		d := policies.Evaluate(f.Base, f, f.ObservedAt.Add(time.Second))
		return r.Spec, d.Code == policies.AccessDenied, len(findings) == 0
	}
	included, denied := 0, 0
	for range 3000 {
		a, aDenies, ok := denies(anyRule(random))
		b, bDenies, fine := denies(anyRule(random))
		if !ok || !fine || !a.Includes(b) {
			continue
		}
		included++
		if bDenies {
			denied++
		}
		if bDenies && !aDenies {
			t.Fatalf("%s is said to deny all that %s does", a.Deny, b.Deny)
		}
	}
	if included < 50 || denied < 10 {
		t.Errorf("%d include another, which denied %d times; the test has lost its teeth", included, denied)
	}
}
