package messages

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/plan"
)

const (
	// Late is how long a merged request may be neither granted nor refused before that is told, as
	// the alert PullgrantRequestsWait has it.
	Late = 3 * time.Minute
	// causeWait is how long an end waits to be told for its cause, which may have to be asked for.
	causeWait = time.Minute
)

// news is one thing to tell of a request.
type news struct {
	event    string    // of policies.NotifyEvents
	mark     string    // by which it is known that it was told; empty: the event
	at       time.Time // when it came about
	happened string
	next     string   // what is to be done, and may be empty
	who      []string // must do it
}

// newsOf are what a record tells by now, in the order in which it came about. What was granted and
// is over by now is over, and nothing else. next is the request that goes on from it; empty: none.
func newsOf(r plan.Record, next string, now time.Time) []news {
	g := r.Grant
	switch {
	case r.Phase == plan.Ending, r.Phase == plan.Ended && r.Cause == "" &&
		now.Sub(r.EndedAt.Time) < causeWait:
		return nil // until that is done, and known
	case r.Phase == plan.Ended && r.Cause == requests.CauseDenied:
		return []news{refusedNews(r)}
	case r.Phase == plan.Ended:
		return []news{endedNews(r, next)}
	}
	begun := g.Window.Start.Time
	all := []news{{event: policies.NotifyApproved, at: begun, happened: approvedText(g, now)}}
	if no := r.Refused; r.Phase == plan.Granting && no != nil && now.Sub(no.Since.Time) >= Late {
		all = append(all, waitingNews(no.Since.Time, policies.Code(no.Code)))
	}
	if r.Phase != plan.Granted {
		return all
	}
	all = append(all, news{event: policies.NotifyGranted, at: begun, happened: grantedText(g),
		next: "to give it back earlier, kubectl pullgrant drop " + g.Name})
	if b := g.BreakGlass; b != nil {
		all = append(all, news{event: policies.NotifyBreakGlass, at: begun,
			happened: fmt.Sprintf("Nobody looked at it before. %s It is to be answered for within %s.",
				grantedText(g), b.ReviewWithin),
			next: answer + g.Name, who: b.Owners})
	}
	return all
}

// answer is how break-glass is answered for, before its name.
const answer = "once it is over, kubectl pullgrant breakglass review "

// waitingNews tells that a merged request waits for too long, since when, and why where a code says
// that.
func waitingNews(since time.Time, code policies.Code) news {
	n := news{event: policies.NotifyWaiting, at: since.Add(Late),
		happened: "It is merged, and neither granted nor refused since " +
			moment(requests.At(since)),
		next: "whoever looks after the agent sees what is in the way; it is tried again"}
	if code != "" {
		n.happened += ", " + string(code)
		n.next += ". " + code.Help()
	}
	n.happened += "."
	return n
}

// overdueNews tells that nobody has answered for break-glass in time.
func overdueNews(d policies.Debt) news {
	return news{event: policies.NotifyBreakGlass, mark: policies.NotifyBreakGlass + " overdue",
		at: d.Spec.DueAt.Time, happened: fmt.Sprintf("Nobody has answered for it, and it was due at %s. "+
			"Until somebody does, %s, nor does anybody under the policy.", moment(d.Spec.DueAt),
			d.Spec.KeptBack(func(login string) string { return login })),
		next: answer + d.Metadata.Name, who: d.Spec.Owners}
}

// endingNews tells that access is about to end, once that is nearer than a channel asks for. A grant
// that is no longer than that was told its end when it began.
func endingNews(r plan.Record, n policies.Notification, now time.Time) (one news, due bool) {
	w, before := r.Grant.Window, time.Duration(n.EndingBefore)
	at := w.End.Add(-before)
	if r.Phase != plan.Granted || !slices.Contains(n.Events, policies.NotifyEnding) ||
		!at.After(w.Start.Time) || now.Before(at) || !now.Before(w.End.Time) {
		return news{}, false
	}
	one = news{event: policies.NotifyEnding, mark: policies.NotifyEnding + " " + n.Channel, at: at,
		happened: fmt.Sprintf("%s ends at %s, in %s.", access(r.Grant), moment(w.End),
			w.End.Sub(now).Round(time.Second))}
	if r.Grant.BreakGlass == nil {
		one.next = "to have it longer, kubectl pullgrant extend " + r.Grant.Name
	}
	return one, true
}

