package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pullgrant/pullgrant/internal/github"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type requestOptions struct {
	remote    remote
	policy    string
	cluster   string
	namespace string
	duration  string
	notBefore string
	until     string
	reason    string
	slug      string
	dryRun    bool
	autoMerge bool
	behalf    string // login of who is to receive the access; empty: the requester
	// of a cluster whose pods tell their default containers
	kubeconfig string
	extends    *requests.AccessRequest // what it goes on from, and is like; nil: nothing
	fields     fieldValues
	breakGlass bool // before anybody looks at it
	yes        bool // nobody is asked whether they mean that
	waits      waitOptions
	again      bool // although the same is asked for already
	suggested  reviewerList
	wish

	terminal *terminal // nil: nobody is there to answer
	answered bool      // a question
	client   *github.Client
	login    string // of whoever the client's token belongs to
	typedAs  string // how the user names this program
}

func newRequestCommand(w world) *cobra.Command {
	var o requestOptions
	cmd := &cobra.Command{
		Use:   "request [flags] [-- COMMAND ARGUMENT...]",
		Short: "Ask for access: open a pull request",
		Long: `Write an access request, check it against the policies on the default branch with the
code that CI uses, open a pull request for it and ask those to review it who may approve. You are
whoever the GitHub token belongs to.

What a request may pick, its policy says: the namespace, one of several roles, some of its grants,
single objects, or a command to run in a pod, as kubectl exec has it. An object is written as
KIND/NAME, KIND/NAMESPACE/NAME, /CLUSTER/KIND/NAMESPACE/NAME, or as Teleport has it,
/TELEPORT/KIND/CLUSTER/NAMESPACE/NAME; a kind may stand in any case, singular, plural or shortened.
A namespace such as 'team-*' or '^team-[a-z]+$' stands for those of the policy that match, at most
20, and so does one in an object's place.

The address of the pull request goes to stdout. On a terminal you choose what is missing from what
you may ask for, and are asked once before anything is opened; elsewhere it is an error that names
what there is. An open request of yours for the same is shown instead of asking twice.

The exit code is 1 when the policies would deny it, or you have the access already; with --wait it is
that of "pullgrant wait", 8 when nobody has approved in time.`,
		Example: `  pullgrant request --policy payments-debug --cluster prod-eu --duration 1h \
    --reason "INC-123, checkout is slow"
  pullgrant request --policy payments-debug --cluster prod-eu --reason "INC-123, checkout is slow" --dry-run
  pullgrant request --policy look --cluster prod-eu --role view \
    --resource Deployments/default/api --reason "INC-123, checkout is slow"
  pullgrant request --policy read-config --cluster prod-eu --reason "INC-123, checkout is slow" \
    --exec api-1 -c app --valid-for 1h -- cat '/my/app/config/*'`,
		Args: o.arguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd, w)
		},
	}
	o.askFlags(cmd)
	cmd.Flags().StringVar(&o.notBefore, "not-before", "", "start, not before the merge, in UTC, for "+
		"example 2026-11-23T08:00:00Z (default: the merge)")
	o.proposeFlags(cmd)
	o.waits.flags(cmd, w)
	return cmd
}

// askFlags are those of whatever asks for access.
func (o *requestOptions) askFlags(cmd *cobra.Command) {
	o.remote.flags(cmd)
	o.wish.flags(cmd)
	o.fields.flag(cmd)
	flags := cmd.Flags()
	// kube-request-access calls it so.
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.Replace(name, "valid-for", "duration", 1))
	})
	flags.StringVar(&o.policy, "policy", "",
		"policy to ask under: a file of policies/ without .yaml")
	flags.StringVar(&o.cluster, "cluster", "", "cluster to get access to")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace, or a pattern of those "+
		"of the policy, such as 'team-*' (default: the policy's)")
	flags.StringVar(&o.duration, "duration", "", "how long from the start on, for example 30m "+
		"or 2h; also --valid-for (default: the policy's)")
	flags.StringVar(&o.until, "until", "", "end in UTC, instead of a duration, for example "+
		"2026-11-23T18:00:00Z")
	flags.StringVar(&o.behalf, "for", "", "GitHub login of the person who is to receive the access, "+
		"where the policy lets you ask on their behalf (default: you)")
	flags.StringVar(&o.reason, "reason", "", "why, in one line; approvers and auditors read it")
	kubeconfigFlag(cmd, &o.kubeconfig)
	flags.StringVar(&o.slug, "slug", "", "last part of the request's name (default: a ticket in "+
		"the reason, else the time)")
}

func (o *requestOptions) proposeFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false,
		"print the file and what it would grant; open nothing")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask before the pull request is opened")
	cmd.Flags().BoolVar(&o.again, "again", false,
		"ask although you have asked for the same already")
	o.suggested.flag(cmd)
	cmd.Flags().BoolVar(&o.autoMerge, "auto-merge", true,
		"let GitHub merge as soon as everything is approved")
}

// complete reads what was given.
func (o *requestOptions) complete(cmd *cobra.Command, now time.Time) error {
	if err := o.completeWish(cmd); err != nil {
		return err
	}
	if err := o.fields.complete(cmd); err != nil {
		return err
	}
	if err := o.suggested.complete(cmd); err != nil {
		return err
	}
	return o.check(cmd, now)
}

