package policies

import (
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
)

// TestReply is what somebody outside of GitHub replies in a case.
type TestReply struct {
	Challenge string `yaml:"challenge" json:"challenge"`       // kind of those that ask
	Of        string `yaml:"of,omitempty" json:"of,omitempty"` // what is asked; default: all of it
	Verdict   string `yaml:"verdict" json:"verdict"`
	Text      string `yaml:"text,omitempty" json:"text,omitempty"`
}

// noReply is the word of a case for Unknown.
const noReply = "none"

var testVerdicts = []string{string(Yes), string(No), string(Waiting), noReply}

// asksOutsideKinds are the kinds of challenges that a case has replies to.
func asksOutsideKinds() (names []string) {
	for _, k := range challengeKinds() {
		if k.inquires != nil {
			names = append(names, k.name)
		}
	}
	return names
}

// reply has everybody reply who is asked outside of GitHub, or says of whom the case does not tell.
func (c TestCase) reply(f *Facts) (problem string) {
	f.Replies = Replies{}
	for _, a := range Inquiries(*f) {
		i := slices.IndexFunc(c.Replies, func(r TestReply) bool {
			return r.Challenge == a.Kind && (r.Of == "" || r.Of == a.Of)
		})
		if i < 0 {
			return fmt.Sprintf("the case does not say what %s is told about %s; add it to replies",
				a.Kind, requests.Quote(a.Of))
		}
		r := Reply{Verdict: Verdict(c.Replies[i].Verdict), Text: c.Replies[i].Text,
			At: requests.At(c.now())}
		if r.Verdict == noReply {
			r.Verdict = Unknown
		}
		f.Replies[a.Inquiry] = r
	}
	return ""
}
