package action

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"github.com/pullgrant/pullgrant/internal/checks"
	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/internal/notify"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

// channelsOf are the channels whose addresses the workflow gives; given says which hosts of one's own
// they may lead to. One of no use is told in the log: it keeps nobody from having a verdict.
func channelsOf(a *githubactions.Action, given checks.Config) *notify.Channels {
	text := strings.TrimSpace(a.GetInput("channels"))
	if text == "" {
		return nil
	}
	addresses := map[string]string{}
	for n, line := range strings.Split(text, "\n") {
		name, address, ok := strings.Cut(strings.TrimSpace(line), " ")
		switch address = strings.TrimSpace(address); {
		case name == "":
		case !ok || requests.CheckName(name) != "": // it may be the address, and is not shown
			a.Warningf("input channels, line %d: write the channel's name, a space and its address", n+1)
		default:
			if a.Getenv("GITHUB_ACTIONS") == "true" { // elsewhere nobody swallows the line
				a.AddMask(address)
			}
			addresses[name] = address
		}
	}
	channels, err := notify.Open(addresses, notify.Config{Hosts: given.Hosts, CA: given.CA, Clock: given.Clock})
	if err != nil {
		a.Warningf("%v", err)
	}
	return channels
}

// maxTelling bounds how long the channels of a request may take together.
const maxTelling = 30 * time.Second

// tellChannels has the channels that the policy names told of a request, and of a call for its review,
// each once for the pull request, or the call: the mark is set before they are told, so that whoever
// judges it at the same time tells nobody, and a channel that fails is not told again. Nothing of that
// changes the verdict.
func (v verdict) tellChannels(ctx context.Context, a *githubactions.Action, client sources) {
	d := v.decision
	waits := d.Outcome == policies.Pending && d.Code != policies.DraftPullRequest
	if d.Kind != policies.KindRequest || d.Grant == nil || !waits && d.Outcome != policies.Allowed {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, maxTelling)
	defer cancel()
	v.tellOnce(ctx, a, client, policies.NotifyRequested, func() (bool, error) {
		return client.MarkTold(ctx, v.number)
	})
	if !waits {
		return
	}
	v.tellOnce(ctx, a, client, policies.NotifyEscalated, func() (bool, error) {
		last, err := client.Escalated(ctx, v.number, v.author)
		if err != nil || last.Comment == 0 {
			return false, err
		}
		return client.MarkEscalationTold(ctx, last.Comment)
	})
}

// tellOnce tells the channels of an event when first says that nobody has.
func (v verdict) tellOnce(ctx context.Context, a *githubactions.Action, client sources, event string,
	first func() (bool, error)) {
	var names []string
	for _, n := range v.policy.Told(event) {
		if slices.Contains(client.channels.Names(), n.Channel) {
			names = append(names, n.Channel)
		} else {
			a.Noticef("%s: the channel %s is not told: the input channels has no address for it", v.name(), n.Channel)
		}
	}
	if len(names) == 0 {
		return
	}
	switch is, err := first(); {
	case err != nil:
		v.untold(a, fmt.Errorf("nobody is told that it was %s: %w", strings.ToLower(event), err))
		return
	case !is:
		return
	}
	for _, name := range names {
		if err := client.channels.Send(ctx, name, v.message(a, event)); err != nil {
			v.untold(a, err)
		}
	}
}

// untold tells in log and summary of what could not be told elsewhere.
func (v verdict) untold(a *githubactions.Action, err error) {
	a.Warningf("%s: the verdict stands, but %v", v.name(), err)
	if a.Getenv("GITHUB_STEP_SUMMARY") != "" {
		a.AddStepSummary(fmt.Sprintf("%s: the verdict stands, but %s", v.name(), github.Code(err.Error())))
	}
}

// message is what the channels are told.
func (v verdict) message(a *githubactions.Action, event string) notify.Message {
	d, g := v.decision, v.decision.Grant
	m := notify.Message{Event: event, Cluster: g.Cluster, Policy: g.Policy, Request: g.Name, Requester: g.Requester,
		URL:    fmt.Sprintf("%s/%s/pull/%d", a.Getenv("GITHUB_SERVER_URL"), a.Getenv("GITHUB_REPOSITORY"), v.number),
		Reason: d.Reason, Happened: strings.Join(g.Gives(), "; "),
		Next: "it is merged, then the agent gives access"}
	if w := g.From(v.at); !w.Empty() {
		m.Happened += fmt.Sprintf(", for %s", w.Length())
	}
	if g.Behalf != "" { // first, since what is too long is cut
		m.Happened = "on behalf of " + g.Behalf + ", " + m.Happened
	}
	if d.Outcome != policies.Pending {
		return m
	}
	for _, c := range d.AllChallenges() {
		if c.Met || c.Spare || c.Waits() || len(c.Children) > 0 || len(c.Replies) > 0 {
			continue
		}
		for _, who := range d.Remaining(c) {
			if !slices.Contains(m.Who, who) {
				m.Who = append(m.Who, who)
			}
		}
	}
	m.Next = "look at it, then pullgrant review " + g.Name + " --approve, or on GitHub"
	return m
}