// check tells what is wrong with what was given. A start that is over holds in a request that was
// written before it, and means the merge there; who asks now means something else.
func (o *requestOptions) check(cmd *cobra.Command, now time.Time) error {
	if _, err := requests.ParseDuration(o.duration); o.duration != "" && err != nil {
		return usagef(cmd, "--duration %q: %v", o.duration, err)
	}
	for _, given := range [][2]string{{"not-before", o.notBefore}, {"until", o.until}} {
		flag, value := given[0], given[1]
		if err := new(requests.Time).UnmarshalText([]byte(value)); value != "" && err != nil {
			return usagef(cmd, "--%s %q: %v", flag, value, err)
		}
	}
	var start requests.Time
	if _ = start.UnmarshalText([]byte(o.notBefore)); o.notBefore != "" && !now.Before(start.Time) {
		return usagef(cmd, "--not-before %s: that is over; access begins at the merge, so leave it "+
			"out or name a later time", start)
	}
	if o.duration != "" && o.until != "" {
		return usagef(cmd, "--duration and --until both say when access ends; give one of them")
	}
	if problem := requests.CheckNamespaces(o.namespace); o.namespace != "" && problem != "" {
		return usagef(cmd, "--namespace %q: %s", o.namespace, problem)
	}
	for _, given := range [][2]string{{"policy", o.policy}, {"cluster", o.cluster}, {"slug", o.slug}} {
		flag, value := given[0], given[1]
		if problem := requests.CheckName(value); value != "" && problem != "" {
			return usagef(cmd, "--%s %q: %s", flag, value, problem)
		}
	}
	if problem := requests.CheckReason(o.reason); o.reason != "" && problem != "" {
		return usagef(cmd, "--reason %q: %s", o.reason, problem)
	}
	return nil
}

func request(ctx context.Context, w world, o requestOptions) error {
	if err := o.connect(ctx, w); err != nil {
		return err
	}
	client, login := o.client, o.login
	terminal := w
	w, stop := w.awaiting("GitHub")
	defer stop()
	asked := o.compose(login, w.now())
	path := requests.Path(o.cluster, o.policy, asked.Metadata.Name)
	tree, err := client.Tree(ctx, "", policies.Wanted(policies.KindRequest, path))
	if err != nil {
		return err
	}
	if o.behalf != "" { // what goes on says for whom
		asked.Spec.Subject, err = tree.Receiver(o.behalf, login, o.cluster)
	}
	if err != nil {
		return refused(w, policies.Refuse(policies.SubjectNotAllowed, "%v", err), "")
	}
	if d := o.fillContainer(ctx, w, tree, path, &asked); d != nil {
		return refused(w, *d, path)
	}
	taken, err := o.name(ctx, tree, &asked, w.now())
	if err != nil {
		return err
	}
	path = requests.Path(o.cluster, o.policy, asked.Metadata.Name)
	data, err := written(asked)
	if err != nil {
		return err
	}
	file := policies.NewTreeFile(policies.PlainFile, "", data, int64(len(data)))
	known, notes, err := client.Asker(ctx, tree, path)
	if err != nil {
		return err
	}
	known.ObservedAt = requests.At(w.now())
	decision := policies.Ask(tree, path, file, known)
	if decision.Outcome == policies.Allowed { // else nobody needs to know what there is already
		more, err := client.Beside(ctx, &known, file, w.now())
		if err != nil {
			return err
		}
		notes = append(notes, more...)
		decision = policies.Ask(tree, path, file, known)
	}
	stop()
	w = terminal
	for _, note := range notes {
		w.say("note: %s", note)
	}
	if decision.Outcome == policies.Allowed && len(taken) > 0 {
		decision = policies.Refuse(policies.RequestIDReused, "the name %s is taken by %s; "+
			"choose another with --slug", asked.Metadata.Name, taken[0])
	}
	if held, has := policies.Has(tree, path, file, known); has {
		return o.sayHeld(w, held, decision)
	}
	if decision.Outcome != policies.Allowed || decision.Grant == nil {
		err := refused(w, decision, path)
		for _, note := range []string{o.instead(decision.Code), o.meant(ctx, w, tree, decision)} {
			if note != "" {
				w.say("note: %s", note)
			}
		}
		return err
	}
	if !o.dryRun && !o.again && !o.breakGlass {
		open, there, err := o.askedAlready(ctx, tree, *decision.Grant, w.now())
		if err != nil {
			return err
		}
		if open != nil {
			if err := o.showOpen(w, *open, *there, *decision.Grant); err != nil {
				return err
			}
			return o.waits.after(ctx, w, o.remote, open.Number)
		}
	}
	var r report
	r.line("%s", path)
	r.grant(*decision.Grant)
	for depth, c := range decision.AllChallenges() {
		r.text("Needs         %s%s", strings.Repeat("  ", depth), needs(decision, c))
	}
	r.risks(decision)
	if err := r.to(w.err); err != nil {
		return err
	}
	if o.dryRun {
		_, err := w.out.Write(data)
		return err
	}
	if yes, err := o.agreed(ctx, w, *decision.Grant); err != nil || !yes {
		return cmp.Or[error](err, verdict(exitFindings))
	}
	policy, _, _ := tree.Policy(o.policy) // without findings, else the request was refused
	ask := reviewers(tree, policy, o.cluster, login, decision.Grant.Behalf)
	more, left := o.suggested.besides(ask, tree.Owner, *decision.Grant)
	for _, note := range left {
		w.say("note: %s", note)
	}
	number, err := propose(ctx, w, client, o.proposal(asked, *decision.Grant, data, ask, more))
	if err != nil {
		return err
	}
	return o.waits.after(ctx, w, o.remote, number)
}

// connect is done once: it finds the access repository, and who is asking.
func (o *requestOptions) connect(ctx context.Context, w world) (err error) {
	if o.client != nil {
		return nil
	}
	if o.client, _, err = o.remote.client(ctx, w); err != nil {
		return err
	}
	o.login, _, err = o.client.User(ctx)
	return err
}
