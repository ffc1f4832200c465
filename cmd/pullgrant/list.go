package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type listOptions struct {
	show                     showOptions
	mine, waiting, live, all bool
	output                   *format
}

func newListCommand(w world) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your requests, those that wait for you, and what is live",
		Long: `List the requests that you asked for or receive the access of, and those whose pull request waits for
your approval; with --all also what everybody else has. A flag leaves only what it names, two what
either names. Each is judged now, as "show" does, by the same calls; GitHub is asked once more for
each open pull request. merged means that nobody says that access was given: whose comments are the
agent's says --agent-app-id, else ` + rulesetFile + `.

The exit code is 3 when one of them could not be told; the others are listed all the same.`,
		Example: `  pullgrant list
  pullgrant list --waiting -o wide
  pullgrant list --all -o json | jq '.items[] | select(.live)'`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.show.completeAgent(cmd, w); err != nil {
				return err
			}
			if !o.mine && !o.waiting && !o.live {
				o.mine, o.waiting, o.live = true, true, true
			}
			return list(cmd.Context(), w, o)
		},
	}
	o.show.flags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.mine, "mine", false, "what you asked for, or receive the access of")
	flags.BoolVar(&o.waiting, "waiting", false, "what waits for your approval")
	flags.BoolVar(&o.live, "live", false, "what is live: of yours, of everybody's with --all")
	flags.BoolVar(&o.all, "all", false, "also what is live of everybody else")
	o.output = outputFlag(cmd, policies.RequestList{}, asWide, asName)
	return cmd
}

func list(ctx context.Context, w world, o listOptions) error {
	client, _, err := o.show.remote.client(ctx, w)
	if err != nil {
		return err
	}
	inside, stop := w.awaiting("GitHub")
	defer stop()
	if err := o.show.knowAgent(ctx, client); err != nil {
		return err
	}
	l := lister{w: inside, o: o, client: client}
	rows, err := l.find(ctx)
	if err != nil {
		return err
	}
	l.judge(ctx, rows)
	stop()
	for _, r := range rows {
		if r.PullRequest > 0 {
			r.URL = client.PullURL(r.PullRequest)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r *listed) bool {
		return r.err == nil && !o.wants(r.ListedRequest)
	})
	slices.SortStableFunc(rows, func(a, b *listed) int { return a.order(b) })
	if err := o.write(w, rows); err != nil {
		return err
	}
	for _, r := range rows {
		if r.err != nil {
			w.say("note: %s: %v", r.Name, r.err)
			err = verdict(exitFailed)
		}
	}
	return err
}

// wants tells whether a request is among those to list.
func (o listOptions) wants(r policies.ListedRequest) bool {
	return o.mine && r.Mine || o.waiting && r.WaitingForMe || o.live && r.Live && (r.Mine || o.all)
}

// listed is one request, found on the default branch or in a pull request.
type listed struct {
	policies.ListedRequest
	path      string
	approvals []policies.Approval // that the policy asks for
	receivers policies.Approval   // those whom the policy lets others ask for
	asked     bool                // whoever asks was asked for a review, which is still missing
	shown     shown
	err       error // why it could not be judged
}

// order has what waits for whoever asks come first, then what is open, then what ends soonest.
func (r *listed) order(other *listed) int {
	first := func(a, b bool) int {
		switch {
		case a == b:
			return 0
		case a:
			return -1
		}
		return 1
	}
	return cmp.Or(first(r.WaitingForMe, other.WaitingForMe), first(!r.Live, !other.Live),
		first(r.Mine, other.Mine), r.EndsAt.Compare(other.EndsAt.Time),
		cmp.Compare(r.PullRequest, other.PullRequest), strings.Compare(r.Name, other.Name))
}

type lister struct {
	w      world
	o      listOptions
	client *github.Client
	login  string
	people policies.IdentityMap
	tree   policies.Tree
	inTeam map[string]bool
}

