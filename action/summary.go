package action

import (
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
)

// Summary is a decision as GitHub-flavoured Markdown, for check runs and step summaries: what is asked for, who must
// still approve, why an approval does not count.
func Summary(d policies.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s\n\n", title(d), code(d.Message))
	if g := d.Grant; g != nil {
		b.WriteString("| Who asks | Who receives | Where | Role | How long |\n| --- | --- | --- | --- | --- |\n")
		for _, binding := range g.Bindings {
			row(&b, code("@"+g.Requester), code(g.Subject.Name), code(g.Cluster+"/"+binding.Namespace), code(binding.Role.Name), code(g.Duration.String()))
		}
		b.WriteString("\n")
	}
	if d.Reason != "" {
		fmt.Fprintf(&b, "Reason: %s\n\n", code(d.Reason))
	}
	if len(d.Challenges) > 0 {
		b.WriteString("| Challenge | Approvals | Approved by | May approve |\n| --- | --- | --- | --- |\n")
		for _, c := range d.Challenges {
			name := escape(c.Kind)
			if c.Path != "" {
				name += " of " + code(c.Path)
			}
			row(&b, name, fmt.Sprintf("%d of %d", len(c.Approvers), c.Count), logins(c.Approvers), logins(c.Reviewers))
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
	fmt.Fprintf(&b, "Judged head %s under the policies at %s.\n", code(d.HeadSHA), code(d.PolicyCommit))
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func logins(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	var all []string
	for _, name := range names {
		all = append(all, code("@"+name))
	}
	return strings.Join(all, " ")
}

// code shows text as it is: GitHub finds no mention, link, emoji or Markdown inside a code element.
func code(text string) string { return "<code>" + escape(text) + "</code>" }

// special are the characters that mean something to HTML, GitHub-flavoured Markdown or a table.
const special = "<>&\"'" + "\\`*_{}[]()#+-.!|~@:$^=/"

// escape writes text so that Markdown and HTML show it literally, on one line.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < ' ' || strings.ContainsRune(special, r) {
			fmt.Fprintf(&b, "&#%d;", max(r, ' '))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
