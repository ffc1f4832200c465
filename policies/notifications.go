package policies

import (
	"fmt"
	"slices"

	"github.com/pullgrant/pullgrant/requests"
)

// Notification has a channel be told of what becomes of a policy's requests. What a channel is, and by
// which secret it is reached, whoever runs Action and agent says; no file in git holds it.
type Notification struct {
	Channel string   `yaml:"channel" json:"channel"`
	Events  []string `yaml:"events" json:"events"`
	// how long before the end Ending is told; goes with that event alone
	EndingBefore requests.Duration `yaml:"endingBefore,omitempty" json:"endingBefore,omitzero"`
}

// Events that a channel can be told of.
const (
	NotifyRequested  = "Requested"
	NotifyApproved   = "Approved"
	NotifyGranted    = "Granted"
	NotifyEnding     = "Ending"
	NotifyEnded      = "Ended"
	NotifyRefused    = "Refused"
	NotifyWaiting    = "Waiting"
	NotifyBreakGlass = "BreakGlass"
	NotifyEscalated  = "Escalated"
)

// NotifyEvents are all of them, in the order in which they come about.
func NotifyEvents() []string {
	return []string{NotifyRequested, NotifyWaiting, NotifyEscalated, NotifyApproved, NotifyRefused,
		NotifyGranted, NotifyBreakGlass, NotifyEnding, NotifyEnded}
}

const maxNotifications = 20

var notificationFields = requests.Fields{
	"PolicySpec.notifications": {About: "Which channels are told of what becomes of requests. Who asks for " +
		"what, and gets it, is the same whatever stands here. Default: none.", Min: 1, Max: maxNotifications},
	"Notification.channel": {About: "Name of the channel; its address is a key of the agent's Secret and " +
		"of the Action's environment.", Form: requests.FormName},
	"Notification.events": {About: "Of what it is told. Requested and Escalated: by the Action; the others: by " +
		"the agent.", Min: 1, Unique: true, Form: requests.OneOf("event", NotifyEvents()...)},
	"Notification.endingBefore": {About: "How long before the end Ending is told, for example 10m. Goes with " +
		"that event, which needs it."},
}

// checkNotifications finds what is wrong with the notifications of a policy file.
func checkNotifications(d *requests.Document, all []Notification) {
	told := map[[2]string]bool{}
	for i, n := range all[:min(len(all), maxNotifications)] {
		at := fmt.Sprintf("spec.notifications[%d]", i)
		for j, event := range n.Events {
			if told[[2]string{n.Channel, event}] && !slices.Contains(n.Events[:j], event) {
				d.Check(fmt.Sprintf("%s.events[%d]", at, j), "duplicate", event, "the channel is told of it "+
					"already, by another entry")
			}
			told[[2]string{n.Channel, event}] = true
		}
		switch ending := slices.Contains(n.Events, NotifyEnding); {
		case ending && n.EndingBefore == 0:
			d.Add(at+".events", "notification", "%s needs endingBefore: how long before the end it is told, "+
				"such as 10m", NotifyEnding)
		case !ending && n.EndingBefore != 0:
			d.Add(at+".endingBefore", "notification", "endingBefore goes only with the event %s; add that, or "+
				"leave this out", NotifyEnding)
		}
	}
}

// Told are the notifications of a policy of an event.
func (s PolicySpec) Told(event string) (all []Notification) {
	for _, n := range s.Notifications {
		if slices.Contains(n.Events, event) {
			all = append(all, n)
		}
	}
	return all
}

// idleNotifications looks for events of which a channel would never be told.
func (w world) idleNotifications(d *requests.Document) {
	s := w.policy.Spec
	for i, n := range s.Notifications {
		at := fmt.Sprintf("spec.notifications[%d]", i)
		if n.EndingBefore >= s.Target.MaxDuration && n.EndingBefore > 0 {
			d.Add(at+".endingBefore", RuleNotifyIdle, "no access lasts longer than %s (maxDuration), so %s would "+
				"come with the grant or never; have it be shorter", s.Target.MaxDuration, NotifyEnding)
		}
		if at += ".events"; slices.Contains(n.Events, NotifyBreakGlass) && s.BreakGlass == nil {
			d.Add(fmt.Sprintf("%s[%d]", at, slices.Index(n.Events, NotifyBreakGlass)), RuleNotifyIdle,
				"nobody may break the glass under the policy (breakGlass), so %s is never told; leave it out",
				NotifyBreakGlass)
		}
	}
}

// AgentChannels are the channels that the agent of a cluster tells of something, sorted, each once.
// Policies that do not read have none.
func (t Tree) AgentChannels(cluster string) []string {
	byAction := []string{NotifyRequested, NotifyEscalated}
	var all []string
	for _, name := range t.PolicyNames() {
		policy, _, findings := t.Policy(name)
		if len(findings) > 0 || !slices.Contains(policy.Spec.Clusters, cluster) {
			continue
		}
		for _, n := range policy.Spec.Notifications {
			if slices.ContainsFunc(n.Events, func(e string) bool { return !slices.Contains(byAction, e) }) {
				all = append(all, n.Channel)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
