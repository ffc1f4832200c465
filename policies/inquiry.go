package policies

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pullgrant/pullgrant/requests"
)

// Inquiry names one thing that a challenge asks of somebody outside of GitHub: an on-call service,
// a tracker, the cluster. It holds all of the question, so that two which are alike have one answer.
type Inquiry struct {
	Kind  string `json:"kind"`  // of the challenge
	Of    string `json:"of"`    // what is asked, as the kind writes it
	About string `json:"about"` // whom or what it is asked about
}

// Asking is an inquiry with what whoever answers may need to know.
type Asking struct {
	Inquiry
	Challenge   Challenge
	Repository  string // owner/name
	PullRequest int
	HeadSHA     string
	Merged      bool // it is asked about what would be given now
	Request     requests.AccessRequest
	Grant       requests.Grant // as far as it is known before the merge
	Requester   Identity
	Receiver    Identity // of the access; the requester, unless it is asked for on behalf of another
}

// Verdict is what came of an inquiry. The zero value says that nobody answered.
type Verdict string

// Verdicts. Only Yes meets a challenge, and Deferred as long as nothing is merged.
const (
	Unknown  Verdict = ""
	Yes      Verdict = "yes"
	No       Verdict = "no"
	Waiting  Verdict = "waiting"  // for somebody to decide; it is asked again
	Deferred Verdict = "deferred" // to the agent, which alone can ask
)

// Reply answers an inquiry. Text is free text of whoever answered, or why nobody did.
type Reply struct {
	Verdict Verdict       `json:"verdict"`
	Text    string        `json:"text,omitempty"`
	At      requests.Time `json:"at"`
}

// MaxReplyText bounds Reply.Text, in bytes.
const MaxReplyText = 300

// Replies hold what was answered. An inquiry that is not among them is Unknown, which meets nothing.
type Replies map[Inquiry]Reply

// told is an answer as JSON has it.
type told struct {
	Inquiry
	Reply
}

