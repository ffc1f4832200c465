package audit

import (
	"fmt"

	"github.com/pullgrant/pullgrant/requests"
)

// Held is how sure it is that somebody had access.
type Held string

// Degrees of it.
const (
	Had        Held = "yes"        // the ledger says so, or its agent told that it began
	IfApproved Held = "ifApproved" // it has not ended; whether it was approved a checkout cannot tell
	NotKnown   Held = "notKnown"
)

// Holding is a request whose access a moment or a stretch of time met, or may have.
type Holding struct {
	Row
	Held Held   `json:"held"`
	Why  string `json:"why,omitempty"` // it is not known
	// Can is what of it lets its holder do what was asked about, in words.
	Can []string `json:"can,omitempty"`
}

// Hold tells whether the row's access met the span. refused is why the policies at HEAD do not
// allow a request that has not ended; empty: they do.
func (s Span) Hold(r Row, refused string) (h Holding, ok bool) {
	h = Holding{Row: r, Held: Had}
	if !s.Meets(r) || !r.Ended.IsZero() && r.From.IsZero() {
		return h, false
	}
	switch {
	case r.Proof == requests.Unproven:
		h.doubt("no agent signed for its entry in the ledger")
	case !r.Ended.IsZero():
	case r.Granted != nil && s.Since.Before(r.Until.Time):
	case refused != "":
		h.doubt("it has not ended, and the policies at HEAD do not allow it: %s", refused)
	case r.From.IsZero():
		h.doubt("it has not ended, and when it begins is not known")
	case !s.Since.IsZero() && !s.Since.Before(r.Until.Time):
		h.doubt("its time was over at %s, and the ledger has no entry yet", r.Until)
	default:
		h.Held = IfApproved
	}
	return h, true
}

func (h *Holding) doubt(format string, args ...any) {
	h.Held, h.Why = NotKnown, fmt.Sprintf(format, args...)
}

// Answer narrows a holding to those who could do what a question is about. ok is false where they
// surely could not.
func (h Holding) Answer(can []string, why string) (_ Holding, ok bool) {
	switch h.Can = can; {
	case len(can) == 0 && why == "":
		return h, false
	case len(can) == 0 && h.Held != NotKnown:
		h.Held, h.Why = NotKnown, why
	}
	return h, true
}
