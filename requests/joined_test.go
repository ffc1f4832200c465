package requests

import (
	"strings"
	"testing"
)

func reasonFile(reason string) []byte {
	return []byte("apiVersion: " + APIVersion + "\nkind: AccessRequest\nmetadata: {name: " +
		"20261122-alice-a}\n" +
		"spec:\n  cluster: c\n  policy: p\n  requester: alice\n  reason: " + reason + "\n")
}

// TestReasonsOfEveryScript: what a reader sees is accepted in a reason, and what they may fail to
// see is refused and shown where it stands.
func TestReasonsOfEveryScript(t *testing.T) {
	const path = "requests/c/p/20261122-alice-a.yaml"
	for name, reason := range map[string]string{
		"Persian":                 "سرویس نمی\u200cشود و خطا می\u200cدهد",
		"Persian, joiner at end":  "سال ۱۴۰۰ ه\u200d است که خطا",
		"Hindi":                   "क्\u200dष और क्\u200cष में खराबी है",
		"Sinhala":                 "ශ්\u200dරී ලංකාව සේවාව නවතී",
		"Malayalam":               "സേവനം നിലച്ചു അവന്\u200d വന്നു",
		"a family":                "checkout is slow 👩\u200d👩\u200d👧",
		"a profession, skin tone": "checkout is slow 👩🏽\u200d💻",
		"style and joiner":        "checkout is slow ❤\uFE0F\u200d🔥",
		"a sign that joins":       "checkout is slow 🤷🏽\u200d♀\uFE0F",
		"emoji style":             "checkout is slow ⚠\uFE0F",
		"keycap":                  "checkout is slow 1\uFE0F\u20E3",
		"flag by letters":         "checkout is slow 🇸🇪",
		"flag by tags": "checkout is slow " +
			"🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
		"an emoji of a later year": "checkout is slow \U0001FAF9 \U0001FADC",
		"a letter of a later year": "checkout is slow \U00016EC0",
		"the last that may come":   "checkout is slow \U0003FFFD",
		"number sign":              "checkout#42 is slow",
		"number sign in quotes":    "'checkout #42 is slow'",
	} {
		if _, findings := ParseRequest(path, reasonFile(reason)); len(findings) > 0 {
			t.Errorf("%s: %v", name, findings)
		}
	}
	tags := strings.Map(func(r rune) rune { return r + firstTag - ' ' }, "root")
	for name, c := range map[string]struct{ reason, where string }{
		"joiner in Latin": {"check\u200dout is slow",
			":8:16: hidden character U+200D;"},
		"non-joiner in Latin":    {"check\u200cout is slow", "U+200C"},
		"joiner twice":           {"نمی\u200c\u200cشود و خطا می", "U+200C"},
		"joiner first":           {"'\u200dcheckout is slow'", "U+200D"},
		"joiner after a space":   {"سرویس \u200cشود و خطا", "U+200C"},
		"emoji joined to a word": {"checkout 👩\u200dslow", "U+200D"},
		"style on a letter":      {"check\uFE0Fout is slow", "U+FE0F"},
		"style on a digit":       {"checkout 1\uFE0F is slow", "U+FE0F"},
		"style twice":            {"checkout ⚠\uFE0F\uFE0F is slow", "U+FE0F"},
		"other variation":        {"checkout ⚠\uFE00 is slow", "U+FE00"},
		"zero width space":       {"check\u200bout is slow", "U+200B"},
		"direction":              {"check\u202eout is slow", "U+202E"},
		"direction in Persian":   {"سرویس\u202eشود و خطا", "U+202E"},
		"text in tags":           {"checkout is slow 🏴" + tags + "\U000E007F", "U+E0072"},
		"tags without an end": {"checkout is slow 🏴\U000E0067\U000E0062\U000E0065",
			"U+E0067"},
		"tags without a flag": {"checkout \U000E0067\U000E007F is slow", "U+E0067"},
		"ignorable to come":   {"checkout \U000E0FFF is slow", "U+E0FFF"},
		"tag first":           {"\U000E0067 checkout is slow", "U+E0067"},
		"beyond all letters":  {"checkout \U00040000 is slow", "U+40000"},
		"noncharacter":        {"checkout \U0001FFFE is slow", "U+1FFFE"},
		"private":             {"checkout \uE000 is slow", "U+E000"},
		"escaped in quotes":   {`"check\u200dout is slow"`, `U+200D after "check"`},
		"the end lost": {"INC-123, checkout #42 is slow",
			`:8:11: YAML takes "#42 is slow" for a comment`},
		"the end lost, no ticket": {"checkout is slow, see #42", `YAML takes "#42" for a comment`},
	} {
		_, findings := ParseRequest(path, reasonFile(c.reason))
		if len(findings) == 0 || !strings.Contains(findings[0].String(), c.where) {
			t.Errorf("%s: %v, want %q", name, findings, c.where)
		}
	}
	_, findings := ParseRequest(path,
		[]byte(strings.Replace(string(reasonFile("سرویس نمی\u200cشود و خطا")),
			"policy: p", `policy: "p\u200c"`, 1)))
	if len(findings) == 0 || !strings.Contains(findings[0].String(), "the value holds the "+
		"hidden character U+200C") {
		t.Errorf("an escape beside a reason that may: %v", findings)
	}
	flow := "{cluster: c, policy: p, requester: alice, reason: سرویس نمی\u200cشود و خطا}"
	_, findings = ParseRequest(path, []byte(strings.SplitAfter(string(reasonFile("")), "spec:")[0]+
		" "+flow+"\n"))
	if len(findings) == 0 || !strings.Contains(findings[0].String(), "U+200C") {
		t.Errorf("a reason that shares its line: %v", findings)
	}
	for reason, where := range map[string]string{
		"check\u200bout is slow":     `U+200B after "check"`,
		"\U000E0067checkout is slow": "U+E0067", // nothing stands before it
	} {
		if problem := CheckReason(reason); !strings.Contains(problem, where) {
			t.Errorf("a reason on the command line: %q, want %q", problem, where)
		}
	}
}