// MarshalJSON writes the replies in the order of what was asked.
func (r Replies) MarshalJSON() ([]byte, error) {
	all := make([]told, 0, len(r))
	for _, q := range slices.SortedFunc(maps.Keys(r), Inquiry.compare) {
		all = append(all, told{q, r[q]})
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Replies) UnmarshalJSON(data []byte) error {
	var all []told
	if err := json.Unmarshal(data, &all); err != nil || all == nil {
		return err
	}
	*r = Replies{}
	for _, one := range all {
		(*r)[one.Inquiry] = one.Reply
	}
	return nil
}

func (q Inquiry) compare(other Inquiry) int {
	return cmp.Or(cmp.Compare(q.Kind, other.Kind), cmp.Compare(q.Of, other.Of),
		cmp.Compare(q.About, other.About))
}

// Inquiries lists what judging f asks of others than GitHub, each once, in order: under the policies
// of now and, once merged, under those before the merge. Nothing that the pull request itself changes
// decides over whom to ask. f.Replies is not read.
func Inquiries(f Facts) (all []Asking) {
	trees := []Tree{f.Base}
	if f.Merge != nil {
		trees = append(trees, f.Merge.FirstParent)
	}
	asked := map[Inquiry]Asking{}
	for _, tree := range trees {
		j := newJudge(tree, f, f.ObservedAt.Time)
		if j.decision.Kind != KindRequest || !asksOutside(j.world.policy.Spec.Challenges) {
			continue
		}
		// nobody is asked about what is refused anyway
		if j.beforeApproval(); j.stopped {
			continue
		}
		for _, c := range j.conditions() {
			for _, a := range j.world.inquiriesOf(c, j.tally(nil)) {
				asked[a.Inquiry] = a
			}
		}
	}
	return slices.SortedFunc(maps.Values(asked), func(a, b Asking) int {
		return a.Inquiry.compare(b.Inquiry)
	})
}

// asksOutside tells whether one of some challenges, or of what they are made of, asks outside of
// GitHub.
func asksOutside(challenges []Challenge) bool {
	return slices.ContainsFunc(challenges, func(c Challenge) bool {
		kind, _ := c.kind()
		return kind.inquires != nil || asksOutside(c.Challenges)
	})
}

// inquiriesOf are those of a condition and of what it is made of.
func (w world) inquiriesOf(c condition, t tally) (all []Asking) {
	kind, ok := c.kind()
	if !ok {
		return nil
	}
	if kind.inquires != nil {
		all = kind.inquires(w, c, t)
	}
	for _, part := range c.Challenges {
		all = append(all, w.inquiriesOf(condition{part, c.path}, t)...)
	}
	return all
}

// asks is an inquiry of a challenge about a request.
func (t tally) asks(c condition, of, about string) Asking {
	a := t.request
	a.Challenge, a.Inquiry = c.Challenge, Inquiry{Kind: c.Kind, Of: of, About: about}
	return a
}

// replied is how a challenge stands that is met outside of GitHub: everything that it asks must be
// answered with Yes (R85). It has no moment of its own: it holds now or not, and in an order it holds
// since the request was pushed.
func replied(w world, f Facts, c condition, t tally) ChallengeResult {
	kind, _ := c.kind()
	result := ChallengeResult{Kind: c.Kind, Count: 1, Met: true, metAt: t.pushed, refusal: kind.refusal}
	all := kind.inquires(w, c, t)
	if len(all) == 0 {
		result.Met = false
		result.Replies = []ReplyResult{{Text: "there is nothing to ask about"}}
	}
	for _, a := range all {
		r := f.Replies[a.Inquiry]
		switch {
		case r.Verdict == Deferred && f.PullRequest.Merged:
			r = Reply{Text: "only the agent can ask; what it was told is in the ledger"}
		case r.At.Sub(t.judged).Abs() > maxReplyAge:
			r = Reply{Text: "nobody was asked"}
		}
		if t.hoped && r.Verdict == Unknown {
			r.Verdict = Yes
		}
		result.Replies = append(result.Replies, ReplyResult{Of: a.Of, About: a.About, Verdict: r.Verdict,
			Text: r.Text})
		result.Met = result.Met && (r.Verdict == Yes || r.Verdict == Deferred)
		result.refused = result.refused || r.Verdict == No
	}
	return result
}

// maxReplyAge is the most that may lie between a reply and the judgement that rests on it.
const maxReplyAge = 5 * time.Minute

// ReplyResult is a reply as a decision shows it. Of, About and Text are free texts, to be escaped at
// every sink.
type ReplyResult struct {
	Of      string  `json:"of"`
	About   string  `json:"about"`
	Verdict Verdict `json:"verdict,omitempty"`
	Text    string  `json:"text,omitempty"`
}

// String is a reply in words.
func (r ReplyResult) String() string {
	verdict := map[Verdict]string{Unknown: "no answer", Yes: "yes", No: "no",
		Waiting: "still to be decided", Deferred: "checked in the cluster at grant time"}[r.Verdict]
	text := fmt.Sprintf("%s: %s", r.Of, verdict)
	if r.About != "" {
		text = fmt.Sprintf("%s for %s: %s", r.Of, r.About, verdict)
	}
	if r.Text != "" {
		text += " (" + r.Text + ")"
	}
	return text
}

// blame is the refusal of a challenge that no review can meet; empty where one can, or where waiting
// helps.
func blame(challenges []ChallengeResult, needed int) Code {
	met, codes := 0, []Code{}
	for _, c := range challenges {
		switch {
		case c.Met:
			met++
		case len(c.Children) > 0:
			codes = append(codes, blame(c.Children, c.Count))
		case c.refused:
			codes = append(codes, c.refusal)
		default:
			codes = append(codes, "")
		}
	}
	codes = slices.DeleteFunc(codes, func(c Code) bool { return c == "" })
	if open := len(challenges) - met; len(codes) > 0 && met+open-len(codes) < needed {
		return codes[0]
	}
	return ""
}

// couldBe tells whether everything would be met if whoever did not answer had said yes.
func (j *judge) couldBe(conditions []condition, t tally) bool {
	t.hoped = true
	return !slices.ContainsFunc(conditions, func(c condition) bool {
		result, _ := j.world.stands(j.facts, c, t)
		return !result.Met
	})
}

// outsideLacks is the refusal of a request that lacks something, and whose approvals are not what it
// lacks: somebody outside of GitHub said no, or after the merge did not answer, which is tried again.
func (j *judge) outsideLacks(conditions []condition, t tally) Code {
	all := j.decision.Challenges
	code := blame(all, len(all))
	if code == "" && j.facts.PullRequest.Merged && j.couldBe(conditions, t) {
		return EvaluationError
	}
	return code
}

// asking is what is asked for, as far as it is known.
func (j *judge) asking() Asking {
	a := Asking{PullRequest: j.facts.PullRequest.Number, HeadSHA: j.facts.PullRequest.HeadSHA,
		Merged: j.facts.PullRequest.Merged, Request: j.request}
	if r := j.facts.Repository; r.Name != "" {
		a.Repository = r.Owner + "/" + r.Name
	}
	if j.decision.Grant != nil {
		a.Grant = *j.decision.Grant
	}
	a.Requester, _ = j.world.identities.find(j.request.Spec.Requester)
	a.Receiver, _, _ = j.world.identities.receiver(j.request.Spec)
	return a
}

// Replied is each reply of a challenge in words: free text, to be escaped at every sink.
func (c ChallengeResult) Replied() (all []string) {
	for _, r := range c.Replies {
		all = append(all, r.String())
	}
	return all
}
