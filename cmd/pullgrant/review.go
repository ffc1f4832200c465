package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type reviewOptions struct {
	show          showOptions
	approve, deny bool
	message       string
	yes           bool
}

func newReviewCommand(w world) *cobra.Command {
	var o reviewOptions
	cmd := &cobra.Command{
		Use:   "review NAME|NUMBER --approve|--deny -m TEXT",
		Short: "Approve a request, or deny it, with a review on GitHub",
		Long: `Show what a pull request asks for, as "show" does, and submit a GitHub review of exactly the head
that was shown: when somebody pushed meanwhile nothing is submitted. --deny requests changes, which
holds the request up; closed while that stands, it is refused for ever. Where the policy lets reviews
narrow, -m may hold a line such as "pullgrant: at most 30m".

What your review would come to is judged before, and you are told when and why it cannot count. On a
terminal you are asked whether you mean it. Elsewhere a review that counts is submitted, and one that
cannot only with --yes.

The review's address goes to stdout. The exit code is 1 when nothing was submitted.`,
		Example: `  pullgrant review 20261122-alice-inc-123 --approve
  pullgrant review 7 --approve -m "pullgrant: at most 30m"
  pullgrant review 7 --deny -m "INC-123 is closed"`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.show.complete(cmd, w, args[0]); err != nil {
				return err
			}
			switch {
			case o.show.remote.checkout.dir != "":
				return usagef(cmd, "a checkout holds no pull requests; leave out --dir")
			case o.approve == o.deny:
				return usagef(cmd, "say what you think: --approve or --deny")
			case o.deny && o.message == "":
				return usagef(cmd, "--deny needs -m: GitHub takes no such review without a text")
			}
			return submitReview(cmd.Context(), w, o)
		},
	}
	o.show.remote.flags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.approve, "approve", false, "approve what is asked for")
	flags.BoolVar(&o.deny, "deny", false, "request changes, which holds it up")
	flags.StringVarP(&o.message, "message", "m", "", "what the review says")
	flags.BoolVar(&o.yes, "yes", false, "do not ask, and submit a review that cannot count too")
	return cmd
}

func submitReview(ctx context.Context, w world, o reviewOptions) error {
	client, repo, err := o.show.remote.client(ctx, w)
	if err != nil {
		return err
	}
	login, id, err := client.User(ctx)
	if err != nil {
		return err
	}
	inside, stop := w.awaiting("GitHub")
	s, err := o.show.onGitHub(ctx, inside, client, repo)
	stop()
	if err != nil {
		return err
	}
	pull := s.facts.PullRequest
	if s.Ledger != nil || pull.Number == 0 || pull.Merged || pull.State != "open" {
		return verdictWith(w, exitFindings, "there is nothing to review any more: %s", s.Message)
	}
	s.URL = client.PullURL(pull.Number)
	talk := w
	talk.out = w.err
	if err := s.report(talk); err != nil {
		return err
	}
	me := policies.User{Login: login, ID: id, Type: "User"}
	if me.ID == pull.Author.ID {
		return verdictWith(w, exitFindings, "@%s opened the pull request, and GitHub takes no review "+
			"of one's own; nothing was submitted", login)
	}
	then, doubt, err := o.doubt(ctx, w, client, s, me)
	if err != nil {
		return err
	}
	if yes, err := o.means(ctx, w, login, doubt); err != nil {
		return err
	} else if !yes {
		return verdictWith(w, exitFindings, "nothing was submitted")
	}
	now, err := client.Standing(ctx, pull.Number)
	switch {
	case err != nil:
		return err
	case now.HeadSHA != pull.HeadSHA || now.BaseRef != pull.BaseRef || now.Merged:
		return verdictWith(w, exitFindings, "#%d changed since it was shown: head %s, and it is %s now; "+
			"nothing was submitted, look at it again", pull.Number, short(pull.HeadSHA), short(now.HeadSHA))
	}
	event := map[bool]string{true: "APPROVE", false: "REQUEST_CHANGES"}[o.approve]
	url, err := client.Review(ctx, pull.Number, pull.HeadSHA, event, o.message)
	if err != nil {
		return err
	}
	o.tell(w, then)
	_, err = fmt.Fprintln(w.out, plain(url))
	return err
}

