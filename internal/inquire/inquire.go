// Package inquire has those answer whom a judgement asks outside of GitHub. What cannot be had is told
// as such in the reply, never as an error and never as a yes: it meets no challenge, and holds nothing
// else up.
package inquire

import (
	"context"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// Timeout bounds the wait for one reply.
const Timeout = 10 * time.Second

// maxAtOnce bounds how many are asked beside each other.
const maxAtOnce = 4

// Answerer has somebody answer an inquiry; what it returns needs no time. It ends when ctx does.
type Answerer func(ctx context.Context, a policies.Asking) policies.Reply

// Answerers are those that can be asked, by the kind of the challenge.
type Answerers map[string]Answerer

// Fill asks all that judging f needs told by others than GitHub, and notes the replies in f. now is
// the clock.
func (all Answerers) Fill(ctx context.Context, f *policies.Facts, now func() time.Time) {
	f.Replies = nil
	asked := policies.Inquiries(*f)
	if len(asked) == 0 {
		return
	}
	replies := make([]policies.Reply, len(asked))
	slots := make(chan struct{}, maxAtOnce)
	var group sync.WaitGroup
	for n, a := range asked {
		slots <- struct{}{} // in their order, not in that of the goroutines
		group.Go(func() {
			defer func() { <-slots }()
			replies[n] = all.ask(ctx, a)
			replies[n].At = requests.At(now())
		})
	}
	group.Wait()
	f.Replies = policies.Replies{}
	for n, a := range asked {
		f.Replies[a.Inquiry] = replies[n]
	}
}

func (all Answerers) ask(ctx context.Context, a policies.Asking) policies.Reply {
	answer, ok := all[a.Kind]
	if !ok {
		return policies.Reply{Text: "it is not set up here to ask"}
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	r := answer(ctx, a)
	r.Text = Words(r.Text)
	return r
}

// WithoutCluster are those that the Action and the command line can ask: what only the cluster knows
// is left to the agent.
func WithoutCluster() Answerers {
	return Answerers{policies.RBACAuthorization: deferred}
}

// deferred leaves an inquiry to the agent, which alone can ask.
func deferred(context.Context, policies.Asking) policies.Reply {
	return policies.Reply{Verdict: policies.Deferred}
}

// Unknown is the reply when nobody answers, and why.
func Unknown(err error) policies.Reply { return policies.Reply{Text: err.Error()} }

// Words are what somebody else wrote, in one line of bounded size without characters that are none.
func Words(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	for len(text) > policies.MaxReplyText {
		text = strings.ToValidUTF8(text[:policies.MaxReplyText-len("…")], "") + "…"
	}
	return text
}
