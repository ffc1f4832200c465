package action

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// summary is the verdict as GitHub-flavoured Markdown, for check runs and step summaries: what is asked for, who must
// still approve, why an approval does not count.
func (v verdict) summary() string {
	d := v.decision
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s\n\n%s\n\n", v.name(), title(d), code(d.Message))
	v.asked(&b)
	roles(&b, d)
	widened(&b, d)
	if len(d.Challenges) > 0 {
		b.WriteString("| Approval | State | Approved by | May still approve |\n| :-- | :-- | :-- | :-- |\n")
		for _, c := range d.Challenges {
			name := escape(c.Kind)
			if c.Path != "" && d.Kind != policies.KindRequest {
				name += " of " + code(c.Path)
			}
			state, left := "missing", logins(d.Remaining(c), "nobody; the policy or CODEOWNERS must change")
			if c.Met {
				state, left = "met", "–"
			}
			row(&b, name, fmt.Sprintf("%s, %d of %d", state, len(c.Approvers), c.Count), logins(c.Approvers, "–"), left)
		}
		b.WriteString("\n")
	}
	if len(d.Ignored) > 0 {
		b.WriteString("Approvals that do not count:\n\n")
		for _, r := range d.Ignored {
			fmt.Fprintf(&b, "- %s (%s)\n", code(r.Message), r.Code)
		}
		b.WriteString("\n")
	}
	if len(d.Findings) > 0 {
		b.WriteString("Problems in files:\n\n")
		for _, f := range d.Findings {
			fmt.Fprintf(&b, "- %s\n", code(f.String()))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Judged head %s", code(d.HeadSHA))
	if d.PolicyCommit != "" {
		fmt.Fprintf(&b, " under the policies at %s", code(d.PolicyCommit))
	}
	b.WriteString(".\n")
	return b.String()
}

// asked tells what a request is for, as far as it is known.
func (v verdict) asked(b *strings.Builder) {
	d, g := v.decision, v.decision.Grant
	if g == nil {
		return
	}
	b.WriteString("| Access | |\n| :-- | :-- |\n")
	row(b, "Who asks", code("@"+g.Requester))
	if g.Subject.Name != "" {
		row(b, "Who&nbsp;receives", escape(g.Subject.Kind)+" "+code(g.Subject.Name))
	}
	for _, binding := range g.Bindings {
		row(b, "Where", "namespace "+code(binding.Namespace)+" of cluster "+code(g.Cluster))
		row(b, "Role", escape(binding.Role.Kind)+" "+code(binding.Role.Name))
	}
	row(b, "How long", v.howLong(*g))
	row(b, "Policy", code(g.Policy))
	if d.Reason != "" {
		row(b, "Reason", code(d.Reason))
	}
	b.WriteString("\n")
}

func (v verdict) howLong(g requests.Grant) string {
	switch {
	case !g.Window.End.IsZero():
		return fmt.Sprintf("%s, from %s to %s", g.Duration, clock(g.Window.Start), clock(g.Window.End))
	case g.Duration > 0:
		return fmt.Sprintf("%s from the merge on; if that were now, until %s", g.Duration, clock(requests.NewWindow(v.at, g.Duration).End))
	}
	return "–"
}

// clock is a time as people read it.
func clock(t requests.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// roles shows what each role allows, the dangerous part first.
func roles(b *strings.Builder, d policies.Decision) {
	for _, r := range d.Roles {
		fmt.Fprintf(b, "#### What %s allows in %s\n\n", code(r.Role), code(r.Namespace))
		risks(b, "CAUTION", slices.DeleteFunc(slices.Clone(r.Risks), func(risk policies.Risk) bool { return !risk.High }))
		risks(b, "WARNING", slices.DeleteFunc(slices.Clone(r.Risks), func(risk policies.Risk) bool { return risk.High }))
		if r.Catalogued && len(r.Risks) == 0 {
			b.WriteString("Nothing in it is known to be dangerous.\n\n")
		}
		if len(r.Permissions) > 0 {
			permissions(b, r)
		}
	}
}

// risks is one of GitHub's boxes, which has its colours in every theme and its word beside them.
func risks(b *strings.Builder, level string, all []policies.Risk) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "> [!%s]\n", level)
	for _, risk := range all {
		fmt.Fprintf(b, "> - %s\n", escape(risk.Text))
	}
	b.WriteString("\n")
}

// permissions is a role as a table, one row for all that the same may be done to: a wide role is read at a glance. When
// its requester has live access in the namespace, it says what is new.
func permissions(b *strings.Builder, r policies.RoleView) {
	head, line := "| On | May |", "| :-- | :-- |"
	if r.Holds {
		head, line = head+" Beyond what they have |", line+" :-- |"
	}
	b.WriteString(head + "\n" + line + "\n")
	on := map[string][]string{}
	var rest []string // of the row, without its first cell, in their order
	for _, p := range r.Permissions {
		cells := code(p.Does())
		if r.Holds {
			beyond := "nothing"
			if i := slices.IndexFunc(r.Beyond, func(n policies.Permission) bool { return n.What() == p.What() }); i >= 0 {
				beyond = code(r.Beyond[i].Does())
			}
			cells += " | " + beyond
		}
		if on[cells] == nil {
			rest = append(rest, cells)
		}
		on[cells] = append(on[cells], code(p.What()))
	}
	for _, cells := range rest {
		row(b, strings.Join(on[cells], " "), cells)
	}
	b.WriteString("\n")
}

// widened shows what a change makes possible.
func widened(b *strings.Builder, d policies.Decision) {
	if len(d.Widened) == 0 {
		return
	}
	b.WriteString("#### What becomes possible that was not\n\n")
	for _, line := range d.Widened {
		fmt.Fprintf(b, "- %s\n", code(line))
	}
	b.WriteString("\n")
}

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func logins(names []string, none string) string {
	var all []string
	for _, name := range names {
		all = append(all, code("@"+name))
	}
	if len(all) == 0 {
		return none
	}
	return strings.Join(all, " ")
}

// code shows text as it is: GitHub finds no mention, link, emoji or Markdown inside a code element.
func code(text string) string { return "<code>" + escape(text) + "</code>" }

// special are the characters that mean something to HTML, GitHub-flavoured Markdown or a table.
const special = "<>&\"'" + "\\`*_{}[]()#+-.!|~:$^=/"

// escape writes text so that Markdown and HTML show it literally, on one line, with what cannot be seen made visible.
// GitHub makes links of what looks like an address even then, unless the text ends before the @.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString("&#32;")
		case requests.IsHidden(r):
			fmt.Fprintf(&b, "U&#43;%04X", r)
		case r == '@':
			b.WriteString("<!-- -->&#64;")
		case strings.ContainsRune(special, r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
