package policies_test

import (
	"strings"
	"testing"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/testdata/cases"
)

// TestWindowsWidened: what is told is a moment at which access may be that it could not be at, and
// nothing where windows are only written otherwise (a week's grid does not tell: the zones of two
// may differ in summer alone).
func TestWindowsWidened(t *testing.T) {
	const path = "policies/payments-debug.yaml"
	window := func(days, from, to, zone string) string {
		return "    - {days: [" + days + "], from: \"" + from + "\", to: \"" + to + "\", timeZone: " +
			zone + "}\n"
	}
	const stockholm, week = "Europe/Stockholm", "Mon, Tue, Wed, Thu, Fri, Sat, Sun"
	office := window("Mon, Tue", "08:00", "18:00", stockholm)
	const words = "Mon, Tue from 08:00 to 18:00 Europe/Stockholm"
	for name, c := range map[string]struct{ before, after, want string }{
		"the same":   {office, office, ""},
		"given":      {"", office, ""},
		"taken away": {office, "", "access may be at any time instead of " + words},
		"shorter":    {office, window("Mon, Tue", "09:00", "17:00", stockholm), ""},
		"written as two": {office, window("Mon, Tue", "08:00", "12:00", stockholm) +
			window("Tue, Mon", "12:00", "18:00", stockholm), ""},
		"another name of the zone": {office, window("Mon, Tue", "08:00", "18:00", "Europe/Berlin"), ""},
		"always, in two zones": {window(week, "00:00", "24:00", stockholm),
			window(week, "00:00", "24:00", "Asia/Kolkata"), ""},
		"longer": {office, window("Mon, Tue", "08:00", "18:01", stockholm), "access may be at other " +
			"times, such as Mon 18:00 Europe/Stockholm, with Mon, Tue from 08:00 to 18:01 " +
			"Europe/Stockholm instead of " + words},
		"another day": {office, office + window("Wed", "08:00", "18:00", stockholm), "access may be at " +
			"other times, such as Wed 08:00 Europe/Stockholm, with " + words + " and Wed from 08:00 to " +
			"18:00 Europe/Stockholm instead of " + words},
		"the gap of two": {window("Mon", "08:00", "12:00", stockholm) +
			window("Mon", "13:00", "18:00", stockholm), window("Mon", "08:00", "18:00", stockholm),
			"such as Mon 12:00 Europe/Stockholm"},
		"another in summer": {office, window("Mon, Tue", "08:00", "18:00", "Africa/Lagos"),
			"such as Mon 17:00 Africa/Lagos"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := func(windows string) policies.Tree {
				if windows == "" {
					return exampleTree(t)
				}
				return with(t, exampleTree(t), path, "  target:\n", "  windows:\n"+windows+"  target:\n")
			}
			got := strings.Join(policies.Widened(tree(c.before), tree(c.after)), "\n")
			if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestAccessLiesInAWindow: in no scenario is there a moment of access outside of the policy's windows
// at the merge or of those of now.
func TestAccessLiesInAWindow(t *testing.T) {
	held := 0
	for _, c := range cases.All(t) {
		d := c.Judge(c.Facts)
		if d.Outcome != policies.Allowed || !c.Merged {
			continue
		}
		for _, tree := range []policies.Tree{c.Facts.Base, c.Facts.Merge.FirstParent} {
			policy, _, _ := tree.Policy(d.Policy)
			if len(policy.Spec.Windows) == 0 {
				continue
			}
			held++
			g := requests.Grant{Windows: policy.Spec.Windows}
			if in := g.Within(d.Grant.Window); in != d.Grant.Window {
				t.Errorf("%s: of %v only %v lies in %v", c.Name, d.Grant.Window, in, g.Windows)
			}
		}
	}
	if held < 10 {
		t.Errorf("only %d windows hold anything", held)
	}
}
