package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pullgrant/pullgrant/internal/audit"
	"github.com/pullgrant/pullgrant/policies"
	"github.com/pullgrant/pullgrant/policies/rbac"
	"github.com/pullgrant/pullgrant/requests"
	"github.com/pullgrant/pullgrant/sync/ledger"
)

type whoOptions struct {
	checkout    checkout
	signers     string
	at          string
	filter      auditFilter
	can         string // verb
	subresource string
	question    *audit.Question // nil: who had anything
	output      *format
}

func newWhoCommand(w world) *cobra.Command {
	var o whoOptions
	cmd := &cobra.Command{
		Use:   "who [--at TIME | --since TIME --until TIME] [--can VERB RESOURCE[/NAME]]",
		Short: "Show who had what at a moment, or who could do something",
		Long: `Read from the ledger and the open requests of a checkout who had access at a moment, or at
some time between two, without asking anybody. Access holds from its beginning on and no longer at
the moment when it really ended. TIME is as for audit, without --at it is now.

--can asks who could use a verb on a resource, as "kubectl auth can-i" does: by the rules that the
role had in the catalogue, or that the grant itself gave, at the commit that the request was judged
by. Where the rules are not known, that is said of each grant; nothing is left out for it. What
people may do without pullgrant is not in the repository and not in the answer.

A request that has not ended is shown apart, unless its agent told that access began: that its
approvals hold only that agent knows.
The exit code is 1 when a file of the ledger is broken.`,
		Example: `  pullgrant who --at "2026-11-22 08:30"
  pullgrant who --at "2h ago" --cluster prod-eu
  pullgrant who --can delete secrets/stripe -n payments --since 7d
  pullgrant who --can create pods --subresource exec --at now -o json`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd, w, args); err != nil {
				return err
			}
			return who(w, o)
		},
	}
	o.checkout.flag(cmd)
	cmd.Flags().StringVar(&o.signers, "allowed-signers", "", "file with the public keys of the agents")
	cmd.Flags().StringVar(&o.at, "at", "", "the moment (default: now)")
	o.filter.span(cmd, "instead of --at: any access that was going on")
	cmd.Flags().StringVarP(&o.filter.Namespace, "namespace", "n", "", "only in this namespace")
	cmd.Flags().StringVar(&o.filter.Cluster, "cluster", "", "only on this cluster")
	cmd.Flags().StringVar(&o.can, "can", "", "only who could use this verb on RESOURCE")
	cmd.Flags().StringVar(&o.subresource, "subresource", "", "of RESOURCE, such as log or exec")
	o.output = outputFlag(cmd, []audit.Holding{}, asWide, asName)
	return cmd
}

// complete reads when and what is asked about.
func (o *whoOptions) complete(cmd *cobra.Command, w world, args []string) error {
	spans := o.filter.since != "" || o.filter.until != ""
	switch {
	case o.at != "" && spans:
		return usagef(cmd, "--at is one moment, and --since and --until are many; give one of them")
	case o.can != "" && len(args) == 0:
		return usagef(cmd, "--can %q: on what? name a resource, such as secrets or secrets/stripe",
			o.can)
	case o.can == "" && len(args) > 0:
		return usagef(cmd, "what is asked about %q? give --can VERB", args[0])
	case o.can == "" && o.subresource != "":
		return usagef(cmd, "--subresource is of the resource of --can")
	}
	if err := o.filter.complete(cmd, w.now()); err != nil {
		return err
	}
	if !spans {
		t, day, ok := parseWhen(cmp.Or(o.at, "now"), w.now())
		if !ok || day {
			return usagef(cmd, "--at %q: %s; of a whole day ask with --since and --until", o.at,
				whenForms)
		}
		o.filter.Span = audit.At(t)
	}
	if o.can == "" {
		return nil
	}
	return o.ask(cmd, args[0])
}

