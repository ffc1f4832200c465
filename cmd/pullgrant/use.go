package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/kube"
)

const useHelp = `Without NAME it is the one grant that lets you act as its identity on the cluster. The cluster
itself is asked first whether it does; GitHub, or the checkout that --dir names, is asked why not, and
for grants that you use as yourself.

The exit code is 1 when the grant is over or refused, and 8 when it is not there yet.`

// useOptions say which grant is used, and on which cluster.
type useOptions struct {
	show       showOptions // how its request is found; without a target none was named
	kubeconfig string
}

// use is a grant as somebody uses it.
type use struct {
	name string // of the grant
	user string // its identity, as kubectl --as has it; empty: oneself
}

// of tells whether the grant's identity is among those that the cluster lets its user act as.
func (u use) of(identities []string) bool {
	return slices.Contains(identities, requests.Grant{Name: u.name}.Identity())
}

func (o *useOptions) flags(cmd *cobra.Command) {
	o.show.flags(cmd)
	kubeconfigFlag(cmd, &o.kubeconfig)
}

func (o *useOptions) complete(cmd *cobra.Command, w world, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return o.show.complete(cmd, w, args[0])
}

// find finds a grant that lives: it is used now. Of any other it says what became of it.
func (o useOptions) find(ctx context.Context, w world) (use, error) {
	identities, clusterErr := o.identities(ctx)
	if o.show.target == (target{}) {
		if clusterErr != nil {
			return use{}, clusterErr
		}
		return only(identities)
	}
	if u := used(o.show.target.name); u.of(identities) {
		return u, nil
	}
	s, err := o.show.find(ctx, w)
	switch said := verdict(0); {
	case err != nil && (clusterErr != nil || o.show.target.name == "" || errors.As(err, &said)):
		return use{}, errors.Join(err, clusterErr)
	case err != nil:
		w.say("note: %v", err)
		w.say("grant %s: the cluster does not let you act as its identity; it ended, or waits, or is of "+
			"another cluster, or is used as yourself, without %s", o.show.target.name, program)
		return use{}, verdict(exitFailed)
	case s.Kind != policies.KindRequest || s.Grant == nil:
		return use{}, fmt.Errorf("#%d asks for no access that could be used: %s",
			s.PullRequest, s.Message)
	}
	u := used(s.Grant.Name)
	if u.of(identities) {
		return u, nil // its pull request was named
	}
	if text, exit := s.unusable(w.now()); text != "" {
		w.say("%s", text)
		return use{}, verdict(exit)
	}
	switch {
	case !s.Grant.Impersonates():
		return use{name: u.name}, nil
	case clusterErr != nil:
		return use{}, clusterErr
	}
	w.say("grant %s waits: %s does not let you act as its identity yet, or your kubeconfig is for "+
		"another cluster", u.name, s.Grant.Cluster)
	return use{}, verdict(exitPending)
}

// identities are those of grants that the user may act as on the cluster.
func (o useOptions) identities(ctx context.Context) ([]string, error) {
	config, err := clusterConfig(o.kubeconfig)
	if err != nil {
		return nil, err
	}
	if as := config.Impersonate.UserName; as != "" {
		return nil, fmt.Errorf("find the cluster: your kubeconfig acts as %s already, and "+
			"nobody can act "+
			"as two; use one that does not", as)
	}
	return kube.Identities(ctx, config)
}

// used is the grant of a name as one that has an identity of its own is used.
func used(name string) use { return use{name, requests.Grant{Name: name}.User()} }

// only is the one grant whose identity is given; a name over every limit is cut in it.
func only(identities []string) (use, error) {
	var names []string
	for _, identity := range identities {
		names = append(names, strings.TrimPrefix(identity, requests.ObjectName("", 0)))
	}
	switch len(names) {
	case 0:
		return use{}, errors.New("find a grant to use: none lets you act as its identity on " +
			"this cluster; " +
			"name the one that you mean")
	case 1:
		return used(names[0]), nil
	}
	return use{}, fmt.Errorf("find a grant to use: there are several on this cluster; name one of %s",
		strings.Join(names, ", "))
}

// unusable says why a grant cannot be used, with the exit code that goes with it; empty when, as
// far as GitHub tells, it can.
func (s shown) unusable(now time.Time) (text string, exit int) {
	name := s.Grant.Name
	switch {
	case s.Ledger != nil && s.State == requests.StateDenied:
		return fmt.Sprintf("grant %s was refused at %s (%s)", name, s.Ledger.RevokedAt, s.Code),
			exitFindings
	case s.Ledger != nil:
		return fmt.Sprintf("grant %s ended at %s (%s)", name, s.Ledger.RevokedAt,
			s.Ledger.Cause), exitFindings
	case s.State == requests.StateExpired:
		return fmt.Sprintf("grant %s ended at %s (%s)", name, s.Grant.Window.End,
			requests.CauseExpired), exitFindings
	case s.Outcome == policies.Denied:
		return fmt.Sprintf("grant %s is refused (%s): %s", name, s.Code, s.Message), exitFindings
	case s.Outcome == policies.Failed:
		return fmt.Sprintf("grant %s cannot be judged (%s): %s", name, s.Code, s.Message),
			exitFailed
	case s.Outcome == policies.Pending || s.Grant.Window.End.IsZero():
		return fmt.Sprintf("grant %s waits: %s", name, s.Message), exitPending
	case now.Before(s.Grant.Window.Start.Time):
		return fmt.Sprintf("grant %s waits: it begins at %s", name, s.Grant.Window.Start),
			exitPending
	case s.agentSaid != "" && !given(s.agentSaid):
		return fmt.Sprintf("grant %s waits: %s", name, s.agentSaid), exitPending
	}
	return "", exitDone
}

// over says that a grant ended while it was used. What cannot be asked is not said.
func (o useOptions) over(ctx context.Context, w world, u use) {
	identities, err := o.identities(ctx)
	if u.user != "" && (err != nil || u.of(identities)) {
		return
	}
	o.show.target = target{name: u.name}
	if s, err := o.show.find(ctx, w); err == nil && s.Grant != nil {
		if text, exit := s.unusable(w.now()); exit == exitFindings {
			w.say("%s", text)
			return
		}
	}
	if u.user != "" {
		w.say("grant %s ended meanwhile: the cluster does not let you act as its identity any more",
			u.name)
	}
}
