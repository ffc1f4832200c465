package main

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
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
	wish
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

The address of the pull request goes to stdout. What is missing is asked for on a terminal;
elsewhere it is an error.`,
		Example: `  pullgrant request --policy payments-debug --cluster prod-eu --duration 1h \
    --reason "INC-123, checkout is slow"
  pullgrant request --policy payments-debug --cluster prod-eu --reason "INC-123, checkout is slow" --dry-run
  pullgrant request --policy look --cluster prod-eu --role view \
    --resource Deployments/default/api --reason "INC-123, checkout is slow"
  pullgrant request --policy read-config --cluster prod-eu --reason "INC-123, checkout is slow" \
    --exec api-1 -c app --valid-for 1h -- cat '/my/app/config/*'`,
		Args: o.arguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(cmd, w); err != nil {
				return err
			}
			return request(cmd.Context(), w, o)
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
	cmd.Flags().BoolVar(&o.autoMerge, "auto-merge", true,
		"let GitHub merge as soon as everything is approved")
}

// complete asks for what is missing where a person can answer.
func (o *requestOptions) complete(cmd *cobra.Command, w world) error {
	if err := o.completeWish(cmd); err != nil {
		return err
	}
	if err := o.fields.complete(cmd); err != nil {
		return err
	}
	ask := newPrompt(w)
	o.fields.ask = ask
	for _, field := range []struct {
		flag, question string
		value          *string
	}{
		{"policy", "Policy, for example payments-debug", &o.policy},
		{"cluster", "Cluster, for example prod-eu", &o.cluster},
		{"reason", "Reason, for example INC-123, checkout is slow", &o.reason},
	} {
		if *field.value != "" {
			continue
		}
		if ask != nil {
			*field.value = ask(field.question)
		}
		if *field.value == "" {
			return usagef(cmd, "--%s is missing", field.flag)
		}
	}
	return o.check(cmd)
}

// check tells what is wrong with what was given.
func (o *requestOptions) check(cmd *cobra.Command) error {
	if _, err := requests.ParseDuration(o.duration); o.duration != "" && err != nil {
		return usagef(cmd, "--duration %q: %v", o.duration, err)
	}
	for flag, value := range map[string]string{"not-before": o.notBefore, "until": o.until} {
		if err := new(requests.Time).UnmarshalText([]byte(value)); value != "" && err != nil {
			return usagef(cmd, "--%s %q: %v", flag, value, err)
		}
	}
	if o.duration != "" && o.until != "" {
		return usagef(cmd, "--duration and --until both say when access ends; give one of them")
	}
	if problem := requests.CheckNamespaces(o.namespace); o.namespace != "" && problem != "" {
		return usagef(cmd, "--namespace %q: %s", o.namespace, problem)
	}
	for flag, value := range map[string]string{"policy": o.policy, "cluster": o.cluster,
		"slug": o.slug} {
		if problem := requests.CheckName(value); value != "" && problem != "" {
			return usagef(cmd, "--%s %q: %s", flag, value, problem)
		}
	}
	if problem := requests.CheckReason(o.reason); problem != "" {
		return usagef(cmd, "--reason %q: %s", o.reason, problem)
	}
	return nil
}

func request(ctx context.Context, w world, o requestOptions) error {
	client, _, err := o.remote.client(ctx, w)
	if err != nil {
		return err
	}
	login, _, err := client.User(ctx)
	if err != nil {
		return err
	}
	asked := o.compose(login, w.now())
	place := requests.Place{Cluster: o.cluster, Policy: o.policy, Name: asked.Metadata.Name}
	tree, err := client.Tree(ctx, "", policies.Wanted(policies.KindRequest,
		requests.Path(place.Cluster, place.Policy, place.Name)))
	if err != nil {
		return err
	}
	if asked.Spec.Subject, err = tree.Receiver(o.behalf, login, o.cluster); err != nil {
		return refused(w, policies.Refuse(policies.SubjectNotAllowed, "%v", err), "")
	}
	if policy, known, _ := tree.Policy(o.policy); known && o.extends == nil {
		o.fields.askFor(policy)
		asked.Spec.Fields = o.fields.given
	}
	used, err := client.UsedNames(ctx, tree.Commit, place)
	if err != nil {
		return err
	}
	if len(used) > 0 && o.slug == "" { // the same ticket, once more on one day
		asked.Metadata.Name += "-" + timeOfDay(w.now())
		used = nil
	}
	path := requests.Path(o.cluster, o.policy, asked.Metadata.Name)
	if d := o.fillContainer(ctx, w, tree, path, &asked); d != nil {
		return refused(w, *d, path)
	}
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
	for _, note := range notes {
		w.say("note: %s", note)
	}
	if decision.Outcome == policies.Allowed && len(used) > 0 {
		decision = policies.Refuse(policies.RequestIDReused, "the name %s is taken by %s; "+
			"choose another with --slug", asked.Metadata.Name, used[0])
	}
	if decision.Outcome != policies.Allowed || decision.Grant == nil {
		if instead := o.instead(decision.Code); instead != "" {
			defer w.say("note: %s", instead)
		}
		return refused(w, decision, path)
	}
	var r report
	r.line("%s", path)
	r.grant(*decision.Grant)
	for depth, c := range decision.AllChallenges() {
		r.text("Needs         %s%s", strings.Repeat("  ", depth), needs(c))
	}
	if err := r.to(w.err); err != nil {
		return err
	}
	if o.dryRun {
		_, err := w.out.Write(data)
		return err
	}
	if o.breakGlass && !o.meansIt(w, *decision.Grant) {
		return verdict(exitFindings)
	}
	policy, _, _ := tree.Policy(o.policy) // without findings, else the request was refused
	opened, err := client.Propose(ctx, o.proposal(asked, *decision.Grant, data, reviewers(tree,
		policy, o.cluster, login, decision.Grant.Behalf)))
	if err != nil {
		return err
	}
	for _, note := range opened.Notes {
		w.say("note: %s", note)
	}
	if _, err = fmt.Fprintln(w.out, opened.URL); err != nil {
		return err
	}
	return o.waits.after(ctx, w, o.remote, opened.Number)
}

// written is a request as its file.
func written(asked requests.AccessRequest) ([]byte, error) {
	data, err := asked.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	return append([]byte("# yaml-language-server: $schema="+
		requests.SchemaAddress(requests.KindAccessRequest)+"\n"), data...), nil
}

func timeOfDay(now time.Time) string { return now.UTC().Format("150405") }

// compose writes the request as its author would.
func (o requestOptions) compose(login string, now time.Time) requests.AccessRequest {
	now = now.UTC()
	slug := cmp.Or(o.slug, ticket(o.reason), "at-"+timeOfDay(now))
	if o.breakGlass {
		slug = requests.BreakGlassSlug + slug
	}
	r := requests.AccessRequest{APIVersion: requests.APIVersion, Kind: requests.KindAccessRequest,
		Metadata: requests.Metadata{Name: now.Format("20060102") + "-" + requests.NamePart(login) +
			"-" + slug},
		Spec: requests.RequestSpec{Cluster: o.cluster, Policy: o.policy, Requester: login,
			Namespace: o.namespace, Reason: o.reason, BreakGlass: o.breakGlass}}
	if o.extends != nil {
		r.Spec = o.extends.Spec
		r.Spec.Extends, r.Spec.Reason = o.extends.Metadata.Name, o.reason
		r.Spec.BreakGlass = false // what goes on was looked at
		r.Spec.NotBefore, r.Spec.Until = requests.Time{}, requests.Time{}
		if o.until != "" {
			r.Spec.Duration = 0
		}
	} else {
		o.fill(&r.Spec)
	}
	if o.duration != "" {
		r.Spec.Duration, _ = requests.ParseDuration(o.duration) // complete has checked it
	}
	for text, at := range map[string]*requests.Time{o.notBefore: &r.Spec.NotBefore,
		o.until: &r.Spec.Until} {
		_ = at.UnmarshalText([]byte(text)) // and these; without a text it stays zero
	}
	return r
}

// proposal is the pull request. Its text stands in a code block, where GitHub reads no mention,
// link or HTML; the title is made of checked names only.
func (o requestOptions) proposal(asked requests.AccessRequest, g requests.Grant, data []byte,
	ask reviewerList) github.Proposal {
	var facts strings.Builder
	fmt.Fprintf(&facts, "requester: %s\ngets access as: %s %s\n", g.Requester, g.Subject.Kind,
		g.Subject.Name)
	if g.Behalf != "" {
		fmt.Fprintf(&facts, "on behalf of: %s\n", g.Behalf)
	}
	for _, given := range g.Gives() {
		fmt.Fprintf(&facts, "to: %s\n", given)
	}
	if g.Extends != "" {
		fmt.Fprintf(&facts, "extends: %s\n", g.Extends)
	}
	fmt.Fprintf(&facts, "for: %s\npolicy: %s\nreason: %s\n", strings.TrimPrefix(g.When(),
		"for "), g.Policy,
		asked.Spec.Reason)
	for _, field := range requests.FieldsInWords(asked.Spec.Fields) {
		fmt.Fprintf(&facts, "field: %s\n", field)
	}
	if g.BreakGlass != nil {
		fmt.Fprintf(&facts, "break-glass: %s\n", g.BreakGlass)
	}
	fence := codeFence(facts.String())
	return github.Proposal{
		Branch:  program + "/" + g.Name,
		Files:   map[string][]byte{g.Path: data},
		Message: "Request access " + g.Name,
		Title: o.titled() + fmt.Sprintf(": %s on %s for %s, %s", g.Policy, g.Cluster, g.Requester,
			strings.TrimPrefix(g.For(), "for ")),
		Body:          fence + "text\n" + facts.String() + fence + "\n",
		Reviewers:     ask.users,
		TeamReviewers: ask.teams,
		AutoMerge:     o.autoMerge,
	}
}

var ticketPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,15}-[0-9]{1,10}\b`)

// ticket is the first word of a reason that names a ticket, such as INC-123, as a name holds it;
// empty when none does.
func ticket(reason string) string {
	for word := range strings.FieldsSeq(reason) {
		if found := ticketPattern.FindString(word); found != "" {
			return strings.ToLower(found)
		}
	}
	return ""
}
