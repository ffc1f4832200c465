package ledger

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

// Message tells what happened in words of a fixed vocabulary: names, logins and times, never the
// reason or any other text somebody wrote (G8). The trailers stand together at its end, those of
// one grant after those of another, each group beginning with Pullgrant-Event, which is what git
// interpret-trailers reads.
func Message(cluster string, entries []Entry) string {
	if len(entries) == 0 {
		return ""
	}
	var subject string
	var lines, trailers []string
	for _, e := range entries {
		subject = title(e)
		lines = append(lines, sentence(e))
		trailers = append(trailers, e.trailers()...)
	}
	if len(entries) > 1 {
		subject = fmt.Sprintf("Revoke %d grants of %s", len(entries), cluster)
		for i, e := range entries {
			lines[i] = title(e) + "\n  " + lines[i]
		}
	}
	return paragraphs(subject, lines, trailers)
}

func paragraphs(subject string, lines, trailers []string) string {
	return subject + "\n\n" + strings.Join(lines, "\n") + "\n\n" +
		strings.Join(trailers, "\n") + "\n"
}

func title(e Entry) string {
	g := e.Record.Grant
	switch {
	case e.Discard:
		return "Discard " + g.Path + ": the name is used"
	case e.Record.Cause == requests.CauseDenied:
		return "Refuse " + g.Name + ": " + e.Record.Code
	}
	return "Revoke " + g.Name + ": " + e.Record.Cause
}

func sentence(e Entry) string {
	g, r := e.Record.Grant, e.Record
	if e.Discard {
		return "A request is granted at most once, and " + e.Holder +
			" has the name; ask again under a new one."
	}
	text := askedFor(g) + "; "
	if !r.EverGranted() {
		verb := "refused"
		if r.Cause != requests.CauseDenied {
			verb = "ended"
		}
		return text + "never granted, " + verb + " at " + r.EndedAt.String() + by(r) + "."
	}
	return fmt.Sprintf("%sgranted from %s to %s, ended at %s%s.", text, g.Window.Start,
		g.Window.End, r.EndedAt, by(r))
}

// askedFor says who asked for a grant, and who approved that.
func askedFor(g requests.Grant) string {
	text := "Asked for under policy " + g.Policy
	if requests.CheckLogin(g.Requester) == "" {
		text = "@" + g.Requester + " asked under policy " + g.Policy
	}
	if g.Evidence.PullRequest != 0 {
		text += fmt.Sprintf(" in #%d", g.Evidence.PullRequest)
	}
	var approvers []string
	for _, a := range g.Evidence.Approvers {
		approvers = append(approvers, "@"+a.Login)
	}
	text += ", approved by " + cmp.Or(strings.Join(approvers, ", "), "nobody")
	if g.Evidence.Source == requests.EvidenceBranch {
		text += " as far as is known, for the branch was trusted"
	}
	return text
}

// by says who ended it, and nothing of an end that is nobody's doing.
func by(r plan.Record) string {
	switch {
	case !requests.ByAPerson(r.Cause):
		return ""
	case r.EndedBy == requests.Person{}:
		return ", by whom is not known"
	}
	return " by " + r.EndedBy.String()
}

func (e Entry) trailers() []string {
	g, r := e.Record.Grant, e.Record
	out := []string{"Pullgrant-Event: revoked", "Pullgrant-Cause: " + cmp.Or(r.Cause,
		requests.CauseDenied), "Pullgrant-Request: " + g.Path}
	out = append(out, origin(g)...)
	if r.EverGranted() {
		out = append(out, window(g)...)
	}
	if !e.Discard {
		out = append(out, "Pullgrant-Revoked-At: "+r.EndedAt.String())
	}
	if by := r.EndedBy; by.ID != 0 && requests.ByAPerson(r.Cause) {
		out = append(out, "Ended-by: "+strings.TrimSpace(fmt.Sprintf("%s (%d)", by.Login, by.ID)))
	}
	return append(out, approvals(g)...)
}

// origin, window and approvals are the trailers that each commit about a grant has.
func origin(g requests.Grant) (out []string) {
	if g.Evidence.PullRequest != 0 {
		out = append(out, fmt.Sprintf("Pullgrant-Pull-Request: %d", g.Evidence.PullRequest))
	}
	if g.Evidence.MergeCommit != "" {
		out = append(out, "Pullgrant-Merge-Commit: "+g.Evidence.MergeCommit)
	}
	return out
}

func window(g requests.Grant) []string {
	return []string{"Pullgrant-Granted-At: " + g.Window.Start.String(),
		"Pullgrant-Expires-At: " + g.Window.End.String()}
}

func approvals(g requests.Grant) (out []string) {
	for _, a := range g.Evidence.Approvers {
		out = append(out, fmt.Sprintf("Approved-by: %s (%d)", a.Login, a.ID))
	}
	return out
}