// extensions are, by name of a request, what goes on from it, as far as that is approved. What gives
// access to somebody else follows it, and its own ends all the same.
func extensions(records []plan.Record) map[string]string {
	all, whose := map[string]string{}, map[string]requests.Subject{}
	for _, r := range records {
		whose[r.Grant.Name] = r.Grant.Subject
	}
	for _, r := range records {
		subject, there := whose[r.Grant.Extends]
		if there && subject == r.Grant.Subject && slices.Contains([]plan.Phase{plan.Scheduled,
			plan.Granting, plan.Granted}, r.Phase) {
			all[r.Grant.Extends] = r.Grant.Name
		}
	}
	return all
}

func approvedText(g requests.Grant, now time.Time) string {
	text := "It is merged and granted next, until "
	if now.Before(g.Window.Start.Time) {
		text = "It is merged, and access begins at " + moment(g.Window.Start) + ", until "
	}
	text += moment(g.Window.End)
	if g.Behalf != "" {
		text += ", for " + g.Behalf
	}
	var by []string
	for _, a := range g.Evidence.Approvers {
		by = append(by, a.Login)
	}
	if len(by) > 0 {
		text += ", approved by " + strings.Join(by, ", ")
	}
	return text + "."
}

// access names who has it where that is not whoever asked, whom every message names.
func access(g requests.Grant) string {
	if g.Behalf != "" {
		return "Access of " + g.Behalf
	}
	return "Access"
}

// maxGives bounds what is named of all that is given.
const maxGives = 3

func grantedText(g requests.Grant) string {
	gives := g.Gives()
	if more := len(gives) - maxGives; more > 0 {
		gives = append(gives[:maxGives:maxGives], fmt.Sprintf("%d more", more))
	}
	text := fmt.Sprintf("%s until %s, %s, to %s.", access(g), moment(g.Window.End), g.Window.Length(),
		strings.Join(gives, "; "))
	if g.Extends != "" {
		text += " It goes on from " + g.Extends + "."
	}
	return text
}

// causes has the words for every one of requests.Causes, and for what is not known.
var causes = map[string]string{
	requests.CauseExpired:           "its time was over",
	requests.CauseRelinquished:      "it was given back",
	requests.CauseRevoked:           "it was revoked",
	requests.CauseBindingDeleted:    "somebody deleted its binding in the cluster",
	requests.CauseSubjectRemoved:    "the one who had it may not have it any more",
	requests.CausePolicyChanged:     "its policy does not allow it any more",
	requests.CauseRoleChanged:       "its role was changed in the cluster",
	requests.CauseNamespaceReplaced: "its namespace was replaced",
	requests.CauseExecUsed:          "its command was used",
	requests.CauseDenied:            "it was refused",
	"":                              "its request is off the branch",
}

func endedNews(r plan.Record, next string) news {
	text := access(r.Grant) + " ended at "
	if !r.EverGranted() {
		text = "It was over before access began, at "
	}
	text += moment(r.EndedAt) + ", " + causes[r.Cause]
	if by := r.EndedBy; by.Login != "" {
		text += fmt.Sprintf(", by %s in pull request %d", by.Login, by.PullRequest)
	}
	text += "."
	if next != "" && r.Cause == requests.CauseExpired {
		text += " It goes on as " + next + "."
	}
	return news{event: policies.NotifyEnded, at: r.EndedAt.Time, happened: text}
}

func refusedNews(r plan.Record) news {
	code := policies.Code(r.Code)
	n := news{event: policies.NotifyRefused, at: r.EndedAt.Time,
		happened: fmt.Sprintf("It was refused at %s, %s.", moment(r.EndedAt), code),
		next:     "ask again under a new name; what to do first: " + code.Help()}
	if by := r.RefusedBy; by != nil {
		n.happened = by.Login + " requested changes, and it was closed with that. It is refused for ever."
		n.next = "ask again under a new name"
	}
	return n
}

// moment is a time as people read it.
func moment(t requests.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
