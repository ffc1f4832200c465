package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
)

// report is text for a terminal, collected so that there is one write to check. Every line is made
// plain.
type report struct {
	strings.Builder
	times func(string) string // writes the times in a text for people; nil: they stay in UTC
}

func (r *report) line(format string, args ...any) {
	r.WriteString(r.plain(format, args...))
	r.WriteByte('\n')
}

// said is a text line of words that somebody wrote, which stay as they are.
func (r *report) said(format string, args ...any) {
	as := report{}
	as.text(format, args...)
	r.WriteString(as.String())
}

func (r *report) plain(format string, args ...any) string {
	text := plain(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	if r.times != nil {
		return r.times(text)
	}
	return text
}

// text is a line that goes on in the next where a terminal may end.
func (r *report) text(format string, args ...any) {
	r.WriteString(wrap(r.plain(format, args...)))
	r.WriteByte('\n')
}

// copied is a line to be copied as it is, however long.
func (r *report) copied(format string, args ...any) {
	as := report{}
	as.line(format, args...)
	r.WriteString(as.String())
}

func (r *report) title(text string) { r.line(""); r.line("%s", text) }

func (r *report) to(w io.Writer) error {
	if _, err := io.WriteString(w, r.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// verdict is the first line: what came out, for a reader who reads no further.
func (r *report) verdict(word string, d policies.Decision) {
	if d.Code != "" {
		word += " (" + string(d.Code) + ")"
	}
	r.text("%s: %s", word, d.Message)
}

// asked says what is asked for, as far as it is known: by whom, where it stands, who would get
// what, for how long and why.
func (r *report) asked(f policies.Facts, d policies.Decision, now time.Time) {
	r.line("")
	if pr := f.PullRequest; pr.Number > 0 {
		r.text("Pull request  %s/%s#%d by %s, head %s", f.Repository.Owner, f.Repository.Name,
			pr.Number, pr.Author.Login, short(d.HeadSHA))
	}
	if d.Kind == policies.KindWithdrawal {
		r.text("Ends          the access of this request; an approval takes it away, and gives nothing")
	}
	if d.Path != "" {
		r.text("File          %s", d.Path)
	}
	if d.Policy != "" {
		r.text("%s", strings.TrimSuffix("Policy        "+d.Policy+" at commit "+
			short(d.PolicyCommit),
			" at commit "))
	}
	if d.Grant != nil {
		r.grant(*d.Grant)
		switch g, w := d.Grant, d.Grant.From(now); {
		case !g.Window.End.IsZero() || w.Empty():
		case len(g.Windows) > 0:
			r.text("              merged now, from %s until %s", w.Start, w.End)
			if cut := g.Cut(w); cut != "" {
				r.text("              %s", cut)
			}
		case g.Duration > 0 && !g.NotBefore.IsZero() && g.NotBefore.Before(now):
			r.text("              that is over; merged now, until %s", w.End)
		case g.Duration > 0:
			r.text("              merged now, until %s", w.End)
		}
	}
	r.approvers(d.Approvers)
	r.why(d)
}

// approvers say what those wrote whose reviews counted.
func (r *report) approvers(all []requests.Approver) {
	for _, a := range all {
		if a.Narrowed != "" {
			r.text("Narrowed by   @%s: %s", a.Login, a.Narrowed)
		}
		if a.Words != "" {
			r.said("Said by       @%s: %s", a.Login, a.Words)
		}
	}
}

// why says what the requester wrote of the request, for people.
func (r *report) why(d policies.Decision) {
	if d.Reason != "" {
		r.said("Reason        %s", d.Reason)
	}
	for _, field := range requests.FieldsInWords(d.Fields) {
		r.said("Field         %s", field)
	}
}

// grant says who would get what, where and for how long.
func (r *report) grant(g requests.Grant) {
	r.text("Requester     %s", g.Requester)
	if g.Behalf != "" {
		r.text("On behalf of  %s", g.Behalf)
	}
	if g.Subject.Name != "" {
		r.text("Gets access   %s %s", g.Subject.Kind, g.Subject.Name)
	}
	for _, given := range g.Gives() {
		r.text("What          %s", given)
	}
	if g.BreakGlass != nil {
		r.text("BREAK-GLASS   %s", g.BreakGlass)
	}
	if g.Extends != "" {
		r.text("Extends       %s", g.Extends)
	}
	switch {
	case !g.Window.End.IsZero():
		r.text("Window        %s to %s (%s)", g.Window.Start, g.Window.End, g.Window.Length())
	case g.Duration > 0 || !g.Until.IsZero():
		r.text("Window        %s", strings.TrimPrefix(g.When(), "for "))
	}
}

// details say what the roles allow, then who must act.
func (r *report) details(d policies.Decision) {
	for _, v := range d.Roles {
		r.view(v)
	}
	r.list("What becomes possible that was not", d.Widened)
	r.findings(d.Findings)
	r.challenges(d)
	if len(d.Ignored) > 0 {
		r.title("Approvals that do not count")
		for _, review := range d.Ignored {
			r.text("  %s [%s]", review.Message, review.Code)
		}
	}
}

// rules tells how each rule went. What refused is in the verdict.
func (r *report) rules(rules []policies.Rule) {
	if len(rules) == 0 {
		return
	}
	r.title("Rules, each named by its refusal")
	for i, rule := range rules {
		if i == 0 || rules[i-1] != rule { // several questions have one refusal
			r.line("  %-4s  %s", passed(rule.Passed), rule.Code)
		}
	}
}

// view says what a role allows, the dangerous part first, and what of it its requester does not
// have yet.
func (r *report) view(v policies.RoleView) {
	allows := " allows"
	if v.Item.Impersonates() {
		allows = ", allows" // after "used with --as"
	}
	r.title("What " + v.Item.String() + allows)
	if len(v.Also) > 0 {
		r.text("  and the same in %s", strings.Join(v.Also, ", "))
	}
	for _, risk := range v.Risks {
		word := "risk"
		if risk.High {
			word = "HIGH RISK"
		}
		r.text("  %s: %s", word, risk.Text)
	}
	if v.Catalogued && len(v.Risks) == 0 {
		r.text("  nothing in it is known to be dangerous")
	}
	if v.Note != "" {
		r.text("  note: %s", v.Note)
	}
	if !v.Holds {
		r.permissions("  ", v.Permissions)
		return
	}
	r.text("  Beyond what they have already:")
	if len(v.Beyond) == 0 {
		r.text("    nothing")
	}
	r.permissions("    ", v.Beyond)
	r.text("  In all:")
	r.permissions("    ", v.Permissions)
}

// permissions lists what may be done, and all that it may be done to, in their order.
func (r *report) permissions(indent string, all []rbac.Permission) {
	on := map[string][]string{}
	var verbs []string
	for _, p := range all {
		if on[p.Does()] == nil {
			verbs = append(verbs, p.Does())
		}
		on[p.Does()] = append(on[p.Does()], p.What())
	}
	for _, does := range verbs {
		r.text("%s%s: %s", indent, does, strings.Join(on[does], ", "))
	}
}

func (r *report) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	r.title(title)
	for _, line := range lines {
		r.text("  %s", line)
	}
}

func (r *report) challenges(d policies.Decision) {
	if len(d.Challenges) == 0 {
		return
	}
	r.title("Who must approve")
	for depth, c := range d.AllChallenges() {
		indent, of := strings.Repeat("  ", depth), ""
		if c.Path != "" && d.Kind != policies.KindRequest {
			of = " of " + c.Path
		}
		state := passed(c.Met)
		if c.Spare {
			state = "–"
		}
		from := ""
		if c.From != nil && !c.Met {
			from = ", counts from " + c.From.String() + " on"
		}
		if len(c.Replies) > 0 {
			r.text("%s  %-4s  %s%s", indent, state, c.Kind, from)
			for _, reply := range c.Replied() {
				r.text("%s        %s", indent, reply)
			}
			continue
		}
		r.text("%s  %-4s  %s%s: %d of %d%s", indent, state, c.Kind, of, c.Has(), c.Count, from)
		if len(c.Approvers) > 0 {
			r.text("%s        approved by: %s", indent, at(c.Approvers))
		}
		if !c.Met && !c.Spare && !c.Waits() && len(c.Children) == 0 {
			r.text("%s        may approve: %s", indent, cmp.Or(at(d.Remaining(c)),
				"nobody; the policy or CODEOWNERS must change"))
		}
	}
}

func (r *report) findings(findings []requests.Finding) {
	if len(findings) == 0 {
		return
	}
	r.title("Findings")
	for _, f := range findings {
		r.text("  %s", f)
	}
}

// needs is what a challenge of a decision asks for, before anybody approved.
func needs(d policies.Decision, c policies.ChallengeResult) string {
	if len(c.Children) > 0 {
		return fmt.Sprintf("%d of these %d (%s)", c.Count, len(c.Children), c.Kind)
	}
	if len(c.Replies) > 0 {
		return c.Kind + ", which no review meets"
	}
	return fmt.Sprintf("%s (%s) by %s", count(c.Count, "approval"), c.Kind,
		cmp.Or(strings.Join(d.Remaining(c), ", "), "nobody"))
}

func passed(ok bool) string {
	if ok {
		return "ok"
	}
	return "MISS"
}

// short is a commit's name as people compare it.
func short(sha string) string {
	if len(sha) > 12 {
		return sha[:12]
	}
	return sha
}
