package action

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// summary is the verdict as GitHub-flavoured Markdown, for check runs and step summaries: what is
// asked for, who must still approve, why an approval does not count.
func (v verdict) summary() string {
	d := v.decision
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s\n\n**Next:** %s.\n\n%s", v.name(), heading(d), v.next(),
		github.Code(d.Message))
	if d.Code != "" {
		b.WriteString(" (" + github.Helped(d.Code) + ")")
	}
	b.WriteString("\n\n")
	if !d.Again.IsZero() {
		fmt.Fprintf(&b, "Time alone changes that, at %s.\n\n", github.Moment(d.Again))
	}
	if d.Dead(v.at) {
		fmt.Fprintf(&b, "It could be merged until %s, and is closed. Ask again with another name, or push "+
			"here and open it again.\n\n", github.Moment(d.LapsesAt))
	}
	v.asked(&b)
	roles(&b, d)
	widened(&b, d)
	if len(d.Challenges) > 0 {
		// what somebody can do comes before what is done: on a phone the last columns are cut off
		b.WriteString("| Approval | State | May still approve | Approved by |\n| :-- | :-- | " +
			":-- | :-- |\n")
		for depth, c := range d.AllChallenges() {
			name := strings.Repeat("↳ ", depth) + github.Escape(c.Kind)
			if c.Path != "" && d.Kind != policies.KindRequest {
				name += " of " + github.Code(c.Path)
			}
			state, left := "missing", logins(d.Remaining(c), "nobody; the policy or CODEOWNERS "+
				"must change")
			switch {
			case c.Met:
				state, left = "met", "–"
			case c.Spare:
				state, left = "not needed", "–"
			case c.Waits():
				state, left = "approved", "–"
			case len(c.Children) > 0:
				left = "see below"
			case len(c.Replies) > 0:
				left = "no review meets it"
			}
			if c.From != nil && !c.Met {
				state += ", counts from " + c.From.String() + " on"
			}
			by := github.Escape(strings.Join(c.Replied(), "; "))
			if by == "" {
				by, state = logins(c.Approvers, "–"), fmt.Sprintf("%s, %d of %d", state, c.Has(), c.Count)
			}
			github.Row(&b, name, state, left, by)
		}
		b.WriteString("\n")
	}
	said(&b, d)
	if len(d.Ignored) > 0 {
		b.WriteString("Approvals that do not count:\n\n")
		for _, r := range d.Ignored {
			fmt.Fprintf(&b, "- %s (%s)\n", github.Code(r.Message), github.Helped(r.Code))
		}
		b.WriteString("\n")
	}
	if len(d.Findings) > 0 {
		b.WriteString("Problems in files:\n\n")
		for _, f := range d.Findings {
			fmt.Fprintf(&b, "- %s\n", github.Code(f.String()))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "Judged head %s", github.Code(d.HeadSHA))
	if d.PolicyCommit != "" {
		fmt.Fprintf(&b, " under the policies at %s", github.Code(d.PolicyCommit))
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
	github.Row(b, "Who asks", github.Code("@"+g.Requester))
	if g.Behalf != "" {
		github.Row(b, "On behalf of", "@"+g.Behalf) // a mention: they are told; the login is from identities.yaml
	}
	if g.Subject.Name != "" {
		github.Row(b, "Who&nbsp;receives", github.Escape(g.Subject.Kind)+" "+
			github.Code(g.Subject.Name))
	}
	for _, given := range g.Gives() {
		github.Row(b, "What", github.Code(given))
	}
	if g.BreakGlass != nil {
		github.Row(b, "**BREAK-GLASS**", github.Escape(g.BreakGlass.String()))
	}
	if g.Extends != "" {
		github.Row(b, "Extends", github.Code(g.Extends))
	}
	github.Row(b, "How long", v.howLong(*g))
	if narrowed := d.NarrowedInWords(); narrowed != "" {
		github.Row(b, "Narrowed", github.Code(narrowed))
	}
	for _, hours := range g.Windows {
		github.Row(b, "Only", github.Escape(hours.String()))
	}
	github.Row(b, "Policy", github.Code(g.Policy))
	if d.Reason != "" {
		github.Row(b, "Reason", github.Code(d.Reason))
	}
	for _, field := range requests.FieldsInWords(d.Fields) {
		github.Row(b, "Field", github.Code(field))
	}
	b.WriteString("\n")
}

// said is what approvers wrote beside their approval.
func said(b *strings.Builder, d policies.Decision) {
	for _, a := range d.Approvers {
		if a.Words != "" {
			fmt.Fprintf(b, "%s wrote: %s\n\n", github.Code("@"+a.Login), github.Code(a.Words))
		}
	}
	if d.MayNarrow && d.Outcome == policies.Pending {
		fmt.Fprintf(b, "Who approves may give less than is asked for, by one line of the review such as "+
			"%s, %s or %s. A review that is edited does not count.\n\n",
			github.Code("pullgrant: at most 30m"), github.Code("pullgrant: only namespaces a, b"),
			github.Code("pullgrant: only resources pods/a, pods/b"))
	}
}

// howLong says how long access would last. Whether there is any, only the agent can tell.
func (v verdict) howLong(g requests.Grant) string {
	switch {
	case !g.Window.End.IsZero():
		return fmt.Sprintf("would last until %s, once the agent grants it; its comment says so",
			github.Moment(g.Window.End))
	case len(g.Windows) > 0 && g.From(v.at).Empty():
		return "no window of the policy can hold it"
	case len(g.Windows) > 0:
		w := g.From(v.at)
		return strings.TrimSuffix(fmt.Sprintf("merged now, it would last from %s to %s, %s, once the "+
			"agent grants it; %s", github.Moment(w.Start), github.Moment(w.End), w.Length(),
			github.Escape(g.Cut(w))), "; ")
	case !g.Until.IsZero() || !g.NotBefore.IsZero():
		w := g.From(v.at)
		return fmt.Sprintf("would last from %s to %s, %s, if it is merged before, once the agent "+
			"grants it", github.Moment(w.Start), github.Moment(w.End), w.Length())
	case g.Duration > 0:
		return fmt.Sprintf("would last %s from the merge on, once the agent grants it; merged now, "+
			"until %s", g.Duration, github.Moment(g.From(v.at).End))
	}
	return "–"
}

// roles shows what each role allows, the dangerous part first.
func roles(b *strings.Builder, d policies.Decision) {
	for _, r := range d.Roles {
		fmt.Fprintf(b, "#### What %s allows\n\n", github.Code(r.Item.String()))
		if len(r.Also) > 0 {
			fmt.Fprintf(b, "And the same in %s.\n\n", github.Code(strings.Join(r.Also, ", ")))
		}
		risks(b, "CAUTION", slices.DeleteFunc(slices.Clone(r.Risks),
			func(risk rbac.Risk) bool { return !risk.High }))
		risks(b, "WARNING", slices.DeleteFunc(slices.Clone(r.Risks),
			func(risk rbac.Risk) bool { return risk.High }))
		if r.Catalogued && len(r.Risks) == 0 {
			b.WriteString("Nothing in it is known to be dangerous.\n\n")
		}
		if r.Note != "" {
			fmt.Fprintf(b, "Note: %s.\n\n", github.Escape(r.Note))
		}
		if len(r.Permissions) > 0 {
			permissions(b, r)
		}
	}
}

// risks is one of GitHub's boxes, which has its colours in every theme and its word beside them.
func risks(b *strings.Builder, level string, all []rbac.Risk) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "> [!%s]\n", level)
	for _, risk := range all {
		fmt.Fprintf(b, "> - %s\n", github.Escape(risk.Text))
	}
	b.WriteString("\n")
}

