package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type showOptions struct {
	remote remote
	target target
	agent  int64 // number of the App whose comments are the agent's; 0: not known
	output *format
}

func newShowCommand(w world) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show NAME|NUMBER",
		Short: "Show one request: what it gives, to whom, until when, and who must act",
		Long: `Show how far a request has come and what it gives: while its pull request is open,
while it is live, and after it ended. NAME is the request's name or file, NUMBER its pull request's.
It is judged now, by the code of the Action and the agent. Whether its agent has given access is what
the agent says on the pull request, and nobody else is believed: whose comments are the agent's says
--agent-app-id, else ` + rulesetFile + ` of the access repository.

GitHub is asked, and by name once for each open pull request: a number is faster. With --dir a
checkout is read instead, as it stands at HEAD: it holds what is live and what has ended, but no
approvals, and the times in it are those that commits claim.

The exit code is 0 when the request is allowed, live, or has ended as it should; 8 when approvals
are missing; 1 when it is denied, or over without a ledger entry; 3 when it cannot be found or told.`,
		Example: `  pullgrant show 20261122-alice-inc-123
  pullgrant show 7 --repo acme/access
  pullgrant show 20261122-alice-inc-123 --dir ../access -o json | jq .state`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, w, args[0]); err != nil {
				return err
			}
			return show(cmd.Context(), w, o)
		},
	}
	o.flags(cmd)
	o.output = outputFlag(cmd, shown{}, asName)
	return cmd
}

func (o *showOptions) flags(cmd *cobra.Command) {
	o.remote.flags(cmd)
	o.agentFlag(cmd)
}

// complete reads which request is asked about, and where.
func (o *showOptions) complete(cmd *cobra.Command, w world, named string) error {
	if err := o.completeAgent(cmd, w); err != nil {
		return err
	}
	var ok bool
	switch o.target, ok = parseTarget(named); {
	case !ok:
		return usagef(cmd, "%q is neither the name of a request, such as "+
			"20261122-alice-inc-123, nor its file, nor a pull request's number", named)
	case o.remote.checkout.dir != "" && o.remote.repo != "":
		return usagef(cmd, "--dir reads a checkout and --repo asks GitHub; give one of them")
	case o.remote.checkout.dir != "" && o.target.number > 0:
		return usagef(cmd, "a checkout holds no pull requests; leave out --dir, or name "+
			"the request")
	}
	return nil
}

// target is what is asked about: a pull request by its number, else a request by its name.
type target struct {
	number  int
	name    string
	cluster string // empty: any
}

func parseTarget(text string) (target, bool) {
	if number, err := strconv.Atoi(strings.TrimPrefix(text, "#")); err == nil {
		return target{number: number}, number > 0
	}
	if place, ok := placeOf(text); ok {
		return target{name: place.Name, cluster: place.Cluster}, true
	}
	_, ok := requests.SplitPath(requests.Path("any", "any", text))
	return target{name: text}, ok
}

// placeOf reads the path of a request or of a ledger entry.
func placeOf(path string) (requests.Place, bool) {
	if place, ok := requests.SplitPath(path); ok {
		return place, true
	}
	return requests.SplitRevocationPath(path)
}

// is tells whether the file at path is the request or its ledger entry.
func (t target) is(path string) bool {
	place, ok := placeOf(path)
	return ok && place.Name == t.name && (t.cluster == "" || place.Cluster == t.cluster)
}

// leadsTo tells whether the path is the request, its ledger entry, or a folder in which one may be.
func (t target) leadsTo(path string) bool {
	parts := strings.Split(path, "/")
	day, _, _ := strings.Cut(t.name, "-")
	switch {
	case len(parts) > 3:
		return t.is(path)
	case parts[0] != requests.Folder && parts[0] != requests.RevocationsFolder, len(parts) > 1 &&
		t.cluster != "" && parts[1] != t.cluster:
		return false
	}
	return len(parts) < 3 || parts[0] == requests.Folder || parts[2] == day
}

