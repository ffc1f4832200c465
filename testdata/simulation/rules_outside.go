package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// hears tells whether a service told a process something about a matter from one time to another, that
// is as fits says. Of whichever process: when none is named.
func (h history) hears(process, about string, from, to time.Time, fits func(says string) bool) bool {
	return slices.ContainsFunc(h, func(e event) bool {
		return e.heard != nil && (process == "" || e.heard.process == process) && e.heard.about == about &&
			!e.at.Before(from) && !e.at.After(to) && fits(e.heard.says)
	})
}

// saidYes: nothing that a service outside decides is given without its yes to this very question, which
// the process that gives it got for this judgement.
func saidYes(h history) (wrong []string) {
	for _, a := range h.accounts() {
		about := a.asksOutside()
		if about == "" || a.trusted {
			continue
		}
		for _, e := range a.made {
			made := e.version.made
			if e.version.process != "" && !h.hears(e.version.process, about, made.Add(-judgedBefore), made,
				func(says string) bool { return says == saysYes }) {
				wrong = append(wrong, fmt.Sprintf("%s got %s at %s, and no service told %s yes within %s: %s",
					a.name, e.version.place(), e.at, e.version.process, judgedBefore, about))
			}
		}
	}
	return wrong
}

// byService are the codes by which a service outside refuses.
var byService = []policies.Code{policies.WebhookDenied, policies.TicketNotOpen, policies.NotOnCall}

// saidNo: a service that answers nobody, half, late or something else refuses nothing. What is refused
// because of it, it told an agent itself after the merge that it is no yes.
func saidNo(h history) (wrong []string) {
	for _, a := range h.accounts() {
		about := a.asksOutside()
		entry, there := h.entry(a)
		code := policies.Code(entry.Status.Code)
		if about == "" || a.trusted || !there || entry.Status.Cause != requests.CauseDenied ||
			!slices.Contains(byService, code) && (code != policies.InsufficientApprovals || a.standing().IsZero()) {
			continue
		}
		if !h.hears("", about, a.merged, entry.Status.RevokedAt.Add(tolerated),
			func(says string) bool { return says != saysYes }) {
			wrong = append(wrong, fmt.Sprintf("%s was refused at %s, %s, and no service had told an agent "+
				"anything but yes: %s", a.name, entry.Status.RevokedAt, code, about))
		}
	}
	return wrong
}