// permissions is a role as a table, one row for all that the same may be done to: a wide role is
// read at a glance. When its requester has live access in the namespace, it says what is new.
func permissions(b *strings.Builder, r policies.RoleView) {
	head, line := "| On | May |", "| :-- | :-- |"
	if r.Holds {
		head, line = head+" Beyond what they have |", line+" :-- |"
	}
	fmt.Fprintf(b, "<details><summary>All that it allows, by what it is allowed on</summary>\n\n%s\n%s\n",
		head, line)
	on := map[string][]string{}
	var rest []string // of the row, without its first cell, in their order
	for _, p := range r.Permissions {
		cells := github.Code(p.Does())
		if r.Holds {
			beyond := "nothing"
			if i := slices.IndexFunc(r.Beyond,
				func(n rbac.Permission) bool { return n.What() == p.What() }); i >= 0 {
				beyond = github.Code(r.Beyond[i].Does())
			}
			cells += " | " + beyond
		}
		if on[cells] == nil {
			rest = append(rest, cells)
		}
		on[cells] = append(on[cells], github.Code(p.What()))
	}
	for _, cells := range rest {
		github.Row(b, strings.Join(on[cells], " "), cells)
	}
	b.WriteString("\n</details>\n\n")
}

// widened shows what a change makes possible.
func widened(b *strings.Builder, d policies.Decision) {
	if len(d.Widened) == 0 {
		return
	}
	b.WriteString("#### What becomes possible that was not\n\n")
	for _, line := range d.Widened {
		fmt.Fprintf(b, "- %s\n", github.Code(line))
	}
	b.WriteString("\n")
}

func logins(names []string, none string) string {
	var all []string
	for _, name := range names {
		all = append(all, github.Code("@"+name))
	}
	if len(all) == 0 {
		return none
	}
	return strings.Join(all, " ")
}
