package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// report is text for a terminal, collected so that there is one write to check. Every line is made plain.
type report struct{ strings.Builder }

func (r *report) line(format string, args ...any) {
	r.WriteString(plain(strings.TrimRight(fmt.Sprintf(format, args...), " ")))
	r.WriteByte('\n')
}

func (r *report) title(text string) { r.line(""); r.line("%s", text) }

func (r *report) to(w io.Writer) error {
	if _, err := io.WriteString(w, r.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// writeReport says what was decided and why: what is asked for first, then who must act, then each rule.
func writeReport(w io.Writer, f policies.Facts, d policies.Decision) error {
	var r report
	outcome := strings.ToUpper(d.Outcome.String())
	if d.Code != "" {
		outcome += " (" + string(d.Code) + ")"
	}
	r.line("%s: %s", outcome, d.Message)
	if f.PullRequest.Number > 0 {
		r.line("")
		r.line("Pull request  %s/%s#%d by %s, head %s", f.Repository.Owner, f.Repository.Name, f.PullRequest.Number,
			f.PullRequest.Author.Login, short(d.HeadSHA))
	}
	if d.Path != "" {
		r.line("File          %s", d.Path)
	}
	if d.Policy != "" {
		r.line("Policy        %s at commit %s", d.Policy, short(d.PolicyCommit))
	}
	if d.Grant != nil {
		r.grant(*d.Grant)
	}
	if d.Reason != "" {
		r.line("Reason        %s", d.Reason)
	}
	r.roles(d.Roles)
	r.list("What becomes possible that was not", d.Widened)
	r.findings(d.Findings)
	r.challenges(d.Challenges)
	if len(d.Ignored) > 0 {
		r.title("Approvals that do not count")
		for _, review := range d.Ignored {
			r.line("  %s [%s]", review.Message, review.Code)
		}
	}
	if len(d.Rules) > 0 {
		r.title("Rules, each named by its refusal")
		for _, rule := range d.Rules {
			r.line("  %-4s  %-21s %s", passed(rule.Passed), rule.Code, rule.Message)
		}
	}
	return r.to(w)
}

// grant says who would get what, where and for how long.
func (r *report) grant(g requests.Grant) {
	r.line("Requester     %s", g.Requester)
	if g.Subject.Name != "" {
		r.line("Gets access   %s %s", g.Subject.Kind, g.Subject.Name)
	}
	for i, b := range g.Bindings {
		label := "To"
		if i > 0 {
			label = ""
		}
		r.line("%-13s %s %s in namespace %s of cluster %s", label, b.Role.Kind, b.Role.Name, b.Namespace, g.Cluster)
	}
	switch {
	case !g.Window.End.IsZero():
		r.line("Window        %s to %s (%s)", g.Window.Start, g.Window.End, g.Duration)
	case g.Duration > 0:
		r.line("Window        %s from the merge on", g.Duration)
	}
}

// roles says what each role allows, the dangerous part first, and what of it its requester does not have yet.
func (r *report) roles(roles []policies.RoleView) {
	for _, v := range roles {
		var lines []string
		for _, risk := range v.Risks {
			word := "risk"
			if risk.High {
				word = "HIGH RISK"
			}
			lines = append(lines, word+": "+risk.Text)
		}
		for _, p := range v.Permissions {
			line := p.What() + ": " + p.Does()
			if v.Holds && !slices.ContainsFunc(v.Beyond, func(n policies.Permission) bool { return n.What() == p.What() }) {
				line += " (they have that already)"
			}
			lines = append(lines, line)
		}
		r.list("What "+v.Role+" allows in "+v.Namespace, lines)
	}
}

func (r *report) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	r.title(title)
	for _, line := range lines {
		r.line("  %s", line)
	}
}

func (r *report) challenges(challenges []policies.ChallengeResult) {
	if len(challenges) == 0 {
		return
	}
	r.title("Challenges")
	for _, c := range challenges {
		of := ""
		if c.Path != "" {
			of = " of " + c.Path
		}
		r.line("  %-4s  %s%s: %d of %d", passed(c.Met), c.Kind, of, len(c.Approvers), c.Count)
		if len(c.Approvers) > 0 {
			r.line("        approved by: %s", strings.Join(c.Approvers, ", "))
		}
		switch {
		case len(c.Reviewers) > 0:
			r.line("        may approve: %s", strings.Join(c.Reviewers, ", "))
		case !c.Met:
			r.line("        may approve: nobody; a change to the policy or CODEOWNERS is needed")
		}
	}
}

func (r *report) findings(findings []requests.Finding) {
	if len(findings) == 0 {
		return
	}
	r.title("Findings")
	for _, f := range findings {
		r.line("  %s", f)
	}
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
