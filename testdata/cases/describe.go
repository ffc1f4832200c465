package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Describe tells a decision as want sections do. Of the message, the fragments of want are kept as
// long as they are part of it, so a decision is as wanted when the result is want.
func Describe(d policies.Decision, want string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "decision: %s\n", d.Outcome)
	if d.Code != "" {
		fmt.Fprintf(&b, "code: %s\n", d.Code)
	}
	fragments := 0
	for line := range strings.Lines(want) {
		if fragment, ok := strings.CutPrefix(strings.TrimSpace(line), "message: "); ok &&
			strings.Contains(d.Message, fragment) {
			fmt.Fprintf(&b, "message: %s\n", fragment)
			fragments++
		}
	}
	if fragments == 0 {
		fmt.Fprintf(&b, "message: %s\n", d.Message)
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "finding: %s\n", strings.Replace(f.String(), ": "+f.Message+" ", " ", 1))
	}
	for _, r := range d.Ignored {
		fmt.Fprintf(&b, "ignored: review %d by %s, %s\n", r.ReviewID, r.Login, r.Code)
	}
	if !d.Again.IsZero() {
		fmt.Fprintf(&b, "again: %s\n", d.Again)
	}
	if d.Outcome != policies.Allowed {
		return b.String()
	}
	for depth, c := range d.AllChallenges() {
		state := "met"
		if !c.Met {
			state = "not met"
		}
		if len(c.Replies) > 0 {
			fmt.Fprintf(&b, "%s%s: %s, %s\n", strings.Repeat("  ", depth), state, c.Kind,
				c.Replies[0])
			continue
		}
		fmt.Fprintf(&b, "%s%s: %s %s by %s\n", strings.Repeat("  ", depth), state, c.Kind, c.Path,
			strings.Join(c.Approvers, ", "))
	}
	if g := d.Grant; g != nil {
		for _, binding := range g.Items {
			fmt.Fprintln(&b, given(binding, g.Subject.Name, g.For()))
			for _, r := range binding.Allows {
				names := slices.Clone(r.Names)
				for _, m := range r.Match {
					name := m.String()
					if len(m.Within) > 0 {
						name += " within " + strings.Join(m.Within, ", ")
					}
					names = append(names, name)
				}
				fmt.Fprintf(&b, "allows: %s %s\n", r.Key(), strings.Join(names, " | "))
			}
		}
		if !g.Window.Start.IsZero() {
			fmt.Fprintf(&b, "window: %s to %s\n", g.Window.Start, g.Window.End)
		}
	}
	return b.String()
}

// given is one thing that a grant gives. Of the first kind it is what stood there when it was the
// only one.
func given(i requests.Item, who string, long string) string {
	if i.Kind == requests.KubernetesRoleBinding && !i.Impersonates() {
		return fmt.Sprintf("grant: %s to %s in %s %s", i.Role.Name, who, i.Namespace, long)
	}
	return fmt.Sprintf("grant: %s to %s %s", i, who, long)
}
