package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/requests"
)

type whyOptions struct {
	remote     remote
	cluster    string
	reason     string
	kubeconfig string
	hook       string
	output     *format
}

func newWhyCommand(w world) *cobra.Command {
	var o whyOptions
	cmd := &cobra.Command{
		Use:   "why [MESSAGE...]",
		Short: "From Forbidden to a request: which policy would allow it, with the command to paste",
		Long: `Read what kubectl printed when the API server said Forbidden, and name the policies under
which you may ask for what was forbidden, cheapest first: fewest approvals, then what gives least, then what
ends soonest. The message is the arguments, what is piped in, or what a hook of your shell keeps of
the last kubectl:

  eval "$(pullgrant why --hook bash)"        # in ~/.bashrc; zsh in ~/.zshrc
  pullgrant why --hook fish | source         # in ~/.config/fish/config.fish

The cluster is the one that --cluster names, the only one of the policies, or the one named like
the current context of your kubeconfig. On a terminal you are asked whether to go on with the first.

The exit code is 1 when no policy under which you may ask would allow it.`,
		Example: `  kubectl get pods -n payments 2>&1 | pullgrant why --reason "INC-123, checkout is slow"
  pullgrant why
  pullgrant why 'pods is forbidden: User "alice" cannot list resource "pods" in API group "" at the cluster scope'`,
		Args: arguments(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("hook") {
				return o.printHook(cmd, w)
			}
			text, from, err := forbiddenText(w, args)
			if err != nil {
				return err
			}
			forbidden := requests.ParseForbidden(text)
			if len(forbidden) == 0 {
				return notForbidden(cmd, text, from)
			}
			if problem := requests.CheckReason(o.reason); o.reason != "" && problem != "" {
				return usagef(cmd, "--reason %q: %s", o.reason, problem)
			}
			return o.run(cmd, w, forbidden)
		},
	}
	o.remote.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.cluster, "cluster", "", "cluster that said so (default: see above)")
	flags.StringVar(&o.reason, "reason", "", "reason to fill in, in one line")
	kubeconfigFlag(cmd, &o.kubeconfig)
	flags.StringVar(&o.hook, "hook", "", "print the hook for a shell: "+strings.Join(hookShells(), ", "))
	o.output = outputFlag(cmd, answer{}, asName)
	return cmd
}

// notForbidden says what is missing in a text without a message, and how to come by one.
func notForbidden(cmd *cobra.Command, text, from string) error {
	hint := ""
	if first, _, _ := strings.Cut(strings.TrimSpace(text)+" ", " "); first == "no" {
		hint = "; \"kubectl auth can-i\" does not say what it was asked: run the command itself"
	}
	return usagef(cmd, "%s holds no message such as 'pods is forbidden: User \"alice\" cannot list "+
		"resource \"pods\" in API group \"\" in the namespace \"payments\"'%s", from, hint)
}

func (o whyOptions) run(cmd *cobra.Command, w world, forbidden []requests.Forbidden) error {
	ctx := cmd.Context()
	client, tree, err := o.remote.tree(ctx, w)
	if err != nil {
		return err
	}
	login, _, err := client.User(ctx)
	if err != nil {
		return err
	}
	cluster, err := clusterMeant(cmd, o.cluster, o.kubeconfig, clustersOf(tree))
	if err != nil {
		return err
	}
	_, stop := w.awaiting("GitHub")
	offered, notes, err := client.Offered(ctx, tree, login)
	stop()
	if err != nil {
		return err
	}
	for _, note := range notes {
		w.say("note: %s", note)
	}
	a := answer{Forbidden: forbidden, Cluster: cluster, Ways: []way{}}
	var nearest nearMisses
	var ways []policies.Way
	for _, name := range tree.PolicyNames() {
		policy, _, broken := tree.Policy(name)
		if len(broken) > 0 {
			continue
		}
		l := attempt{tree, policy, cluster, login, slices.Contains(offered, name), forbidden}
		if found, ok, why := l.way(); ok {
			ways = append(ways, found)
		} else {
			nearest.add(l, why)
		}
	}
	policies.SortWays(ways)
	for _, found := range ways {
		found.Spec.Reason = o.reason
		policy, _, _ := tree.Policy(found.Spec.Policy)
		found.Spec.Fields = unsaidFields(policy)
		a.Ways = append(a.Ways, newWay(found, tree.Approvals(policy, cluster),
			newAsking(o.remote, found.Spec), cmd.Root().CommandPath()))
	}
	if len(ways) == 0 {
		a.Nearest, a.Owners = nearest.first(3), tree.Owners(policies.Path("any"))
	}
	return o.tell(ctx, w, cmd, a)
}

// tell says what was found and, where a person can answer, goes on with the first.
func (o whyOptions) tell(ctx context.Context, w world, cmd *cobra.Command, a answer) error {
	var names []string
	for _, one := range a.Ways {
		names = append(names, one.Policy)
	}
	err := o.output.print(w, printed{value: a, names: names,
		people: func(bool) error { return a.report(w, cmd.Root().CommandPath()) }})
	if err != nil {
		return err
	}
	if len(a.Ways) == 0 {
		return verdict(exitFindings)
	}
	if t := newTerminal(w); t != nil && o.output.value == asTable {
		return goOn(ctx, cmd, a.Ways[0].asking, t)
	}
	return nil
}

// goOn asks for the first way, as its command would, if the person wants that.
func goOn(ctx context.Context, cmd *cobra.Command, first asking, t *terminal) error {
	yes, err := t.confirm(ctx, "Ask for the first now?")
	if errors.Is(err, errStopped) || err == nil && !yes {
		return nil
	}
	if err != nil {
		return err
	}
	root := cmd.Root()
	root.SetArgs(first.args())
	return root.ExecuteContext(ctx)
}

// attempt is one policy as somebody may ask under it for what was forbidden.
type attempt struct {
	tree      policies.Tree
	policy    policies.AccessPolicy
	cluster   string
	login     string
	offered   bool
	forbidden []requests.Forbidden
}

// way is the cheapest request, if it is offered to them on the cluster.
func (l attempt) way() (found policies.Way, ok bool, why policies.Decision) {
	if !l.offered || !slices.Contains(l.policy.Spec.Clusters, l.cluster) {
		return found, false, why
	}
	return l.tree.Way(l.policy, l.cluster, l.login, l.forbidden)
}

// on tells whether the policy would allow it on a cluster, whoever may ask.
func (l attempt) on(cluster string, forbidden []requests.Forbidden) bool {
	_, ok, _ := l.tree.Way(l.policy, cluster, l.login, forbidden)
	return ok && slices.Contains(l.policy.Spec.Clusters, cluster)
}