// ask reads the question of --can.
func (o *whoOptions) ask(cmd *cobra.Command, resource string) error {
	id, problem := requests.ParseResourceID(resource)
	named := requests.Resource{Kind: id.Kind, Name: id.Name}
	switch {
	case problem != "":
		return usagef(cmd, "%q: %s", resource, problem)
	case id.Kind == "" || id.Cluster != "" || id.Namespace != "" ||
		id.Name != "" && !named.IsExact():
		return usagef(cmd, "%q: write RESOURCE or RESOURCE/NAME, and where it is with --cluster "+
			"and --namespace", resource)
	case id.ClusterWide && o.filter.Namespace != "":
		return usagef(cmd, "%s stand in no namespace; leave --namespace out", id.Kind)
	}
	q := audit.Question{Namespace: o.filter.Namespace, ClusterWide: id.ClusterWide,
		Access: rbac.Access{Verb: strings.ToLower(o.can), Name: id.Name}}
	q.Resource, q.Group = requests.SplitKind(id.Kind)
	if o.subresource != "" {
		q.Resource += "/" + o.subresource
	}
	o.question, o.filter.Namespace = &q, "" // what a grant reached, its rules and items tell
	return nil
}

func who(w world, o whoOptions) error {
	h, err := o.checkout.history(o.signers)
	if err != nil {
		return err
	}
	h.only(w, o.filter.Filter)
	var all []audit.Holding
	trees := treesOf(h.dir)
	for i, row := range h.rows {
		refused := ""
		if d, has := h.asked[row.Path]; has && d.Outcome != policies.Allowed {
			refused = d.Message
		}
		holding, ok := o.filter.Span.Hold(row, refused)
		if ok && o.question != nil {
			can, why, err := h.answer(*o.question, h.accounts[i], trees)
			if err != nil {
				return err
			}
			holding, ok = holding.Answer(can, why)
		}
		if ok {
			all = append(all, holding)
		}
	}
	var names []string
	for _, holding := range all {
		names = append(names, holding.Name)
	}
	err = o.output.print(w, printed{value: all, names: names,
		people: func(wide bool) error { return writeHoldings(w, all, wide) }})
	if err != nil {
		return err
	}
	sayFindings(w, h.findings)
	if len(h.findings) > 0 {
		return verdict(exitFindings)
	}
	return nil
}

// answer tells whether what a request gave lets its holder do what is asked about.
func (h history) answer(q audit.Question, a ledger.Account,
	treeAt func(commit string) (policies.Tree, error)) (can []string, why string, err error) {
	if a.Status == nil {
		g := h.grant(a)
		if g == nil {
			return nil, "what it would give is not known", nil
		}
		tree, err := treeAt("HEAD")
		if err != nil {
			return nil, "", err
		}
		can, why = q.Asked(tree, *g, nil)
		return can, why, nil
	}
	commit := a.Status.PolicyCommit
	switch {
	case a.Spec == nil:
		return nil, "its request could not be read", nil
	case !commitPattern.MatchString(commit):
		return nil, "its entry names no commit of the policies", nil
	}
	tree, err := treeAt(commit)
	if err != nil {
		return nil, "the policies that it was judged by cannot be read: " + err.Error(), nil
	}
	d, err := previewAccount(tree, a.Status.Path, a)
	if err != nil {
		return nil, "", err
	}
	if d.Grant == nil || len(d.Grant.Items) == 0 {
		return nil, "by the policies at " + short(commit) + " it gives nothing: " + d.Message, nil
	}
	can, why = q.Asked(tree, *d.Grant, a.Status.GrantRefs)
	return can, why, nil
}

// treesOf reads the policies of a checkout at commits, each once.
func treesOf(dir string) func(commit string) (policies.Tree, error) {
	type read struct {
		tree policies.Tree
		err  error
	}
	had := map[string]read{}
	return func(commit string) (policies.Tree, error) {
		r, ok := had[commit]
		if !ok {
			r.tree, r.err = ledger.TreeAt(dir, commit)
			had[commit] = r
		}
		return r.tree, r.err
	}
}