// tell says what is to come once the review is there.
func (o reviewOptions) tell(w world, then policies.Decision) {
	switch {
	case o.deny:
		w.say("denied: it holds the pull request up until you approve it, or somebody dismisses that")
	case then.Outcome == policies.Allowed:
		w.say("approved; nobody else is asked, and it goes on once it is merged")
	default:
		w.say("approved; with that it is %s (%s): %s", then.Outcome, then.Code, then.Message)
	}
}

// doubt is what the review would come to, judged among the reviews there are, and why that is not what
// it is meant to; empty when it is.
func (o reviewOptions) doubt(ctx context.Context, w world, client *github.Client, s shown,
	me policies.User) (d policies.Decision, why string, err error) {
	now := w.now()
	f, err := client.Supposing(ctx, s.facts, o.review(s.facts.PullRequest.HeadSHA, me, now))
	if err != nil {
		return d, "", err
	}
	d = policies.Evaluate(f.Base, f, now)
	if d.Outcome == policies.Failed {
		return d, "", errors.New("tell what your review would come to: " + d.Message)
	}
	return d, o.doubtOf(w, d), nil
}

// doubtOf is why a review that is among those that were judged does not do what it is meant to.
func (o reviewOptions) doubtOf(w world, d policies.Decision) string {
	switch {
	case o.deny && d.Code == policies.ChangesRequested || o.deny && d.Outcome == policies.Denied:
		return ""
	case o.deny:
		return "the request for changes holds nothing up: only that of somebody who may write does"
	}
	if _, _, narrows, err := requests.ParseNarrowing(o.message); (narrows || err != nil) && !d.MayNarrow {
		return "the policy lets no review narrow: the approval would be one of all that is asked for, " +
			"whatever its line with \"pullgrant:\" says"
	}
	for _, a := range d.Approvers {
		if a.ReviewID == supposed {
			if a.Narrowed != "" {
				w.say("with your approval it gives: %s", strings.Join(d.Grant.Gives(), "; "))
				w.say("narrowed by you: %s", a.Narrowed)
			}
			return ""
		}
	}
	for _, ignored := range d.Ignored {
		if ignored.ReviewID == supposed && len(d.Challenges) > 0 {
			return fmt.Sprintf("%s (%s)", ignored.Message, ignored.Code)
		}
	}
	if len(d.Challenges) == 0 && d.Outcome != policies.Denied {
		return "the approval counts for nothing: the policy asks for no review"
	}
	return fmt.Sprintf("an approval changes nothing: the pull request is %s (%s): %s", d.Outcome,
		d.Code, d.Message)
}

// supposed is the number of a review that is not submitted yet: later than any that is.
const supposed = math.MaxInt64

// review is the review as it would stand among the others.
func (o reviewOptions) review(head string, me policies.User, now time.Time) policies.Review {
	r := policies.Review{ID: supposed, User: me, State: "APPROVED", CommitID: head,
		SubmittedAt: requests.At(now)}
	if o.deny {
		r.State = "CHANGES_REQUESTED"
	}
	r.Words = &policies.Words{Text: o.message}
	if len(o.message) > policies.MaxWords {
		r.Words = &policies.Words{Text: o.message[:policies.MaxWords], Cut: true}
	}
	return r
}

// means tells whether the review is to be submitted. Where nobody can be asked, one that cannot count
// needs --yes.
func (o reviewOptions) means(ctx context.Context, w world, login, doubt string) (bool, error) {
	if doubt != "" {
		w.say("WARNING: %s", doubt)
	}
	t := newTerminal(w)
	switch {
	case o.yes:
		return true, nil
	case t != nil:
		verb := map[bool]string{true: "Approve", false: "Deny"}[o.approve]
		yes, err := t.confirm(ctx, fmt.Sprintf("%s as @%s?", verb, login))
		if errors.Is(err, errStopped) {
			return false, nil
		}
		return yes, err
	case doubt != "":
		w.say("--yes submits it all the same")
	}
	return doubt == "", nil
}