// shown is how far a request has come; of a pull request of another kind, what came of judging it.
type shown struct {
	State       string           `json:"state,omitempty"` // of a request; empty when it cannot be told
	PullRequest int              `json:"pullRequest,omitempty"`
	URL         string           `json:"url,omitempty"`    // of the pull request
	Ledger      *requests.Status `json:"ledger,omitempty"` // once it has ended
	policies.Decision
	facts     policies.Facts // zero when no pull request was asked about
	agentSaid string         // on the pull request; empty when nobody knows
	byHand    string         // who has to merge it; empty: GitHub does, or the agent
}

func show(ctx context.Context, w world, o showOptions) error {
	s, err := o.find(ctx, w)
	if err != nil {
		return err
	}
	err = o.output.print(w, printed{value: s, names: s.names(),
		people: func(bool) error { return s.report(w) }})
	if err != nil {
		return err
	}
	return verdictOf(s.Outcome)
}

// names are the request's own; a pull request that asks for no access has none.
func (s shown) names() []string {
	if place, ok := placeOf(s.Path); ok {
		return []string{place.Name}
	}
	return nil
}

func (o showOptions) find(ctx context.Context, w world) (shown, error) {
	if o.remote.checkout.dir != "" {
		return o.inCheckout(ctx, w)
	}
	client, repo, err := o.remote.client(ctx, w)
	if err != nil {
		return shown{}, err
	}
	w, stop := w.awaiting("GitHub")
	defer stop()
	if err := o.knowAgent(ctx, client); err != nil {
		return shown{}, err
	}
	s, err := o.onGitHub(ctx, w, client, repo)
	if s.PullRequest > 0 {
		s.URL = client.PullURL(s.PullRequest)
	}
	return s, err
}

func (s shown) report(w world) error {
	r := w.forPeople()
	word := s.State
	if word == "" {
		word = s.Outcome.String()
	}
	r.verdict(strings.ToUpper(word), s.Decision)
	if s.URL != "" {
		r.line("%s", s.URL)
	}
	r.asked(s.facts, s.Decision, w.now())
	if s.Grant != nil && (s.Outcome == policies.Allowed || s.Outcome == policies.Pending) &&
		s.Ledger == nil && s.Kind != policies.KindWithdrawal {
		for _, command := range s.Grant.Commands(nil) {
			r.copied("Used by       %s", command)
		}
		for _, i := range s.Grant.Items {
			if i.Exec != nil && i.Exec.Deployment != "" {
				r.text("Where POD is  one of deployment %s; its agent names one on the pull request, and "+
					"\"%s\" all", i.Exec.Deployment, s.Grant.Using("kubectl auth can-i --list -n "+
					i.Namespace))
			}
		}
	}
	if s.Ledger != nil {
		r.ended(*s.Ledger)
	}
	r.details(s.Decision)
	return r.to(w.out)
}

// ended says what the ledger tells of who ended it, the pull request and its approvals. Nobody has
// checked the entry's signature.
func (r *report) ended(status requests.Status) {
	switch {
	case status.EndedBy != nil:
		r.text("Ended by      %s", status.EndedBy)
	case requests.ByAPerson(status.Cause):
		r.text("Ended by      not known")
	case status.Cause == requests.CauseBindingDeleted:
		r.text("Ended by      only the audit log of the cluster tells who deleted its binding")
	}
	if status.Uses != nil {
		r.text("Commands      %s", status.Uses)
		for _, use := range status.Uses.First {
			r.text("  %s", use)
		}
	}
	if by := status.RefusedBy; by != nil {
		r.text("Refused by    @%s at %s", by.Login, by.Time)
		r.said("              %s", by.Words)
	}
	if status.PullRequest > 0 {
		r.text("Pull request  #%d", status.PullRequest)
	}
	if status.Evidence == requests.EvidenceBranch {
		r.text("Approved by   nobody: the branch was trusted")
	}
	for _, a := range status.Approvers {
		r.text("Approved by   @%s at %s", a.Login, a.Time)
	}
	r.text("Signature     not checked; \"%s audit --allowed-signers FILE\" checks it", program)
}