// find finds the requests that may be meant, without judging them.
func (l *lister) find(ctx context.Context) (rows []*listed, err error) {
	if l.login, _, err = l.client.User(ctx); err != nil {
		return nil, err
	}
	wanted := policies.Wanted(policies.KindChange, "")
	l.tree, err = l.client.Tree(ctx, "", func(path string) bool {
		return wanted(path) || path == requests.Folder || strings.HasPrefix(path, requests.Folder+"/")
	})
	if err != nil {
		return nil, err
	}
	l.people, _ = policies.ParseIdentities(policies.IdentitiesPath,
		[]byte(l.tree.Files[policies.IdentitiesPath].Content))
	if l.o.mine || l.o.live {
		rows = l.onBranch()
	}
	if !l.o.mine && !l.o.waiting {
		return rows, nil
	}
	open, err := l.client.OpenRequests(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		r := l.row(p.Path, p.Author.Login)
		r.PullRequest, r.Mine = p.Number, strings.EqualFold(p.Author.Login, l.login)
		mayApprove, err := l.mayApprove(ctx, r, p.Asked)
		if err != nil {
			return nil, err
		}
		r.WaitingForMe = mayApprove && !r.Mine
		mine := l.o.mine && r.Mine
		if l.o.mine && !mine { // only its file tells for whom it is
			if mine, err = l.among(ctx, r.receivers); err != nil {
				return nil, err
			}
		}
		if mine || r.WaitingForMe && l.o.waiting {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// onBranch are the requests on the default branch that are meant.
func (l *lister) onBranch() (rows []*listed) {
	mine := revokeOptions{subject: l.login}
	for path, file := range l.tree.Files {
		if _, ok := requests.SplitPath(path); !ok {
			continue
		}
		request, _ := requests.ParseRequest(path, []byte(file.Content))
		r := l.row(path, request.Spec.Requester)
		r.Live, r.Mine = true, mine.means(path, []byte(file.Content), l.people)
		if r.Mine || l.o.live && l.o.all {
			rows = append(rows, r)
		}
	}
	return rows
}

func (l *lister) row(path, requester string) *listed {
	place, _ := requests.SplitPath(path)
	r := &listed{path: path}
	r.ListedRequest = policies.ListedRequest{Name: place.Name, Cluster: place.Cluster,
		Policy: place.Policy, Requester: requester, State: policies.StageUnknown, Gives: []string{}}
	if policy, known, findings := l.tree.Policy(place.Policy); known && len(findings) == 0 {
		r.approvals = l.tree.Approvals(policy, place.Cluster)
		r.receivers.People, r.receivers.Teams = l.tree.Receivers(policy)
	}
	return r
}

// mayApprove tells whether whoever asks was asked for a review, or is among those who may approve.
func (l *lister) mayApprove(ctx context.Context, r *listed, asked []string) (bool, error) {
	var err error
	if r.asked, err = l.among(ctx, policies.Approval{People: asked}); r.asked || err != nil {
		return r.asked, err
	}
	return l.amongAny(ctx, r.approvals)
}

func (l *lister) amongAny(ctx context.Context, all []policies.Approval) (bool, error) {
	for _, a := range all {
		if may, err := l.among(ctx, a); may || err != nil {
			return may, err
		}
	}
	return false, nil
}

// among tells whether whoever asks can meet a challenge, or a part of it.
func (l *lister) among(ctx context.Context, a policies.Approval) (bool, error) {
	for _, part := range a.All() {
		for _, name := range slices.Concat(part.People, part.Teams) {
			if !strings.Contains(name, "/") {
				if strings.EqualFold(name, l.login) {
					return true, nil
				}
				continue
			}
			in, known := l.inTeam[name]
			if !known {
				var err error
				if in, err = l.client.InTeam(ctx, policies.AboutMember(name, l.login)); ctx.Err() != nil {
					return false, ctx.Err()
				} else if err != nil {
					l.w.say("note: what waits for %s may be missing: %v", name, err)
				}
				if l.inTeam == nil {
					l.inTeam = map[string]bool{}
				}
				l.inTeam[name] = in
			}
			if in {
				return true, nil
			}
		}
	}
	return false, nil
}

// judge judges requests, some at a time: each waits for GitHub most of its time.
func (l *lister) judge(ctx context.Context, rows []*listed) {
	const together = 4
	turns := make(chan struct{}, together)
	var all sync.WaitGroup
	for _, r := range rows {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if r.Live {
				r.shown, r.err = l.o.show.onBranch(ctx, l.w, l.client, l.tree, r.path)
			} else {
				r.shown, r.err = judged(ctx, l.w, l.client, r.PullRequest)
			}
		})
	}
	all.Wait()
	for _, r := range rows {
		if r.err != nil {
			continue
		}
		r.tell(l.w)
		if g := r.shown.Grant; g != nil && strings.EqualFold(g.Behalf, l.login) {
			r.Mine, r.WaitingForMe = true, false // nor do they approve what they receive
		}
		if r.WaitingForMe {
			r.WaitingForMe, r.err = l.waits(ctx, r)
		}
	}
}

// waits tells whether the approval of whoever asks is still missing.
func (l *lister) waits(ctx context.Context, r *listed) (bool, error) {
	if r.shown.Outcome != policies.Pending || slices.ContainsFunc(r.shown.Approvers,
		func(a requests.Approver) bool { return strings.EqualFold(a.Login, l.login) }) {
		return false, nil
	}
	if r.asked {
		return true, nil
	}
	return l.amongAny(ctx, unmet(r.approvals, r.shown.Decision))
}

// unmet are those of a policy's challenges that the decision says are not met yet.
func unmet(approvals []policies.Approval, d policies.Decision) (all []policies.Approval) {
	for i, a := range approvals {
		if i >= len(d.Challenges) || !d.Challenges[i].Met {
			all = append(all, a)
		}
	}
	return all
}
