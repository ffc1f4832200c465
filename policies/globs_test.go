package policies

import (
	"strings"
	"testing"
	"time"
)

// matchesByTries is what a glob stands for, found by trying every length of every star: what matchesFrom
// must come to as well, in time that grows with both lengths only.
func matchesByTries(glob, text string) bool {
	at := strings.IndexByte(glob, '*')
	if at < 0 {
		return glob == text
	}
	if len(text) < at || glob[:at] != text[:at] {
		return false
	}
	rest, deep := strings.CutPrefix(glob[at+1:], "*")
	for n := at; ; n++ {
		if matchesByTries(rest, text[n:]) {
			return true
		}
		if n == len(text) || !deep && text[n] == '/' {
			return false
		}
	}
}

// words are all of up to so many of some letters.
func words(letters string, most int) []string {
	all := []string{""}
	for last := all; most > 0; most-- {
		var longer []string
		for _, word := range last {
			for _, letter := range letters {
				longer = append(longer, word+string(letter))
			}
		}
		last, all = longer, append(all, longer...)
	}
	return all
}

func TestGlobsMeanTheSame(t *testing.T) {
	texts, matched := words("ab/", 5), 0
	texts = append(texts, words("a*", 5)...) // what one grant covers of another's globs
	for _, glob := range append(words("ab*/", 5), words("a*/", 7)...) {
		for _, text := range texts {
			want := matchesByTries(glob, text)
			if got := matchesFrom(glob, text); got != want {
				t.Fatalf("%q for %q: %t, want %t", glob, text, got, want)
			}
			if want {
				matched++
			}
		}
	}
	if matched < 10000 {
		t.Errorf("only %d of them match", matched)
	}
}

func TestGlobsTakeNoTime(t *testing.T) {
	begun := time.Now()
	for _, c := range []struct{ glob, text string }{
		{"/logs/*-*-*-*.log", "/logs/" + strings.Repeat("-", 480)}, // 22 s by tries
		{"/logs/**a**a**a**a**a**a*b", "/logs/" + strings.Repeat("a", 480)},
		{"*a*a*a*a*a*a*ab", strings.Repeat("a", 480)},
	} {
		if matches(c.glob, c.text) {
			t.Errorf("%q matched what does not end as it does", c.glob)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Fatalf("%q and 480 characters took %s", c.glob, took)
		}
	}
}
